-- 26_organizations_money.sql - who deletes an organization does not go on paying for it: its subscription at Stripe ends with what was paid for, goes on
-- if the organization is restored before that, and is cancelled at once when the grace is over.  The workflow stripe-end is in
-- common/work/flow_stripe_surplus.c.  At Paddle a person has to do it: that is a row of billing_differences.

-- What an organization pays for, and could be made to pay for, follows what it is now: deleted, or restored.  p_why: makes the runs others than those before.
create or replace function public.organization_money_follow(o public.organizations, p_why text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.subscription_end_start(s, o, p_why)
       from public.subscriptions s join public.subscription_standings g on g.status = s.status and not g.is_over
      where s.organization_id = o.id and s.external_id is not null;
    if o.deleted_after is not null then
        perform public.work_start('stripe-expire:' || x.external_id, 'stripe-expire', jsonb_build_object('session', x.external_id), o.id)
           from public.checkout_sessions x where x.organization_id = o.id and x.status = 'open' and x.external_id is not null;
    end if;
end
$$;

create or replace function public.subscription_end_start(s public.subscriptions, o public.organizations, p_why text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if s.origin = 'stripe' then
        perform public.work_start(format('stripe-end:%s:%s', s.external_id, p_why), 'stripe-end', jsonb_build_object('subscription', s.external_id), o.id);
    elsif s.origin = 'paddle' and o.deleted_after is not null then
        perform public.billing_differ('paddle', 'deleted_organization', s.external_id, null, jsonb_build_object('organization_id', o.id),
                                      jsonb_build_object('status', s.external_status));
    elsif s.origin = 'paddle' then
        perform public.billing_agree('paddle', '{deleted_organization}', s.external_id);
    end if;
end
$$;

-- One that somebody paid for while, or after, the organization was deleted.
create or replace function public.subscription_of_deleted(s public.subscriptions) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations;
begin
    select * into o from public.organizations x where x.id = s.organization_id;
    if o.deleted_after is not null and not s.cancel_at_period_end and not s.surplus then
        perform public.subscription_end_start(s, o, s.read_number::text);
    end if;
end
$$;

-- The grace is over: true while something is still paid for.  It is waited for a week; then a person has to look.
create or replace function public.organization_money_left(o public.organizations) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    v_waits constant boolean := o.deleted_after > clock_timestamp() - interval '7 days';
    s public.subscriptions;
    v_left boolean := false;
begin
    for s in select x.* from public.subscriptions x join public.subscription_standings g on g.status = x.status and not g.is_over
              where x.organization_id = o.id and x.origin = 'stripe' and x.external_id is not null loop
        v_left := true;
        if v_waits then
            perform public.subscription_end_start(s, o, 'over:' || (extract(epoch from o.deleted_after) * 1000000)::bigint);
        else
            perform public.billing_differ('stripe', 'deleted_organization', s.external_id, null, jsonb_build_object('organization_id', o.id),
                                          jsonb_build_object('status', s.external_status));
        end if;
    end loop;
    return v_left and v_waits;
end
$$;

-- ---- the workflow's steps -----------------------------------------------------

-- Step "subscription": as it is now.
create or replace function public.stripe_end_read(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    return jsonb_build_object('prepared', jsonb_build_object('id', p_run -> 'input' ->> 'subscription', 'read', nextval('public.billing_reads')));
end
$$;

-- Step "change": what is to be done by what the organization is at this moment, whoever began this run; nothing once it is done.  The mark says that it was
-- we who ended it: what its owner had ended before stays so.
create or replace function public.stripe_end_change(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    t jsonb := p_run -> 'results' -> 'subscription' -> 'subscription';
    v_ends boolean := coalesce((t ->> 'cancel_at_period_end')::boolean, false) or t ->> 'cancel_at' is not null;
    v_marked boolean := coalesce(t -> 'metadata' ->> 'organization_deleted', '') <> '';
    o public.organizations;
begin
    select * into o from public.organizations x where x.id = (p_run ->> 'organization_id')::uuid for no key update;
    perform public.subscription_apply(t) where t is not null;
    if t is null or t ->> 'status' in ('canceled', 'incomplete_expired') then
        return '{"done": true}';
    elsif o.deleted_after <= clock_timestamp() or (o.deleted_after is not null and t ->> 'status' = 'incomplete') then
        return '{"next": "cancel"}';
    elsif o.deleted_after is not null and not v_ends then
        return jsonb_build_object('prepared', jsonb_build_object('id', t ->> 'id', 'end', true, 'mark', o.deletion_run));
    elsif o.id is not null and o.deleted_after is null and v_marked then
        return jsonb_build_object('prepared', jsonb_build_object('id', t ->> 'id', 'end', false, 'mark', ''));
    end if;
    return '{"done": true}';
end
$$;

-- Step "cancel": at once.
create or replace function public.stripe_end_cancel(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    return jsonb_build_object('prepared', jsonb_build_object('id', p_run -> 'input' ->> 'subscription'));
end
$$;

-- It is read again, until nothing is to be done: the organization may have been restored meanwhile.  What Stripe refuses for an hour a person has to do.
create or replace function public.stripe_end_changed(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    if p_run -> 'result' ->> 'refused' is null then
        return '{"next": "subscription"}';
    elsif (select r.created_at from public.workflow_runs r where r.id = p_run ->> 'id') > clock_timestamp() - interval '1 hour' then
        return '{"next": "subscription", "sleep_seconds": 60}';
    end if;
    perform public.billing_differ('stripe', 'deleted_organization', p_run -> 'input' ->> 'subscription', null,
                                  jsonb_build_object('organization_id', p_run ->> 'organization_id'), p_run -> 'result');
    return '{"done": true}';
end
$$;
