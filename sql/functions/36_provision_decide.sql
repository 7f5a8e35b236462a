-- 36_provision_decide.sql - what numbers an organization shall have, and bringing it about.  The workflow phone-provision is common/work/flow_provision.c.
--
-- Which plan includes how many is subscription_plans.number_limit.  By itself an organization gets one number, and only with a plan that is paid for; what
-- a plan does not include any more is paused, the newest first; what was paused for that comes back before anything is bought.

-- Everything that is decided from, in one look.  numbers: those that are not over, the oldest first; numbers written by hand are never touched, but one
-- that works is one.  who: whose number it is, and whose town it is looked for in.
create or replace function public.provision_read(p_organization uuid)
    returns setof public.provision_facts
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select o.id, o.status, o.deleted_after, coalesce(b.standing, 'good'), s.id, s.status, s.tier_type, s.created_at, coalesce(t.may_call, false),
           coalesce(t.is_over, false), p.id, coalesce(p.price > 0 and not p.is_default, false), p.number_limit, c.canceled, w.who, f.city, f.state,
           f.paddle_customer_id, u.vapi_assistant_id, u.assistant_provisioning_status, k, public.number_policy_holds(k, o.id),
           coalesce(n.kept, '{}'), n.failed, n.failed_at, coalesce(n.leaves or n.last_went = 'person' and n.went_at > s.created_at, false)
      from public.organizations o
     cross join public.number_policy k
      left join public.billing_accounts b on b.organization_id = o.id
      left join public.subscriptions s on s.organization_id = o.id and s.current
      left join public.subscription_plans p on p.id = s.plan_id
      left join public.subscription_standings t on t.status = s.status
      left join lateral (select m.user_id from public.organization_members m where m.organization_id = o.id and m.role = 'owner'
                          order by m.created_at, m.user_id limit 1) m on true
     cross join lateral (select coalesce(s.user_id, o.personal_of, m.user_id) as who) w
      left join public.profiles f on f.id = w.who
      left join public.user_settings u on u.user_id = w.who
     cross join lateral (select exists (select from public.subscriptions x join public.subscription_plans y on y.id = x.plan_id
                                          join public.subscription_standings z on z.status = x.status
                                         where x.organization_id = o.id and not x.current and z.is_over and y.price > 0 and not y.is_default) as canceled) c
     cross join lateral (
        select array_agg(x order by x.created_at, x.id) filter (where x.status not in ('failed', 'released', 'lost')) as kept,
               count(*) filter (where x.status = 'failed' and x.origin = 'automatic' and x.created_at > now() - interval '90 days') as failed,
               max(x.created_at) filter (where x.status = 'failed' and x.origin = 'automatic') as failed_at,
               (array_agg(case when coalesce(x.release_reason, 'grace_over') in ('grace_over', 'not_wanted') or public.provision_paused_by_us(x.release_reason)
                               then 'us' else 'person' end
                          order by x.released_at desc) filter (where x.status = 'released' and x.origin <> 'manual'))[1] as last_went,
               max(x.released_at) filter (where x.status = 'released' and x.origin <> 'manual') as went_at,
               -- On its way out: what follows is decided when it is gone.
               bool_or(x.wanted = 'released' and x.status not in ('failed', 'released', 'lost') and x.origin <> 'manual' and not public.number_doomed(x)
                       and x.release_reason <> 'grace_over' and not public.provision_paused_by_us(x.release_reason)) as leaves
          from public.phone_numbers x where x.organization_id = o.id) n
     where o.id = p_organization;
end
$$;

-- How many numbers may work at once, and why not more: {"allowed": null for any number,"reason","days": until those beyond are given back; null: not,
-- "closed": whatever the plan}.
-- A bill that is not paid takes no number away for good; what ends with the subscription does.
create or replace function public.provision_allowed(r public.provision_facts) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    k public.number_policy := r.policy;
    v_none text;
    v_days integer;
begin
    v_none := case when r.deleted_after is not null then 'organization_deleted'
                   when r.organization_status = 'disabled' then 'organization_disabled'
                   when r.subscription_id is null then case when r.was_canceled then 'canceled' else 'no_subscription' end
                   when r.is_over then 'canceled'
                   when r.organization_status in ('read_only', 'suspended') or r.standing in ('read_only', 'suspended') then 'unpaid'
                   when r.organization_status not in ('active', 'past_due') then 'organization_inactive'
                   when r.subscription_status = 'unpaid' then 'unpaid'
                   when not r.may_call or r.plan_id is null then 'subscription_inactive' end;
    if v_none is not null then
        v_days := case when v_none in ('canceled', 'no_subscription') then k.grace_days end;
        return jsonb_build_object('allowed', 0, 'reason', v_none, 'days', v_days, 'closed', true);
    end if;
    v_none := case when not r.is_paid and r.was_canceled then 'canceled' else 'not_included' end;
    return jsonb_build_object('allowed', r.number_limit, 'reason', v_none, 'days', case v_none when 'canceled' then k.grace_days else k.paused_days end);
end
$$;

-- For which reasons it was we who paused a number: such a one comes back by itself; one that could not be linked then is tried again the next day.
create or replace function public.provision_paused_by_us(p_reason text) returns boolean
    language plpgsql immutable set search_path = '' as $$
begin
    return coalesce(p_reason in ('canceled', 'no_subscription', 'not_included', 'unpaid', 'subscription_inactive', 'organization_inactive',
                                 'organization_deleted', 'organization_disabled', 'link_failed'), false);
end
$$;

-- Why none is bought for an organization that has none; null: one is.  p_asked: when it was asked for, by a change of its subscription; null: by the
-- clock, which tries what failed again after a day, two, four, up to thirty.
create or replace function public.provision_refusal(r public.provision_facts, p_allowed jsonb, p_asked timestamptz) returns text
    language plpgsql stable set search_path = '' as $$
declare
    k public.number_policy := r.policy;
begin
    return case
        when (p_allowed ->> 'closed')::boolean then p_allowed ->> 'reason'
        when not r.is_paid then 'default_plan'
        when (p_allowed ->> 'allowed')::integer = 0 then 'not_included'
        when not k.enabled then 'policy_off'
        when not r.in_rollout then 'not_in_rollout'
        when r.released_by_person then 'declined'
        when not public.numbers_ready() then 'not_configured'
        when r.failed > 0 and case when p_asked is null then r.failed_at > now() - least(power(2, r.failed - 1), 30) * interval '1 day' + interval '1 hour'
                                   else p_asked <= r.failed_at end then 'failed_before' end;
end
$$;

-- What is to be done: {"pause":[ids],"keep":[ids]: paused for another reason now,"resume":[ids],"make":true,"reason","days"}.
create or replace function public.provision_plan(r public.provision_facts, p_asked timestamptz) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    a jsonb := public.provision_allowed(r);
    v_allowed bigint := coalesce((a ->> 'allowed')::bigint, 1000000);
    v_live uuid[];
    v_paused uuid[];
    v_works bigint;
    v_pause uuid[];
    v_resume uuid[];
    v_refusal text;
begin
    select array_agg(x.id order by x.created_at desc, x.id desc) filter (where x.origin <> 'manual' and x.wanted = 'active'),
           array_agg(x.id order by x.created_at, x.id) filter (where x.origin <> 'manual' and x.wanted = 'paused'
                                                                 and public.provision_paused_by_us(x.pause_reason)),
           count(*) filter (where x.wanted = 'active' and (x.origin <> 'manual' or x.status = 'active'))
      into v_live, v_paused, v_works
      from unnest(r.numbers) x;
    v_pause := v_live[1:greatest(v_works - v_allowed, 0)];
    v_resume := v_paused[1:greatest(v_allowed - v_works, 0)];
    if v_works = 0 and coalesce(cardinality(v_resume), 0) = 0 then
        v_refusal := case when exists (select from unnest(r.numbers) x where x.origin <> 'manual' and x.wanted = 'paused'
                                                                          and not public.provision_paused_by_us(x.pause_reason)) then 'paused_by_person'
                          else public.provision_refusal(r, a, p_asked) end;
    end if;
    return jsonb_strip_nulls(jsonb_build_object(
        'pause', nullif(to_jsonb(coalesce(v_pause, '{}')), '[]'), 'resume', nullif(to_jsonb(coalesce(v_resume, '{}')), '[]'),
        'keep', (select nullif(jsonb_agg(x.id), '[]') from unnest(r.numbers) x
                  where x.id = any (v_paused[coalesce(cardinality(v_resume), 0) + 1:]) and x.pause_reason <> a ->> 'reason'),
        'make', case when v_works = 0 and coalesce(cardinality(v_resume), 0) = 0 and v_refusal is null then true end,
        'refusal', v_refusal, 'reason', a ->> 'reason', 'days', a -> 'days'));
end
$$;

-- ---- the workflow's step ----------------------------------------------------------

-- Step "decide".  Under the organization's lock: of any number of runs at once the first does it, and the others find it done.
create or replace function public.provision_decide(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := (p_run -> 'input' ->> 'organization_id')::uuid;
    v_log uuid := (p_run -> 'input' ->> 'log_id')::uuid;
    l public.phone_provision_logs;
    r public.provision_facts;
begin
    perform from public.organizations o where o.id = v_organization for no key update;
    if not found then
        return '{"done": true}';
    end if;
    select * into l from public.phone_provision_logs x where x.id = v_log;
    if l.status is distinct from 'pending' then
        return '{"done": true}';
    end if;
    select * into r from public.provision_read(v_organization);
    if not found or (not (r.policy).enabled and r.deleted_after is null) then
        perform public.provision_end(l.id, 'skipped', 'policy_off');
    else
        perform public.provision_do(l, r, public.provision_plan(r, case when l.trigger_action in ('insert', 'update', 'organization') then l.created_at end));
    end if;
    return '{"done": true}';
end
$$;

-- p: see provision_plan.  The line of the log goes on with the number that it waits for.
create or replace function public.provision_do(l public.phone_provision_logs, r public.provision_facts, p jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_until timestamptz := case when r.deleted_after is not null then r.deleted_after else now() + make_interval(days => (p ->> 'days')::integer) end;
    v_ids uuid[] := array(select jsonb_array_elements_text(p -> 'pause' || coalesce(p -> 'resume', '[]')) union all
                          select jsonb_array_elements_text(p -> 'resume') where not p ? 'pause')::uuid[];
    v_number uuid;
begin
    perform public.number_want(x.id::uuid, 'paused', p ->> 'reason', v_until) from jsonb_array_elements_text(p -> 'pause') x(id);
    perform public.provision_keep(x.id::uuid, p ->> 'reason', v_until) from jsonb_array_elements_text(p -> 'keep') x(id);
    perform public.number_want(x.id::uuid, 'active', 'resumed', null) from jsonb_array_elements_text(p -> 'resume') x(id);
    if p ? 'make' then
        perform public.provision_make(l, r);
    elsif cardinality(v_ids) > 0 then
        v_number := v_ids[1];
        perform public.provision_wait(l, r, v_number, case when p ? 'pause' then 'paused' else 'resumed' end, p - '{keep,refusal,reason,days}'::text[]);
    elsif p ? 'refusal' then
        perform public.provision_end(l.id, 'skipped', p ->> 'refusal');
    else
        perform public.provision_end(l.id, 'skipped', case when exists (select from unnest(r.numbers) n where n.wanted = 'active' and n.status = 'active')
                                                           then 'has_number' else 'under_way' end);
    end if;
end
$$;

-- A number that is paused already, now for another reason: who cancels does not keep it longer than before.
create or replace function public.provision_keep(p_number uuid, p_reason text, p_until timestamptz) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.phone_numbers n
       set pause_reason = p_reason,
           release_after = case when p_reason in ('canceled', 'no_subscription') then least(n.release_after, p_until) else p_until end
     where n.id = p_number and n.wanted = 'paused';
end
$$;

-- One is asked for: near the owner, where that is the policy and the owner told where that is.  What number_make refuses is the outcome.
create or replace function public.provision_make(l public.phone_provision_logs, r public.provision_facts) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    k public.number_policy := r.policy;
    n public.phone_numbers;
begin
    begin
        n := public.number_make(r.organization_id, jsonb_strip_nulls(jsonb_build_object(
            'country_code', k.country_code, 'number_type', k.number_type, 'user_id', r.who, 'origin', 'automatic',
            'began_at', coalesce(l.began_at, l.created_at),
            'locality', case when k.near_owner then nullif(btrim(r.city), '') end, 'region', case when k.near_owner then nullif(btrim(r.state), '') end)));
    exception when sqlstate 'PT402' or sqlstate 'PT403' or sqlstate 'PT404' or sqlstate 'PT409' or sqlstate 'PT422' then
        perform public.provision_end(l.id, 'skipped', sqlerrm);
        return;
    end;
    perform public.provision_wait(l, r, n.id, 'bought', '{"make": true}');
end
$$;

-- The line waits for that number, whose run tells how it ended (provision_settled); one that is there already has ended.
create or replace function public.provision_wait(l public.phone_provision_logs, r public.provision_facts, p_number uuid, p_reason text, p_detail jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers;
begin
    select * into n from public.phone_numbers x where x.id = p_number;
    update public.phone_provision_logs x
       set status = 'working', reason = p_reason, phone_number_id = n.id, user_id = coalesce(x.user_id, r.who), detail = x.detail || p_detail,
           subscription_id = coalesce(x.subscription_id, r.subscription_id), tier_type = coalesce(x.tier_type, r.tier_type),
           subscription_status = coalesce(x.subscription_status, r.subscription_status)
     where x.id = l.id;
    if n.wanted = 'active' then
        perform public.provision_person(coalesce(n.user_id, r.who), 'pending');
    end if;
    if n.run_id is null then
        perform public.provision_settled(n.id, n.status, n.last_error);
    end if;
end
$$;

-- The line of a trigger is over.
create or replace function public.provision_end(p_log uuid, p_status text, p_reason text, p_error text default null) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.phone_provision_logs l
       set status = p_status, reason = p_reason, error_message = left(p_error, 500), finished_at = clock_timestamp(),
           duration_ms = extract(epoch from clock_timestamp() - coalesce(l.began_at, l.created_at)) * 1000
     where l.id = p_log;
end
$$;

-- How far it has come, where people's own programs look for it.
create or replace function public.provision_person(p_user uuid, p_status text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if p_user is not null then
        insert into public.user_settings (user_id, assistant_provisioning_status) values (p_user, p_status)
        on conflict (user_id) do update set assistant_provisioning_status = excluded.assistant_provisioning_status
         where user_settings.assistant_provisioning_status is distinct from excluded.assistant_provisioning_status;
    end if;
end
$$;

-- A number's run has ended with that status (active, paused, released, failed, lost): the lines that waited for it are over.  One that is gone may have
-- stood in the way of another one, which is looked at anew.
create or replace function public.provision_settled(p_number uuid, p_status text, p_reason text) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers;
    v_log record;
begin
    select * into n from public.phone_numbers x where x.id = p_number;
    for v_log in select l.id, l.reason from public.phone_provision_logs l
                  where l.phone_number_id = p_number and l.status in ('pending', 'working') and l.reason in ('bought', 'resumed', 'paused') order by l.id loop
        if p_status = (case when v_log.reason = 'paused' then 'paused' else 'active' end) then
            perform public.provision_end(v_log.id, 'completed', v_log.reason);
        elsif v_log.reason = 'paused' and p_status = 'released' and n.purchased_at is null then
            perform public.provision_end(v_log.id, 'completed', 'withdrawn');
        elsif p_status in ('failed', 'lost') or p_reason = 'link_failed' then
            perform public.provision_end(v_log.id, 'failed', coalesce(p_reason, p_status), n.last_error);
        else
            perform public.provision_end(v_log.id, 'skipped', 'overtaken');
        end if;
    end loop;
    if n.origin = 'automatic' and (p_status = 'active' or not exists (
        select from public.phone_numbers x where x.organization_id = n.organization_id and x.id <> n.id and x.status = 'active')) then
        perform public.provision_person(n.user_id, case p_status when 'active' then 'phone_provisioned' when 'lost' then 'failed' else p_status end);
    end if;
    if n.origin <> 'manual' and p_status in ('released', 'lost') then
        perform public.provision_begin(o.id, 'again', public.provision_skips(o.id, s.plan_id), jsonb_build_object('user_id', n.user_id))
           from public.organizations o join public.subscriptions s on s.organization_id = o.id and s.current
          where o.id = n.organization_id and o.deleted_after is null;
    end if;
end
$$;
