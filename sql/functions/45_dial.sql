-- 45_dial.sql - from an admitted call to a dial: its attempt, what the dialler needs to know, and the intent before the first byte.

-- The attempts of the admitted calls, and their queue rows on their way.
create or replace function public.assignments_make(p_calls uuid[], p_provs uuid[], p_worker text, p_lease_seconds double precision) returns uuid[]
    language plpgsql security definer set search_path = '' as $$
declare
    v_ids uuid[];
begin
    with made as (
        insert into public.call_assignments (call_id, call_created_at, organization_id, provider_id, provider_type, attempt, worker, lease_until,
                                             assistant, caller_number, created_at)
        select q.id, q.call_created_at, q.organization_id, p.id, p.provider_type,
               (select count(*) + 1 from public.call_assignments a where a.call_id = q.id), p_worker,
               clock_timestamp() + make_interval(secs => p_lease_seconds), coalesce(t.assistant, x.vapi_assistant_id),
               coalesce(n.voice_number_id, t.caller_number),
               clock_timestamp() -- a claim may have waited for its locks; starts a second are counted by this
          from unnest(p_calls, p_provs) u(call, prov)
          join public.call_queue q on q.id = u.call
          join public.call_service_providers p on p.id = u.prov
          left join public.call_template_targets t on t.template_id = q.template_id and t.provider_type = p.provider_type
          left join public.assistants x on x.id = q.assistant_id
          left join public.phone_numbers n on n.id = q.caller_number_id
         where (t.template_id is not null or x.vapi_assistant_id is not null)
           and coalesce(n.status, 'active') = 'active' -- a number that was paused meanwhile calls nobody
        returning id, call_id, provider_id),
    moved as (
        update public.call_queue q
           set status = 'in-progress', provider_id = m.provider_id, admission = 'admitted', call_id = null, updated_at = now()
          from made m where q.id = m.call_id)
    select coalesce(array_agg(m.id), '{}') into v_ids from made m;
    update public.call_queue q set admission = 'no_target', ready = false, due_at = clock_timestamp() + interval '1 minute'
     where q.id = any (p_calls) and cardinality(v_ids) < cardinality(p_calls)
       and not exists (select from public.call_assignments a where a.call_id = q.id and a.id = any (v_ids));
    return v_ids;
end
$$;

-- All that the dialler needs to know of each attempt.  Keys are sealed.
create or replace function public.dials_of(p_ids uuid[]) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select coalesce(jsonb_agg(jsonb_build_object(
        'assignment_id', a.id, 'fence', a.fence, 'call_id', a.call_id, 'organization_id', a.organization_id,
        'provider_id', p.id, 'provider_type', p.provider_type, 'base_url', p.base_url, 'api_key', p.api_key, 'key_number', p.key_number,
        'timeout_ms', p.timeout_ms, 'number', q.recipient_number, 'name', q.recipient_name, 'email', q.recipient_email,
        'assistant', a.assistant, 'caller', a.caller_number, 'variables', q.custom_variables,
        'says', case when t.id is not null then public.call_template_says(t, q.custom_variables) end,
        'voice', case when v.id is not null then jsonb_build_object('provider', v.voice_provider, 'voiceId', v.voice_id) end)
        order by q.priority, q.due_at, q.position), '[]')
      from public.call_assignments a
      join public.call_service_providers p on p.id = a.provider_id
      join public.call_queue q on q.id = a.call_id
      left join public.voice_options v on v.id = q.voice_id and (v.provider_id is null or v.provider_id = p.id) -- another account lacks it
      left join public.call_templates t on t.id = q.template_id and num_nonnulls(t.first_message, t.system_prompt) > 0
     where a.id = any (p_ids));
end
$$;

-- Attempts of numbers that came onto the do-not-call list after they were claimed, or by SQL past it: they end before anything is sent.
create or replace function public.dials_refuse(p_ids uuid[], p_fences bigint[]) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    a public.call_assignments;
begin
    for a in select x.* from unnest(p_ids, p_fences) u(id, fence)
              join public.call_assignments x on x.id = u.id and x.fence = u.fence and x.state = 'leased'
              join public.call_queue q on q.id = x.call_id
              join public.do_not_call d on d.organization_id = q.organization_id and d.phone_number = q.recipient_number
               for update of x loop
        update public.call_assignments x
           set state = 'absent', outcome = 'canceled', reason = 'do_not_call', finished_at = clock_timestamp(), updated_at = now()
         where x.id = a.id
        returning x.* into a;
        perform public.call_close(a.call_id, a.call_created_at, 'canceled', 'do_not_call', a);
    end loop;
end
$$;

-- The intent, before the first byte: only those that are still ours may be sent.  Answers their ids.
create or replace function public.calls_sent(p_ids uuid[], p_fences bigint[], p_timeout_ms integer, p_lease_seconds double precision) returns uuid[]
    language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    v_ids uuid[];
begin
    perform public.dials_refuse(p_ids, p_fences);
    with sent as (
        update public.call_assignments a
           set state = 'sent', sent_at = clock_timestamp(),
               deadline_at = clock_timestamp() + make_interval(secs => coalesce(p.timeout_ms, p_timeout_ms) / 1000.0),
               lease_until = clock_timestamp() + make_interval(secs => p_lease_seconds + coalesce(p.timeout_ms, p_timeout_ms) / 1000.0),
               updated_at = now()
          from unnest(p_ids, p_fences) u(id, fence), public.call_service_providers p
         where a.id = u.id and a.fence = u.fence and a.state = 'leased' and p.id = a.provider_id and a.lease_until > clock_timestamp()
        returning a.id)
    select coalesce(array_agg(s.id), '{}') into v_ids from sent s;
    return v_ids;
end
$$;
