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

-- The step that is missing; over: none is.
create or replace function public.number_next(n public.phone_numbers, p_results jsonb) returns text
    language plpgsql stable security definer set search_path = '' as $$
begin
    if n.wanted = 'released' then
        return case when n.voice_number_id is not null then 'remove' when n.provider_sid is not null then 'release' else 'over' end;
    elsif n.provider_sid is null then
        return case when n.wanted = 'paused' then 'over' when n.phone_number is null then 'search' else 'buy' end;
    elsif n.wanted = 'paused' then
        return case when n.voice_number_id is not null and n.linked_assistant is not null then 'unlink' else 'over' end;
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
    elsif v_step in ('buy', 'import') and public.number_unsure(p_run)
          or v_step = 'buy' and n.status = 'buying' and n.runs > 1 and not p_run -> 'results' ? 'check' then
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
           link_version = case when v_step in ('link', 'configure') then least(x.link_version, x.config_version - 1) else x.link_version end
     where x.id = n.id;
    return jsonb_build_object('prepared', jsonb_strip_nulls(jsonb_build_object(
        'number_id', n.id, 'number', n.phone_number, 'sid', n.provider_sid, 'voice', n.voice_number_id, 'version', n.config_version, 'account', v_account,
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

-- A line of the log about what a whole run came to, from when it began.
create or replace function public.number_outcome(n public.phone_numbers, p_run jsonb, p_action text, p_status text, p_reason text) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_began timestamptz := case when p_action = 'provision' then coalesce((n.want ->> 'began_at')::timestamptz, n.created_at)
                                else (select r.created_at from public.workflow_runs r where r.id = p_run ->> 'id') end;
begin
    perform public.number_log(n.organization_id, p_action, p_status, jsonb_build_object(
        'phone_number_id', n.id, 'user_id', n.user_id, 'run_id', p_run ->> 'id', 'reason', p_reason, 'error_message', n.last_error,
        'began_at', v_began, 'finished_at', clock_timestamp(), 'duration_ms', round(extract(epoch from clock_timestamp() - v_began) * 1000)));
end
$$;

create or replace function public.number_mail(n public.phone_numbers, p_kind text, p_data jsonb default '{}') returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.billing_mail(format('%s:%s:%s', replace(p_kind, '_', '-'), n.id, n.runs), p_kind, n.organization_id,
                                jsonb_strip_nulls(jsonb_build_object('number', n.phone_number) || p_data));
end
$$;

create or replace function public.number_paused(n public.phone_numbers, p_run jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.phone_numbers x set status = 'paused', paused_at = clock_timestamp() where x.id = n.id returning * into n;
    perform public.number_event(n, 'number.paused'), public.number_outcome(n, p_run, 'pause', 'completed', n.pause_reason),
            public.number_mail(n, 'number_paused', jsonb_build_object('until', to_char(n.release_after at time zone 'UTC', 'FMDD Mon YYYY')));
end
$$;

-- Nothing is left to do with it: it was given back, or could not be had.
create or replace function public.number_end(n public.phone_numbers, p_run jsonb, p_status text, p_reason text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.phone_numbers x
       set status = p_status, run_id = null, released_at = case when x.purchased_at is not null then clock_timestamp() end, release_after = null,
           release_reason = p_reason, voice_number_id = null, linked_assistant = null,
           rests_until = case when x.purchased_at is not null then clock_timestamp()
                                  + make_interval(days => coalesce((select k.rest_days from public.number_policy k), 30)) end
     where x.id = n.id returning * into n;
    perform public.number_event(n, 'number.' || p_status, jsonb_build_object('reason', p_reason)),
            public.number_outcome(n, p_run, case p_status when 'failed' then 'provision' when 'lost' then 'lost' else 'release' end,
                                  case p_status when 'released' then 'completed' else 'failed' end, p_reason);
    if p_status <> 'released' then
        perform public.number_mail(n, 'number_failed', jsonb_build_object('reason', public.number_reason(p_reason)));
    elsif n.purchased_at is not null then
        perform public.number_mail(n, 'number_released');
    end if;
    perform public.provision_settled(n.id, p_status, p_reason);
end
$$;

-- Why it came to nothing, in words for people.
create or replace function public.number_reason(p_reason text) returns text
    language sql immutable set search_path = '' as $$
    select case p_reason when 'no_number_found' then 'There was no such number to be had.'
                         when 'number_not_available' then 'Somebody else has this number.'
                         when 'link_failed' then 'It could not be linked to an assistant, and was given back.'
                         when 'taken_back' then 'The phone company took it back.'
                         else 'It could not be set up, and was given back.' end
$$;

-- ---- search and buy -----------------------------------------------------------------

-- The first of what was found that nobody here has, and that does not rest, is ours to buy: the index on live numbers keeps it for us.
create or replace function public.number_reserve(n public.phone_numbers, p_candidates jsonb) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    c jsonb;
begin
    for c in select e from jsonb_array_elements(p_candidates) with ordinality x(e, o)
              where not e ->> 'phone_number' = any (n.tried) and public.number_refusal(e ->> 'phone_number') is null
              -- Those who want any need not all want the same.
              order by case when n.origin = 'automatic' then random() end, o
    loop
        continue when not pg_try_advisory_xact_lock(hashtextextended('number ' || (c ->> 'phone_number'), 13));
        begin
            update public.phone_numbers x
               set phone_number = c ->> 'phone_number', status = 'buying', locality = c ->> 'locality', region = c ->> 'region',
                   country_code = coalesce(c ->> 'country_code', x.country_code), capabilities = coalesce(c -> 'capabilities', '{}')
             where x.id = n.id;
            return true;
        exception when unique_violation then
            continue;
        end;
    end loop;
    return false;
end
$$;

create or replace function public.number_searched(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
    r jsonb := p_run -> 'result';
    v_found integer := jsonb_array_length(coalesce(r -> 'candidates', '[]'));
    v_place constant text[] := '{area_code,contains,region,locality}';
begin
    if n.id is null then
        return '{"done": true}';
    end if;
    update public.phone_numbers x set searches = x.searches + 1 where x.id = n.id;
    perform public.number_note(n, p_run, 'search', r ->> 'refused', jsonb_build_object('found', v_found));
    if n.wanted <> 'active' or n.provider_sid is not null or n.phone_number is not null or public.number_reserve(n, coalesce(r -> 'candidates', '[]')) then
        return public.number_go(n.id, p_run);
    elsif (r ->> 'full')::boolean and n.searches < 3 then
        return '{"next": "search"}'; -- a longer list
    elsif n.origin = 'automatic' and n.want ?| v_place then
        update public.phone_numbers x set want = x.want - v_place || '{"widened": true}', searches = 0 where x.id = n.id;
        return '{"next": "search"}'; -- anywhere in the country
    end if;
    update public.phone_numbers x set last_error = coalesce(r ->> 'refused', 'no_number_found') where x.id = n.id returning * into n;
    perform public.number_end(n, p_run, 'failed', 'no_number_found');
    return '{"done": true}';
end
$$;

-- What a purchase came to, or the look for one.
create or replace function public.number_bought(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
    r jsonb := p_run -> 'result';
    v_code text := coalesce(r ->> 'refused', p_run -> 'results' -> 'buy' ->> 'refused');
begin
    if n.id is null then
        return '{"done": true}';
    elsif r ->> 'sid' is not null then
        update public.phone_numbers x
           set provider = 'twilio', provider_sid = r ->> 'sid', twilio_account_sid = r ->> 'account', capabilities = coalesce(r -> 'capabilities', x.capabilities),
               purchased_at = clock_timestamp(), status = 'linking', last_error = null
         where x.id = n.id returning * into n;
        perform public.number_event(n, 'number.purchased'), public.number_note(n, p_run, 'buy');
        return public.number_go(n.id, p_run);
    elsif p_run ->> 'step' = 'buy' and public.number_visit(p_run) > 1 then
        -- Refused when it was asked for again: perhaps because the first time, whose answer was lost, it was bought.
        return '{"next": "check"}';
    elsif v_code is null then
        return public.number_again(p_run, 'buy');
    end if;
    perform public.number_note(n, p_run, 'buy', v_code);
    return public.number_missed(n, p_run, v_code);
end
$$;

-- Somebody else has it: the next one is looked for, unless it had to be this one.
create or replace function public.number_missed(n public.phone_numbers, p_run jsonb, p_code text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_named boolean := n.want ? 'phone_number';
begin
    update public.phone_numbers x
       set tried = case when x.phone_number = any (x.tried) then x.tried else x.tried || x.phone_number end, last_error = p_code,
           phone_number = case when v_named then x.phone_number end, status = case when v_named then x.status else 'searching' end
     where x.id = n.id returning * into n;
    if v_named or cardinality(n.tried) >= 20 then
        perform public.number_end(n, p_run, 'failed', case when v_named then 'number_not_available' else 'no_number_found' end);
        return '{"done": true}';
    end if;
    return public.number_go(n.id, p_run);
end
$$;

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
        perform public.assistant_start(a);
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
begin
    if n.id is null then
        return '{"done": true}';
    elsif r ->> 'id' is null then
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
    if n.linked_at is null then
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
        raise exception 'unlink_refused' using errcode = 'PT409';
    end if;
    update public.phone_numbers x
       set linked_assistant = null, link_version = least(x.link_version, x.config_version - 1),
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
    end if;
    update public.phone_numbers x
       set wanted = 'released', release_reason = 'commit_failed', last_error = left(v_answer ->> 'error', 200)
     where x.id = n.id;
    return '{"next": "decide"}';
end
$$;
