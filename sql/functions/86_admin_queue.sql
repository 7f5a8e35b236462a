-- 86_admin_queue.sql - operators: what waits, what hangs, what nobody knows.  Telephone numbers, names, variables, transcripts and the bodies of
-- webhooks are not shown here: to find what is wrong, when and where is enough.

-- Somebody else's words, without what may be a telephone number.
create or replace function public.admin_words(p_text text) returns text
    language sql immutable set search_path = '' as $$
    select left(regexp_replace(p_text, '\+?[0-9][0-9 ().-]{5,}[0-9]', '#', 'g'), 300)
$$;

create or replace function public.admin_attempt_view(a public.call_assignments) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', a.id, 'call_id', a.call_id, 'organization_id', a.organization_id, 'provider_id', a.provider_id, 'provider_type', a.provider_type,
        'provider_call_id', a.provider_call_id, 'attempt', a.attempt, 'state', a.state, 'progress', a.progress, 'reason', a.reason,
        'looks', a.looks, 'lease_until', public.time_view(a.lease_until), 'sent_at', public.time_view(a.sent_at),
        'accepted_at', public.time_view(a.accepted_at), 'ended_at', public.time_view(a.ended_at), 'next_look_at', public.time_view(a.next_look_at),
        'created_at', public.time_view(a.created_at), 'updated_at', public.time_view(a.updated_at));
end
$$;

-- Attempts that should have gone on by now: claimed or sent, and nobody holds them any more; live, and not heard of; ended, and no report.
create or replace function public.admin_stuck(a public.call_assignments, p_seconds integer) returns boolean
    language sql stable set search_path = '' as $$
    select case when a.state in ('leased', 'sent') then a.lease_until
                when a.state = 'accepted' then a.updated_at
                when a.state = 'ended' and a.finished_at is null then coalesce(a.ended_at, a.updated_at)
           end < statement_timestamp() - make_interval(secs => p_seconds)
$$;

create or replace function public.admin_webhook_view(w public.webhook_events) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', w.id, 'received_at', public.time_view(w.received_at), 'provider', w.provider, 'organization_id', w.organization_id,
        'signer', w.signer, 'type', w.type, 'assignment_id', w.assignment_id, 'provider_call_id', w.provider_call_id, 'state', w.state,
        'error', public.admin_words(w.apply_error), 'tries', w.tries, 'try_at', public.time_view(w.try_at));
end
$$;

-- ---- actions ----------------------------------------------------------------

-- The provider is asked at the pump's next turn.  What certainly was not sent, or is over, has nothing to be asked for.
create or replace function public.admin_attempt_look(p_attempt uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    a public.call_assignments;
begin
    perform public.operator_needed();
    select * into a from public.call_assignments x where x.id = p_attempt for update;
    if not found then
        raise exception 'attempt_not_found' using errcode = 'PT404';
    elsif a.finished_at is not null or a.state not in ('sent', 'accepted', 'unknown', 'ended') then
        raise exception 'attempt_over' using errcode = 'PT409';
    end if;
    -- One that is being sent just now is left to its pump until its lease has run out.
    if a.state <> 'sent' then
        update public.call_assignments x set next_look_at = clock_timestamp() where x.id = a.id;
    end if;
    perform public.admin_note('attempt.looked', 'attempt', a.id, jsonb_build_object('call_id', a.call_id, 'state', a.state));
end
$$;

create or replace function public.admin_call_end(p_call uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    q public.call_queue;
begin
    perform public.operator_needed();
    select * into q from public.call_queue x where x.id = p_call;
    if not found and not exists (select from public.calls c where c.id = p_call) then
        raise exception 'call_not_found' using errcode = 'PT404';
    end if;
    perform public.call_cancel(p_call);
    perform public.audit_write(q.organization_id, 'call.canceled', 'call', p_call, '{}');
end
$$;

-- Applies a kept event again now; answers its row as it is then.
create or replace function public.admin_webhook_apply(p_event bigint) returns public.webhook_events
    language plpgsql security definer set search_path = '' as $$
declare
    w public.webhook_events;
begin
    perform public.operator_needed();
    select * into w from public.webhook_events x where x.id = p_event for update;
    if not found then
        raise exception 'webhook_event_not_found' using errcode = 'PT404';
    elsif w.state not in ('waiting', 'failed') or w.report is null then
        raise exception 'webhook_event_over' using errcode = 'PT409';
    end if;
    perform public.webhook_try(w);
    select * into w from public.webhook_events x where x.id = p_event;
    perform public.admin_note('webhook_event.applied', 'webhook_event', null, jsonb_build_object('event_id', w.id, 'state', w.state));
    return w;
end
$$;

create or replace function public.admin_run_note(p_action text, p_run text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.admin_note(p_action, 'run', null, jsonb_build_object('run_id', p_run));
end
$$;
