-- 35_numbers_link.sql - steps of a number's run: its assistant, and what became of telling Vapi and Twilio.

-- ---- the assistant ------------------------------------------------------------------

-- Who shall answer, known to Vapi; it is waited for ten minutes, then the number goes without one, and gets it when it is there.
create or replace function public.number_assistant_wait(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
    a public.assistants;
    v_assistant uuid;
    v_visit integer := (select s.visit from public.workflow_steps s where s.run_id = p_run ->> 'id' and s.generation = (p_run ->> 'generation')::integer
                           and s.step = 'assistant' and not s.undo);
begin
    if n.id is null then
        return '{"done": true}';
    end if;
    select x.* into a from public.assistants x where x.id = coalesce(n.assistant_wanted_id, n.assistant_id) and x.deleted_at is null;
    if not found then
        -- Not in the search's condition, which would ask it for each row, and not at all where there is none.
        v_assistant := public.assistant_default(n.organization_id, n.user_id);
        select x.* into a from public.assistants x where x.id = v_assistant;
        update public.phone_numbers x set assistant_wanted_id = a.id where x.id = n.id and a.id is not null;
    end if;
    if a.id is not null and public.assistant_ready(a.id) is null and a.status <> 'failed' and coalesce(v_visit, 1) < 10 then
        -- Where a run is at it, it is not waited for with the assistant's row: that run may wait for ours, to tell it.
        if not exists (select from public.workflow_runs r where r.id = a.run_id and r.state not in ('done', 'failed', 'canceled')) then
            perform public.assistant_start(a);
        end if;
        return '{"wait": "assistant", "wait_seconds": 60, "next": "assistant"}';
    elsif a.id is null or public.assistant_ready(a.id) is null then
        update public.phone_numbers x set last_error = 'no_assistant' where x.id = n.id;
        perform public.number_note(n, p_run, 'link', 'no_assistant');
    end if;
    return public.number_go(n.id, p_run);
end
$$;

-- ---- at Vapi and Twilio ---------------------------------------------------------------

create or replace function public.number_imported(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
    r jsonb := p_run -> 'result';
    v_code text := coalesce(r ->> 'refused', p_run -> 'results' -> 'import' ->> 'refused');
    v_sent timestamptz;
    v_again boolean;
begin
    if n.id is null then
        return '{"done": true}';
    elsif r ->> 'id' is null then
        select s.sent_at, s.visit > 1 or n.runs > 1 into v_sent, v_again from public.workflow_steps s
         where s.run_id = p_run ->> 'id' and s.generation = (p_run ->> 'generation')::integer and s.step = 'import' and not s.undo;
        if p_run ->> 'step' = 'find' and (v_code is null and n.wanted <> 'active' or v_code is not null and v_again)
           and v_sent > clock_timestamp() - public.number_list_lag() then
            return public.number_again(p_run, 'find'); -- not in the list yet, perhaps
        end if;
        perform public.number_note(n, p_run, 'link', v_code);
        return case when p_run ->> 'step' = 'import' then '{"next": "find"}' -- perhaps it is there already
                    when v_code is null then public.number_again(p_run, 'import')
                    else public.number_unlinkable(n, p_run, v_code) end;
    end if;
    -- One that was there may be set otherwise than we would have set it: it is told again.
    update public.phone_numbers x
       set voice_number_id = r ->> 'id', provider_id = (r ->> 'provider_id')::uuid, linked_assistant = r ->> 'assistant',
           assistant_id = coalesce((select a.id from public.assistants a where a.id = (r ->> 'assistant_id')::uuid), x.assistant_id),
           link_version = case when coalesce((r ->> 'found')::boolean, false) then 0 else (r ->> 'version')::bigint end
     where x.id = n.id returning * into n;
    perform public.number_note(n, p_run, 'link', case when (r ->> 'found')::boolean then 'found' end);
    return public.number_go(n.id, p_run);
end
$$;

-- Vapi will not have it so.  One that never worked is given back; one that did stays as it was.
create or replace function public.number_unlinkable(n public.phone_numbers, p_run jsonb, p_code text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    if n.wanted <> 'active' then
        return public.number_go(n.id, p_run); -- it need not be linked any more
    elsif n.linked_at is null then
        update public.phone_numbers x set wanted = 'released', release_reason = 'link_failed', last_error = p_code where x.id = n.id;
        return public.number_go(n.id, p_run);
    end if;
    update public.phone_numbers x
       set last_error = p_code, run_id = null, status = case when x.status = 'active' then 'active' else 'paused' end,
           wanted = case when x.status = 'active' then 'active' else 'paused' end, link_version = x.config_version,
           pause_reason = case when x.status = 'active' then x.pause_reason else 'link_failed' end,
           paused_at = case when x.status = 'active' then null else coalesce(x.paused_at, clock_timestamp()) end
     where x.id = n.id returning * into n;
    perform public.number_outcome(n, p_run, case n.status when 'active' then 'link' else 'resume' end, 'failed', 'link_failed'),
            public.number_event(n, 'number.failed', '{"reason": "link_failed"}'),
            public.number_mail(n, 'number_failed', '{"reason": "Its assistant could not be linked to it."}'),
            public.provision_settled(n.id, n.status, 'link_failed');
    return '{"done": true}';
end
$$;

create or replace function public.number_linked(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
    r jsonb := p_run -> 'result';
begin
    if n.id is null then
        return '{"done": true}';
    elsif r ->> 'refused' = 'vapi_404' then
        -- Vapi has it no more: it is imported anew.
        update public.phone_numbers x set voice_number_id = null, linked_assistant = null where x.id = n.id;
        perform public.number_note(n, p_run, 'link', 'vapi_404');
        return public.number_go(n.id, p_run);
    elsif r ? 'refused' then
        perform public.number_note(n, p_run, 'link', r ->> 'refused');
        if n.config_version > (r ->> 'version')::bigint then
            return public.number_go(n.id, p_run); -- it shall be set otherwise by now
        end if;
        return public.number_unlinkable(n, p_run, r ->> 'refused');
    end if;
    update public.phone_numbers x
       set linked_assistant = r ->> 'assistant', link_version = (r ->> 'version')::bigint,
           assistant_id = coalesce((select a.id from public.assistants a where a.id = (r ->> 'assistant_id')::uuid), x.assistant_id)
     where x.id = n.id;
    perform public.number_note(n, p_run, 'link');
    return public.number_go(n.id, p_run);
end
$$;

-- Twilio's side.  A number that Twilio has no more is lost: nothing can be set of it.
create or replace function public.number_configured(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
    v_refused text := p_run -> 'result' ->> 'refused';
begin
    if n.id is null then
        return '{"done": true}';
    end if;
    perform public.number_note(n, p_run, 'configure', v_refused);
    if v_refused = 'twilio_20404' then
        update public.phone_numbers x set last_error = v_refused where x.id = n.id returning * into n;
        perform public.number_end(n, p_run, 'lost', 'taken_back');
        return '{"done": true}';
    end if;
    return public.number_go(n.id, p_run);
end
$$;

create or replace function public.number_unlinked(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
    v_refused text := p_run -> 'result' ->> 'refused';
begin
    if n.id is null then
        return '{"done": true}';
    elsif v_refused is not null and v_refused <> 'vapi_404' then
        update public.phone_numbers x set last_error = v_refused where x.id = n.id;
        return '{"next": "unlink", "sleep_seconds": 300}';
    end if;
    update public.phone_numbers x
       set linked_assistant = null, link_version = coalesce((p_run -> 'result' ->> 'version')::bigint, x.link_version),
           voice_number_id = case when v_refused is null then x.voice_number_id end
     where x.id = n.id;
    perform public.number_note(n, p_run, 'unlink', v_refused);
    return public.number_go(n.id, p_run);
end
$$;

create or replace function public.number_removed(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
begin
    if n.id is null then
        return '{"done": true}';
    end if;
    update public.phone_numbers x set voice_number_id = null, linked_assistant = null, link_version = 0 where x.id = n.id;
    perform public.number_note(n, p_run, 'remove', case when (p_run -> 'result' ->> 'gone')::boolean then 'gone' end);
    return public.number_go(n.id, p_run);
end
$$;

-- It is not ours any more, whatever is wanted now: who wants one again gets another.
create or replace function public.number_given_back(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
    v_failed boolean := public.number_doomed(n);
begin
    if n.id is null then
        return '{"done": true}';
    end if;
    perform public.number_note(n, p_run, 'release', case when (p_run -> 'result' ->> 'gone')::boolean then 'gone' end);
    update public.phone_numbers x set wanted = 'released', release_reason = coalesce(x.release_reason, 'requested') where x.id = n.id returning * into n;
    perform public.number_end(n, p_run, case when v_failed then 'failed' else 'released' end, n.release_reason);
    return '{"done": true}';
end
$$;
