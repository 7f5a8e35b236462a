-- 50_apply.sql - what a provider says of a call, applied in any order and any number of times; retry and end.

create or replace function public.progress_rank(p_progress text) returns integer
    language sql immutable
    return array_position(array['queued', 'ringing', 'in-progress', 'forwarding', 'ended'], p_progress);

create or replace function public.number_or_null(p_text text) returns numeric
    language sql immutable
    return case when p_text ~ '^-?[0-9]{1,15}(\.[0-9]{1,9})?$' then p_text::numeric end;

-- A block with an exception costs a subtransaction: plain times, as our own programs write them, go without.
create or replace function public.time_or_null(p_text text) returns timestamptz
    language plpgsql immutable set search_path = '' as $$
begin
    if p_text is null
       or p_text ~ '^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-](0\d|1[0-4]):[0-5]\d)$' then
        return p_text::timestamptz;
    end if;
    begin
        return p_text::timestamptz;
    exception when others then
        return null;
    end;
end
$$;

-- Locks the attempt that an event speaks of: by our own mark first, else by the provider's id.
create or replace function public.assignment_lock(p_assignment uuid, p_type text, p_provider_call text) returns public.call_assignments
    language plpgsql security definer set search_path = '' as $$
declare
    a public.call_assignments;
begin
    if p_assignment is not null then
        select * into a from public.call_assignments x where x.id = p_assignment for update;
        if found then
            return a;
        end if;
    end if;
    if p_provider_call is not null then
        perform pg_advisory_xact_lock(hashtextextended(p_type || ' ' || p_provider_call, 11));
        select * into a from public.call_assignments x
         where x.provider_type = p_type and x.provider_call_id = p_provider_call for update;
    end if;
    return a;
end
$$;

-- Applies one normal report.  Answers applied, ignored (nothing new), waiting (no such call yet) or foreign_call.
create or replace function public.call_apply(p_organization uuid, p_signer text, p_type text, p_assignment uuid, p_provider_call text, p_report jsonb)
    returns text language plpgsql security definer set search_path = '' as $$
declare
    a public.call_assignments := public.assignment_lock(p_assignment, p_type, p_provider_call);
begin
    if a.id is null then
        return 'waiting';
    end if;
    if a.organization_id is distinct from p_organization or a.provider_type <> p_type
       or (p_signer = 'call' and a.id is distinct from p_assignment)
       or (a.provider_call_id is not null and p_provider_call is not null and a.provider_call_id <> p_provider_call) then
        return 'foreign_call';
    end if;
    return public.assignment_apply(a, p_provider_call, p_report);
end
$$;

-- The same for an attempt that is known and locked.
create or replace function public.assignment_apply(a public.call_assignments, p_provider_call text, p_report jsonb) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    v_status text := p_report ->> 'status';
    v_at timestamptz := coalesce(public.time_or_null(p_report ->> 'at'), clock_timestamp());
    v_final boolean := v_status = 'ended' and coalesce((p_report ->> 'final')::boolean, false);
    v_news boolean := false;
begin
    if public.progress_rank(v_status) is null then
        raise exception 'unknown status %', v_status;
    end if;
    if a.state = 'refused' and v_status = 'ended' and exists (
        select from public.end_reasons r
         where r.provider_type = a.provider_type and r.reason = p_report ->> 'reason' and r.refusal is not null) then
        return 'ignored'; -- the refusal that we know of, told once more
    end if;
    if a.state in ('sent', 'unknown') and v_final then
        a.provider_call_id := coalesce(a.provider_call_id, p_provider_call);
        return public.assignment_end(a, p_report, v_at, true);
    end if;
    if a.state in ('leased', 'sent', 'unknown', 'absent', 'refused') then
        if not public.assignment_accept(a, p_provider_call, p_report ->> 'control_url') then
            return 'ignored';
        end if;
        select * into a from public.call_assignments x where x.id = a.id;
        v_news := true;
    end if;

    if a.state = 'accepted' and a.control_url is null and p_report ->> 'control_url' is not null then
        update public.call_assignments x set control_url = p_report ->> 'control_url' where x.id = a.id;
        v_news := true;
    end if;
    if v_status in ('in-progress', 'forwarding') and (a.answered_at is null or v_at < a.answered_at) then
        update public.call_assignments x set answered_at = v_at where x.id = a.id;
        if a.finished_at is not null then
            update public.calls c set started_at = v_at, updated_at = now()
             where c.id = a.call_id and c.created_at = a.call_created_at and c.started_at is null and c.provider_call_id = a.provider_call_id;
        end if;
        a.answered_at := v_at;
        v_news := true;
    end if;
    if a.state = 'accepted' and v_status <> 'ended'
       and (a.progress is null or public.progress_rank(v_status) > public.progress_rank(a.progress)) then
        update public.call_assignments x
           set progress = v_status, updated_at = now(), control_url = coalesce(x.control_url, p_report ->> 'control_url'),
               next_look_at = clock_timestamp() + make_interval(secs => p.silence_seconds)
          from public.call_service_providers p where x.id = a.id and p.id = x.provider_id;
        update public.calls c set progress = v_status, updated_at = now() where c.id = a.call_id and c.created_at = a.call_created_at;
        v_news := true;
    end if;
    if v_status <> 'ended' then
        return case when v_news then 'applied' else 'ignored' end;
    end if;
    return public.assignment_end(a, p_report, v_at, v_final);
end
$$;

-- The line is free; the outcome is final once the provider's own report is there.
create or replace function public.assignment_end(a public.call_assignments, p_report jsonb, p_at timestamptz, p_final boolean) returns text
    language plpgsql security definer set search_path = '' as $$
begin
    if p_final and not a.final then
        if a.finished_at is null then
            a.ended_at := coalesce(a.ended_at, p_at);
            perform public.assignment_finish(a, p_report);
        else
            perform public.call_enrich(a, p_report);
        end if;
        return 'applied';
    end if;
    if a.state <> 'accepted' then
        return 'ignored';
    end if;
    update public.call_assignments x
       set state = 'ended', ended_at = coalesce(public.time_or_null(p_report ->> 'ended_at'), p_at), reason = p_report ->> 'reason',
           progress = 'ended', updated_at = now(),
           next_look_at = clock_timestamp() + make_interval(secs => p.report_grace_seconds)
      from public.call_service_providers p
     where x.id = a.id and p.id = x.provider_id;
    update public.calls c set progress = 'ended', updated_at = now() where c.id = a.call_id and c.created_at = a.call_created_at;
    return 'applied';
end
$$;

-- The provider has the call.  False where another attempt has been begun since, or the call is over: then nothing is changed.
create or replace function public.assignment_accept(a public.call_assignments, p_provider_call text, p_control_url text) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    q public.call_queue;
begin
    select * into q from public.call_queue x where x.id = a.call_id for update;
    if a.state in ('absent', 'refused') then
        if q.id is null or q.status <> 'queued' or exists (select from public.call_assignments x where x.call_id = a.call_id and x.attempt > a.attempt) then
            return false;
        end if;
        update public.call_queue x set status = 'in-progress', provider_id = a.provider_id, updated_at = now() where x.id = a.call_id;
    end if;
    if a.state = 'leased' then
        -- Heard of before we know that we sent it: the pump died in between, or the mark was used by hand.
        update public.call_assignments x set state = 'sent', sent_at = clock_timestamp(), deadline_at = clock_timestamp() where x.id = a.id;
    end if;
    update public.call_assignments x
       set state = 'accepted', accepted_at = clock_timestamp(), provider_call_id = coalesce(p_provider_call, x.provider_call_id),
           control_url = coalesce(p_control_url, x.control_url), progress = coalesce(x.progress, 'queued'), updated_at = now(),
           reason = null, outcome = null, finished_at = null, http_status = null, detail = null, first_absent_at = null,
           next_look_at = clock_timestamp() + make_interval(secs => p.silence_seconds)
      from public.call_service_providers p
     where x.id = a.id and p.id = x.provider_id;
    update public.call_queue x set attempts = x.attempts + 1, call_id = p_provider_call, updated_at = now() where x.id = a.call_id;
    update public.calls c
       set status = 'in-progress', provider_id = a.provider_id, provider_type = a.provider_type, provider_call_id = p_provider_call,
           vapi_call_id = case when a.provider_type = 'vapi' then p_provider_call end, progress = 'queued', attempts = c.attempts + 1, updated_at = now()
     where c.id = a.call_id and c.created_at = a.call_created_at and c.status in ('queued', 'in-progress');
    return true;
end
$$;

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
    v_status := case when q.cancel_requested_at is not null then 'canceled'
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
           final = coalesce((p_report ->> 'final')::boolean, false), updated_at = now()
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
    if q.id is null or q.status <> 'in-progress' then
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
    update public.call_assignments x set final = true, duration_seconds = public.report_seconds(p_report), updated_at = now() where x.id = a.id;
    update public.usage_entries u
       set quantity = (select coalesce(sum(x.duration_seconds), 0) from public.call_assignments x where x.call_id = a.call_id)
     where u.call_id = a.call_id and u.kind = 'seconds';
    update public.calls c
       set started_at = coalesce(public.time_or_null(p_report ->> 'started_at'), c.started_at, a.answered_at),
           ended_at = coalesce(public.time_or_null(p_report ->> 'ended_at'), c.ended_at, a.ended_at),
           duration_seconds = greatest(public.report_seconds(p_report), coalesce(c.duration_seconds, 0)),
           vapi_cost_cents = coalesce(public.number_or_null(p_report ->> 'cost_cents'), c.vapi_cost_cents),
           total_cost_cents = coalesce(public.number_or_null(p_report ->> 'cost_cents'), c.total_cost_cents),
           updated_at = now()
     where c.id = a.call_id and c.created_at = a.call_created_at;
    perform public.call_contents(a, p_report);
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
    v_cost numeric := public.number_or_null(p_report ->> 'cost_cents');
begin
    update public.calls x
       set status = p_status, ended_reason = p_reason, end_class = a.end_class, progress = case when a.accepted_at is not null then 'ended' else x.progress end,
           attempts = x.attempts + p_new::integer,
           provider_id = coalesce(a.provider_id, x.provider_id), provider_type = coalesce(a.provider_type, x.provider_type),
           provider_call_id = coalesce(a.provider_call_id, x.provider_call_id),
           vapi_call_id = case when a.provider_type = 'vapi' then a.provider_call_id else x.vapi_call_id end,
           started_at = coalesce(public.time_or_null(p_report ->> 'started_at'), x.started_at, a.answered_at),
           ended_at = coalesce(public.time_or_null(p_report ->> 'ended_at'), x.ended_at, a.ended_at, clock_timestamp()),
           duration_seconds = greatest(coalesce(a.duration_seconds, 0), coalesce(x.duration_seconds, 0)),
           vapi_cost_cents = coalesce(v_cost, x.vapi_cost_cents), total_cost_cents = coalesce(v_cost, x.total_cost_cents),
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
    if c.attempts > 0 then
        select coalesce(sum(x.duration_seconds), 0) into v_seconds from public.call_assignments x where x.call_id = p_call;
        insert into public.usage_entries (organization_id, user_id, call_id, call_created_at, kind, quantity, occurred_at)
        values (c.organization_id, c.user_id, c.id, c.created_at, 'calls', 1, c.ended_at),
               (c.organization_id, c.user_id, c.id, c.created_at, 'seconds', v_seconds, c.ended_at)
        on conflict (call_id, kind) do nothing;
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
