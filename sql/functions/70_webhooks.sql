-- 70_webhooks.sql - events that come in: kept, deduplicated and applied in one statement.

-- What makes an event one event.  What an organization signs by itself never stands in the way of what the provider says.
create or replace function public.webhook_key(p_organization uuid, p_signer text, p_key text) returns text
    language sql immutable
    return p_organization::text || case p_signer when 'organization' then ':o:' else ':' end || p_key;

-- The state of an event that moves nothing; null for one that does.
create or replace function public.webhook_still(p_class text) returns text
    language sql immutable
    return case p_class when 'moves' then null when 'look' then null when 'unknown' then 'unknown' else 'kept' end;

-- Whether what a call's token came with speaks of another call.
create or replace function public.webhook_stray(p_signer text, p_organization uuid, p_provider_call text, p_owner uuid, p_known_call text) returns boolean
    language sql immutable
    return coalesce(p_signer = 'call' and (p_owner <> p_organization or p_known_call <> p_provider_call), false);

-- p_report is the normal report (see the voice port) as text, so that one that PostgreSQL cannot read is kept like any other.
-- Answers applied|kept|duplicate|waiting|foreign_call|failed|ignored|unknown.
create or replace function public.webhook_keep(
    p_provider text, p_organization uuid, p_signer text, p_key text, p_type text, p_assignment uuid, p_provider_call text,
    p_body text, p_report text, p_class text) returns text
    language plpgsql security definer set search_path = '' as $$
begin
    insert into public.webhook_event_keys (provider, key) values (p_provider, public.webhook_key(p_organization, p_signer, p_key)) on conflict do nothing;
    if not found then
        return 'duplicate';
    end if;
    return public.webhook_keep_new(p_provider, p_organization, p_signer, p_key, p_type, p_assignment, p_provider_call, p_body, p_report, p_class);
end
$$;

-- The same for an event whose key is new and written already.
create or replace function public.webhook_keep_new(
    p_provider text, p_organization uuid, p_signer text, p_key text, p_type text, p_assignment uuid, p_provider_call text,
    p_body text, p_report text, p_class text) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    v_state text := public.webhook_still(p_class);
    v_error text;
begin
    if v_state is null then
        begin
            if p_class = 'moves' then
                v_state := public.call_apply(p_organization, p_signer, p_provider, p_assignment, p_provider_call, p_report::jsonb);
            else
                v_state := public.call_look_now(p_organization, p_provider, p_provider_call);
            end if;
        exception when others then
            v_state := 'failed';
            v_error := left(sqlstate || ' ' || sqlerrm, 500);
        end;
    elsif p_signer = 'call' and p_assignment is not null and exists (
        select from public.call_assignments a where a.id = p_assignment
           and public.webhook_stray(p_signer, p_organization, p_provider_call, a.organization_id, a.provider_call_id)) then
        v_state := 'foreign_call';
    end if;
    if v_state = 'foreign_call' then
        -- Its key must not stand in the way of the event that it pretends to be.
        delete from public.webhook_event_keys k where k.provider = p_provider and k.key = public.webhook_key(p_organization, p_signer, p_key);
        insert into public.webhook_event_keys (provider, key)
        values (p_provider, public.webhook_key(p_organization, p_signer, 'foreign:' || coalesce(p_assignment::text, '') || ':' || p_key)) on conflict do nothing;
        if not found then
            return 'duplicate';
        end if;
    end if;
    insert into public.webhook_events (provider, organization_id, signer, type, key, assignment_id, provider_call_id, state, apply_error, try_at,
                                       report, body)
    values (p_provider, p_organization, p_signer, p_type, p_key, p_assignment, p_provider_call, v_state, v_error,
            case when v_state in ('waiting', 'failed') then clock_timestamp() + interval '1 second' end,
            case when v_state in ('waiting', 'failed') then coalesce(p_report, '') end, p_body);
    return v_state;
end
$$;

-- Events that wait together, in one transaction: their states in the order given.  Null: not touched and to be kept alone, since it
-- would take locks in another order than the rest does (it moves a call, and names no attempt that we know).
create or replace function public.webhook_keep_many(
    p_provider text, p_organizations text[], p_signers text[], p_keys text[], p_types text[], p_assignments text[], p_provider_calls text[],
    p_bodies text[], p_reports text[], p_classes text[]) returns text[]
    language plpgsql security definer set search_path = '' as $$
declare
    v_states text[];
    v_keys text[];
    v_fresh text[];
    n integer;
begin
    -- What each is if its key is new: its state, or 'new' where that is still to be found.
    v_states := array(
        select case when not a.stray and c.still is not null then c.still when a.known and p_classes[i] <> 'look' then 'new' end
          from generate_series(1, cardinality(p_keys)) i,
               lateral (select public.webhook_still(p_classes[i]) as still) c,
               lateral (select count(*) > 0 as known,
                               coalesce(bool_or(public.webhook_stray(p_signers[i], p_organizations[i]::uuid, p_provider_calls[i],
                                                                     x.organization_id, x.provider_call_id)), false) as stray
                          from public.call_assignments x where x.id = p_assignments[i]::uuid) a);
    v_keys := array(select case when s is not null then public.webhook_key(o::uuid, g, k) end from unnest(p_organizations, p_signers, p_keys, v_states) u(o, g, k, s));
    -- All keys first, in their order: so no two batches wait for each other.
    with fresh as (
        insert into public.webhook_event_keys (provider, key)
        select distinct p_provider, k from unnest(v_keys) k where k is not null order by k
        on conflict do nothing returning key)
    select array_agg(f.key) into v_fresh from fresh f;
    v_states := array(
        select case when k is null then null when array_position(v_keys, k) < i then 'again' when k = any (v_fresh) then s else 'duplicate' end
          from unnest(v_keys, v_states) with ordinality u(k, s, i));
    insert into public.webhook_events (provider, organization_id, signer, type, key, assignment_id, provider_call_id, state, body)
    select p_provider, p_organizations[i]::uuid, p_signers[i], p_types[i], p_keys[i], p_assignments[i]::uuid, p_provider_calls[i],
           v_states[i], p_bodies[i]
      from generate_series(1, cardinality(p_keys)) i where v_states[i] = public.webhook_still(p_classes[i]);

    -- An event with the key of an earlier one comes behind all: that one may turn out not to be what it says.
    for n in select i from generate_subscripts(v_states, 1) i where v_states[i] in ('new', 'again')
              order by v_states[i] = 'again', p_assignments[i]::uuid, i loop
        if v_states[n] = 'new' then
            v_states[n] := public.webhook_keep_new(p_provider, p_organizations[n]::uuid, p_signers[n], p_keys[n], p_types[n],
                p_assignments[n]::uuid, p_provider_calls[n], p_bodies[n], p_reports[n], p_classes[n]);
        else
            v_states[n] := public.webhook_keep(p_provider, p_organizations[n]::uuid, p_signers[n], p_keys[n], p_types[n],
                p_assignments[n]::uuid, p_provider_calls[n], p_bodies[n], p_reports[n], p_classes[n]);
        end if;
    end loop;
    return v_states;
end
$$;

-- A provider whose webhook proves little says only: look now.
create or replace function public.call_look_now(p_organization uuid, p_provider text, p_provider_call text) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    a public.call_assignments := public.assignment_lock(null, p_provider, p_provider_call);
begin
    if a.id is null then
        return 'waiting';
    end if;
    if a.organization_id <> p_organization then
        return 'foreign_call';
    end if;
    if a.finished_at is not null then
        return 'ignored';
    end if;
    update public.call_assignments x set next_look_at = clock_timestamp() where x.id = a.id;
    return 'applied';
end
$$;

-- Tries one kept event again.  Its row is locked by the caller.
create or replace function public.webhook_try(w public.webhook_events) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    v_state text;
    v_error text;
    v_organization uuid := w.organization_id;
begin
    begin
        if w.provider = 'paddle' then
            select a.state, a.organization into v_state, v_organization from public.paddle_apply(w.report::jsonb) a;
        elsif w.provider = 'twilio' then
            select a.state, a.organization into v_state, v_organization from public.twilio_apply(w.report::jsonb) a;
        elsif w.report = '' then
            v_state := public.call_look_now(w.organization_id, w.provider, w.provider_call_id);
        else
            v_state := public.call_apply(w.organization_id, w.signer, w.provider, w.assignment_id, w.provider_call_id, w.report::jsonb);
        end if;
    exception when others then
        v_state := 'failed';
        v_error := left(sqlstate || ' ' || sqlerrm, 500);
    end;
    if v_state = 'waiting' and w.received_at < now() - interval '24 hours' then
        v_state := 'unmatched';
    end if;
    update public.webhook_events e
       set state = v_state, apply_error = v_error, tries = e.tries + 1, organization_id = coalesce(v_organization, e.organization_id),
           report = case when v_state in ('waiting', 'failed') then e.report end,
           try_at = case when v_state in ('waiting', 'failed')
                         then clock_timestamp() + make_interval(secs => least(300, power(2, least(e.tries, 10)))) end
     where e.id = w.id and e.received_at = w.received_at;
    return v_state;
end
$$;

-- Each pump turn: events that wait for their call or whose effect failed.
create or replace function public.webhook_sweep(p_limit integer default 100) returns integer
    language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    w public.webhook_events;
    v_n integer := 0;
begin
    for w in select * from public.webhook_events
              where state in ('waiting', 'failed') and try_at <= statement_timestamp()
              order by try_at limit p_limit for update skip locked loop
        if public.webhook_try(w) in ('applied', 'ignored', 'foreign_call') then
            v_n := v_n + 1;
        end if;
    end loop;
    return v_n;
end
$$;

create or replace function public.webhook_count(p_provider text, p_type text, p_n bigint default 1) returns void
    language sql security definer set search_path = '' as $$
    insert into public.webhook_counts as c (provider, type, seen) values (p_provider, left(p_type, 100), p_n)
    on conflict (provider, type) do update set seen = c.seen + excluded.seen
$$;

create or replace function public.webhook_secrets_of(p_provider text, p_organization uuid)
    returns table (kind text, config jsonb, secret text)
    language sql stable security definer set search_path = '' as $$
    select s.kind, s.config, s.secret from public.webhook_secrets s
     where s.organization_id = p_organization and s.provider = p_provider and (s.valid_until is null or s.valid_until > now())
     order by s.created_at desc
$$;
