-- 40_claim.sql - which calls are dialled now: promotion, admission, claims.

-- statement_timestamp(), not clock_timestamp(), wherever an index is to be used: PostgreSQL asks a volatile function for each row.

-- Rows whose time has come become ready; those whose time has passed expire.  In batches, so that a backlog never holds up a claim.
create or replace function public.queue_promote(p_limit integer default 1000) returns integer
    language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    v_n integer;
begin
    perform set_config('synchronous_commit', 'off', true);
    update public.call_queue q set ready = true
      from (select id from public.call_queue
             where status = 'queued' and not ready and due_at <= statement_timestamp()
             order by due_at limit p_limit for update skip locked) d
     where q.id = d.id;
    get diagnostics v_n = row_count;
    return v_n;
end
$$;

create or replace function public.queue_expire(p_limit integer default 500) returns integer
    language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    q public.call_queue;
    v_n integer := 0;
begin
    for q in select * from public.call_queue where status = 'queued' and expires_at <= statement_timestamp()
              order by expires_at limit p_limit for update skip locked loop
        perform public.call_close(q.id, q.call_created_at, 'expired', 'expired', null);
        v_n := v_n + 1;
    end loop;
    return v_n;
end
$$;

-- Active providers with their free places, in the order in which they are asked.  The caller holds their rows' locks where it counts.
-- A provider that refused lately gets one call to show that it is well again.
create or replace function public.providers_free() returns table (
    id uuid, provider_type text, free integer, reason text)
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select p.id, p.provider_type,
           case when p.cooling_until > clock_timestamp() then 0
                else greatest(0, least(
                    p.max_concurrent_calls - l.live, case when p.failures > 0 then 1 - l.probing else p.max_concurrent_calls end,
                    case when p.starts_per_second is null then 1000000
                         else floor(greatest(p.starts_per_second, 1) - s.started)::integer end)) end::integer,
           case when p.cooling_until > clock_timestamp() then 'provider_cooling'
                when p.max_concurrent_calls <= l.live or (p.failures > 0 and l.probing > 0) then 'provider_capacity'
                else 'provider_starts' end
      from public.call_service_providers p
     cross join lateral (select count(*)::integer as live, count(*) filter (where a.state in ('leased', 'sent'))::integer as probing
                           from public.call_assignments a
                          where a.provider_id = p.id and a.state in ('leased', 'sent', 'accepted', 'unknown')) l
     cross join lateral (select count(*)::integer as started from public.call_assignments a
                          where p.starts_per_second is not null and a.provider_id = p.id
                            and a.created_at > statement_timestamp() - make_interval(secs => least(86400, greatest(1, 1 / p.starts_per_second))::double precision)) s
     where p.is_active and not p.is_draining
     order by p.priority, l.live::numeric / greatest(p.max_concurrent_calls, 1), p.id;
end
$$;

-- May this organization call now, by its status and its hours?  Null: yes.
create or replace function public.organization_admission(o public.organizations) returns text
    language plpgsql stable set search_path = '' as $$
declare
    v_hours jsonb := o.settings -> 'calling_hours';
    v_local timestamp;
begin
    if o.status not in ('active', 'past_due') then
        return 'organization_inactive';
    end if;
    if jsonb_typeof(v_hours) = 'object' then
        v_local := clock_timestamp() at time zone coalesce(v_hours ->> 'timezone', 'UTC');
        if (v_hours ? 'days' and not v_hours -> 'days' @> to_jsonb(extract(isodow from v_local)::integer))
           or v_local::time < coalesce(v_hours ->> 'start', '00:00')::time
           or v_local::time >= coalesce(v_hours ->> 'end', '24:00')::time then
            return 'calling_hours';
        end if;
    end if;
    return null;
exception when others then
    return 'calling_hours_unreadable'; -- settings that cannot be read never let a call out at night
end
$$;

-- And by its plan too.
create or replace function public.organization_closed(o public.organizations) returns text
    language plpgsql stable security definer set search_path = '' as $$
begin
    return coalesce(public.organization_admission(o), public.plan_admission(o.id));
end
$$;

-- The calls that come first on the open routes.  Organizations in p_closed are passed over as a whole: first by looking a little ahead in
-- the common order, and where closed ones crowd the front, organization by organization (one index probe skips all of a closed one's rows).
create or replace function public.queue_candidates(p_routes text[], p_closed uuid[], p_take integer)
    returns table (id uuid, organization_id uuid, priority integer, due_at timestamptz, place bigint)
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_ahead integer := p_take * 2 + 50;
    v_seen integer;
    v_open integer;
begin
    select count(*), count(*) filter (where x.organization_id <> all (p_closed)) into v_seen, v_open
      from unnest(p_routes) r(route)
     cross join lateral (select q.organization_id from public.call_queue q
                          where q.status = 'queued' and q.ready and q.route = r.route
                          order by q.priority, q.due_at, q.position limit v_ahead) x;
    if v_open >= p_take or v_seen < v_ahead or cardinality(p_closed) = 0 then
        return query
            select x.* from unnest(p_routes) r(route)
             cross join lateral (select q.id, q.organization_id, q.priority, q.due_at, q.position as place
                                   from public.call_queue q
                                  where q.status = 'queued' and q.ready and q.route = r.route
                                  order by q.priority, q.due_at, q.position limit v_ahead) x
             where x.organization_id <> all (p_closed)
             order by x.priority, x.due_at, x.place limit v_ahead;
        return;
    end if;
    return query
        with recursive orgs as (
            select r.route, (select q.organization_id from public.call_queue q
                              where q.status = 'queued' and q.ready and q.route = r.route
                              order by q.organization_id limit 1) as organization_id
              from unnest(p_routes) r(route)
            union all
            select o.route, (select q.organization_id from public.call_queue q
                              where q.status = 'queued' and q.ready and q.route = o.route and q.organization_id > o.organization_id
                              order by q.organization_id limit 1)
              from orgs o where o.organization_id is not null),
        standing as (
            select o.route, o.organization_id, public.organization_closed(x) is null as may
              from orgs o join public.organizations x on x.id = o.organization_id
             where o.organization_id <> all (p_closed)),
        line as (
            select s.may, x.* from standing s
             cross join lateral (select q.id, q.organization_id, q.priority, q.due_at, q.position as place
                                   from public.call_queue q
                                  where q.status = 'queued' and q.ready and q.route = s.route and q.organization_id = s.organization_id
                                  order by q.priority, q.due_at, q.position limit case when s.may then p_take else 1 end) x)
        -- Of one that may not call now one row is enough to say why; it takes no room from those that may.
        (select l.id, l.organization_id, l.priority, l.due_at, l.place from line l where l.may
          order by l.priority, l.due_at, l.place limit v_ahead)
        union all
        (select l.id, l.organization_id, l.priority, l.due_at, l.place from line l where not l.may
          order by l.priority, l.due_at, l.place limit 100);
end
$$;

-- Why the first calls in line wait, written only where it changed.
create or replace function public.queue_explain(p_routes text[], p_reason text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.call_queue q set admission = p_reason
      from (select x.id from unnest(p_routes) r(route)
             cross join lateral (select c.id, c.admission from public.call_queue c
                                  where c.status = 'queued' and c.ready and c.route = r.route
                                  order by c.priority, c.due_at, c.position limit 20) x
             where x.admission is distinct from p_reason) w
     where q.id = w.id and q.status = 'queued';
end
$$;

-- One claim.  Locks the providers' rows, then the organizations', in the order of their ids, and counts in later statements: a statement
-- that locks and counts at once sees the old snapshot and overshoots.  Answers {"dials":[...],"claimed":n,"waiting":{reason:n}}.
create or replace function public.calls_claim(p_limit integer, p_worker text, p_lease_seconds double precision) returns jsonb
    language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    v_ids uuid[] := '{}';
    v_waiting jsonb := '{}';
    v_released uuid[];
begin
    -- Nothing is sent before calls_sent has committed, and that commit makes this one durable too.
    perform set_config('synchronous_commit', 'off', true);
    if exists (select from public.call_queue q where q.status = 'queued' and q.ready) then
        select c.ids, c.waiting into v_ids, v_waiting from public.calls_admit(p_limit, p_worker, p_lease_seconds) c;
    end if;
    -- Behind the providers' locks, and passing over what is locked: nothing is waited for here.
    select coalesce(array_agg(x.id), '{}') into v_released from public.leases_renew(p_limit, p_worker, p_lease_seconds) x(id);
    return jsonb_build_object('claimed', cardinality(v_ids), 'renewed', cardinality(v_released), 'waiting', v_waiting,
                              'dials', public.dials_of(v_released || v_ids));
end
$$;

-- Attempts that were never sent and whose lease ran out belong to whoever takes them now (a dead pump's, or made by SQL).
create or replace function public.leases_renew(p_limit integer, p_worker text, p_lease_seconds double precision) returns setof uuid
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.leases_put_back(p_limit);
    return query
    update public.call_assignments a
       set fence = a.fence + 1, worker = p_worker, lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds),
           updated_at = now()
      from (select x.id from public.call_assignments x where x.state = 'leased' and lease_until < statement_timestamp()
             order by lease_until limit p_limit for update skip locked) d
     where a.id = d.id
    returning a.id;
end
$$;

-- But what its provider does not take any more, or whose organization is closed, goes back into the line: it was certainly not sent.
create or replace function public.leases_put_back(p_limit integer) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    a public.call_assignments;
    q public.call_queue;
begin
    for a in select x.* from public.call_assignments x
               join public.call_service_providers p on p.id = x.provider_id
               join public.organizations o on o.id = x.organization_id
              where x.state = 'leased' and x.lease_until < statement_timestamp()
                and (not p.is_active or p.is_draining or o.status not in ('active', 'past_due'))
              order by x.lease_until limit p_limit for update of x skip locked loop
        select * into q from public.call_queue c where c.id = a.call_id for update skip locked;
        continue when not found;
        update public.call_assignments x
           set state = 'absent', outcome = 'put_back', reason = 'put_back', finished_at = clock_timestamp(), updated_at = now()
         where x.id = a.id
        returning x.* into a;
        if not public.call_retry_later(q, a, true) then
            perform public.call_close(q.id, q.call_created_at, 'expired', 'expired', a);
        end if;
    end loop;
end
$$;

-- Routes that have ready rows.
create or replace function public.queue_routes() returns text[]
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (with recursive routes as (
        (select q.route from public.call_queue q where q.status = 'queued' and q.ready order by q.route limit 1)
        union all
        select (select q.route from public.call_queue q where q.status = 'queued' and q.ready and q.route > r.route order by q.route limit 1)
          from routes r where r.route is not null)
    select coalesce(array_agg(r.route), '{}') from routes r where r.route is not null);
end
$$;

-- Admission.  v_free, counted under the locks, is what each provider can still take; v_closed grows by organizations that turn out to be
-- closed, and the line is then read again without them.
create or replace function public.calls_admit(p_limit integer, p_worker text, p_lease_seconds double precision, out ids uuid[], out waiting jsonb)
    language plpgsql security definer set search_path = '' as $$
declare
    v_prov uuid[];
    v_type text[];
    v_free integer[];
    v_why text[];
    v_all text[];
    v_routes text[];
    v_closed uuid[];
    v_newly uuid[];
    v_again boolean; -- rows were taken out of the line: there may be more behind them
    v_take integer;
    v_cand uuid[];
    v_org_id uuid[];
    v_org_free integer[];
    v_org_why text[];
    v_reason text;
    v_pick integer;
    v_o integer;
    q record;
    v_calls uuid[] := '{}';
    v_provs uuid[] := '{}';
begin
    ids := '{}';
    waiting := '{}';
    perform from public.call_service_providers p where p.is_active and not p.is_draining order by p.id for no key update;
    select array_agg(f.id), array_agg(f.provider_type), array_agg(f.free), array_agg(f.reason) into v_prov, v_type, v_free, v_why
      from public.providers_free() f;
    v_all := public.queue_routes();
    v_routes := public.routes_open(v_all, v_prov, v_type, v_free);
    if cardinality(v_routes) < cardinality(v_all) then
        v_reason := coalesce((select w from unnest(v_why, v_free) u(w, f) where f <= 0
                               order by array_position(array['provider_capacity', 'provider_starts', 'provider_cooling'], w) limit 1), 'no_provider');
        perform public.queue_explain(array(select r from unnest(v_all) r where r <> all (v_routes)), v_reason);
        waiting := jsonb_build_object(v_reason, cardinality(v_all) - cardinality(v_routes));
    end if;
    v_take := least(p_limit, (select sum(f) from unnest(v_free) f));
    if cardinality(v_routes) = 0 or v_take <= 0 then
        return;
    end if;

    v_closed := public.organizations_full();
    for pass in 1..3 loop
        v_newly := '{}';
        v_again := false;
        v_cand := array(select c.id from public.queue_candidates(v_routes, v_closed, v_take) c where c.id <> all (v_calls));
        exit when cardinality(v_cand) = 0;
        perform from public.organizations o
          where o.id in (select c.organization_id from public.call_queue c where c.id = any (v_cand)) order by o.id for no key update;
        select array_agg(f.id), array_agg(f.free), array_agg(f.reason) into v_org_id, v_org_free, v_org_why
          from public.organizations_free(v_cand, v_calls) f;

        for q in select c.id, c.call_created_at, c.organization_id, c.route, c.recipient_number, c.expires_at
                   from public.call_queue c
                  where c.id = any (v_cand) and c.status = 'queued' and c.ready
                  order by c.priority, c.due_at, c.position
                    for update skip locked loop
            exit when v_take <= 0;
            if q.expires_at <= statement_timestamp() then
                perform public.call_close(q.id, q.call_created_at, 'expired', 'expired', null);
                v_again := true;
                continue;
            end if;
            v_o := array_position(v_org_id, q.organization_id);
            if v_org_free[v_o] <= 0 then
                if q.organization_id <> all (v_newly) then
                    v_newly := v_newly || q.organization_id;
                    waiting := waiting || jsonb_build_object(v_org_why[v_o], coalesce((waiting ->> v_org_why[v_o])::integer, 0) + 1);
                end if;
                update public.call_queue set admission = v_org_why[v_o] where id = q.id and admission is distinct from v_org_why[v_o];
                continue;
            end if;
            if exists (select from public.do_not_call d where d.organization_id = q.organization_id and d.phone_number = q.recipient_number) then
                perform public.call_close(q.id, q.call_created_at, 'canceled', 'do_not_call', null);
                continue;
            end if;
            select f.i into v_pick from unnest(v_type, v_free, v_prov) with ordinality f(type, free, id, i)
             where f.free > 0 and (f.type = any (string_to_array(q.route, '+')) or f.id::text = q.route) order by f.i limit 1;
            continue when not found;
            v_free[v_pick] := v_free[v_pick] - 1;
            v_org_free[v_o] := v_org_free[v_o] - 1;
            v_take := v_take - 1;
            v_calls := v_calls || q.id;
            v_provs := v_provs || v_prov[v_pick];
        end loop;
        v_closed := v_closed || v_newly;
        v_routes := public.routes_open(v_routes, v_prov, v_type, v_free);
        exit when v_take <= 0 or (cardinality(v_newly) = 0 and not v_again) or cardinality(v_routes) = 0;
    end loop;
    if cardinality(v_calls) > 0 then
        ids := public.assignments_make(v_calls, v_provs, p_worker, p_lease_seconds);
    elsif cardinality(v_cand) = 0 and cardinality(v_closed) > 0 and waiting = '{}' then
        -- There are ready rows on open routes, and none that may go: the whole line is of organizations that were full from the start.
        waiting := jsonb_build_object('organization_capacity', cardinality(v_closed));
        perform public.queue_explain(v_routes, 'organization_capacity');
    end if;
end
$$;

create or replace function public.routes_open(p_routes text[], p_provs uuid[], p_types text[], p_free integer[]) returns text[]
    language plpgsql immutable set search_path = '' as $$
begin
    return array(select r from unnest(p_routes) r where exists (
        select from unnest(p_provs, p_types, p_free) f(id, type, free)
         where f.free > 0 and (f.type = any (string_to_array(r, '+')) or f.id::text = r)));
end
$$;

-- Organizations whose cap is reached, from the live attempts alone.
create or replace function public.organizations_full() returns uuid[]
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select coalesce(array_agg(x.id), '{}') from (
        select o.id
          from (select a.organization_id, count(*) as live from public.call_assignments a
                 where a.state in ('leased', 'sent', 'accepted', 'unknown') group by 1) l
          join public.organizations o on o.id = l.organization_id
         where l.live >= o.max_concurrent_calls) x);
end
$$;

-- What each candidate's organization can still take, and why not when it is nothing.  p_claimed: calls taken in this claim already.
create or replace function public.organizations_free(p_candidates uuid[], p_claimed uuid[])
    returns table (id uuid, free integer, reason text)
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select o.id,
           case when r.reason is not null or k.room <= 0 then 0
                else least(o.max_concurrent_calls - coalesce(l.live, 0), coalesce(k.room, 1000000)) - t.taken end::integer,
           coalesce(r.reason, case when k.room - t.taken <= 0 then case k.room when -1 then 'plan_minutes' else 'plan_calls' end end,
                    'organization_capacity')
      from (select distinct c.organization_id from public.call_queue c where c.id = any (p_candidates)) w
      join public.organizations o on o.id = w.organization_id
      left join public.subscriptions s on s.organization_id = o.id and s.current
      left join public.subscription_plans p on p.id = s.plan_id
      left join public.subscription_standings g on g.status = s.status and p.id is not null
     cross join lateral (select coalesce(public.organization_admission(o), case when g.may_call is not true then 'subscription_inactive' end)
                                as reason) r
     cross join lateral (select case when r.reason is null and p.limit_mode = 'hard' and num_nonnulls(p.call_limit, p.minutes_limit) > 0
                                     then public.plan_room(o.id) end as room) k
     left join (select a.organization_id, count(*)::integer as live from public.call_assignments a
                 where a.state in ('leased', 'sent', 'accepted', 'unknown') group by 1) l on l.organization_id = o.id
     cross join lateral (select count(*)::integer as taken from public.call_queue c
                          where c.id = any (p_claimed) and c.organization_id = o.id) t;
end
$$;
