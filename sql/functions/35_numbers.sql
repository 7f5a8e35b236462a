-- 35_numbers.sql - phone numbers of organizations: how one comes to be wanted, and wanted otherwise.  What is wanted is written here, within
-- whatever transaction asks for it; the run of phone-number that is started brings it there (35_numbers_steps.sql, common/work/flow_number.c).

-- Whether numbers can be bought here at all: a program that knows how has the settings, and there is an account at Vapi.
create or replace function public.numbers_ready() returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return exists (select from public.workflows w where w.name = 'phone-number' and w.is_ready and w.seen_at > now() - interval '1 day')
        and public.vapi_account() is not null;
end
$$;

-- ---- the run that is at one number -----------------------------------------------

-- Has a run at it; answers its id.  One that is at it already is left: it looks again before each step.  Null: nothing is done with it any more.
create or replace function public.number_start(n public.phone_numbers) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    v_run text;
begin
    select x.* into n from public.phone_numbers x where x.id = n.id for update;
    if not found or n.origin = 'manual' or n.status in ('released', 'failed', 'lost') then
        return null;
    end if;
    select r.id into v_run from public.workflow_runs r where r.id = n.run_id and r.state not in ('done', 'failed', 'canceled');
    if found then
        -- Whoever waits for an assistant need not wait for it before this.  One that somebody has just now looks by itself.
        update public.workflow_runs x set due_at = clock_timestamp()
         where x.id = (select r.id from public.workflow_runs r where r.id = v_run and r.state = 'waiting' for update skip locked);
        return v_run;
    end if;
    v_run := format('phone-number:%s:%s', n.id, n.runs + 1);
    update public.phone_numbers x set runs = x.runs + 1, run_id = v_run where x.id = n.id;
    perform public.work_start(v_run, 'phone-number', jsonb_build_object('number_id', n.id), n.organization_id);
    return v_run;
end
$$;

-- What it is set to was changed: Twilio and Vapi are told.
create or replace function public.number_sync(p_number uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers;
begin
    update public.phone_numbers x set config_version = x.config_version + 1 where x.id = p_number returning * into n;
    if found then
        perform public.number_start(n);
    end if;
end
$$;

-- It shall be that from now on: active, paused, released.  False: it shall already, or it is over.  One that was written here by hand is
-- only told so here.  One that is given back because it could not be linked stays so.
create or replace function public.number_want(p_number uuid, p_wanted text, p_reason text, p_release_after timestamptz default null) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers;
begin
    select * into n from public.phone_numbers x where x.id = p_number for update;
    if not found or n.wanted = p_wanted or n.status in ('released', 'failed', 'lost') or public.number_doomed(n) then
        return false;
    end if;
    update public.phone_numbers x
       set wanted = p_wanted,
           pause_reason = case p_wanted when 'paused' then p_reason when 'released' then x.pause_reason end,
           release_reason = case when p_wanted = 'released' then p_reason end,
           release_after = case when p_wanted = 'paused' then p_release_after end
     where x.id = n.id returning * into n;
    if n.origin <> 'manual' then
        perform public.number_start(n);
        return true;
    end if;
    update public.phone_numbers x
       set status = p_wanted, paused_at = case when p_wanted = 'paused' then now() end,
           released_at = case when p_wanted = 'released' then now() end
     where x.id = n.id returning * into n;
    perform public.number_event(n, 'number.' || p_wanted);
    return true;
end
$$;

-- It was bought, and cannot be used: nothing but giving it back is left.
create or replace function public.number_doomed(n public.phone_numbers) returns boolean
    language sql immutable set search_path = '' as $$
    select coalesce(n.wanted = 'released' and n.release_reason in ('link_failed', 'commit_failed'), false)
$$;

-- An outgoing event with the number as it is now.
create or replace function public.number_event(n public.phone_numbers, p_type text, p_data jsonb default '{}') returns void
    language plpgsql security definer set search_path = '' as $$
begin
    insert into public.events (organization_id, type, data) values (n.organization_id, p_type, public.number_view(n) || coalesce(p_data, '{}'));
end
$$;

-- ---- a new one -----------------------------------------------------------------------

-- Whether its plan lets an organization have one more; it is locked by the caller.
create or replace function public.number_admit(p_organization uuid) returns void
    language plpgsql stable security definer set search_path = '' as $$
declare
    o record;
    v_has bigint;
begin
    select x.status, x.deleted_after, b.standing, t.may_call, p.number_limit
      into o
      from public.organizations x
      left join public.billing_accounts b on b.organization_id = x.id
      left join public.subscriptions s on s.organization_id = x.id and s.current
      left join public.subscription_plans p on p.id = s.plan_id
      left join public.subscription_standings t on t.status = s.status and p.id is not null
     where x.id = p_organization;
    if o.status is null or o.deleted_after is not null then
        raise exception 'organization_inactive' using errcode = 'PT403', detail = 'The organization is deleted.';
    elsif o.may_call is not true or o.standing in ('read_only', 'suspended') then
        raise exception 'subscription_inactive' using errcode = 'PT402', detail = 'The organization has no subscription that numbers come with.';
    elsif o.status not in ('active', 'past_due') then
        raise exception 'organization_inactive' using errcode = 'PT403', detail = format('The organization is %s.', replace(o.status, '_', ' '));
    end if;
    select count(*) into v_has from public.phone_numbers n
     where n.organization_id = p_organization and n.status not in ('failed', 'released', 'lost');
    if v_has >= o.number_limit then
        raise exception 'number_limit_reached' using errcode = 'PT402', detail = case o.number_limit
            when 0 then 'The plan includes no phone number.' else format('The plan includes %s phone number(s), and the organization has %s.', o.number_limit, v_has) end;
    end if;
end
$$;

-- What is given back was paid for: who gives back again and again does not have another one each time.  One that could not be linked was paid for, too.
create or replace function public.number_churn(p_organization uuid) returns void
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_most integer := (select 3 * p.number_limit from public.subscriptions s join public.subscription_plans p on p.id = s.plan_id
                        where s.organization_id = p_organization and s.current);
begin
    if (select count(*) from public.phone_numbers n
         where n.organization_id = p_organization and n.status in ('released', 'failed') and n.origin <> 'manual'
           and n.purchased_at > now() - interval '30 days') >= v_most then
        raise exception 'number_limit_reached' using errcode = 'PT402',
            detail = format('%s numbers were bought and given back within 30 days; the plan allows no more.', v_most);
    end if;
end
$$;

-- Why this number cannot be bought for anybody now; null: it can be tried.
create or replace function public.number_refusal(p_phone_number text) returns text
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select case when bool_or(n.status not in ('failed', 'released', 'lost')) then 'number_taken'
                        when bool_or(n.rests_until > statement_timestamp()) then 'number_resting' end
              from public.phone_numbers n where n.phone_number = p_phone_number);
end
$$;

-- One more number for an organization: a row, and a run that buys it.  p: {"phone_number" or "country_code", "number_type", "area_code",
-- "contains", "region", "locality"; "name", "assistant_id", "user_id", "origin"}; and "began_at", where what it is for began earlier.
create or replace function public.number_make(p_organization uuid, p jsonb) returns public.phone_numbers
    language plpgsql security definer set search_path = '' as $$
declare
    k public.number_policy;
    n public.phone_numbers;
    v_named text := p ->> 'phone_number';
    v_refusal text := public.number_refusal(v_named);
begin
    perform from public.organizations o where o.id = p_organization for no key update;
    perform public.number_admit(p_organization);
    if p ->> 'origin' is distinct from 'automatic' then
        perform public.number_churn(p_organization);
    end if;
    if v_refusal is not null then
        raise exception '%', v_refusal using errcode = 'PT409';
    elsif p ->> 'assistant_id' is not null and not exists (
        select from public.assistants a where a.id = (p ->> 'assistant_id')::uuid and a.organization_id = p_organization and a.deleted_at is null) then
        raise exception 'assistant_not_found' using errcode = 'PT404';
    end if;
    select * into k from public.number_policy;
    insert into public.phone_numbers (organization_id, user_id, phone_number, provider, status, origin, name, country_code, number_type, area_code,
                                      assistant_wanted_id, want)
    values (p_organization, coalesce((p ->> 'user_id')::uuid, public.number_owner(p_organization)), v_named, 'twilio',
            case when v_named is null then 'searching' else 'buying' end, coalesce(p ->> 'origin', 'chosen'), p ->> 'name',
            case when v_named is null then coalesce(p ->> 'country_code', k.country_code, 'US') else p ->> 'country_code' end,
            case when v_named is null then coalesce(p ->> 'number_type', k.number_type, 'local') else p ->> 'number_type' end,
            p ->> 'area_code', (p ->> 'assistant_id')::uuid, jsonb_strip_nulls(p - '{name,assistant_id,user_id,origin}'::text[]))
    returning * into n;
    perform public.number_start(n);
    select * into n from public.phone_numbers x where x.id = n.id;
    return n;
exception when unique_violation then
    -- Somebody else's, since the look.
    raise exception 'number_taken' using errcode = 'PT409';
end
$$;

-- Whose number it is where nobody asked for it.
create or replace function public.number_owner(p_organization uuid) returns uuid
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select m.user_id from public.organization_members m where m.organization_id = p_organization and m.role = 'owner'
             order by m.created_at, m.user_id limit 1);
end
$$;

-- ---- what foreign programs call -------------------------------------------------------

-- A number that was bought is its person's from now on.  Never raises: {"success": true, "phone_number"} or {"success": false, "error"}, with the
-- SQLSTATE as "code" where the database refused.  Of a number that nobody here has yet a row is made; it was bought by somebody else, who sees to it.
create or replace function public.provision_phone_transaction(p_user_id uuid, p_phone_number text, p_provider_number_id text, p_tier_type text)
    returns json
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers;
    v_organization uuid;
begin
    select * into n from public.phone_numbers x
     where x.provider = 'twilio' and x.provider_sid = p_provider_number_id and x.phone_number = p_phone_number for update;
    if n.id is null then
        select m.organization_id into v_organization from public.organization_members m
         where m.user_id = p_user_id order by m.is_default desc, m.created_at, m.organization_id limit 1;
        if public.number_refusal(p_phone_number) is not null then
            return json_build_object('success', false, 'error', public.number_refusal(p_phone_number));
        elsif v_organization is null then
            return json_build_object('success', false, 'error', 'organization_not_found');
        end if;
        insert into public.phone_numbers (organization_id, user_id, phone_number, provider, provider_sid, status, origin, purchased_at)
        values (v_organization, p_user_id, p_phone_number, 'twilio', p_provider_number_id, 'active', 'manual', now()) returning * into n;
    elsif n.status in ('failed', 'released', 'lost') or n.wanted <> 'active' then
        return json_build_object('success', false, 'error', case when n.wanted = 'paused' then 'number_paused' else 'number_released' end);
    elsif p_user_id is not null and not exists (
        select from public.organization_members m where m.organization_id = n.organization_id and m.user_id = p_user_id) then
        return json_build_object('success', false, 'error', 'user_mismatch');
    else
        update public.phone_numbers x
           set status = 'active', user_id = coalesce(p_user_id, x.user_id), linked_at = coalesce(x.linked_at, now()), paused_at = null, pause_reason = null,
               release_after = null, last_error = null
         where x.id = n.id;
    end if;
    insert into public.user_settings (user_id, assistant_provisioning_status, vapi_assistant_id)
    select p_user_id, 'phone_provisioned', n.linked_assistant where p_user_id is not null
    on conflict (user_id) do update
       set assistant_provisioning_status = excluded.assistant_provisioning_status,
           vapi_assistant_id = coalesce(excluded.vapi_assistant_id, user_settings.vapi_assistant_id);
    perform public.number_log(n.organization_id, 'commit', 'noted', jsonb_build_object('phone_number_id', n.id, 'user_id', p_user_id,
                              'tier_type', p_tier_type, 'run_id', n.run_id));
    return json_build_object('success', true, 'phone_number', p_phone_number);
exception when others then
    return json_build_object('success', false, 'error', sqlerrm, 'code', sqlstate);
end
$$;
