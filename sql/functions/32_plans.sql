-- 32_plans.sql - plans and who has one: what organizations begin with, one current subscription each, which price stands for which plan.

-- The plan of who pays for nothing, by hand, with months that begin with the organization itself: who leaves a paid plan and comes back
-- gains nothing by it.
create or replace function public.subscription_default(p_organization uuid) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid;
begin
    insert into public.subscriptions (organization_id, plan_id, period_anchor, current_period_start, current_period_end)
    select o.id, p.id, o.created_at, b.period_start, b.period_end
      from public.organizations o
      join public.subscription_plans p on p.is_default
     cross join lateral public.period_at(o.created_at, p."interval", statement_timestamp()) b
     where o.id = p_organization
    returning id into v_id;
    return v_id;
end
$$;

create or replace function public.subscription_begin() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    insert into public.billing_accounts (organization_id) values (new.id) on conflict do nothing;
    perform public.subscription_default(new.id);
    return null;
end
$$;

-- The period of whole months (years) from the anchor on that holds a moment, in UTC: 31 January, 28 February, 31 March.
create or replace function public.period_at(p_anchor timestamptz, p_interval text, p_at timestamptz, out period_start timestamptz, out period_end timestamptz)
    language plpgsql immutable set search_path = '' as $$
declare
    v_anchor timestamp := p_anchor at time zone 'UTC';
    v_at timestamp := p_at at time zone 'UTC';
    v_months integer := case p_interval when 'yearly' then 12 else 1 end;
    v_n integer;
begin
    v_n := floor(((extract(year from v_at) - extract(year from v_anchor)) * 12 + extract(month from v_at) - extract(month from v_anchor)) / v_months);
    if v_anchor + make_interval(months => v_n * v_months) > v_at then
        v_n := v_n - 1;
    end if;
    period_start := (v_anchor + make_interval(months => v_n * v_months)) at time zone 'UTC';
    period_end := (v_anchor + make_interval(months => (v_n + 1) * v_months)) at time zone 'UTC';
end
$$;

-- An organization has one current subscription: a new one takes the old one's place, whoever writes it.  Its tier is its plan's.
create or replace function public.subscription_replace() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if new.plan_id is not null and (tg_op = 'INSERT' or new.plan_id is distinct from old.plan_id) then
        select p.tier into new.tier_type from public.subscription_plans p where p.id = new.plan_id;
    end if;
    if new.current and (tg_op = 'INSERT' or not old.current) then
        update public.subscriptions s set current = false where s.organization_id = new.organization_id and s.current and s.id <> new.id;
    end if;
    return new;
end
$$;

create or replace function public.plan_fill() returns trigger
    language plpgsql set search_path = '' as $$
begin
    new.tier := coalesce(new.tier, new.name);
    return new;
end
$$;

-- A price that somebody wrote into the plan's row is the one that is sold.
create or replace function public.plan_price_fill() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if new.stripe_price_id is null or (tg_op = 'UPDATE' and new.stripe_price_id is not distinct from old.stripe_price_id) then
        return null;
    end if;
    update public.plan_prices p set active = false
     where p.plan_id = new.id and p.provider = 'stripe' and p.kind = 'base' and p.active and p.price_id <> new.stripe_price_id;
    insert into public.plan_prices (provider, price_id, plan_id) values ('stripe', new.stripe_price_id, new.id)
    on conflict (provider, price_id) do update set plan_id = excluded.plan_id, active = true;
    return null;
end
$$;
