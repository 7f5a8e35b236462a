-- 35_numbers_end.sql - what a number's run came to: paused, given back, failed; the line of the log, the event and the mail of it.

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
