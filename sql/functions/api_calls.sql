-- api_calls.sql - /api/v1/calls.  Run as hookswitch_api: what a caller does not see does not exist for him.

create or replace function api.call_create(
    p_recipient_number text, p_template_id uuid, p_recipient_name text default null, p_recipient_email text default null,
    p_scheduled_time timestamptz default null, p_priority integer default null, p_custom_variables jsonb default null,
    p_metadata jsonb default null, p_voice_id uuid default null, p_caller_number_id uuid default null, p_max_attempts integer default null,
    p_expires_at timestamptz default null) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v_id uuid;
begin
    v_id := public.call_enter(public.current_organization_id(), public.current_user_id(), jsonb_strip_nulls(jsonb_build_object(
        'recipient_number', p_recipient_number, 'template_id', p_template_id, 'recipient_name', p_recipient_name,
        'recipient_email', p_recipient_email, 'scheduled_time', p_scheduled_time, 'priority', p_priority, 'voice_id', p_voice_id,
        'caller_number_id', p_caller_number_id, 'max_attempts', p_max_attempts, 'expires_at', p_expires_at))
        || jsonb_build_object('custom_variables', coalesce(p_custom_variables, '{}'), 'metadata', coalesce(p_metadata, '{}')));
    return public.call_view_of(v_id);
end
$$;

-- p_on_error 'stop': all or none; a refusal names the item: calls.3.recipient_number.  'continue': each by itself.  An item whose fields were
-- wrong already has come as {"errors": [...]} in its place; where all or none are wanted, none is tried then.
create or replace function api.call_create_many(p_calls jsonb, p_on_error text default 'stop') returns jsonb
    language plpgsql set search_path = '' as $$
declare
    c record;
    v_organization uuid := public.current_organization_id();
    v_data jsonb[] := '{}';
    v_results jsonb[] := '{}';
    v_errors jsonb;
    v_id uuid;
    v_code text;
    v_detail text;
    v_hint text;
    v_state text;
    v_wrong boolean := p_on_error = 'stop' and p_calls @? '$[*].errors';
begin
    for c in select e.value as call, e.ordinality - 1 as i from jsonb_array_elements(p_calls) with ordinality e loop
        continue when v_wrong and not c.call ? 'errors';
        v_id := null;
        v_errors := coalesce(c.call -> 'errors', '[]');
        if v_errors = '[]' then
            begin
                v_id := public.call_enter(v_organization, public.current_user_id(), c.call);
                v_data := v_data || public.call_view_of(v_id);
            exception when sqlstate 'PT422' or sqlstate 'PT402' then
                get stacked diagnostics v_state = returned_sqlstate, v_code = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
                v_hint := concat_ws('.', 'calls', c.i, nullif(v_hint, ''));
                if p_on_error = 'stop' then
                    raise exception using errcode = v_state, message = v_code, detail = v_detail, hint = v_hint;
                end if;
                v_id := null;
                v_errors := jsonb_build_array(jsonb_build_object('field', v_hint, 'code', v_code, 'detail', v_detail));
            end;
        end if;
        v_results := v_results || jsonb_build_object('index', c.i, 'call_id', v_id, 'errors', v_errors);
    end loop;
    return jsonb_build_object('data', to_jsonb(v_data), 'results', to_jsonb(v_results), 'taken', cardinality(v_data),
                              'refused', cardinality(v_results) - cardinality(v_data));
end
$$;

create or replace function public.call_view_of(p_call uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return (select public.call_view(c) || jsonb_build_object('admission', q.admission, 'due_at', public.time_view(w.due_at),
                                                     'expires_at', public.time_view(w.expires_at), 'max_attempts', w.max_attempts,
                                                     'cancel_requested_at', public.time_view(q.cancel_requested_at))
      from public.calls c
      left join public.call_queue q on q.id = c.id
      left join lateral (select q.due_at, q.expires_at, q.max_attempts where c.direction = 'outbound') w on true
     where c.id = p_call);
end
$$;

-- Newest first.  The cursor is the last row's place in that order.
create or replace function api.call_list(
    p_status text default null, p_direction text default null, p_template_id uuid default null, p_recipient_number text default null,
    p_created_from timestamptz default null, p_created_to timestamptz default null, p_after text default null, p_limit integer default 20)
    returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return (select public.page_view('calls', array_agg(public.call_view(c) order by c.created_at desc, c.id desc),
                                    array_agg(c.created_at order by c.created_at desc, c.id desc),
                                    array_agg(c.id::text order by c.created_at desc, c.id desc), p_limit)
              from public.call_rows(p_status, p_direction, p_template_id, p_recipient_number, p_created_from, p_created_to, p_after, p_limit + 1) c);
end
$$;

-- The active organization's calls as its readers see them, newest first, behind a cursor.
create or replace function public.call_rows(
    p_status text, p_direction text, p_template uuid, p_number text, p_from timestamptz, p_to timestamptz, p_after text, p_limit integer)
    returns setof public.calls
    language plpgsql stable set search_path = '' as $$
declare
    v_at timestamptz;
    v_id uuid;
begin
    select k.at, k.id into v_at, v_id from public.cursor_read('calls', p_after) k;
    return query
    select c.* from public.calls c
     where (p_status is null or c.status = p_status)
       and (p_direction is null or c.direction = p_direction)
       and (p_template is null or c.template_id = p_template)
       and (p_number is null or c.to_number = p_number)
       and (p_from is null or c.created_at >= p_from)
       and (p_to is null or c.created_at < p_to)
       and (v_at is null or (c.created_at, c.id) < (v_at, v_id))
       and c.organization_id = (select public.current_organization_id())
     order by c.created_at desc, c.id desc
     limit p_limit;
end
$$;

create or replace function api.call_get(p_call_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_view jsonb := public.call_view_of(p_call_id);
begin
    if v_view is null then
        raise exception 'call_not_found' using errcode = 'PT404';
    end if;
    return v_view || jsonb_build_object('retries', (
        select coalesce(jsonb_agg(jsonb_build_object('attempt', r.attempt, 'reason', r.reason, 'retry_at', public.time_view(r.retry_at)) order by r.created_at), '[]')
          from public.call_retries r where r.call_id = p_call_id));
end
$$;

create or replace function api.call_cancel(p_call_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform api.call_get(p_call_id);
    perform public.call_cancel(p_call_id);
    return public.call_view_of(p_call_id);
end
$$;

-- A waiting call to another time.
create or replace function api.call_reschedule(p_call_id uuid, p_scheduled_time timestamptz) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform api.call_get(p_call_id);
    perform public.call_reschedule(p_call_id, p_scheduled_time);
    return public.call_view_of(p_call_id);
end
$$;

create or replace function public.call_reschedule(p_call uuid, p_time timestamptz) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    q public.call_queue;
begin
    update public.call_queue x
       set scheduled_time = p_time, due_at = greatest(p_time, now()), ready = p_time <= now(), admission = null, updated_at = now(),
           expires_at = greatest(p_time, now()) + (x.expires_at - x.due_at)
     where x.id = p_call and x.status = 'queued' and public.may_act_for(x.organization_id)
    returning x.* into q;
    if not found then
        raise exception 'call_not_queued' using errcode = 'PT409', detail = 'Only a waiting call can be moved to another time.';
    end if;
    update public.calls c set scheduled_time = p_time, updated_at = now() where c.id = p_call and c.created_at = q.call_created_at;
end
$$;

-- A retry asked for by a person is a new call that names the old one.
create or replace function api.call_retry(p_call_id uuid, p_scheduled_time timestamptz default null) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    c public.calls;
    v_id uuid;
begin
    select * into c from public.calls x where x.id = p_call_id;
    if not found then
        raise exception 'call_not_found' using errcode = 'PT404';
    end if;
    if c.finished_at is null or c.direction <> 'outbound' then
        raise exception 'call_not_ended' using errcode = 'PT409', detail = 'Only an outbound call that is over can be retried.';
    end if;
    perform set_config('hookswitch.retry_of', c.id::text, true);
    v_id := public.call_enter(c.organization_id, public.current_user_id(), jsonb_strip_nulls(jsonb_build_object(
        'recipient_number', c.to_number, 'template_id', c.template_id, 'recipient_name', c.recipient_name, 'recipient_email', c.recipient_email,
        'scheduled_time', p_scheduled_time, 'priority', c.priority, 'voice_id', c.voice_id, 'caller_number_id', c.caller_number_id))
        || jsonb_build_object('custom_variables', c.custom_variables, 'metadata', c.metadata));
    perform set_config('hookswitch.retry_of', '', true);
    return public.call_view_of(v_id);
end
$$;

create or replace function api.call_transcript(p_call_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    t public.call_transcripts;
begin
    perform api.call_get(p_call_id);
    select * into t from public.call_transcripts x where x.call_id = p_call_id;
    if not found then
        raise exception 'transcript_not_found' using errcode = 'PT404';
    end if;
    -- Parts are objects, whatever a provider sends.
    return jsonb_build_object('call_id', t.call_id, 'transcript', t.transcript_text,
                              'segments', coalesce(jsonb_path_query_array(t.transcript_segments, '$[*] ? (@.type() == "object")'), '[]'),
                              'summary', t.summary, 'extracted_data', t.extracted_data);
end
$$;

-- What the program needs to ask the provider for fresh addresses.  The key is sealed; the answer never leaves the program as it is.
create or replace function api.call_recording(p_call_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_answer jsonb;
begin
    perform api.call_get(p_call_id);
    v_answer := public.recording_access(p_call_id, public.current_organization_id());
    if v_answer is null then
        raise exception 'recording_not_found' using errcode = 'PT404';
    end if;
    return v_answer;
end
$$;

create or replace function public.recording_access(p_call uuid, p_organization uuid) returns jsonb
    language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('provider_type', c.provider_type, 'base_url', p.base_url, 'api_key', p.api_key,
                              'provider_call_id', c.provider_call_id, 'recording_url', r.recording_url, 'timeout_ms', p.timeout_ms,
                              'assignment_id', (select a.id from public.call_assignments a
                                                 where a.provider_type = c.provider_type and a.provider_call_id = c.provider_call_id))
      from public.call_recordings r
      join public.calls c on c.id = r.call_id and c.created_at = r.call_created_at
      left join public.call_service_providers p on p.id = c.provider_id
     where r.call_id = p_call and r.organization_id = p_organization and public.may_act_for(p_organization)
$$;

create or replace function api.call_actions(p_call_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    perform api.call_get(p_call_id);
    return jsonb_build_object('data', (
        select coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'action_type', a.action_type, 'action_data', a.action_data, 'status', a.status,
                                                     'triggered_at', public.time_view(a.triggered_at)) order by a.triggered_at, a.id), '[]')
          from public.call_actions a where a.call_id = p_call_id), 'next_cursor', null);
end
$$;

create or replace function api.queue_status() returns jsonb
    language sql stable set search_path = '' as $$
    select jsonb_build_object(
        'queued', count(*) filter (where q.status = 'queued'), 'due', count(*) filter (where q.status = 'queued' and q.due_at <= now()),
        'scheduled', count(*) filter (where q.status = 'queued' and q.due_at > now()), 'in_progress', count(*) filter (where q.status = 'in-progress'),
        'oldest_due_at', public.time_view(min(q.due_at) filter (where q.status = 'queued' and q.due_at <= now())),
        'waiting_for', (select coalesce(jsonb_object_agg(w.admission, w.n), '{}') from (
            select x.admission, count(*) as n from public.call_queue x
             where x.status = 'queued' and x.admission is not null and x.organization_id = (select public.current_organization_id())
             group by 1) w))
      from public.call_queue q
     where q.organization_id = (select public.current_organization_id()) and q.status in ('queued', 'in-progress')
$$;
