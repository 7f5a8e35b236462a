-- 56_usage.sql - the ledger: what a call used, written when it ends, and sums of it.
--
-- Two advisory locks of each organization.  "billing": shared by who writes its ledger, exclusive for who closes a period of it, so that
-- nothing is written into a period that is being closed.  "usage": one at a time adds up (56_usage_count.sql).

create or replace function public.usage_lock_key(p_what text, p_organization uuid) returns bigint
    language sql immutable set search_path = '' as $$
    select hashtextextended(p_what || ' ' || p_organization, 11)
$$;

-- The ledger of a call that is over: one row of each kind.  It belongs to the period of its end; where that is on a final invoice, to the
-- next one.  Ends of one organization do not wait for each other.
create or replace function public.usage_write(c public.calls, p_seconds integer) returns void
    language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    v_n integer;
begin
    -- Runs at the end of each call: the key is reckoned here and not by usage_lock_key.
    perform pg_advisory_xact_lock_shared(hashtextextended('billing ' || c.organization_id, 11));
    -- A statement of its own: who closed a period meanwhile has said so in billing_accounts.
    insert into public.usage_entries as u (organization_id, user_id, call_id, call_created_at, kind, quantity, billable, occurred_at, billed_at, carried)
    select c.organization_id, c.user_id, c.id, c.created_at, k.kind, k.quantity, ceil(k.quantity::numeric / k.step) * k.step, c.ended_at,
           greatest(c.ended_at, b.invoiced_until), coalesce(c.ended_at < b.invoiced_until, false)
      from (select 1) one
      left join public.billing_accounts b on b.organization_id = c.organization_id
      left join public.subscriptions s on s.organization_id = c.organization_id and s.current
      left join public.subscription_plans p on p.id = s.plan_id
     cross join lateral (values ('calls', 1, 1), ('seconds', p_seconds, coalesce(p.increment_seconds, 60))) k(kind, quantity, step)
    on conflict (call_id, kind, part) do update set quantity = excluded.quantity, billable = excluded.billable
     where u.quantity <> excluded.quantity and not exists (
           select from public.billing_accounts a where a.organization_id = u.organization_id and a.invoiced_until > u.billed_at);
    get diagnostics v_n = row_count;
    if v_n < 2 then
        perform public.usage_correct(c, p_seconds);
    end if;
end
$$;

-- What a call turned out to be longer or shorter than a final invoice says is a further row, in the period that is open.
create or replace function public.usage_correct(c public.calls, p_seconds integer) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_until timestamptz;
    v_step integer;
    v_quantity numeric;
    v_billable numeric;
    v_last integer;
    v_open integer;
begin
    select b.invoiced_until, coalesce(p.increment_seconds, 60) into v_until, v_step
      from public.billing_accounts b
      left join public.subscriptions s on s.organization_id = b.organization_id and s.current
      left join public.subscription_plans p on p.id = s.plan_id
     where b.organization_id = c.organization_id;
    select p_seconds - sum(u.quantity) filter (where u.billed_at < v_until),
           ceil(p_seconds::numeric / v_step) * v_step - sum(u.billable) filter (where u.billed_at < v_until),
           max(u.part), max(u.part) filter (where u.billed_at >= v_until)
      into v_quantity, v_billable, v_last, v_open
      from public.usage_entries u where u.call_id = c.id and u.kind = 'seconds';
    if v_quantity is null then
        return; -- nothing of it is final
    elsif v_open is not null then
        update public.usage_entries u set quantity = v_quantity, billable = v_billable
         where u.call_id = c.id and u.kind = 'seconds' and u.part = v_open and u.quantity <> v_quantity;
    elsif v_quantity <> 0 then
        insert into public.usage_entries (organization_id, user_id, call_id, call_created_at, kind, part, quantity, billable, occurred_at, billed_at, carried)
        values (c.organization_id, c.user_id, c.id, c.created_at, 'seconds', v_last + 1, v_quantity, v_billable, c.ended_at,
                greatest(c.ended_at, v_until), true);
    end if;
end
$$;

-- ---- sums -------------------------------------------------------------------------

-- From the ledger itself.
create or replace function public.usage_totals_of(p_organization uuid, p_start timestamptz, p_end timestamptz)
    returns table (calls bigint, seconds bigint, billable_seconds bigint, overage_seconds bigint)
    language plpgsql stable security definer set search_path = '' as $$
begin
    return query
    select coalesce(sum(u.quantity) filter (where u.kind = 'calls'), 0)::bigint, coalesce(sum(u.quantity) filter (where u.kind = 'seconds'), 0)::bigint,
           coalesce(sum(u.billable) filter (where u.kind = 'seconds'), 0)::bigint, coalesce(sum(u.overage), 0)::bigint
      from public.usage_entries u
     where u.organization_id = p_organization and u.billed_at >= p_start and u.billed_at < p_end;
end
$$;

create or replace function public.usage_totals(p_organization uuid, p_start timestamptz, p_end timestamptz)
    returns table (calls bigint, seconds bigint, billable_seconds bigint, overage_seconds bigint)
    language plpgsql stable security definer set search_path = '' as $$
begin
    if public.may_act_for(p_organization) then
        return query select t.* from public.usage_totals_of(p_organization, p_start, p_end) t;
    end if;
end
$$;

-- From p_start on: the summaries, and what is not in them yet.  Where a summary begins before p_start (another subscription has begun since
-- it was last written), the ledger is asked.
create or replace function public.usage_sums_of(p_organization uuid, p_start timestamptz)
    returns table (calls bigint, seconds bigint, billable_seconds bigint, overage_seconds bigint)
    language plpgsql stable security definer set search_path = '' as $$
begin
    if exists (select from public.usage_periods p where p.organization_id = p_organization and p.period_start < p_start and p.period_end > p_start) then
        return query select t.* from public.usage_totals_of(p_organization, p_start, 'infinity') t;
        return;
    end if;
    return query
    select coalesce(sum(x.calls), 0)::bigint, coalesce(sum(x.seconds), 0)::bigint, coalesce(sum(x.billable), 0)::bigint, coalesce(sum(x.overage), 0)::bigint
      from (select p.calls, p.seconds, p.billable_seconds as billable, p.overage_seconds as overage from public.usage_periods p
             where p.organization_id = p_organization and p.period_start >= p_start
            union all
            select case u.kind when 'calls' then u.billable - u.counted else 0 end, case u.kind when 'seconds' then u.quantity - u.summed else 0 end,
                   case u.kind when 'seconds' then u.billable - u.counted else 0 end, 0
              from public.usage_entries u
             where u.organization_id = p_organization and (u.counted <> u.billable or u.summed <> u.quantity) and u.billed_at >= p_start) x;
end
$$;

create or replace function public.usage_sums(p_organization uuid, p_start timestamptz)
    returns table (calls bigint, seconds bigint, billable_seconds bigint, overage_seconds bigint)
    language plpgsql stable security definer set search_path = '' as $$
begin
    if public.may_act_for(p_organization) then
        return query select t.* from public.usage_sums_of(p_organization, p_start) t;
    end if;
end
$$;
