-- 35_numbers_verify.sql - people's own numbers, proved by a code that is sent there.  Each sending has an id of its own, from which the code is
-- made with our key where it is sent (common/work/flow_verify.c) and where it is checked (handlers/phone-numbers.c); it is kept nowhere.

create or replace function public.verified_number_of(p_verified uuid) returns public.verified_numbers
    language plpgsql stable set search_path = '' as $$
declare
    v public.verified_numbers;
begin
    select * into v from public.verified_numbers x where x.id = p_verified and x.organization_id = (select public.current_organization_id());
    if not found then
        raise exception 'verified_number_not_found' using errcode = 'PT404';
    end if;
    return v;
end
$$;

-- Three at once to one number, whoever asks, then one in twenty minutes; twenty at once of one organization, then twenty a day.  Whoever has a
-- telephone is not to be rung at by strangers.
create or replace function public.verify_take(p_organization uuid, p_number text) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_wait record;
begin
    select * into v_wait from public.rate_take_all(
        array['verify number ' || encode(sha256(convert_to(p_number, 'UTF8')), 'hex'), 'verify organization ' || p_organization],
        array[1200000000, 4320000000]::bigint[], array[3, 20]::bigint[]);
    if v_wait.refused then
        raise exception 'too_many_tries' using errcode = 'PT429', detail = format('The next code can be sent in %s seconds.', v_wait.retry_seconds);
    end if;
end
$$;

-- Codes cost money, and whoever has a telephone of the dear kind earns by them: they are for those whose plan brings numbers, or who have one.
create or replace function public.verify_admit(p_organization uuid) returns void
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_may boolean;
    v_limit integer;
begin
    select t.may_call and coalesce(b.standing, 'good') not in ('read_only', 'suspended'), p.number_limit into v_may, v_limit
      from public.subscriptions s
      join public.subscription_plans p on p.id = s.plan_id
      join public.subscription_standings t on t.status = s.status
      left join public.billing_accounts b on b.organization_id = s.organization_id
     where s.organization_id = p_organization and s.current;
    if v_may is not true then
        raise exception 'subscription_inactive' using errcode = 'PT402', detail = 'The organization has no subscription that numbers come with.';
    elsif v_limit = 0 and not exists (select from public.phone_numbers n
                                       where n.organization_id = p_organization and n.status not in ('failed', 'released', 'lost')) then
        raise exception 'number_limit_reached' using errcode = 'PT402', detail = 'The plan includes no phone number that calls could be put through from.';
    end if;
end
$$;

-- Has a code sent.  Another one for the same number is another row: the one before is worth nothing any more.
create or replace function public.number_verify_begin(p_number text, p_channel text) returns public.verified_numbers
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := (public.organization_lock(public.current_organization_id())).id;
    v public.verified_numbers;
begin
    if (public.twilio_number_of(p_number)).id is not null then -- whosever: two that put calls through to each other never end
        perform public.refuse_field('number_invalid', 'phone_number', 'This is one of the numbers that assistants answer.');
    elsif exists (select from public.verified_numbers x where x.organization_id = v_organization and x.phone_number = p_number and x.status = 'verified') then
        raise exception 'number_verified' using errcode = 'PT409';
    elsif exists (select from public.do_not_call d where d.organization_id = v_organization and d.phone_number = p_number) then
        perform public.refuse_field('number_do_not_call', 'phone_number', 'The number is on the organization''s do-not-call list.');
    elsif not exists (select from public.workflows w where w.name = 'verify-number' and w.is_ready) then
        raise exception 'numbers_not_configured' using errcode = 'PT409';
    end if;
    perform public.verify_admit(v_organization);
    perform public.verify_take(v_organization, p_number);
    insert into public.verified_numbers (organization_id, user_id, phone_number, channel, sent, sent_at, expires_at)
    values (v_organization, public.current_user_id(), p_number, p_channel, 1, clock_timestamp(), clock_timestamp() + interval '10 minutes')
    on conflict (organization_id, phone_number) do update
       set id = gen_random_uuid(), user_id = excluded.user_id, channel = excluded.channel, status = 'pending', tries = 0,
           sent = verified_numbers.sent + 1, sent_at = excluded.sent_at, expires_at = excluded.expires_at
    returning * into v;
    perform public.work_start('verify-number:' || v.id, 'verify-number',
                              jsonb_build_object('verified_number_id', v.id, 'to', v.phone_number, 'channel', v.channel), v_organization);
    return v;
end
$$;

-- One try with a code; p_right: whether it is the one that was sent.  Told and not raised, so that it is counted: null: it was wrong, too late,
-- or one too many.
create or replace function public.number_verify_try(p_verified uuid, p_right boolean) returns public.verified_numbers
    language plpgsql security definer set search_path = '' as $$
declare
    v public.verified_numbers;
begin
    perform public.contacts_open();
    perform public.verified_number_of(p_verified);
    update public.verified_numbers x
       set tries = x.tries + 1, status = case when p_right then 'verified' when x.tries >= 4 then 'failed' else x.status end,
           verified_at = case when p_right then clock_timestamp() end
     where x.id = p_verified and x.organization_id = public.current_organization_id() and x.status = 'pending' and x.tries < 5
       and x.expires_at > clock_timestamp()
    returning * into v;
    return case when p_right then v end;
end
$$;

-- One that calls or texts are put through to stays.
create or replace function public.verified_number_remove(p_verified uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := (public.organization_lock(public.current_organization_id())).id;
    v public.verified_numbers := public.verified_number_of(p_verified);
begin
    perform from public.phone_numbers n
      where n.organization_id = v_organization and v.phone_number in (n.forward_to, n.sms_forward_to) and n.status not in ('failed', 'released', 'lost');
    if found then
        raise exception 'verified_number_in_use' using errcode = 'PT409';
    end if;
    delete from public.verified_numbers x where x.id = v.id;
end
$$;

-- ---- sending it ---------------------------------------------------------------

-- Before each try: only while somebody waits for it, and never to a number that must not be called.
create or replace function public.verify_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform from public.verified_numbers v
      where v.id = (p_run -> 'input' ->> 'verified_number_id')::uuid and v.status = 'pending' and v.expires_at > clock_timestamp()
        and not exists (select from public.do_not_call d where d.organization_id = v.organization_id and d.phone_number = v.phone_number);
    if not found then
        return '{"done":true,"result":{"skipped":"over"}}';
    end if;
    return null;
end
$$;

-- What Twilio will not send there is not waited for.
create or replace function public.verify_sent(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    if p_run -> 'result' ? 'refused' then
        update public.verified_numbers v set status = 'failed'
         where v.id = (p_run -> 'input' ->> 'verified_number_id')::uuid and v.status = 'pending';
    end if;
    return null;
end
$$;
