-- 35_numbers_steps.sql - the steps of a number's run (workflow phone-number, common/work/flow_number.c).
--
-- Each writes what it did into the number's row and says what is missing now; number_next alone decides that.  Before each request it is asked
-- again: who wants something else meanwhile is heard.

-- The number that a run is at, locked; none: it is gone, or another run is at it.
create or replace function public.number_of_run(p_run jsonb) returns public.phone_numbers
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers;
begin
    select * into n from public.phone_numbers x
     where x.id = (p_run -> 'input' ->> 'number_id')::uuid and x.run_id = p_run ->> 'id' for update;
    return n;
end
$$;

-- Vapi's id of the assistant that shall answer it; null: none, we are asked at each call.
create or replace function public.number_answers(n public.phone_numbers) returns text
    language plpgsql stable security definer set search_path = '' as $$
begin
    return case when n.forward_when <> 'always' then public.assistant_ready(coalesce(n.assistant_wanted_id, n.assistant_id)) end;
end
$$;

-- What is not in a list so long after it was asked for is not there.
create or replace function public.number_list_lag() returns interval
    language sql immutable set search_path = '' as $$
    select interval '30 seconds'
$$;

-- The step that is missing; over: none is.
create or replace function public.number_next(n public.phone_numbers, p_results jsonb) returns text
    language plpgsql stable security definer set search_path = '' as $$
begin
    if n.wanted = 'released' then
        return case when n.voice_number_id is not null then 'remove' when n.provider_sid is not null then 'release'
                    when n.asked > 0 then 'check' else 'over' end;
    elsif n.provider_sid is null then
        return case when n.wanted = 'paused' then case when n.asked > 0 then 'check' else 'over' end when n.phone_number is null then 'search' else 'buy' end;
    elsif n.wanted = 'paused' then
        return case when n.voice_number_id is null or n.linked_assistant is null and n.link_version >= n.config_version then 'over'
                    when n.link_version < n.config_version and (p_results -> 'configure' ->> 'version')::bigint is distinct from n.config_version then 'configure'
                    else 'unlink' end;
    elsif n.forward_when <> 'always' and public.number_answers(n) is null and not p_results ? 'assistant' then
        return 'assistant';
    elsif n.voice_number_id is null then
        return 'import';
    elsif n.link_version < n.config_version and (p_results -> 'configure' ->> 'version')::bigint is distinct from n.config_version then
        return 'configure';
    elsif n.link_version < n.config_version or n.linked_assistant is distinct from public.number_answers(n) then
        return 'link';
    end if;
    return case when n.status = 'active' then 'over' else 'commit' end;
end
$$;

-- Where the run goes from here; what is over is for the step decide to say.
create or replace function public.number_go(p_number uuid, p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers;
    v_next text;
begin
    select * into n from public.phone_numbers x where x.id = p_number;
    v_next := public.number_next(n, (p_run -> 'results') || jsonb_build_object(p_run ->> 'step', coalesce(p_run -> 'result', '{}')));
    return jsonb_build_object('next', case when v_next = 'over' then 'decide' else v_next end);
end
$$;

-- A line of the log about the step that p_run is at: how long its last request took.
create or replace function public.number_note(n public.phone_numbers, p_run jsonb, p_action text, p_reason text default null, p_detail jsonb default '{}')
    returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_sent timestamptz := (select s.sent_at from public.workflow_steps s
                            where s.run_id = p_run ->> 'id' and s.generation = (p_run ->> 'generation')::integer and s.step = p_run ->> 'step' and not s.undo);
begin
    perform public.number_log(n.organization_id, p_action, 'noted', jsonb_build_object(
        'phone_number_id', n.id, 'user_id', n.user_id, 'run_id', p_run ->> 'id', 'step', p_run ->> 'step', 'reason', p_reason, 'detail', p_detail,
        'began_at', v_sent, 'finished_at', clock_timestamp(), 'duration_ms', round(extract(epoch from clock_timestamp() - v_sent) * 1000)));
end
$$;

-- ---- before each request ------------------------------------------------------------

create or replace function public.number_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
    v_step text := p_run ->> 'step';
    v_account jsonb;
begin
    if n.id is null then
        return '{"done": true}';
    end if;
    if v_step = 'buy' and n.asked > 0 and public.number_spared(p_run) then
        update public.phone_numbers x set asked = x.asked - 1 where x.id = n.id returning * into n;
    end if;
    if v_step in ('buy', 'import') and public.number_unsure(p_run) or v_step = 'buy' and n.asked > 0 and not p_run -> 'results' ? 'check' then
        -- Perhaps it was done, by this run or by one that did not come to its end: that is looked up first, whatever is wanted.
        return jsonb_build_object('next', case v_step when 'buy' then 'check' else 'find' end);
    elsif not (case v_step when 'check' then n.provider_sid is null and n.phone_number is not null
                          when 'find' then n.provider_sid is not null and n.voice_number_id is null
                          -- What may have been given back is not kept because it is wanted again: so it is given back, and then that is known.
                          when 'release' then n.provider_sid is not null and public.number_unsure(p_run) or public.number_next(n, p_run -> 'results') = v_step
                          else public.number_next(n, p_run -> 'results') = v_step end) then
        return '{"next": "decide"}';
    end if;
    if v_step in ('import', 'find', 'link', 'unlink', 'remove') then
        v_account := coalesce(public.vapi_account(n.provider_id), case when n.voice_number_id is null then public.vapi_account() end);
        if v_account is null then
            return public.number_without_account(n, v_step);
        end if;
    end if;
    update public.phone_numbers x
       set status = case when v_step = 'search' then 'searching' when v_step in ('buy', 'check') then 'buying' when v_step = 'unlink' then 'pausing'
                         when v_step in ('remove', 'release') then 'releasing' when x.status = 'active' then 'active' else 'linking' end,
           -- What Vapi is told now it may know, whatever it answers.
           linked_assistant = case when v_step = 'link' then coalesce(public.number_answers(n), x.linked_assistant) else x.linked_assistant end,
           link_version = case when v_step in ('link', 'configure', 'unlink', 'remove') then least(x.link_version, x.config_version - 1) else x.link_version end,
           asked = x.asked + (v_step = 'buy')::integer, asked_at = case when v_step = 'buy' then clock_timestamp() else x.asked_at end
     where x.id = n.id;
    return jsonb_build_object('prepared', jsonb_strip_nulls(jsonb_build_object(
        'number_id', n.id, 'number', n.phone_number, 'sid', n.provider_sid, 'twilio_account', n.twilio_account_sid, 'voice', n.voice_number_id, 'version', n.config_version, 'account', v_account,
        'assistant', case when v_step <> 'unlink' then public.number_answers(n) end, 'assistant_id', coalesce(n.assistant_wanted_id, n.assistant_id),
        'want', case when v_step = 'search' then n.want || jsonb_build_object('country_code', n.country_code, 'number_type', n.number_type,
                                                        'page_size', least(20 * power(5, n.searches), 1000)::integer) end)));
end
$$;

-- Whether the step that p_run is at was sent before, and nobody knows what came of it.
create or replace function public.number_unsure(p_run jsonb) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return exists (select from public.workflow_steps s
                    where s.run_id = p_run ->> 'id' and s.generation = (p_run ->> 'generation')::integer and s.step = p_run ->> 'step' and not s.undo
                      and (s.state in ('sent', 'unknown') or s.state = 'retry' and s.unsure));
end
$$;

-- Whether the step that p_run is at was sent, and certainly did nothing: it only waits to be sent again.
create or replace function public.number_spared(p_run jsonb) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return exists (select from public.workflow_steps s
                    where s.run_id = p_run ->> 'id' and s.generation = (p_run ->> 'generation')::integer and s.step = p_run ->> 'step' and not s.undo
                      and s.state = 'retry' and not s.unsure and s.sent_at is not null);
end
$$;

-- How often the run has come by the step that it is at.
create or replace function public.number_visit(p_run jsonb) returns integer
    language plpgsql stable security definer set search_path = '' as $$
begin
    return coalesce((select s.visit from public.workflow_steps s
                      where s.run_id = p_run ->> 'id' and s.generation = (p_run ->> 'generation')::integer and s.step = p_run ->> 'step' and not s.undo), 1);
end
$$;

-- It was not done after all: it is asked for again, after a while that is longer each time.
create or replace function public.number_again(p_run jsonb, p_step text) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return jsonb_build_object('next', p_step, 'sleep_seconds', least(power(2, least(public.number_visit(p_run), 20) - 2), 300));
end
$$;

-- The account at Vapi is gone, or there is none that is active.  What it had is not ours to remove any more; all else waits for one.
create or replace function public.number_without_account(n public.phone_numbers, p_step text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    update public.phone_numbers x
       set last_error = 'no_voice_account', voice_number_id = case when p_step not in ('remove', 'unlink') then x.voice_number_id end,
           linked_assistant = case when p_step not in ('remove', 'unlink') then x.linked_assistant end
     where x.id = n.id;
    return jsonb_build_object('next', 'decide', 'sleep_seconds', case when p_step in ('remove', 'unlink') then 0 else 300 end);
end
$$;

-- ---- decide -------------------------------------------------------------------------

create or replace function public.number_decide(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
    v_next text;
begin
    if n.id is null then
        return '{"done": true}';
    end if;
    v_next := public.number_next(n, p_run -> 'results');
    if v_next <> 'over' then
        return jsonb_build_object('next', v_next);
    elsif n.wanted = 'released' then
        perform public.number_end(n, p_run, case when public.number_doomed(n) then 'failed' else 'released' end, n.release_reason);
    elsif n.provider_sid is null then
        perform public.number_end(n, p_run, 'released', coalesce(n.pause_reason, 'not_wanted'));
    else
        update public.phone_numbers x set run_id = null where x.id = n.id;
        if n.wanted = 'paused' and n.status <> 'paused' then
            perform public.number_paused(n, p_run);
        end if;
        perform public.provision_settled(n.id, n.wanted, n.last_error);
    end if;
    return '{"done": true}';
end
$$;

-- ---- it works -----------------------------------------------------------------------

create or replace function public.number_committed(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
    v_first boolean := n.linked_at is null;
    v_user uuid;
    v_tier text;
    v_answer jsonb;
begin
    if n.id is null then
        return '{"done": true}';
    elsif public.number_next(n, p_run -> 'results') <> 'commit' then
        return '{"next": "decide"}';
    end if;
    select coalesce((select m.user_id from public.organization_members m where m.organization_id = n.organization_id and m.user_id = n.user_id),
                    public.number_owner(n.organization_id)) into v_user;
    select s.tier_type into v_tier from public.subscriptions s where s.organization_id = n.organization_id and s.current;
    v_answer := public.provision_phone_transaction(v_user, n.phone_number, n.provider_sid, v_tier)::jsonb;
    if (v_answer ->> 'success')::boolean then
        select * into n from public.phone_numbers x where x.id = n.id;
        perform public.number_event(n, 'number.active'), public.number_mail(n, 'number_ready'),
                public.number_outcome(n, p_run, case when v_first then 'provision' else 'resume' end, 'completed', null);
        return '{"next": "decide"}';
    elsif left(v_answer ->> 'code', 2) in ('40', '53', '55', '57', '58') then
        -- A deadlock, no room, a lock: the step is tried again.  Nobody loses a number for that.
        raise exception '%', v_answer ->> 'error' using errcode = v_answer ->> 'code';
    end if;
    update public.phone_numbers x
       set wanted = 'released', release_reason = 'commit_failed', last_error = left(v_answer ->> 'error', 200)
     where x.id = n.id;
    return '{"next": "decide"}';
end
$$;
