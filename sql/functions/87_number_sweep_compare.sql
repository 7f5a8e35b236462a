-- 87_number_sweep_compare.sql - a list of Twilio's or Vapi's that is whole, against our rows, as sets: differences are rows of number_differences.
--
-- orphan: it bears our mark, and nobody here owns it (any more).  double: its mark is a row's that has another one.  stranger: it is not ours.
-- lost: ours, active or paused, and not in the list.  drift: set otherwise than we set it.

-- Whether a run is at a row.
create or replace function public.number_sweep_busy(p_run text) returns boolean
    language sql stable security definer set search_path = '' as $$
    select p_run is not null and exists (select from public.workflow_runs r where r.id = p_run and r.state in ('ready', 'working', 'waiting'))
$$;

-- A time as a provider tells it; null where it is none.
create or replace function public.number_sweep_time(p_text text) returns timestamptz
    language plpgsql stable set search_path = '' as $$
begin
    return p_text::timestamptz;
exception when others then
    return null;
end
$$;

-- Writes down one difference; seen by each sweep once.  What the last sweep could not do is tried anew.
create or replace function public.number_differ(p public.number_differences) returns public.number_differences
    language plpgsql security definer set search_path = '' as $$
declare
    d public.number_differences;
begin
    insert into public.number_differences as x (provider, kind, external_id, phone_number, phone_number_id, organization_id, ours, theirs, action,
                                                first_seen_at, last_seen_at)
    values (p.provider, p.kind, p.external_id, p.phone_number, p.phone_number_id, p.organization_id, p.ours, p.theirs, p.action,
            clock_timestamp(), clock_timestamp())
        on conflict (provider, kind, external_id) where resolved_at is null
        do update set seen = x.seen + 1, last_seen_at = clock_timestamp(), phone_number = excluded.phone_number, ours = excluded.ours,
                      phone_number_id = excluded.phone_number_id, organization_id = excluded.organization_id, theirs = excluded.theirs,
                      action = excluded.action
    returning * into d;
    return d;
end
$$;

-- What a list says about our rows.  p_page: {"account": Twilio's, "urls": {"sms","status","voice"}, "base": where Vapi's events go}.
create or replace function public.number_sweep_compare(p_run text, p_list text, p_began timestamptz, p_page jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_mend boolean := (select p.drift = 'mend' from public.number_policy p);
    v_provider uuid := public.uuid_or_null(split_part(p_list, ':', 2));
    v_found public.number_differences[];
    d public.number_differences;
begin
    v_found := case split_part(p_list, ':', 1)
        when 'twilio' then array(select x from public.number_sweep_twilio(p_run, p_began, p_page) x)
        when 'vapi_numbers' then array(select x from public.number_sweep_vapi(p_run, p_list, p_began, p_page) x)
        else array(select x from public.number_sweep_assistants(p_run, p_list, p_began, p_page) x) end;
    v_found := public.number_sweep_doubt(p_run, p_list, v_found);
    foreach d in array v_found loop
        d := public.number_differ(d);
        if d.kind = 'drift' and v_mend and d.seen <= 5 then
            update public.number_differences x set action = 'sync' where x.id = d.id;
            perform public.number_sync(d.phone_number_id);
        end if;
    end loop;
    -- What this list does not say any more is resolved; each list has differences of its own.
    update public.number_differences x set resolved_at = now()
     where x.resolved_at is null and x.last_seen_at < p_began
       and case when v_provider is null then x.provider = 'twilio'
                else x.provider = 'vapi' and (x.phone_number is not null) = (p_list like 'vapi_numbers:%')
                     and coalesce(x.theirs ->> 'provider_id', v_provider::text) = v_provider::text end;
end
$$;

-- A list that holds none of ours where there should be many is another account's, or our rows are not what they were: then nothing is lost and
-- nothing is released; it is said once.
create or replace function public.number_sweep_doubt(p_run text, p_list text, p_found public.number_differences[]) returns public.number_differences[]
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_few constant integer := 10;
    v_lost integer := (select count(*) from unnest(p_found) f where f.kind = 'lost');
    v_orphans integer := (select count(*) from unnest(p_found) f where f.kind = 'orphan');
    v_out public.number_differences[];
    d public.number_differences;
begin
    if greatest(v_lost, v_orphans) <= v_few or exists (
           select from public.number_sweep_items i
            where (i.run_id, i.list) = (p_run, p_list)
              and (exists (select from public.phone_numbers n where i.external_id in (n.provider_sid, n.voice_number_id)
                                                                and not public.number_sweep_ended(n.status))
                   or exists (select from public.assistants a where a.vapi_assistant_id = i.external_id))) then
        return p_found;
    end if;
    v_out := array(select f from unnest(p_found) f where f.kind not in ('lost', 'orphan'));
    for d in select f.* from unnest(p_found) f where f.kind = 'orphan' loop
        d.action := 'doubted';
        v_out := v_out || d;
    end loop;
    if v_lost > v_few then
        d := public.number_difference(case when p_list = 'twilio' then 'twilio' else 'vapi' end, 'lost', p_list, jsonb_build_object('count', v_lost), null);
        d.phone_number := case when p_list not like 'vapi_assistants:%' then '' end;
        d.action := 'doubted';
        v_out := v_out || d;
    end if;
    return v_out;
end
$$;

-- ---- what differs -----------------------------------------------------------------

-- Nobody has a number of such a row (any more).
create or replace function public.number_sweep_ended(p_status text) returns boolean
    language sql immutable set search_path = '' as $$
    select p_status in ('failed', 'released', 'lost')
$$;

create or replace function public.number_difference(p_provider text, p_kind text, p_external text, p_ours jsonb, p_theirs jsonb,
                                                    p_number public.phone_numbers default null) returns public.number_differences
    language plpgsql immutable set search_path = '' as $$
declare
    d public.number_differences;
begin
    d.provider := p_provider;
    d.kind := p_kind;
    d.external_id := p_external;
    d.phone_number := p_number.phone_number;
    d.phone_number_id := p_number.id;
    d.organization_id := p_number.organization_id;
    d.ours := p_ours;
    d.theirs := p_theirs;
    return d;
end
$$;

-- What is set otherwise: {"ours", "theirs"} by member; null: nothing.  What we do not say (null) may be anything.
create or replace function public.number_sweep_drift(p_ours jsonb, p_theirs jsonb, p_members text[]) returns jsonb
    language sql immutable set search_path = '' as $$
    select jsonb_build_object('ours', jsonb_object_agg(k, p_ours -> k), 'theirs', jsonb_object_agg(k, p_theirs -> k))
      from unnest(p_members) k where coalesce(p_ours ->> k, '') is distinct from coalesce(p_theirs ->> k, '') having count(*) > 0
$$;

-- Twilio's numbers.  What bears a mark that no row has, and reports to somebody else, is another installation's: a stranger.
create or replace function public.number_sweep_twilio(p_run text, p_began timestamptz, p_page jsonb) returns setof public.number_differences
    language sql stable security definer set search_path = '' as $$
    with t as (
        select i.external_id as sid, i.phone_number as e164, i.item, public.uuid_or_null(substring(i.item ->> 'name' from '^hookswitch:(.*)$')) as mark,
               jsonb_build_object('created', public.number_sweep_time(i.item ->> 'created'), 'friendly_name', i.item ->> 'name', 'number', i.phone_number) as seen,
               coalesce(nullif(i.item ->> 'sms_url', ''), p_page -> 'urls' ->> 'sms') is distinct from p_page -> 'urls' ->> 'sms'
               or coalesce(nullif(i.item ->> 'status_callback', ''), p_page -> 'urls' ->> 'status') is distinct from p_page -> 'urls' ->> 'status'
               or p_page -> 'urls' is null as foreign_urls
          from public.number_sweep_items i where (i.run_id, i.list) = (p_run, 'twilio')),
    j as (
        select t.*, n as n, m as m, case
                   when public.number_sweep_busy(n.run_id) or public.number_sweep_busy(m.run_id) then null
                   when n.id is not null then case when not public.number_sweep_ended(n.status) then null
                                                   when t.mark is null or n.origin = 'manual' then 'stranger' else 'orphan' end
                   when exists (select from public.phone_numbers x where x.phone_number = t.e164 and not public.number_sweep_ended(x.status)
                                                                   and (x.origin = 'manual' or x.provider_sid is null)) then null
                   when m.id is null then case when t.mark is null or t.foreign_urls then 'stranger' else 'orphan' end
                   when public.number_sweep_ended(m.status) then 'orphan'
                   when m.provider_sid is not null then 'double' end as kind
          from t
          left join public.phone_numbers n on (n.provider, n.provider_sid) = ('twilio', t.sid)
          left join public.phone_numbers m on m.id = t.mark),
    found as (
        select public.number_difference('twilio', j.kind, j.sid, case when (j.m).id is not null then jsonb_build_object('status', (j.m).status) end,
                                        j.seen, coalesce(j.n, j.m)) as d, j.e164
          from j where j.kind is not null)
    select (jsonb_populate_record(f.d, jsonb_build_object('phone_number', f.e164))).* from found f
    union all
    select (public.number_difference('twilio', 'drift', j.sid, w.drift -> 'ours', w.drift -> 'theirs', j.n)).*
      from j, public.number_sweep_drift(jsonb_build_object('name', 'hookswitch:' || (j.n).id, 'sms_url', p_page -> 'urls' -> 'sms',
                                                           'status_callback', p_page -> 'urls' -> 'status', 'voice_fallback_url', p_page -> 'urls' -> 'voice'),
                                        j.item, array['name'] || case when p_page -> 'urls' is null then '{}'
                                                                      else '{sms_url,status_callback,voice_fallback_url}'::text[] end) w(drift)
     where (j.n).status in ('active', 'paused') and (j.n).origin <> 'manual' and not public.number_sweep_busy((j.n).run_id)
       and (j.n).updated_at < p_began and w.drift is not null
    union all
    select (public.number_difference('twilio', 'lost', x.provider_sid, jsonb_build_object('id', x.id, 'status', x.status), null, x)).*
      from public.phone_numbers x
     where x.provider = 'twilio' and x.provider_sid is not null and x.origin <> 'manual' and x.status in ('active', 'paused') and x.updated_at < p_began
       and coalesce(x.twilio_account_sid, p_page ->> 'account') = p_page ->> 'account' and not public.number_sweep_busy(x.run_id)
       and not exists (select from t where t.sid = x.provider_sid)
$$;

-- Vapi's numbers.  Those that bear no mark of ours are people's own.
create or replace function public.number_sweep_vapi(p_run text, p_list text, p_began timestamptz, p_page jsonb) returns setof public.number_differences
    language sql stable security definer set search_path = '' as $$
    with t as (
        select i.external_id as vid, i.phone_number as e164, i.item, substring(i.item ->> 'name' from '^hs:([0-9a-f]{8})') as mark,
               jsonb_build_object('created', public.number_sweep_time(i.item ->> 'created'), 'name', i.item ->> 'name', 'number', i.phone_number,
                                  'provider_id', split_part(p_list, ':', 2)) as seen,
               i.item ->> 'server_url' is not null and not starts_with(i.item ->> 'server_url', p_page ->> 'base') as foreign_urls
          from public.number_sweep_items i where (i.run_id, i.list) = (p_run, p_list)),
    j as (
        select t.*, n as n, m as m, case
                   when public.number_sweep_busy(n.run_id) or exists (select from public.phone_numbers x
                            where x.phone_number = t.e164 and public.number_sweep_busy(x.run_id)) then null
                   when n.id is not null then case when not public.number_sweep_ended(n.status) then null
                                                   when t.mark is null or n.origin = 'manual' then 'stranger' else 'orphan' end
                   when m.id is not null then case when m.origin <> 'manual' and m.voice_number_id is not null and t.mark = left(m.id::text, 8) then 'double' end
                   when t.mark is null or t.foreign_urls then 'stranger'
                   else 'orphan' end as kind
          from t
          left join public.phone_numbers n on n.voice_number_id = t.vid
          left join public.phone_numbers m on m.phone_number = t.e164 and not public.number_sweep_ended(m.status) and n.id is null),
    found as (
        select public.number_difference('vapi', j.kind, j.vid, null, j.seen, coalesce(j.n, j.m)) as d, j.e164 from j where j.kind is not null)
    select (jsonb_populate_record(f.d, jsonb_build_object('phone_number', coalesce(f.e164, '')))).* from found f
    union all
    select (public.number_difference('vapi', 'drift', j.vid, w.drift -> 'ours', w.drift -> 'theirs' || jsonb_build_object('provider_id', j.seen -> 'provider_id'),
                                     j.n)).*
      from j, public.number_sweep_drift(jsonb_build_object('server_url', p_page ->> 'base' || (j.n).organization_id,
                                                           'assistant', case when (j.n).status = 'active' then (j.n).linked_assistant end),
                                        j.item, case when p_page ->> 'base' is null then '{assistant}' else '{assistant,server_url}'::text[] end) w(drift)
     where (j.n).status in ('active', 'paused') and (j.n).origin <> 'manual' and not public.number_sweep_busy((j.n).run_id)
       and (j.n).updated_at < p_began and w.drift is not null
    union all
    select (public.number_difference('vapi', 'lost', x.voice_number_id, jsonb_build_object('id', x.id, 'status', x.status),
                                     jsonb_build_object('provider_id', split_part(p_list, ':', 2)), x)).*
      from public.phone_numbers x
     where x.voice_number_id is not null and x.origin <> 'manual' and x.status in ('active', 'paused') and x.updated_at < p_began
       and x.provider_id = public.uuid_or_null(split_part(p_list, ':', 2)) and not public.number_sweep_busy(x.run_id)
       and not exists (select from t where t.vid = x.voice_number_id)
$$;

-- Vapi's assistants.  Those without our mark are people's own, and no difference.
create or replace function public.number_sweep_assistants(p_run text, p_list text, p_began timestamptz, p_page jsonb) returns setof public.number_differences
    language sql stable security definer set search_path = '' as $$
    with t as (
        select i.external_id as vid, public.uuid_or_null(i.item ->> 'mark') as mark,
               jsonb_build_object('created', public.number_sweep_time(i.item ->> 'created'), 'name', i.item ->> 'name', 'mark', i.item ->> 'mark',
                                  'provider_id', split_part(p_list, ':', 2)) as seen,
               exists (select from public.organizations o where o.id = public.uuid_or_null(i.item ->> 'organization'))
               or coalesce(starts_with(i.item ->> 'server_url', p_page ->> 'base'), false) as known
          from public.number_sweep_items i where (i.run_id, i.list) = (p_run, p_list)),
    j as (
        select t.*, coalesce(a.organization_id, m.organization_id) as organization, case
                   when t.mark is null or public.number_sweep_busy(a.run_id) or public.number_sweep_busy(m.run_id) then null
                   when a.id is not null then case when a.status in ('deleting', 'deleted') then 'orphan' end
                   when m.id is null then case when t.known then 'orphan' end
                   when m.status in ('deleting', 'deleted') then 'orphan'
                   when m.vapi_assistant_id is not null then 'double' end as kind
          from t
          left join public.assistants a on a.vapi_assistant_id = t.vid
          left join public.assistants m on m.id = t.mark),
    found as (
        select public.number_difference('vapi', j.kind, j.vid, null, j.seen) as d, j.organization from j where j.kind is not null
        union all
        select public.number_difference('vapi', 'lost', a.vapi_assistant_id, jsonb_build_object('id', a.id, 'status', a.status),
                                        jsonb_build_object('provider_id', split_part(p_list, ':', 2))), a.organization_id
          from public.assistants a
         where a.vapi_assistant_id is not null and a.status = 'active' and a.updated_at < p_began and a.synced_at < p_began
           and a.provider_id = public.uuid_or_null(split_part(p_list, ':', 2)) and not public.number_sweep_busy(a.run_id)
           and not exists (select from t where t.vid = a.vapi_assistant_id))
    select (jsonb_populate_record(f.d, jsonb_build_object('organization_id', f.organization))).* from found f
$$;
