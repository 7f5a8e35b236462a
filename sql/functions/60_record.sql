-- 60_record.sql - what became of a dial, and of those of which nobody knows; providers that refuse.

-- A provider refused for its own reasons: it rests, longer each time, and others are asked.  p_retry_after in seconds, -1: not told.
-- p_key_number: it refused that key; if it has been replaced meanwhile that is no fault of the new one, and the call goes again with that.
create or replace function public.provider_cool(p_provider uuid, p_fault text, p_retry_after double precision, p_error text,
                                                p_key_number integer default null) returns void
    language sql security definer set search_path = '' as $$
    update public.call_service_providers p
       set failures = least(p.failures + 1, 1000), cooling_reason = p_fault, last_error = left(p_error, 300), last_error_at = now(),
           cooling_until = greatest(p.cooling_until, clock_timestamp() + make_interval(secs => case
               when p_retry_after >= 0 then least(p_retry_after, 3600)
               else least(60 * greatest(p.cool_seconds / 2, 0.001), p.cool_seconds * power(2, least(p.failures, 10))) end))
     where p.id = p_provider and (p_key_number is null or p.key_number <= p_key_number)
$$;

-- It accepted one: it is well.
create or replace function public.provider_well(p_provider uuid) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.call_service_providers p
       set failures = 0, cooling_until = null, cooling_reason = null, last_accepted_at = now()
     where p.id = p_provider
       and (p.failures > 0 or p.cooling_until is not null or p.last_accepted_at is null or p.last_accepted_at < now() - interval '10 seconds');
end
$$;

-- Records outcomes, each fenced: p_outcomes is an array of {assignment_id, fence, result: accepted|refused|unknown, fault, status, reason,
-- detail, provider_call_id, control_url, retry_after, report, key_number (of the key that it was dialled with)}.  Answers
-- [{assignment_id, state}].  Storing an acceptance applies the events that came before it.
create or replace function public.calls_record(p_outcomes jsonb) returns jsonb
    language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    o jsonb;
    v_done jsonb := '[]';
begin
    for o in select e from jsonb_array_elements(p_outcomes) e order by e ->> 'assignment_id' loop
        v_done := v_done || jsonb_build_object('assignment_id', o ->> 'assignment_id', 'state', public.call_record(o));
    end loop;
    perform public.provider_well(x.provider_id) from (
        select distinct a.provider_id from public.call_assignments a
          join jsonb_array_elements(p_outcomes) e on a.id = (e ->> 'assignment_id')::uuid and e ->> 'result' = 'accepted') x;
    return v_done;
end
$$;

create or replace function public.call_record(o jsonb) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    a public.call_assignments;
    v_provider_call text := o ->> 'provider_call_id';
begin
    if v_provider_call is not null then
        perform pg_advisory_xact_lock(hashtextextended((o ->> 'provider_type') || ' ' || v_provider_call, 11));
    end if;
    select * into a from public.call_assignments x where x.id = (o ->> 'assignment_id')::uuid for update;
    if not found then
        return 'gone';
    end if;
    if o ->> 'result' = 'accepted' then
        return public.record_accepted(a, o);
    end if;
    -- Everything else is believed only of the attempt as this pump sent it.
    if a.fence <> (o ->> 'fence')::bigint or a.state not in ('sent', 'unknown') then
        return a.state;
    end if;
    if o ->> 'result' = 'refused' then
        perform public.record_refused(a, o);
        return 'refused';
    end if;
    update public.call_assignments x
       set state = 'unknown', reason = o ->> 'reason', http_status = (o ->> 'status')::integer, detail = left(o ->> 'detail', 300),
           next_look_at = clock_timestamp(), updated_at = now()
     where x.id = a.id and x.state = 'sent';
    return 'unknown';
end
$$;

-- The provider's yes is the truth, whoever holds the lease now.
create or replace function public.record_accepted(a public.call_assignments, o jsonb) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    v_provider_call text := o ->> 'provider_call_id';
    w public.webhook_events;
begin
    if a.state in ('leased', 'sent', 'unknown', 'absent', 'refused') then
        if not public.assignment_accept(a, v_provider_call, o ->> 'control_url') then
            return a.state;
        end if;
    else
        -- A webhook was faster; it may not have known the provider's id or where to hang up.
        update public.call_assignments x
           set control_url = coalesce(x.control_url, o ->> 'control_url'), provider_call_id = coalesce(x.provider_call_id, v_provider_call)
         where x.id = a.id and (x.control_url is null or x.provider_call_id is null);
        update public.call_queue q set call_id = v_provider_call where q.id = a.call_id and q.call_id is null;
        update public.calls c set provider_call_id = v_provider_call, vapi_call_id = case when a.provider_type = 'vapi' then v_provider_call end
         where c.id = a.call_id and c.created_at = a.call_created_at and c.provider_call_id is null;
    end if;
    if o ->> 'report' is not null then
        select * into a from public.call_assignments x where x.id = a.id;
        perform public.assignment_apply(a, v_provider_call, (o ->> 'report')::jsonb);
    end if;
    for w in select * from public.webhook_events e
              where e.state = 'waiting' and e.provider = a.provider_type and e.provider_call_id = v_provider_call
              order by e.id for update loop
        perform public.webhook_try(w);
    end loop;
    return 'accepted';
end
$$;

-- It certainly did not dial.  The call's own fault ends it; the provider's own sends it to the next one.
create or replace function public.record_refused(a public.call_assignments, o jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_fault text := o ->> 'fault';
    q public.call_queue;
begin
    select * into q from public.call_queue x where x.id = a.call_id for update;
    update public.call_assignments x
       set state = 'refused', outcome = 'refused', reason = o ->> 'reason', http_status = (o ->> 'status')::integer,
           detail = left(o ->> 'detail', 300), finished_at = clock_timestamp(), next_look_at = null, updated_at = now()
     where x.id = a.id
    returning x.* into a;
    if v_fault in ('call', 'config') then
        perform public.call_close(a.call_id, a.call_created_at, case when q.cancel_requested_at is not null then 'canceled' else 'failed' end,
                                  o ->> 'reason', a);
        return;
    end if;
    perform public.provider_cool(a.provider_id, v_fault, coalesce((o ->> 'retry_after')::double precision, -1), o ->> 'detail',
                                 case when v_fault = 'key' then (o ->> 'key_number')::integer end);
    if q.cancel_requested_at is not null then
        perform public.call_close(a.call_id, a.call_created_at, 'canceled', 'canceled', a);
    elsif not public.call_retry_later(q, a, true) then
        perform public.call_close(a.call_id, a.call_created_at, 'failed', o ->> 'reason', a);
    end if;
end
$$;

-- ---- looking ------------------------------------------------------------

-- Attempts of which nobody has heard: taken for p_lease_seconds, and told with what is needed to ask the provider.  Attempts whose pump
-- died between intent and record are unknown.
create or replace function public.looks_claim(p_limit integer, p_lease_seconds double precision) returns jsonb
    language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    v_ids uuid[];
begin
    update public.call_assignments a set state = 'unknown', reason = 'dialler_died', next_look_at = statement_timestamp(), updated_at = now()
      from (select id from public.call_assignments where state = 'sent' and lease_until < statement_timestamp()
             order by lease_until limit p_limit for update skip locked) d
     where a.id = d.id;
    with due as (
        update public.call_assignments a
           set next_look_at = clock_timestamp() + make_interval(secs => p_lease_seconds), look_fence = a.look_fence + 1, looks = a.looks + 1
          from (select id from public.call_assignments where next_look_at <= statement_timestamp()
                 order by next_look_at limit p_limit for update skip locked) d
         where a.id = d.id
        returning a.id)
    select coalesce(array_agg(due.id), '{}') into v_ids from due;
    return coalesce((select jsonb_agg(jsonb_build_object(
            'assignment_id', a.id, 'look_fence', a.look_fence, 'state', a.state, 'provider_type', a.provider_type,
            'organization_id', a.organization_id,
            'provider_id', p.id, 'base_url', p.base_url, 'api_key', p.api_key, 'timeout_ms', p.timeout_ms,
            'provider_call_id', a.provider_call_id, 'number', c.to_number, 'assistant', a.assistant, 'caller', a.caller_number,
            'since_ms', floor(extract(epoch from a.sent_at - make_interval(secs => p.absence_slack_seconds)) * 1000)::bigint))
        from public.call_assignments a
        join public.calls c on c.id = a.call_id and c.created_at = a.call_created_at
        left join public.call_service_providers p on p.id = a.provider_id
       where a.id = any (v_ids)), '[]');
end
$$;

-- What was found: p_findings is an array of {assignment_id, look_fence, finding: found|not_found|failed, began_ms, provider_call_id,
-- control_url, report, why}.  Answers [{assignment_id, state}].
create or replace function public.looks_record(p_findings jsonb) returns jsonb
    language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    f jsonb;
    v_state text;
    v_done jsonb := '[]';
begin
    for f in select e from jsonb_array_elements(p_findings) e order by e ->> 'assignment_id' loop
        -- One that cannot be applied undoes no other, and is looked up again later.
        begin
            v_state := public.look_record(f);
        exception when others then
            v_state := public.look_failed((f ->> 'assignment_id')::uuid, sqlstate || ' ' || sqlerrm);
        end;
        v_done := v_done || jsonb_build_object('assignment_id', f ->> 'assignment_id', 'state', v_state);
    end loop;
    return v_done;
end
$$;

create or replace function public.look_record(f jsonb) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    a public.call_assignments;
    p public.call_service_providers;
    v_provider_call text := f ->> 'provider_call_id';
    w_a public.call_assignments;
    w public.webhook_events;
begin
    if v_provider_call is not null then
        perform pg_advisory_xact_lock(hashtextextended((f ->> 'provider_type') || ' ' || v_provider_call, 11));
    end if;
    select * into a from public.call_assignments x where x.id = (f ->> 'assignment_id')::uuid for update;
    if not found or a.finished_at is not null then
        return coalesce(a.state, 'gone');
    end if;
    select * into p from public.call_service_providers x where x.id = a.provider_id;
    if f ->> 'finding' = 'found' then
        perform public.assignment_apply(a, v_provider_call, (f ->> 'report')::jsonb || jsonb_strip_nulls(jsonb_build_object('control_url', f ->> 'control_url', 'looked', true)));
        for w in select * from public.webhook_events e
                  where e.state = 'waiting' and e.provider = a.provider_type and e.provider_call_id = v_provider_call
                  order by e.id for update loop
            perform public.webhook_try(w);
        end loop;
        update public.call_assignments x
           set next_look_at = clock_timestamp() + make_interval(secs => case when x.state = 'accepted' then p.silence_seconds else p.report_grace_seconds end),
               first_absent_at = null
         where x.id = a.id and x.finished_at is null
        returning x.* into w_a;
        -- A provider that says for days that a call is queued is not believed for ever.
        if found then
            perform public.look_patience(w_a, p);
        end if;
        return (select x.state from public.call_assignments x where x.id = a.id);
    end if;
    if a.look_fence <> (f ->> 'look_fence')::bigint then
        return a.state;
    end if;
    if f ->> 'finding' = 'not_found' and a.state in ('unknown', 'accepted', 'ended') then
        return public.look_absent(a, p, to_timestamp((f ->> 'began_ms')::bigint / 1000.0));
    end if;
    return public.look_again(a, p);
end
$$;

-- Absent only after two complete, successful answers far enough apart, the later far enough behind the attempt's deadline.  An attempt that
-- the provider had accepted and knows no more is over, but is never dialled again for that.
create or replace function public.look_absent(a public.call_assignments, p public.call_service_providers, p_began timestamptz) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    q public.call_queue;
begin
    if a.first_absent_at is null
       or p_began < a.first_absent_at + make_interval(secs => p.absence_gap_seconds)
       or p_began < greatest(a.deadline_at, a.accepted_at, a.ended_at) + make_interval(secs => p.absence_after_seconds) then
        update public.call_assignments x
           set first_absent_at = coalesce(x.first_absent_at, p_began), updated_at = now(),
               next_look_at = greatest(coalesce(x.first_absent_at, p_began) + make_interval(secs => p.absence_gap_seconds),
                                       greatest(x.deadline_at, x.accepted_at, x.ended_at) + make_interval(secs => p.absence_after_seconds),
                                       clock_timestamp() + interval '50 milliseconds')
         where x.id = a.id;
        return a.state;
    end if;
    if a.state <> 'unknown' or a.accepted_at is not null then
        perform public.assignment_lost(a, case a.state when 'ended' then coalesce(a.reason, 'lost_at_provider') else 'lost_at_provider' end);
        return 'ended';
    end if;
    select * into q from public.call_queue x where x.id = a.call_id for update;
    update public.call_assignments x
       set state = 'absent', outcome = 'absent', finished_at = clock_timestamp(), next_look_at = null, updated_at = now()
     where x.id = a.id
    returning x.* into a;
    if q.cancel_requested_at is not null then
        perform public.call_close(a.call_id, a.call_created_at, 'canceled', 'canceled', a);
    elsif not public.call_retry_later(q, a, true) then
        perform public.call_close(a.call_id, a.call_created_at, 'failed', coalesce(a.reason, 'absent'), a);
    end if;
    return 'absent';
end
$$;

-- Nobody can tell how it went: the attempt is over, the call has failed and is not dialled again.  An end that was told counts.
create or replace function public.assignment_lost(a public.call_assignments, p_reason text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if a.state = 'ended' then
        perform public.assignment_finish(a, '{}');
        return;
    end if;
    update public.call_assignments x
       set state = 'ended', outcome = p_reason, reason = p_reason, finished_at = clock_timestamp(), next_look_at = null,
           ended_at = clock_timestamp(), updated_at = now()
     where x.id = a.id
    returning x.* into a;
    perform public.call_close(a.call_id, a.call_created_at, case when exists (
        select from public.call_queue q where q.id = a.call_id and q.cancel_requested_at is not null) then 'canceled' else 'failed' end, p_reason, a);
end
$$;

-- Patience that has come to its end.  True when the attempt is over by that.
create or replace function public.look_patience(a public.call_assignments, p public.call_service_providers) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    if a.state = 'ended' and clock_timestamp() > a.ended_at + make_interval(secs => p.report_patience_seconds) then
        perform public.assignment_finish(a, '{}');
        return true;
    end if;
    if a.state in ('unknown', 'accepted')
       and clock_timestamp() > coalesce(a.accepted_at, a.sent_at) + make_interval(secs => p.unknown_patience_seconds) then
        perform public.assignment_lost(a, 'outcome_unknown');
        return true;
    end if;
    return false;
end
$$;

-- Nothing could be learnt: again later, until patience ends.
create or replace function public.look_again(a public.call_assignments, p public.call_service_providers) returns text
    language plpgsql security definer set search_path = '' as $$
begin
    if public.look_patience(a, p) then
        return 'ended';
    end if;
    update public.call_assignments x
       set next_look_at = clock_timestamp() + make_interval(secs => least(300, p.cool_seconds * power(2, least(x.looks, 12))))
     where x.id = a.id;
    return a.state;
end
$$;

-- A finding that could not be applied.
create or replace function public.look_failed(p_assignment uuid, p_why text) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    a public.call_assignments;
    p public.call_service_providers;
begin
    select * into a from public.call_assignments x where x.id = p_assignment and x.finished_at is null for update;
    if not found then
        return 'gone';
    end if;
    update public.call_assignments x set detail = left(p_why, 300) where x.id = a.id;
    select * into p from public.call_service_providers x where x.id = a.provider_id;
    return public.look_again(a, p);
end
$$;
