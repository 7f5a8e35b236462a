-- 36_provision.sql - numbers that come and go with a subscription by themselves: what triggers write, and the log of each decision and outcome.
-- What is decided is in 36_provision_decide.sql, what the clock does in 36_provision_clock.sql.
--
-- Each line of a trigger (trigger_action insert and update: of a subscription; organization: of whose it is; policy, ready and catchup: of a later look;
-- again: a number went, and another one may be due) ends with one of these reasons:
--   bought                  a number was asked for, and is active
--   resumed                 one that was paused is active again
--   paused                  what the plan does not include any more is paused
--   withdrawn               it was not bought yet, and is not any more
--   has_number              it has what it shall have
--   under_way               what it shall have is on the way already
--   overtaken               while it was on the way something else was wanted
--   not_current             another subscription counts
--   policy_off              nothing is done by itself
--   not_in_rollout          the organization is not of the share, nor listed
--   not_configured          Twilio or Vapi cannot be asked; it is caught up with when they can
--   default_plan            the plan costs nothing: it brings no number by itself
--   not_included            the plan has no numbers
--   unpaid, subscription_inactive, organization_inactive, organization_deleted, organization_disabled, no_subscription, canceled
--                           nothing is given now, and there was nothing to take
--   declined                a person gave back the number that it got
--   paused_by_person        it has one that a person paused
--   failed_before           it was tried, and is tried again by the catch-up, each time later
--   organization_gone       it was removed meanwhile
--   run_ended               its run is a dead letter, was canceled or is gone: the catch-up looks again
-- or with what the number's own run said (no_number_found, link_failed, ...), or number_make refused (number_limit_reached, ...).

-- Writes one line of the log.  p: id, subscription_id, tier_type, subscription_status, phone_number_id, user_id, run_id, step, reason, error_message,
-- detail, began_at, finished_at, duration_ms; all optional.
create or replace function public.number_log(p_organization uuid, p_action text, p_status text, p jsonb default '{}') returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid;
begin
    insert into public.phone_provision_logs (id, organization_id, trigger_action, status, user_id, subscription_id, tier_type, subscription_status,
                                             phone_number_id, run_id, step, reason, error_message, detail, began_at, finished_at, duration_ms)
    values (coalesce((p ->> 'id')::uuid, gen_random_uuid()), p_organization, p_action, p_status, (p ->> 'user_id')::uuid, (p ->> 'subscription_id')::uuid,
            p ->> 'tier_type', p ->> 'subscription_status', (p ->> 'phone_number_id')::uuid, p ->> 'run_id', p ->> 'step', p ->> 'reason', left(p ->> 'error_message', 500),
            coalesce(p -> 'detail', '{}'), (p ->> 'began_at')::timestamptz, (p ->> 'finished_at')::timestamptz, (p ->> 'duration_ms')::bigint)
    returning id into v_id;
    return v_id;
end
$$;

-- ---- what triggers write --------------------------------------------------------

-- Whether numbers of this organization were had by us and are not given back yet.
create or replace function public.numbers_kept(p_organization uuid) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return exists (select from public.phone_numbers n
                    where n.organization_id = p_organization and n.origin <> 'manual' and n.status not in ('failed', 'released', 'lost'));
end
$$;

-- Of a hundred organizations so many get numbers by themselves, always the same ones: who is in at 10 % is in at 20 %, too.
create or replace function public.number_policy_holds(k public.number_policy, p_organization uuid) returns boolean
    language plpgsql immutable set search_path = '' as $$
begin
    return ('x' || substr(md5(p_organization::text), 1, 7))::bit(28)::integer % 100 < k.share_percent or p_organization = any (k.organizations);
end
$$;

-- Why nothing can follow for an organization that has no numbers; null: something may.
create or replace function public.provision_skips(p_organization uuid, p_plan uuid) returns text
    language plpgsql stable security definer set search_path = '' as $$
declare
    k public.number_policy;
begin
    select * into k from public.number_policy;
    if k.enabled is not true then
        return 'policy_off';
    elsif exists (select from public.subscription_plans p where p.id = p_plan and (p.is_default or p.price = 0)) then
        return 'default_plan';
    elsif not public.number_policy_holds(k, p_organization) then
        return 'not_in_rollout';
    end if;
    return null;
end
$$;

-- A line of the log, and the run that does what follows; where p_reason says why nothing can follow, the line alone.  p: see number_log.
create or replace function public.provision_begin(p_organization uuid, p_action text, p_reason text default null, p jsonb default '{}') returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid := gen_random_uuid();
    v_run text := case when p_reason is null then 'phone-provision:' || v_id end;
    v_now timestamptz := clock_timestamp();
begin
    perform public.number_log(p_organization, p_action, case when p_reason is null then 'pending' else 'skipped' end,
        p || jsonb_build_object('id', v_id, 'run_id', v_run, 'reason', p_reason, 'began_at', v_now,
                                'finished_at', case when p_reason is not null then v_now end, 'duration_ms', case when p_reason is not null then 0 end));
    if v_run is not null then
        perform public.work_start(v_run, 'phone-provision', jsonb_build_object('organization_id', p_organization, 'log_id', v_id), p_organization);
    end if;
    return v_id;
end
$$;

-- Each subscription that is written, and each change of what it gives.  It hangs on the transaction of a sign-up or a payment, which nothing here may
-- end: what could not be written is found by the catch-up.
create or replace function public.trigger_phone_provision() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    v_reason text;
begin
    if tg_op = 'UPDATE' and (new.tier_type, new.status, new.plan_id, new.current) is not distinct from (old.tier_type, old.status, old.plan_id, old.current) then
        return new;
    end if;
    begin
        v_reason := case when not new.current then 'not_current' else public.provision_skips(new.organization_id, new.plan_id) end;
        if v_reason in ('default_plan', 'not_in_rollout') and public.numbers_kept(new.organization_id) then
            v_reason := null;
        end if;
        perform public.provision_begin(new.organization_id, lower(tg_op), v_reason, jsonb_build_object(
            'subscription_id', new.id, 'tier_type', new.tier_type, 'subscription_status', new.status, 'user_id', new.user_id));
    exception when others then
        raise warning 'trigger_phone_provision: % (%)', sqlerrm, sqlstate;
    end;
    return new;
end
$$;

-- An organization that is closed, deleted or opened again.  Of one that goes for good its removal takes the numbers (numbers_left).
create or replace function public.organization_phone_provision() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    v_reason text;
begin
    if (new.status, new.deleted_after) is not distinct from (old.status, old.deleted_after) or new.deleted_after <= clock_timestamp() then
        return null;
    end if;
    begin
        if not public.numbers_kept(new.id) then
            v_reason := coalesce(
                (select public.provision_skips(new.id, s.plan_id) from public.subscriptions s where s.organization_id = new.id and s.current),
                case when new.deleted_after is not null then 'organization_deleted'
                     when new.status not in ('active', 'past_due') then 'organization_inactive' end);
        elsif new.deleted_after is null and old.deleted_after is null and not (select k.enabled from public.number_policy k) then
            v_reason := 'policy_off';
        end if;
        perform public.provision_begin(new.id, 'organization', v_reason);
    exception when others then
        raise warning 'organization_phone_provision: % (%)', sqlerrm, sqlstate;
    end;
    return null;
end
$$;

-- Twilio can be asked from now on: who waited for it gets a number.
create or replace function public.workflow_phone_provision() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.provision_catchup_start('ready');
    return null;
end
$$;

-- The policy is the installation's.  Whoever it opens the door to is found at once.
create or replace function public.audit_number_policy() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    v_changed jsonb;
begin
    select jsonb_object_agg(n.key, jsonb_build_object('from', to_jsonb(old) -> n.key, 'to', n.value)) into v_changed
      from jsonb_each(to_jsonb(new) - '{updated_at}'::text[]) n where n.value is distinct from to_jsonb(old) -> n.key;
    if v_changed is not null then
        perform public.audit_write(null, 'number_policy.updated', 'number_policy', null, jsonb_build_object('changed', v_changed));
    end if;
    if new.enabled and (not old.enabled or new.share_percent > old.share_percent or not new.organizations <@ old.organizations) then
        perform public.provision_catchup_start('policy');
    end if;
    return null;
end
$$;
