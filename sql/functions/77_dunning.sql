-- 77_dunning.sql - bills that were not paid: what happens on which day (the rows of dunning_steps), and that it is over at once when somebody
-- pays.  The workflow is common/work/flow_dunning.c, one run for each time that a subscription falls behind.

-- ---- how an organization stands ------------------------------------------------

-- An organization's status when its standing changes.  What is canceled or disabled stays so; a status that is not its standing's own (somebody
-- else gave it) is only made stricter.
create or replace function public.standing_status(p_status text, p_old text, p_new text) returns text
    language plpgsql immutable set search_path = '' as $$
declare
    v_order constant text[] := array['active', 'past_due', 'read_only', 'suspended'];
    v_new constant text := case p_new when 'good' then 'active' else p_new end;
begin
    if p_status = (case p_old when 'good' then 'active' else p_old end) or array_position(v_order, p_status) < array_position(v_order, v_new) then
        return v_new;
    end if;
    return p_status;
end
$$;

-- True: it stood otherwise before.  The lock waits for claims and for calls that are being entered: what comes later sees the new status.
create or replace function public.standing_set(p_organization uuid, p_standing text) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    v_old text;
begin
    perform from public.organizations x where x.id = p_organization for no key update;
    select a.standing into v_old from public.billing_accounts a where a.organization_id = p_organization for update;
    if not found or v_old = p_standing then
        return false;
    end if;
    update public.billing_accounts a set standing = p_standing, standing_since = clock_timestamp() where a.organization_id = p_organization;
    update public.organizations x
       set status = public.standing_status(x.status, v_old, p_standing),
           status_before = public.standing_status(x.status_before, v_old, p_standing),
           disabled_from = public.standing_status(x.disabled_from, v_old, p_standing)
     where x.id = p_organization;
    return true;
end
$$;

-- ---- begin and end -------------------------------------------------------------

create or replace function public.dunning_run_id(s public.subscriptions) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return format('dunning:%s:%s', s.id, (extract(epoch from s.past_due_since) * 1000000)::bigint);
end
$$;

-- The subscription, locked behind its organization.
create or replace function public.dunning_subscription(p_subscription uuid) returns public.subscriptions
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions;
begin
    perform from public.organizations o where o.id = (select x.organization_id from public.subscriptions x where x.id = p_subscription) for no key update;
    select * into s from public.subscriptions x where x.id = p_subscription for update;
    return s;
end
$$;

-- A payment failed; p_subscription: public.subscriptions.id.  Beginning twice is beginning once.
create or replace function public.dunning_begin(p_subscription uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions := public.dunning_subscription(p_subscription);
begin
    if s.id is null or not s.current or s.surplus or s.status not in ('past_due', 'unpaid') then
        return;
    end if;
    if s.past_due_since is null then
        update public.subscriptions x set past_due_since = clock_timestamp() where x.id = s.id returning x.* into s;
    end if;
    perform public.standing_set(s.organization_id, 'past_due')
       from public.billing_accounts a where a.organization_id = s.organization_id and a.standing = 'good';
    perform public.work_start(public.dunning_run_id(s), 'dunning', jsonb_build_object('subscription', s.id), s.organization_id);
end
$$;

-- It was paid, or the subscription is over: the organization stands well again.
create or replace function public.dunning_end(p_subscription uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions := public.dunning_subscription(p_subscription);
    v_since timestamptz;
begin
    if s.id is null then
        return;
    elsif s.past_due_since is not null then
        update public.subscriptions x set past_due_since = null where x.id = s.id;
    end if;
    select a.standing_since into v_since from public.billing_accounts a where a.organization_id = s.organization_id;
    if exists (select from public.subscriptions x where x.organization_id = s.organization_id and x.current and x.id <> s.id
                                                    and x.past_due_since is not null)
       or not public.standing_set(s.organization_id, 'good') then
        return;
    end if;
    perform public.work_signal(r.id, 'paid', '{}', 'paid') from public.workflow_runs r
      where r.organization_id = s.organization_id and r.workflow = 'dunning' and r.state in ('ready', 'working', 'waiting');
    if s.status in ('active', 'trialing') then
        perform public.billing_mail(format('dunning:%s:%s:recovered', s.id, (extract(epoch from v_since) * 1000000)::bigint), 'payment_recovered',
                                    s.organization_id, '{}');
    end if;
end
$$;

-- ---- the workflow's step --------------------------------------------------------

-- The bill in question, and when calls stop (stopped) without a payment.
create or replace function public.dunning_mail_data(s public.subscriptions) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    v public.invoices;
    v_stop timestamptz;
begin
    select * into v from public.invoices i
     where i.organization_id = s.organization_id and i.external_subscription_id = s.external_id and i.amount_remaining_cents > 0
       and i.status not in ('draft', 'paid', 'void', 'uncollectible')
     order by i.external_id = s.latest_invoice_id desc, i.issued_at desc limit 1;
    select s.past_due_since + d.day * interval '1 day' into v_stop from public.dunning_steps d where d.action <> 'mail' order by d.day limit 1;
    return jsonb_strip_nulls(jsonb_build_object('subscription', s.id, 'run', public.dunning_run_id(s), 'number', v.number,
        'amount', public.money_text(v.amount_remaining_cents, v.currency), 'url', v.hosted_url,
        'stops_on', to_char(v_stop at time zone 'UTC', 'FMDD Mon YYYY'), 'stopped', v_stop <= clock_timestamp()));
end
$$;

-- Does what these days bring, of several mails only the last.  Answers the last of the days.
create or replace function public.dunning_do(p_run text, s public.subscriptions, p_from integer, p_to integer) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    d public.dunning_steps;
    v_last integer;
    v_data jsonb := public.dunning_mail_data(s);
begin
    for d in select * from public.dunning_steps x where x.day > p_from and x.day <= p_to order by x.day, x.action loop
        v_last := d.day;
        if d.action <> 'mail' then
            perform public.standing_set(s.organization_id, d.action)
               from public.billing_accounts a where a.organization_id = s.organization_id and a.standing <> 'suspended';
        elsif not exists (select from public.dunning_steps x where x.action = 'mail' and x.day > d.day and x.day <= p_to) then
            perform public.billing_mail(format('%s:%s', p_run, d.day),
                                        case when (v_data ->> 'stopped')::boolean then 'payment_failed_stopped' else 'payment_failed' end,
                                        s.organization_id, v_data);
        end if;
    end loop;
    return v_last;
end
$$;

-- What is due today; then waits for the next day that brings something, or for the payment.  It looks once a day by itself, too.
create or replace function public.dunning_act(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    s public.subscriptions := public.dunning_subscription((p_run -> 'input' ->> 'subscription')::uuid);
    v_through integer := coalesce((p_run -> 'input' ->> 'through')::integer, -1);
    v_since interval := clock_timestamp() - s.past_due_since;
    v_last integer;
    v_next interval;
begin
    if s.id is null or s.past_due_since is null or public.dunning_run_id(s) <> p_run ->> 'id' or s.status not in ('past_due', 'unpaid') then
        return '{"done": true}';
    elsif v_through = -1 and v_since < interval '1 minute' and not public.dunning_mail_data(s) ? 'amount' then
        return '{"wait": "paid", "wait_seconds": 5, "next": "act"}'; -- the bill itself is still being read
    end if;
    v_last := public.dunning_do(p_run ->> 'id', s, v_through, floor(extract(epoch from v_since) / 86400)::integer);
    if v_last is not null then
        return jsonb_build_object('again', p_run -> 'input' || jsonb_build_object('through', v_last));
    end if;
    select min(d.day) * interval '1 day' - v_since into v_next from public.dunning_steps d where d.day > v_through;
    return jsonb_build_object('wait', 'paid', 'next', 'act',
                              'wait_seconds', greatest(1, least(86400, ceil(extract(epoch from coalesce(v_next, interval '1 day'))))));
end
$$;

-- ---- mails ---------------------------------------------------------------------

-- An amount in a currency's smallest unit, as people write it: 29.00 USD, 2900 JPY.
create or replace function public.money_text(p_amount numeric, p_currency text) returns text
    language plpgsql immutable set search_path = '' as $$
declare
    v_digits constant integer := public.currency_digits(lower(p_currency));
begin
    return round(p_amount / power(10::numeric, v_digits), v_digits)::text || ' ' || upper(p_currency);
end
$$;

-- A mail about money goes to those who look after it.  Answers how many mails are on their way.
create or replace function public.billing_mail(p_id text, p_kind text, p_organization uuid, p_data jsonb, p_roles text[] default '{owner,admin}')
    returns integer
    language plpgsql security definer set search_path = '' as $$
begin
    return (select count(*) filter (where public.mail_send(p_id || ':' || m.user_id, p_kind, p.email,
                                                           coalesce(p_data, '{}') || jsonb_build_object('organization_name', o.name), o.id))
              from public.organizations o
              join public.organization_members m on m.organization_id = o.id and m.role = any (p_roles)
              join public.user_profiles p on p.id = m.user_id
             where o.id = p_organization);
end
$$;

-- Before each try: a mail about a bill that was paid meanwhile is not sent.
create or replace function public.dunning_mail_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    if exists (select from public.subscriptions s
                where s.id = (p_run -> 'input' -> 'data' ->> 'subscription')::uuid
                  and public.dunning_run_id(s) = p_run -> 'input' -> 'data' ->> 'run') then
        return null;
    end if;
    return '{"done": true, "result": {"skipped": "paid"}}';
end
$$;
