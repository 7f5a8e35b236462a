-- 87_number_sweep.sql - the workflow "number-sweep": once a day what Twilio and Vapi have is compared with what we have.  Whole lists are read, a page
-- at a time, and kept in number_sweep_items; each is compared when it is whole (87_number_sweep_compare.sql).  What is ours and was in no list is looked
-- up by itself before it is believed to be lost.  What we bought and nobody owns is released when two sweeps have seen it.  A row that a run is at is
-- passed over: it is not what it will be.
--
-- Each request is a generation of the run; its input says {"phase": "list", "list", "began", "next" or "before", "n", "restarts"}, {"phase": "look", "id"},
-- {"phase": "release", "id"} or {"phase": "settle"}; ids are those of number_differences.

-- ---- lists ------------------------------------------------------------------

-- The lists in their order: Twilio's numbers, then numbers and assistants of each account at Vapi.
create or replace function public.number_sweep_lists() returns table (place bigint, list text, provider_id uuid)
    language sql stable security definer set search_path = '' as $$
    select 0, 'twilio', null::uuid
    union all
    select 2 * row_number() over (order by p.priority, p.id) + k.n, k.list || ':' || p.id, p.id
      from public.call_service_providers p, (values (0, 'vapi_numbers'), (1, 'vapi_assistants')) k(n, list)
     where p.provider_type = 'vapi' and p.is_active
$$;

-- An account at Vapi as the voice port reads it.  The key is sealed; the answer is not stored.
create or replace function public.number_sweep_account(p_provider uuid) returns jsonb
    language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('provider_type', p.provider_type, 'base_url', p.base_url, 'api_key', p.api_key, 'timeout_ms', p.timeout_ms)
      from public.call_service_providers p where p.id = p_provider
$$;

-- Begins a list: the next one after p_list (null: the first), or what comes after all of them.
create or replace function public.number_sweep_next(p_list text) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_next text := (select l.list from public.number_sweep_lists() l
                     where l.place > coalesce((select x.place from public.number_sweep_lists() x where x.list = p_list), -1) order by l.place limit 1);
begin
    if p_list <> 'twilio' and not exists (select from public.number_sweep_lists() l where l.list = p_list) then
        v_next := null;
    end if;
    return jsonb_build_object('again', case when v_next is null then '{"phase":"look"}'
        else jsonb_build_object('phase', 'list', 'list', v_next, 'began', clock_timestamp()) end);
end
$$;

-- The next request, or what can be done without one.
create or replace function public.number_sweep_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_in jsonb := p_run -> 'input';
    v_list text := v_in ->> 'list';
    v_provider uuid := public.uuid_or_null(split_part(v_list, ':', 2));
begin
    case coalesce(v_in ->> 'phase', 'begin')
        when 'begin' then
            return public.number_sweep_next(null);
        when 'list' then
            if v_list = 'twilio' then
                return jsonb_build_object('prepared', jsonb_strip_nulls(jsonb_build_object(
                    'system', 'twilio', 'what', 'numbers', 'path', '/IncomingPhoneNumbers.json', 'next', v_in ->> 'next')));
            elsif not exists (select from public.number_sweep_lists() l where l.list = v_list) then
                return public.number_sweep_next(v_list);
            end if;
            return jsonb_build_object('prepared', jsonb_build_object(
                'system', 'vapi', 'what', case when v_list like 'vapi_numbers:%' then 'numbers' else 'assistants' end,
                'path', case when v_list like 'vapi_numbers:%' then '/phone-number' else '/assistant' end || '?limit=500'
                        || coalesce('&createdAtLe=' || (v_in ->> 'before'), ''),
                'account', public.number_sweep_account(v_provider)));
        when 'look' then
            return case when v_in ? 'id' then '{"next":"look"}' else public.number_sweep_pick('look', p_run ->> 'id') end;
        when 'release' then
            return case when v_in ? 'id' then '{"next":"release"}' else public.number_sweep_pick('release', p_run ->> 'id') end;
        else
            return public.number_sweep_settle(p_run ->> 'id');
    end case;
end
$$;

-- A page has come: {"items": [{"id", "number", "created", ...}], "next", "more", "account", "urls"}; without items it was read and then lost, and is
-- asked for again.  absent: the place to go on from is not there any more: the list begins anew, as it does where pages that were read are gone.
create or replace function public.number_sweep_page(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_in jsonb := p_run -> 'input';
    v_page jsonb := p_run -> 'result';
    v_list text := v_in ->> 'list';
    v_run text := p_run ->> 'id';
    v_before bigint := (select count(*) from public.number_sweep_items i where (i.run_id, i.list) = (v_run, v_list));
    v_n bigint;
begin
    if (v_page ->> 'absent')::boolean or v_before < coalesce((v_in ->> 'n')::bigint, 0) then
        delete from public.number_sweep_items i where (i.run_id, i.list) = (v_run, v_list);
        return case when coalesce((v_in ->> 'restarts')::integer, 0) >= 3 then '{"fail":"list_not_whole"}'
                    else jsonb_build_object('again', jsonb_build_object('phase', 'list', 'list', v_list, 'began', clock_timestamp(),
                                                                        'restarts', coalesce((v_in ->> 'restarts')::integer, 0) + 1)) end;
    elsif not v_page ? 'items' then
        return jsonb_build_object('again', v_in, 'sleep_seconds', 1);
    end if;
    insert into public.number_sweep_items (run_id, list, external_id, phone_number, item)
    select distinct on (e ->> 'id') v_run, v_list, e ->> 'id', e ->> 'number', e - '{id,number}'::text[] from jsonb_array_elements(v_page -> 'items') e
        on conflict (run_id, list, external_id) do update set phone_number = excluded.phone_number, item = excluded.item;
    v_n := (select count(*) from public.number_sweep_items i where (i.run_id, i.list) = (v_run, v_list));
    if v_page ->> 'next' is not null and v_n > v_before then
        return jsonb_build_object('again', v_in || jsonb_build_object(case v_list when 'twilio' then 'next' else 'before' end, v_page ->> 'next', 'n', v_n));
    elsif v_page ->> 'next' is not null and v_list = 'twilio' then
        return '{"fail":"list_not_whole"}';
    end if;
    perform public.number_sweep_compare(v_run, v_list, (v_in ->> 'began')::timestamptz, v_page);
    return public.number_sweep_next(v_list);
end
$$;

-- ---- what is done about differences -----------------------------------------------

-- When a sweep began: what was seen since then was seen by it.
create or replace function public.number_sweep_began(p_run text) returns timestamptz
    language sql stable security definer set search_path = '' as $$
    select r.created_at from public.workflow_runs r where r.id = p_run
$$;

-- The next difference to be looked up, or to be released; what comes next where there is none.  Orphans at Vapi go first: there they point to Twilio's.
create or replace function public.number_sweep_pick(p_phase text, p_run text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_policy public.number_policy := (select p from public.number_policy p);
    v_id uuid;
begin
    if p_phase = 'look' then
        v_id := (select d.id from public.number_differences d
                  where d.kind = 'lost' and d.resolved_at is null and d.last_seen_at >= public.number_sweep_began(p_run) and d.action is null
                    and d.ours ->> 'id' is not null and (d.provider = 'twilio' or v_policy.drift = 'mend')
                  order by d.provider, d.id limit 1);
    elsif v_policy.enabled and v_policy.orphans = 'release' then
        v_id := (select d.id from public.number_differences d
                  where d.kind in ('orphan', 'double') and d.resolved_at is null and d.last_seen_at >= public.number_sweep_began(p_run)
                    and d.action is null and d.seen >= 2 and (d.theirs ->> 'created')::timestamptz < now() - interval '1 hour'
                  order by d.provider desc, d.id limit 1);
    end if;
    return jsonb_build_object('again', case when v_id is not null then jsonb_build_object('phase', p_phase, 'id', v_id)
                                            when p_phase = 'look' then '{"phase":"release"}' else '{"phase":"settle"}' end);
end
$$;

-- The request about one difference.
create or replace function public.number_sweep_request(d public.number_differences) returns jsonb
    language sql stable set search_path = '' as $$
    select jsonb_build_object('prepared', jsonb_build_object(
        'system', d.provider, 'front', case when d.provider = 'twilio' then '/IncomingPhoneNumbers/' when d.phone_number is null then '/assistant/'
                                            else '/phone-number/' end,
        'id', d.external_id, 'back', case when d.provider = 'twilio' then '.json' else '' end,
        'account', public.number_sweep_account((d.theirs ->> 'provider_id')::uuid)))
$$;

create or replace function public.number_sweep_look_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    d public.number_differences := (select x from public.number_differences x where x.id = (p_run -> 'input' ->> 'id')::uuid);
begin
    return case when public.number_sweep_still_lost(d) then public.number_sweep_request(d) else public.number_sweep_passed('look', d.id) end;
end
$$;

-- It was looked up: {"absent"}, {"found"}, or {"refused"}, which proves nothing.
create or replace function public.number_sweep_look(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    d public.number_differences;
begin
    select * into d from public.number_differences x where x.id = (p_run -> 'input' ->> 'id')::uuid for update;
    if (p_run -> 'result' ->> 'absent')::boolean and public.number_sweep_still_lost(d) then
        perform public.number_sweep_lost(d, p_run);
    elsif (p_run -> 'result' ->> 'found')::boolean then
        update public.number_differences x set resolved_at = now() where x.id = d.id;
    else
        return public.number_sweep_passed('look', d.id);
    end if;
    return '{"again":{"phase":"look"}}';
end
$$;

-- This sweep does nothing more about it.
create or replace function public.number_sweep_passed(p_phase text, p_id uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    update public.number_differences d set action = 'passed' where d.id = p_id;
    return jsonb_build_object('again', jsonb_build_object('phase', p_phase));
end
$$;

-- Whether it is still the one that was missed, with no run at it.  Locks its row.
create or replace function public.number_sweep_still_lost(d public.number_differences) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    if d.kind is distinct from 'lost' or d.resolved_at is not null then
        return false;
    elsif d.phone_number_id is null then
        perform from public.assistants a
          where a.id = (d.ours ->> 'id')::uuid and a.status = 'active' and a.vapi_assistant_id = d.external_id and not public.number_sweep_busy(a.run_id)
            for update;
    else
        perform from public.phone_numbers n
          where n.id = d.phone_number_id and n.status in ('active', 'paused') and not public.number_sweep_busy(n.run_id)
            and d.external_id = case d.provider when 'twilio' then n.provider_sid else n.voice_number_id end
            for update;
    end if;
    return found;
end
$$;

-- It is gone: a number at Twilio for good, and its organization may get another one; what is gone at Vapi is made there anew.
create or replace function public.number_sweep_lost(d public.number_differences, p_run jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := (select x from public.phone_numbers x where x.id = d.phone_number_id);
    a public.assistants;
    v_action text := 'made_anew';
begin
    if d.provider = 'twilio' then
        v_action := 'lost';
        -- Whoever has numbers by himself gets another one (provision_settled).
        perform public.number_end(n, p_run, 'lost', 'taken_back');
    elsif d.phone_number_id is not null then
        update public.phone_numbers x set voice_number_id = null, linked_assistant = null where x.id = d.phone_number_id;
        perform public.number_sync(d.phone_number_id);
    else
        update public.assistants x set vapi_assistant_id = null, synced_version = 0 where x.id = (d.ours ->> 'id')::uuid returning * into a;
        perform public.assistant_start(a);
    end if;
    update public.number_differences x set action = v_action, resolved_at = now() where x.id = d.id;
end
$$;

-- ---- releasing --------------------------------------------------------------------

-- Whether somebody owns it by now, or is about to: then it is no orphan.
create or replace function public.number_sweep_owned(d public.number_differences) returns boolean
    language sql stable security definer set search_path = '' as $$
    select case when d.phone_number is not null then exists (
                    select from public.phone_numbers n
                     where (n.id = d.phone_number_id or n.phone_number = d.phone_number) and public.number_sweep_busy(n.run_id)
                        or n.status not in ('failed', 'released', 'lost')
                           and d.external_id = case d.provider when 'twilio' then n.provider_sid else n.voice_number_id end)
                else exists (
                    select from public.assistants a
                     where a.id = public.uuid_or_null(d.theirs ->> 'mark') and public.number_sweep_busy(a.run_id)
                        or a.status not in ('deleting', 'deleted') and a.vapi_assistant_id = d.external_id) end
$$;

create or replace function public.number_sweep_release_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    d public.number_differences := (select x from public.number_differences x where x.id = (p_run -> 'input' ->> 'id')::uuid);
begin
    if d.resolved_at is not null or public.number_sweep_owned(d)
       or not (select p.enabled and p.orphans = 'release' from public.number_policy p) then
        return public.number_sweep_passed('release', d.id);
    end if;
    return public.number_sweep_request(d);
end
$$;

-- It is gone, or will not go: {"refused": code}.
create or replace function public.number_sweep_release(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    d public.number_differences;
    v_refused text := p_run -> 'result' ->> 'refused';
begin
    update public.number_differences x
       set action = case when v_refused is null then 'released' else 'refused' end, resolved_at = case when v_refused is null then now() end
     where x.id = (p_run -> 'input' ->> 'id')::uuid returning * into d;
    if d.organization_id is not null then
        perform public.number_log(d.organization_id, 'orphan', case when v_refused is null then 'completed' else 'failed' end, jsonb_build_object(
            'phone_number_id', d.phone_number_id, 'run_id', p_run ->> 'id', 'reason', coalesce(v_refused, 'orphan_released'),
            'detail', jsonb_build_object('provider', d.provider, 'external_id', d.external_id, 'phone_number', d.phone_number)));
    end if;
    return '{"again":{"phase":"release"}}';
end
$$;

-- ---- the end ----------------------------------------------------------------------

-- What was read is forgotten, also by sweeps that came to no end.
create or replace function public.number_sweep_settle(p_run text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    delete from public.number_sweep_items i
     where i.run_id = p_run or not exists (select from public.workflow_runs r where r.id = i.run_id and r.state in ('ready', 'working', 'waiting'));
    perform public.webhook_count('numbers', 'swept', 1);
    return '{"done":true}';
end
$$;

-- What /metrics tells, in the form of api.metrics.
create or replace function public.number_differences_metrics() returns jsonb
    language sql stable security definer set search_path = '' as $$
    select jsonb_build_array(
        public.metric('number_differences', 'gauge', 'Where our numbers and assistants and those at Twilio and Vapi do not agree; 0 is what it should be.', (
            select jsonb_agg(public.sample(jsonb_build_object('provider', p.provider, 'kind', k.kind), (
                       select count(*) from public.number_differences d
                        where (d.provider, d.kind) = (p.provider, k.kind) and d.resolved_at is null)) order by p.provider, k.kind)
              from unnest(array['twilio', 'vapi']) p(provider), unnest(array['orphan', 'stranger', 'lost', 'drift', 'double']) k(kind))),
        public.metric('number_sweeps_total', 'counter', 'Sweeps of numbers that came to their end.', (
            select jsonb_agg(public.sample('{}', c.seen)) from public.webhook_counts c where (c.provider, c.type) = ('numbers', 'swept'))))
$$;
