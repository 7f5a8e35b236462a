-- 50_apply.sql - what a provider says of a call, applied in any order and any number of times.

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
       or p_text ~ '^(?!0000)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-](0\d|1[0-3]):[0-5]\d)$' then
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
    if a.id is null and p_report ? 'inbound' and p_signer in ('inbound', 'installation') and p_provider_call is not null then
        return public.inbound_apply(p_organization, p_type, p_provider_call, p_report);
    end if;
    if a.id is null then
        return 'waiting';
    end if;
    if a.organization_id is distinct from p_organization or a.provider_type <> p_type
       or (p_signer = 'call' and a.id is distinct from p_assignment)
       or (p_signer = 'inbound' and not public.call_is_inbound(a))
       or (a.provider_call_id is not null and p_provider_call is not null and a.provider_call_id <> p_provider_call) then
        return 'foreign_call';
    end if;
    if p_signer = 'organization' and (a.provider_call_id is null or p_report ->> 'status' = 'ended') then
        -- An organization knows its own secret.  It may tell how far a call is; which call it is, and how it ended, the provider is asked.
        if a.provider_call_id is null then
            return 'waiting';
        end if;
        update public.call_assignments x set next_look_at = clock_timestamp() where x.id = a.id and x.finished_at is null;
        return case when found then 'applied' else 'ignored' end;
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
            return case when v_final and public.attempt_counted(a, p_report) then 'applied' else 'ignored' end;
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
