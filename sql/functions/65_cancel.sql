-- 65_cancel.sql - a call is not wanted any more: waiting ones end at once, live ones are hung up where the provider has a way.


-- Cancels one call: waiting ones at once; live ones are hung up by the pump where the provider has a way.
create or replace function public.call_cancel(p_call uuid) returns void
    language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    a public.call_assignments;
    q public.call_queue;
begin
    if exists (select from public.call_queue x where x.id = p_call and not public.may_act_for(x.organization_id)) then
        raise exception 'call_not_found' using errcode = 'PT404';
    end if;
    -- The attempt's row first, then the queue's: the same order as everywhere.
    select * into a from public.call_assignments x
     where x.call_id = p_call and x.state in ('leased', 'sent', 'accepted', 'unknown') for update;
    select * into q from public.call_queue x where x.id = p_call for update;
    if q.id is null or q.status not in ('queued', 'in-progress') then
        raise exception 'call_ended' using errcode = 'PT409', detail = 'The call has already ended.';
    end if;
    if a.id is null then
        select * into a from public.call_assignments x
         where x.call_id = p_call and x.state in ('leased', 'sent', 'accepted', 'unknown');
        if a.id is not null then
            -- It was claimed between the two locks.
            raise exception 'try again' using errcode = '40001';
        end if;
    end if;
    if a.id is null and q.status = 'queued' then
        perform public.call_close(q.id, q.call_created_at, 'canceled', 'canceled', null);
        return;
    end if;
    if a.state = 'leased' then
        update public.call_assignments x
           set state = 'absent', outcome = 'canceled', reason = 'canceled', finished_at = clock_timestamp(), updated_at = now()
         where x.id = a.id
        returning x.* into a;
        perform public.call_close(q.id, q.call_created_at, 'canceled', 'canceled', a);
        return;
    end if;
    if a.id is null then
        raise exception 'call_ended' using errcode = 'PT409', detail = 'The call has ended; its report is still to come.';
    end if;
    -- SynthFlow has no way to hang up: such a call goes to its end, and is then canceled instead of dialled again.
    update public.call_queue x set cancel_requested_at = coalesce(x.cancel_requested_at, now()), updated_at = now() where x.id = p_call;
    -- Where nobody has told yet how to hang up, the provider is asked at once.
    update public.call_assignments x
       set hangup_requested_at = coalesce(x.hangup_requested_at, now()), updated_at = now(),
           next_look_at = case when x.state = 'accepted' and x.control_url is null then clock_timestamp() else x.next_look_at end
     where x.id = a.id;
end
$$;

create or replace function public.hangups_claim(p_limit integer) returns jsonb
    language sql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
    with due as (
        update public.call_assignments a
           set hangup_tries = a.hangup_tries + 1,
               hangup_requested_at = clock_timestamp() + make_interval(secs => least(60, power(2, a.hangup_tries)))
          from (select id from public.call_assignments
                 where hangup_requested_at <= statement_timestamp() and hangup_at is null and state = 'accepted' and control_url is not null
                   and hangup_tries < 10
                 order by hangup_requested_at limit p_limit for update skip locked) d
         where a.id = d.id
        returning a.*)
    select coalesce(jsonb_agg(jsonb_build_object('assignment_id', a.id, 'control_url', a.control_url, 'provider_type', a.provider_type,
                                                 'organization_id', a.organization_id,
                                                 'provider_id', p.id, 'base_url', p.base_url, 'api_key', p.api_key, 'timeout_ms', p.timeout_ms)), '[]')
      from due a join public.call_service_providers p on p.id = a.provider_id
$$;

create or replace function public.hangups_record(p_ids uuid[]) returns void
    language sql security definer set search_path = '' as $$
    update public.call_assignments a set hangup_at = clock_timestamp(), updated_at = now() where a.id = any (p_ids) and a.hangup_at is null
$$;
