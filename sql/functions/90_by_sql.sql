-- 90_by_sql.sql - the queue worked by SQL alone.  What these do is picked up by the next pump turn.

-- The next call in line, not taken: one row, or one with queue_id null.
create or replace function public.get_next_call_in_queue()
    returns table (queue_id uuid, user_id uuid, organization_id uuid, template_id uuid, recipient_number text, recipient_name text,
                   recipient_email text, priority integer, scheduled_time timestamptz, custom_variables jsonb, metadata jsonb)
    language sql stable security definer set search_path = '' as $$
    select q.id, q.user_id, q.organization_id, q.template_id, q.recipient_number, q.recipient_name, q.recipient_email, q.priority,
           q.scheduled_time, q.custom_variables, q.metadata
      from (select 1) one
      left join lateral (select * from public.call_queue c where c.status = 'queued' and c.due_at <= statement_timestamp()
                          and c.expires_at > statement_timestamp()
                          order by c.priority, c.due_at, c.position limit 1) q on true
$$;

-- The provider that would be asked first: active, well, with a free place.  Null: none.
create or replace function public.get_best_available_provider() returns uuid
    language sql stable security definer set search_path = '' as $$
    select f.id from public.providers_free() with ordinality f(id, provider_type, free, reason, i) where f.free > 0 order by f.i limit 1
$$;

-- Gives a waiting call to a provider.  Counts as never sent with its lease run out, so the next pump turn dials it.  Answers the attempt's
-- id; null when there is no free place, the organization may not call now, or the call does not wait any more.
create or replace function public.assign_call_to_provider(p_queue_id uuid, p_provider_id uuid) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid;
    v_free integer;
    v_ids uuid[];
begin
    perform from public.call_service_providers p where p.id = p_provider_id for no key update;
    select q.organization_id into v_organization from public.call_queue q where q.id = p_queue_id;
    perform from public.organizations o where o.id = v_organization for no key update;
    select f.free into v_free from public.providers_free() f where f.id = p_provider_id;
    if coalesce(v_free, 0) <= 0 or v_organization = any (public.organizations_full())
       or exists (select from public.organizations o where o.id = v_organization and public.organization_closed(o) is not null)
       or exists (select from public.call_queue q join public.do_not_call d
                      on d.organization_id = q.organization_id and d.phone_number = q.recipient_number where q.id = p_queue_id) then
        return null;
    end if;
    perform from public.call_queue q where q.id = p_queue_id and q.status = 'queued' and q.due_at <= statement_timestamp() for update;
    if not found then
        return null;
    end if;
    v_ids := public.assignments_make(array[p_queue_id], array[p_provider_id], 'sql', 0);
    if cardinality(v_ids) = 0 then
        raise exception 'template_no_target' using errcode = 'PT422', detail = 'This provider cannot say the call''s template.';
    end if;
    return v_ids[1];
end
$$;

-- Ends a live call as completed, for those who learn of the end elsewhere.
create or replace function public.complete_call(p_queue_id uuid, p_duration_seconds integer default null, p_transcript text default null,
                                                p_recording_url text default null) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    return public.call_end_by_hand(p_queue_id, jsonb_strip_nulls(jsonb_build_object(
        'status', 'ended', 'final', true, 'reason', 'completed', 'duration_seconds', p_duration_seconds, 'transcript', p_transcript,
        'recording_url', p_recording_url)), 'completed');
end
$$;

-- Ends a live call as not reached: it is dialled again later if attempts are left, else it has failed.
create or replace function public.handle_failed_call(p_queue_id uuid, p_error text default null) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    return public.call_end_by_hand(p_queue_id, jsonb_build_object('status', 'ended', 'final', true, 'reason', coalesce(p_error, 'failed')), 'retry');
end
$$;

create or replace function public.call_end_by_hand(p_queue_id uuid, p_report jsonb, p_wish text) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    a public.call_assignments;
    q public.call_queue;
begin
    select * into a from public.call_assignments x
     where x.call_id = p_queue_id and x.finished_at is null and x.state in ('leased', 'sent', 'accepted', 'unknown', 'ended') for update;
    select * into q from public.call_queue x where x.id = p_queue_id for update;
    if q.id is null or q.status <> 'in-progress' or a.id is null then
        return false;
    end if;
    if p_wish = 'retry' and a.state in ('sent', 'unknown') then
        return false; -- the telephone may be ringing
    end if;
    if a.state in ('leased', 'sent', 'unknown') then
        perform public.assignment_accept(a, null, null);
    end if;
    update public.call_assignments x
       set state = 'ended', ended_at = clock_timestamp(), finished_at = clock_timestamp(), next_look_at = null, progress = 'ended',
           reason = p_report ->> 'reason', end_class = case p_wish when 'completed' then 'finished' else 'retry_later' end, outcome = p_wish,
           duration_seconds = public.report_seconds(p_report), final = true, updated_at = now()
     where x.id = a.id
    returning x.* into a;
    select * into q from public.call_queue x where x.id = p_queue_id;
    if p_wish = 'retry' and public.call_retry_later(q, a, false) then
        return true;
    end if;
    return public.call_close(a.call_id, a.call_created_at, case p_wish when 'retry' then 'failed' else p_wish end, p_report ->> 'reason', a,
                             p_report);
end
$$;
