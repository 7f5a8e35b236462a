-- 55_end.sql - an attempt is over: what its reason means, dialled again or ended; the end of a call, and how it looks from outside.

-- How long was it?  Between the provider's own times where it gives them; else what it says; else it never connected.
create or replace function public.report_seconds(p_report jsonb) returns integer
    language plpgsql stable set search_path = '' as $$
begin
    return greatest(0, least(86400, coalesce(
        round(extract(epoch from public.time_or_null(p_report ->> 'ended_at') - public.time_or_null(p_report ->> 'started_at'))),
        round(public.number_or_null(p_report ->> 'duration_seconds')), 0)))::integer;
end
$$;

-- What an end reason means; one that is in no list is counted.
create or replace function public.end_class_of(p_type text, p_reason text, out class text, out refusal text)
    language plpgsql security definer set search_path = '' as $$
begin
    select r.class, r.refusal into class, refusal from public.end_reasons r where r.provider_type = p_type and r.reason = p_reason;
    if not found then
        class := 'unlisted';
        insert into public.end_reasons_unlisted as u (provider_type, reason) values (p_type, left(coalesce(p_reason, ''), 200))
        on conflict (provider_type, reason) do update set seen = u.seen + 1, last_seen_at = now();
    end if;
end
$$;

-- The attempt is over and its report is here (or will not come): redial, or end the call.
create or replace function public.assignment_finish(a public.call_assignments, p_report jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    q public.call_queue;
    v_reason text := coalesce(p_report ->> 'reason', a.reason, 'unknown');
    v_started timestamptz := coalesce(public.time_or_null(p_report ->> 'started_at'), a.answered_at);
    v_seconds integer := public.report_seconds(p_report);
    v_new boolean := a.accepted_at is null; -- accepted and over in one answer
    v_class text;
    v_refusal text;
    v_status text;
begin
    select * into q from public.call_queue x where x.id = a.call_id for update;
    q.attempts := q.attempts + v_new::integer;
    select e.class, e.refusal into v_class, v_refusal from public.end_class_of(a.provider_type, v_reason) e;
    if v_class = 'retry_later' and v_reason ~ 'voicemail' and exists (
        select from public.call_templates t where t.id = q.template_id and t.params ->> 'voicemail' = 'accept') then
        v_class := 'finished';
    end if;
    v_status := case when q.cancel_requested_at is not null and (v_class <> 'finished' or a.hangup_at is not null) then 'canceled'
                     when q.route = 'inbound' then public.inbound_outcome(v_class, v_reason, v_started is not null or v_seconds > 0)
                     when v_class = 'finished' then 'completed'
                     when v_class = 'unlisted' and v_started is not null then 'completed'
                     when v_started is not null and v_class <> 'retry_later' then 'failed'
                     when v_class in ('retry_later', 'retry_soon', 'operator_account') then 'retry'
                     else 'failed' end;
    update public.call_assignments x
       set state = 'ended', progress = 'ended', finished_at = clock_timestamp(), next_look_at = null, reason = v_reason,
           accepted_at = coalesce(x.accepted_at, clock_timestamp()), provider_call_id = a.provider_call_id, answered_at = a.answered_at,
           end_class = v_class, duration_seconds = v_seconds,
           ended_at = coalesce(public.time_or_null(p_report ->> 'ended_at'), a.ended_at, clock_timestamp()), outcome = v_status,
           final = coalesce((p_report ->> 'final')::boolean, false) and not coalesce((p_report ->> 'looked')::boolean, false),
           cost_cents = public.number_or_null(p_report ->> 'cost_cents'), updated_at = now()
     where x.id = a.id
    returning x.* into a;
    if v_refusal is not null and v_started is null then
        perform public.provider_cool(a.provider_id, v_refusal, -1, v_reason);
    end if;
    if v_status = 'retry' and public.call_retry_later(q, a, v_refusal is not null) then
        return;
    end if;
    perform public.call_close(a.call_id, a.call_created_at, case when v_status = 'retry' then 'failed' else v_status end, v_reason, a, p_report,
                              v_new);
end
$$;

-- Back into the queue with a wait by the reason's class.  A provider that refused for its own reasons costs no attempt and no wait.
create or replace function public.call_retry_later(q public.call_queue, a public.call_assignments, p_refused boolean) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    v_policy public.retry_policies;
    v_scale double precision;
    v_delay double precision;
begin
    if q.id is null or q.status <> 'in-progress' or q.route = 'inbound' then
        return false;
    end if;
    if p_refused then
        v_delay := 0;
    else
        if q.attempts >= q.max_attempts then
            return false;
        end if;
        select * into v_policy from public.retry_policies p where p.class = a.end_class;
        select p.retry_scale into v_scale from public.call_service_providers p where p.id = a.provider_id;
        v_delay := least(v_policy.max_seconds, v_policy.first_seconds * power(v_policy.factor, q.retry_count)) * coalesce(v_scale, 1)
                   * (0.9 + 0.2 * random());
    end if;
    if clock_timestamp() + make_interval(secs => v_delay) >= q.expires_at then
        return false;
    end if;
    update public.call_queue x
       set status = 'queued', due_at = case when p_refused then x.due_at else clock_timestamp() + make_interval(secs => v_delay) end,
           ready = p_refused, retry_count = x.retry_count + case when p_refused then 0 else 1 end,
           attempts = q.attempts - case when p_refused and a.accepted_at is not null then 1 else 0 end,
           call_id = coalesce(a.provider_call_id, x.call_id), last_error = a.reason, admission = null,
           provider_id = case when x.route = x.provider_id::text then x.provider_id end,
           updated_at = now()
     where x.id = q.id;
    update public.calls c
       set status = 'queued', progress = null, last_error = a.reason, updated_at = now(),
           provider_id = case when a.provider_call_id is null then c.provider_id else a.provider_id end,
           provider_type = case when a.provider_call_id is null then c.provider_type else a.provider_type end,
           provider_call_id = coalesce(a.provider_call_id, c.provider_call_id),
           vapi_call_id = case when a.provider_type = 'vapi' then coalesce(a.provider_call_id, c.vapi_call_id) else c.vapi_call_id end,
           attempts = q.attempts - case when p_refused and a.accepted_at is not null then 1 else 0 end
     where c.id = q.id and c.created_at = q.call_created_at and c.status in ('in-progress', 'queued');
    insert into public.call_retries (call_id, call_created_at, organization_id, assignment_id, attempt, reason, end_class, delay_seconds, retry_at)
    values (q.id, q.call_created_at, q.organization_id, a.id, a.attempt, a.reason, a.end_class, v_delay,
            clock_timestamp() + make_interval(secs => v_delay));
    return true;
end
$$;

-- A final report that comes after the end: the provider's own word wins over what we had.
create or replace function public.call_enrich(a public.call_assignments, p_report jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if a.final then
        return;
    end if;
    perform public.attempt_counted(a, p_report);
    update public.calls c
       set started_at = coalesce(public.time_or_null(p_report ->> 'started_at'), c.started_at, a.answered_at),
           ended_at = coalesce(public.time_or_null(p_report ->> 'ended_at'), c.ended_at, a.ended_at),
           duration_seconds = greatest(public.report_seconds(p_report), coalesce(c.duration_seconds, 0)),
           updated_at = now()
     where c.id = a.call_id and c.created_at = a.call_created_at;
    perform public.call_contents(a, p_report);
end
$$;

-- What an attempt cost and how long it was, learnt after somebody had given it up or ended it without a report.  A call that is over gets
-- its ledger set right; one that is not is summed when it ends.
create or replace function public.attempt_counted(a public.call_assignments, p_report jsonb) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    c public.calls;
    v_seconds integer;
    v_cost numeric;
begin
    if a.final then
        return false;
    end if;
    update public.call_assignments x
       set final = true, duration_seconds = public.report_seconds(p_report), updated_at = now(),
           cost_cents = coalesce(public.number_or_null(p_report ->> 'cost_cents'), x.cost_cents),
           accepted_at = coalesce(x.accepted_at, x.sent_at)
     where x.id = a.id;
    select * into c from public.calls x where x.id = a.call_id and x.created_at = a.call_created_at for update;
    if c.finished_at is not null then
        select u.seconds, u.cost into v_seconds, v_cost from public.usage_of(c.id) u;
        update public.calls x
           set attempts = greatest(x.attempts, 1), total_cost_cents = v_cost, updated_at = now(),
               vapi_cost_cents = case when x.provider_type = 'vapi' then v_cost end
         where x.id = c.id and x.created_at = c.created_at
        returning x.* into c;
        if public.call_counts(c, v_seconds) then
            perform public.usage_write(c, v_seconds);
        end if;
    end if;
    return true;
end
$$;

-- Seconds and cost of all attempts of a call.
create or replace function public.usage_of(p_call uuid, out seconds integer, out cost numeric)
    language plpgsql stable security definer set search_path = '' as $$
begin
    select coalesce(sum(x.duration_seconds), 0), sum(x.cost_cents) into seconds, cost from public.call_assignments x where x.call_id = p_call;
end
$$;

-- What was said, and where it can be heard.
create or replace function public.call_contents(a public.call_assignments, p_report jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if coalesce(p_report ->> 'transcript', '') <> '' or coalesce(p_report ->> 'summary', '') <> '' then
        insert into public.call_transcripts as t (call_id, call_created_at, organization_id, transcript_text, transcript_segments, summary, extracted_data)
        values (a.call_id, a.call_created_at, a.organization_id, p_report ->> 'transcript', p_report -> 'messages', p_report ->> 'summary',
                p_report -> 'structured')
        on conflict (call_id, call_created_at) do update
            set transcript_text = coalesce(excluded.transcript_text, t.transcript_text),
                transcript_segments = coalesce(excluded.transcript_segments, t.transcript_segments),
                summary = coalesce(excluded.summary, t.summary), extracted_data = coalesce(excluded.extracted_data, t.extracted_data);
    end if;
    if p_report ->> 'recording_url' is not null or p_report ->> 'stereo_recording_url' is not null then
        insert into public.call_recordings as r (call_id, call_created_at, organization_id, recording_url, stereo_recording_url, duration_seconds)
        values (a.call_id, a.call_created_at, a.organization_id, p_report ->> 'recording_url', p_report ->> 'stereo_recording_url',
                public.report_seconds(p_report))
        on conflict (call_id, call_created_at) do update
            set recording_url = coalesce(excluded.recording_url, r.recording_url),
                stereo_recording_url = coalesce(excluded.stereo_recording_url, r.stereo_recording_url);
    end if;
end
$$;

-- The end of a call, in one transaction: record, contents, ledger, outgoing event.  Ending it twice changes nothing.
create or replace function public.call_close(p_call uuid, p_created timestamptz, p_status text, p_reason text, a public.call_assignments,
                                             p_report jsonb default '{}', p_new boolean default false) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    c public.calls;
    v_seconds integer;
    v_cost numeric;
begin
    select u.seconds, u.cost into v_seconds, v_cost from public.usage_of(p_call) u;
    update public.calls x
       set status = p_status, ended_reason = p_reason, end_class = a.end_class, progress = case when a.accepted_at is not null then 'ended' else x.progress end,
           attempts = x.attempts + p_new::integer,
           provider_id = coalesce(a.provider_id, x.provider_id), provider_type = coalesce(a.provider_type, x.provider_type),
           provider_call_id = coalesce(a.provider_call_id, x.provider_call_id),
           vapi_call_id = case when a.provider_type = 'vapi' then a.provider_call_id else x.vapi_call_id end,
           started_at = coalesce(public.time_or_null(p_report ->> 'started_at'), x.started_at, a.answered_at),
           -- What is over has not ended in the future, whatever a provider's clock says.
           ended_at = least(coalesce(public.time_or_null(p_report ->> 'ended_at'), x.ended_at, a.ended_at), clock_timestamp()),
           duration_seconds = greatest(coalesce(a.duration_seconds, 0), coalesce(x.duration_seconds, 0)),
           total_cost_cents = v_cost, vapi_cost_cents = case when coalesce(a.provider_type, x.provider_type) = 'vapi' then v_cost end,
           finished_at = clock_timestamp(),
           last_error = case when p_status = 'failed' then p_reason else x.last_error end, updated_at = now()
     where x.id = p_call and x.created_at = p_created and x.finished_at is null
    returning x.* into c;
    if not found then
        return false;
    end if;
    if a.id is not null then
        perform public.call_contents(a, p_report);
    end if;
    update public.call_queue q
       set status = p_status, ready = false, admission = null, updated_at = now(), attempts = q.attempts + p_new::integer,
           call_id = coalesce(a.provider_call_id, q.call_id),
           last_error = case when p_status = 'failed' then p_reason else q.last_error end
     where q.id = p_call;
    if public.call_counts(c, v_seconds) then
        perform public.usage_write(c, v_seconds);
    end if;
    insert into public.events (organization_id, type, subject_id, data)
    values (c.organization_id, 'call.' || p_status, c.id, public.call_view(c))
    on conflict (subject_id, type) where subject_id is not null do nothing;
    return true;
end
$$;

-- A call as the outside sees it: the API's answers, outgoing events and live events all use this.
create or replace function public.call_view(c public.calls) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', c.id, 'organization_id', c.organization_id, 'user_id', c.user_id, 'direction', c.direction, 'status', c.status,
        'progress', c.progress, 'recipient_number', c.to_number, 'recipient_name', c.recipient_name, 'recipient_email', c.recipient_email,
        'from_number', c.from_number, 'template_id', c.template_id, 'voice_id', c.voice_id, 'caller_number_id', c.caller_number_id,
        'phone_number_id', c.phone_number_id, 'assistant_id', c.assistant_id,
        'provider_type', c.provider_type, 'provider_call_id', c.provider_call_id, 'priority', c.priority,
        'scheduled_time', public.time_view(c.scheduled_time), 'attempts', c.attempts, 'retry_of', c.retry_of,
        'custom_variables', c.custom_variables, 'metadata', c.metadata,
        'started_at', public.time_view(c.started_at), 'ended_at', public.time_view(c.ended_at), 'duration_seconds', c.duration_seconds,
        'ended_reason', c.ended_reason, 'cost_cents', c.total_cost_cents, 'created_at', public.time_view(c.created_at),
        'updated_at', public.time_view(c.updated_at));
end
$$;

create or replace function public.time_view(p_time timestamptz) returns text
    language sql stable
    return to_char(p_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
