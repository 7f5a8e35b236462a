-- 0019_billing.sql - money: what plans sell, who has which subscription since when, what was used, what was paid, and what does not fit together.

-- ---- plans -----------------------------------------------------------------

alter table public.subscription_plans
    add column tier text,
    add column rank integer not null default 0,
    add column currency text not null default 'usd' constraint subscription_plans_currency_check check (currency ~ '^[a-z]{3}$'),
    add column overage_cents numeric(12, 4) constraint subscription_plans_overage_check check (overage_cents > 0),
    add column limit_mode text not null default 'hard' constraint subscription_plans_limit_mode_check check (limit_mode in ('hard', 'soft')),
    add column increment_seconds integer not null default 60 constraint subscription_plans_increment_check check (increment_seconds between 1 and 3600),
    add column trial_days integer not null default 0 constraint subscription_plans_trial_check check (trial_days between 0 and 730),
    add column is_default boolean not null default false,
    add column on_sale boolean not null default true,
    add constraint subscription_plans_call_limit_check check (call_limit >= 0),
    add constraint subscription_plans_minutes_limit_check check (minutes_limit >= 0);
update public.subscription_plans set tier = name,
    rank = case name when 'free' then 0 when 'basic' then 10 when 'business' then 20 else 30 end,
    limit_mode = case name when 'free' then 'hard' else 'soft' end,
    overage_cents = case name when 'basic' then 6 when 'business' then 4 end,
    is_default = name = 'free';
alter table public.subscription_plans alter column tier set not null;
create unique index subscription_plans_default_key on public.subscription_plans (is_default) where is_default;
comment on table public.subscription_plans is 'Plans.  A null limit is no limit; limits are of one period: a month, or a year.';
comment on column public.subscription_plans.price is 'What a period costs, in units of the currency (29.00).';
comment on column public.subscription_plans.tier is 'What subscriptions say as tier_type; a monthly and a yearly plan may be of one tier.';
comment on column public.subscription_plans.rank is 'From a smaller to a greater one is an upgrade, which counts at once; the other way round is a downgrade, which waits for the period''s end.';
comment on column public.subscription_plans.currency is 'ISO 4217, in small letters, as Stripe writes it.';
comment on column public.subscription_plans.overage_cents is 'A further minute beyond minutes_limit, in the currency''s smallest unit; null: none is sold.';
comment on column public.subscription_plans.limit_mode is 'hard: at its limits nothing more is dialled; soft: it goes on, and further minutes are billed where overage_cents is set.';
comment on column public.subscription_plans.increment_seconds is 'A call''s seconds are rounded up to a multiple of this before they are counted.';
comment on column public.subscription_plans.is_default is 'What an organization has that pays for nothing: from its beginning, and again when its subscription is over.';
comment on column public.subscription_plans.on_sale is 'Off: nobody can take it any more; who has it keeps it.';

create table public.plan_prices (
    provider text not null constraint plan_prices_provider_check check (provider in ('stripe', 'paddle')),
    price_id text not null,
    plan_id uuid not null constraint plan_prices_plan_fkey references public.subscription_plans,
    kind text not null default 'base' constraint plan_prices_kind_check check (kind in ('base', 'overage')),
    amount_cents numeric(20, 12),
    currency text,
    "interval" text,
    product_id text,
    active boolean not null default true,
    created_at timestamptz not null default now(),
    constraint plan_prices_pkey primary key (provider, price_id)
);
comment on table public.plan_prices is 'Which plan a provider''s price stands for, old prices too: who pays one keeps the plan.  A price that is not here stands for no plan.';
comment on column public.plan_prices.kind is 'base: the plan itself; overage: what is used beyond it, by the second.';
comment on column public.plan_prices.amount_cents is 'What it was made with, in the currency''s smallest unit (overage: of one second); null: made elsewhere.';
comment on column public.plan_prices.active is 'The one that is sold now.';
create unique index plan_prices_active_key on public.plan_prices (plan_id, provider, kind) where active;

create table public.billing_meters (
    provider text not null,
    event_name text not null,
    meter_id text not null,
    created_at timestamptz not null default now(),
    constraint billing_meters_pkey primary key (provider, event_name)
);
comment on table public.billing_meters is 'Meters at a provider that further minutes are told to.';

-- ---- subscriptions ---------------------------------------------------------

create table public.subscription_statuses (
    provider text not null,
    external_status text not null,
    status text not null,
    constraint subscription_statuses_pkey primary key (provider, external_status)
);
comment on table public.subscription_statuses is 'What a provider''s word for a subscription''s status means here.  A word that is not here is unknown, and opens nothing.';
insert into public.subscription_statuses (provider, external_status, status) values
    ('stripe', 'incomplete', 'incomplete'),
    ('stripe', 'incomplete_expired', 'incomplete_expired'),
    ('stripe', 'trialing', 'trialing'),
    ('stripe', 'active', 'active'),
    ('stripe', 'past_due', 'past_due'),
    ('stripe', 'canceled', 'canceled'),
    ('stripe', 'unpaid', 'unpaid'),
    ('stripe', 'paused', 'paused'),
    ('paddle', 'active', 'active'),
    ('paddle', 'trialing', 'trialing'),
    ('paddle', 'past_due', 'past_due'),
    ('paddle', 'paused', 'paused'),
    ('paddle', 'canceled', 'canceled');

create table public.subscription_standings (
    status text constraint subscription_standings_pkey primary key,
    may_call boolean not null,
    is_live boolean not null,
    is_over boolean not null
);
comment on table public.subscription_standings is 'What each status of a subscription allows.';
comment on column public.subscription_standings.may_call is 'Calls are taken and dialled (in past_due until dunning says otherwise).';
comment on column public.subscription_standings.is_live is 'It is the organization''s current subscription, and stands in the way of a second one.';
comment on column public.subscription_standings.is_over is 'It will never be anything else again: the organization has the default plan.';
insert into public.subscription_standings (status, may_call, is_live, is_over) values
    ('trialing', true, true, false),
    ('active', true, true, false),
    ('past_due', true, true, false),
    ('unpaid', false, true, false),
    ('paused', false, true, false),
    ('unknown', false, true, false),
    ('incomplete', false, false, false),
    ('incomplete_expired', false, false, true),
    ('canceled', false, false, true);

create sequence public.billing_reads;
comment on sequence public.billing_reads is 'Numbers of readings at a provider, taken before each: what was read earlier never replaces what was read later.';

alter table public.subscriptions
    drop constraint subscriptions_status_check,
    add constraint subscriptions_status_fkey foreign key (status) references public.subscription_standings,
    add column external_status text,
    add column external_customer_id text,
    add column external_price_id text,
    add column item_id text,
    add column overage_item_id text,
    add column overage_price_id text,
    add column overage_since timestamptz,
    add column overage_held_by text,
    add column period_anchor timestamptz not null default now(),
    add column trial_end timestamptz,
    add column cancel_at timestamptz,
    add column canceled_at timestamptz,
    add column ended_at timestamptz,
    add column past_due_since timestamptz,
    add column next_plan_id uuid constraint subscriptions_next_plan_fkey references public.subscription_plans,
    add column latest_invoice_id text,
    add column surplus boolean not null default false,
    add column read_number bigint not null default 0,
    add column synced_at timestamptz,
    add column reconciled_at timestamptz;
create unique index subscriptions_external_key on public.subscriptions (origin, external_id) where external_id is not null;
create index subscriptions_organization_idx on public.subscriptions (organization_id, created_at desc, id desc);
create index subscriptions_customer_idx on public.subscriptions (external_customer_id) where external_customer_id is not null;
create index subscriptions_roll_idx on public.subscriptions ((least(current_period_end, cancel_at))) where current and origin = 'manual';
comment on column public.subscriptions.plan_id is 'Null: a price that stands for no plan of ours; it opens nothing.';
comment on column public.subscriptions.status is 'Ours, by subscription_statuses.';
comment on column public.subscriptions.external_status is 'The provider''s own word.';
comment on column public.subscriptions.period_anchor is 'Of one by hand: periods are counted in whole months (years) from here, in UTC; of others the provider tells the period.';
comment on column public.subscriptions.next_plan_id is 'What it becomes when the period ends; null: what it is.';
comment on column public.subscriptions.overage_since is 'Since when the item for further minutes has its price: what was used before and is told now is told as of then, or nobody would bill it.';
comment on column public.subscriptions.overage_held_by is 'The run that changes that price just now: while it lasts the meter is told nothing.';
comment on column public.subscriptions.surplus is 'A second one of the same organization: it is cancelled and paid back.';
comment on column public.subscriptions.reconciled_at is 'When the daily reconciliation last found it at the provider.';
comment on column public.subscriptions.read_number is 'From billing_reads (Stripe), or microseconds of the event (Paddle): what was read earlier is passed over.';

create table public.billing_accounts (
    organization_id uuid constraint billing_accounts_pkey primary key
        constraint billing_accounts_organization_fkey references public.organizations on delete cascade,
    invoiced_until timestamptz,
    standing text not null default 'good' constraint billing_accounts_standing_check check (standing in ('good', 'past_due', 'read_only', 'suspended')),
    standing_since timestamptz not null default now(),
    paddle_customer_id text,
    customer_read bigint not null default 0,
    customer_tries integer not null default 0,
    customer_deleted boolean not null default false,
    payment_method jsonb,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.billing_accounts is 'How an organization stands with its bills.  Stripe''s customer is organizations.stripe_customer_id.';
comment on column public.billing_accounts.invoiced_until is 'Usage up to here is on a final invoice: what is learnt of it later belongs to the next period.';
comment on column public.billing_accounts.customer_tries is 'Part of the key under which Stripe''s customer is made: a key that failed there is not used again.';
comment on column public.billing_accounts.standing is 'good; past_due: a payment failed, calls go on; read_only: nothing new is taken or dialled; suspended: after that.';

create table public.checkout_sessions (
    id uuid constraint checkout_sessions_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint checkout_sessions_organization_fkey references public.organizations on delete cascade,
    user_id uuid,
    plan_id uuid not null constraint checkout_sessions_plan_fkey references public.subscription_plans,
    external_id text constraint checkout_sessions_external_key unique,
    url text,
    status text not null default 'open' constraint checkout_sessions_status_check check (status in ('open', 'complete', 'expired')),
    payment_status text,
    external_subscription_id text,
    read_number bigint not null default 0,
    expires_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default now()
);
comment on table public.checkout_sessions is 'Pages of Stripe where somebody pays for a plan.';
create index checkout_sessions_organization_idx on public.checkout_sessions (organization_id, created_at desc, id desc);

create table public.invoices (
    id uuid constraint invoices_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint invoices_organization_fkey references public.organizations on delete cascade,
    provider text not null,
    external_id text not null,
    external_subscription_id text,
    number text,
    status text not null,
    billing_reason text,
    currency text not null,
    total_cents bigint not null default 0,
    tax_cents bigint,
    amount_due_cents bigint not null default 0,
    amount_paid_cents bigint not null default 0,
    amount_remaining_cents bigint not null default 0,
    refunded_cents bigint not null default 0,
    period_start timestamptz,
    period_end timestamptz,
    lines jsonb not null default '[]',
    hosted_url text,
    pdf_url text,
    attempt_count integer not null default 0,
    next_attempt_at timestamptz,
    paid_at timestamptz,
    finalized_at timestamptz,
    issued_at timestamptz not null,
    read_number bigint not null default 0,
    synced_at timestamptz not null default now(),
    reconciled_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint invoices_external_key unique (provider, external_id)
);
comment on table public.invoices is 'Invoices as the provider told them last.  Amounts are in the currency''s smallest unit.';
comment on column public.invoices.reconciled_at is 'When the daily reconciliation last found it at the provider.';
comment on column public.invoices.status is 'draft, open, paid, void, uncollectible: Stripe''s words; of Paddle''s transactions the same, by common/peers/paddle_object.c.';
create index invoices_list_idx on public.invoices (organization_id, issued_at desc, id desc);

alter table public.billing_events
    add column provider text,
    add column key text,
    add column currency text,
    add column external_subscription_id text,
    add column occurred_at timestamptz not null default now();
create unique index billing_events_once_key on public.billing_events (organization_id, key) where key is not null;
create index billing_events_list_idx on public.billing_events (organization_id, created_at desc, id desc);
create index billing_events_refunded_idx on public.billing_events ((split_part(key, ':', 2))) where event_type = 'refunded';
create index billing_events_newest_idx on public.billing_events (created_at desc, id desc);
comment on table public.billing_events is 'Money events, append-only: each says what happened to which invoice or subscription, and by which event we learnt it.';
comment on column public.billing_events.key is 'What makes it one: invoice_paid:in_123; telling it again adds nothing.';
comment on column public.billing_events.amount_cents is 'In the currency''s smallest unit.';

-- ---- usage -----------------------------------------------------------------

alter table public.usage_entries
    add column billable numeric,
    add column billed_at timestamptz,
    add column carried boolean not null default false,
    add column part integer not null default 0,
    add column counted numeric not null default 0,
    add column summed numeric not null default 0,
    add column overage numeric not null default 0,
    drop constraint usage_entries_call_kind_key,
    add constraint usage_entries_part_key unique (call_id, kind, part),
    drop constraint usage_entries_quantity_check,
    add constraint usage_entries_quantity_check check (quantity >= 0 or part > 0);
-- Each row is written twice: when the call ends, and when it is counted.
alter table public.usage_entries set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
update public.usage_entries set billable = case kind when 'seconds' then ceil(quantity / 60) * 60 else quantity end, billed_at = occurred_at;
alter table public.usage_entries
    alter column billable set not null,
    alter column billed_at set not null;
create index usage_entries_billed_idx on public.usage_entries (organization_id, billed_at);
create index usage_entries_overage_idx on public.usage_entries (organization_id, billed_at) where overage > 0;
create index usage_entries_uncounted_idx on public.usage_entries (organization_id) where counted <> billable or summed <> quantity;
comment on table public.usage_entries is 'The ledger: one row for each call and kind, written in the transaction that ends the call; what is learnt after its bill adds a part.';
comment on column public.usage_entries.part is '0: the call as it ended; further ones: by how much it turned out longer or shorter after that was on a final invoice.';
comment on column public.usage_entries.summed is 'How much of quantity is in usage_periods and usage_days already.';
comment on column public.usage_entries.billable is 'What is counted against the plan: seconds rounded up to the plan''s increment; calls as they are.';
comment on column public.usage_entries.billed_at is 'The period that holds this moment is the one that it is billed in: the call''s end, or where that was on a final invoice already, the next period''s begin.';
comment on column public.usage_entries.carried is 'It was learnt too late for the period of its end.';
comment on column public.usage_entries.counted is 'How much of billable is in usage_periods already; the rest is added when somebody looks.';
comment on column public.usage_entries.overage is 'How much of billable lies beyond what the plan includes: billed by itself.';

-- Calls left are counted from what waits and what is under way.
create index call_queue_open_idx on public.call_queue (organization_id) where status in ('queued', 'in-progress');

create table public.usage_periods (
    organization_id uuid not null constraint usage_periods_organization_fkey references public.organizations on delete cascade,
    period_start timestamptz not null,
    period_end timestamptz not null,
    subscription_id uuid constraint usage_periods_subscription_fkey references public.subscriptions on delete set null,
    plan_id uuid constraint usage_periods_plan_fkey references public.subscription_plans,
    calls bigint not null default 0,
    seconds bigint not null default 0,
    billable_seconds bigint not null default 0,
    overage_seconds bigint not null default 0,
    state text not null default 'open' constraint usage_periods_state_check check (state in ('open', 'final')),
    final_at timestamptz,
    external_invoice_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint usage_periods_pkey primary key (organization_id, period_start),
    constraint usage_periods_order_check check (period_start < period_end)
);
create index usage_periods_open_idx on public.usage_periods (period_end) where state = 'open';
comment on table public.usage_periods is 'Sums of the ledger by period, kept up in the background: usage_entries.counted is in here, the rest is added by who looks.  They can be made anew at any time.';

create table public.usage_days (
    organization_id uuid not null constraint usage_days_organization_fkey references public.organizations on delete cascade,
    date date not null,
    calls bigint not null default 0,
    seconds bigint not null default 0,
    billable_seconds bigint not null default 0,
    overage_seconds bigint not null default 0,
    checked_at timestamptz,
    constraint usage_days_pkey primary key (organization_id, date)
);
comment on table public.usage_days is 'Sums of the ledger by day of the calls'' ends (UTC).';
comment on column public.usage_days.checked_at is 'When the daily aggregation last compared it with the ledger.';

create table public.usage_alerts (
    organization_id uuid not null constraint usage_alerts_organization_fkey references public.organizations on delete cascade,
    period_start timestamptz not null,
    kind text not null constraint usage_alerts_kind_check check (kind in ('calls', 'minutes')),
    percent integer not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint usage_alerts_pkey primary key (organization_id, period_start, kind, percent)
);
comment on table public.usage_alerts is 'Warnings that were given: each once in a period.';

create table public.usage_reports (
    identifier text constraint usage_reports_pkey primary key,
    organization_id uuid not null constraint usage_reports_organization_fkey references public.organizations on delete cascade,
    entry_id uuid not null,
    call_id uuid not null,
    subscription_id uuid constraint usage_reports_subscription_fkey references public.subscriptions on delete set null,
    customer_id text,
    event_name text,
    quantity numeric not null constraint usage_reports_quantity_check check (quantity > 0),
    occurred_at timestamptz not null,
    told_at timestamptz,
    state text not null default 'pending' constraint usage_reports_state_check check (state in ('pending', 'sent', 'refused', 'canceled', 'unbilled')),
    reason text,
    sent_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default now()
);
comment on table public.usage_reports is 'What is told to the provider''s meter: one for each call that lies beyond its plan, or part of one.';
comment on column public.usage_reports.identifier is 'The meter event''s: told twice it counts once.';
comment on column public.usage_reports.quantity is 'Seconds.';
comment on column public.usage_reports.occurred_at is 'The call''s end.';
comment on column public.usage_reports.told_at is 'The timestamp that the meter was told: the call''s end, or, where that period was invoiced already, a moment of the next one.';
comment on column public.usage_reports.state is 'unbilled: the subscription has nobody to tell (by hand, Paddle, no price for it); it is only shown.';
create index usage_reports_organization_idx on public.usage_reports (organization_id, occurred_at);
create index usage_reports_pending_idx on public.usage_reports (organization_id) where state = 'pending';
create index usage_reports_refused_idx on public.usage_reports (organization_id) where state = 'refused';
create index usage_reports_entry_idx on public.usage_reports (entry_id);

-- ---- unpaid bills, and what does not fit together -----------------------------

create table public.dunning_steps (
    day integer not null constraint dunning_steps_day_check check (day >= 0),
    action text not null constraint dunning_steps_action_check check (action in ('mail', 'read_only', 'suspended')),
    constraint dunning_steps_pkey primary key (day, action)
);
comment on table public.dunning_steps is 'What happens so many days after a payment failed, unless it was paid meanwhile.';
insert into public.dunning_steps (day, action) values
    (0, 'mail'), (3, 'mail'), (7, 'mail'), (14, 'mail'), (14, 'read_only'), (21, 'suspended');

create table public.billing_differences (
    id uuid constraint billing_differences_pkey primary key default gen_random_uuid(),
    provider text not null,
    kind text not null,
    external_id text not null,
    organization_id uuid constraint billing_differences_organization_fkey references public.organizations on delete cascade,
    ours jsonb,
    theirs jsonb,
    seen integer not null default 1,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    resolved_at timestamptz
);
comment on table public.billing_differences is 'Where our books and the provider''s do not agree, found by the daily reconciliation; resolved_at: agreed again.';
create unique index billing_differences_open_key on public.billing_differences (provider, kind, external_id) where resolved_at is null;
create index billing_differences_list_idx on public.billing_differences (last_seen_at desc, id desc);

-- An event of a payment provider belongs to no organization until its object was read.
alter table public.webhook_events alter column organization_id drop not null;
comment on column public.webhook_events.organization_id is 'Null: an event of a payment provider whose organization is found when its object is read.';

-- ---- triggers and rights -------------------------------------------------------

-- Declared here so that triggers can name them; their bodies are in sql/functions.
create function public.subscription_begin() returns trigger language plpgsql as 'begin return null; end';
create function public.subscription_replace() returns trigger language plpgsql as 'begin return new; end';
create function public.plan_fill() returns trigger language plpgsql as 'begin return new; end';
create function public.plan_price_fill() returns trigger language plpgsql as 'begin return null; end';
create function public.audit_plan() returns trigger language plpgsql as 'begin return null; end';

create trigger organizations_subscribe after insert on public.organizations
    for each row execute function public.subscription_begin();
create trigger subscriptions_replace before insert or update of current, plan_id on public.subscriptions
    for each row execute function public.subscription_replace();
create trigger subscription_plans_fill before insert or update on public.subscription_plans
    for each row execute function public.plan_fill();
create trigger subscription_plans_price after insert or update of stripe_price_id on public.subscription_plans
    for each row execute function public.plan_price_fill();
create trigger subscription_plans_audit after insert or update or delete on public.subscription_plans
    for each row execute function public.audit_plan();
create trigger billing_accounts_touch before update on public.billing_accounts
    for each row execute function public.touch_updated_at();
create trigger checkout_sessions_touch before update on public.checkout_sessions
    for each row execute function public.touch_updated_at();
create trigger invoices_touch before update on public.invoices
    for each row execute function public.touch_updated_at();
create trigger usage_periods_touch before update on public.usage_periods
    for each row execute function public.touch_updated_at();
create trigger usage_reports_touch before update on public.usage_reports
    for each row execute function public.touch_updated_at();

-- Organizations that are there already have the default plan from now on, with a month that began with them.
insert into public.subscriptions (organization_id, plan_id, tier_type, period_anchor, current_period_start, current_period_end)
select o.id, p.id, p.tier, o.created_at, o.created_at, o.created_at + interval '1 month'
  from public.organizations o, public.subscription_plans p
 where p.is_default and not exists (select from public.subscriptions s where s.organization_id = o.id and s.current);
insert into public.billing_accounts (organization_id) select o.id from public.organizations o;

-- Rights, as in 0008_rights.sql.
do $$
declare
    t text;
begin
    foreach t in array array['plan_prices', 'billing_meters', 'subscription_statuses', 'subscription_standings', 'billing_accounts', 'checkout_sessions',
                             'invoices', 'usage_periods', 'usage_days', 'usage_alerts', 'usage_reports', 'dunning_steps', 'billing_differences'] loop
        execute format('alter table public.%I enable row level security', t);
        execute format('alter table public.%I force row level security', t);
        execute format('revoke all on public.%I from public, anon, authenticated', t);
        execute format('create policy %I on public.%I to hookswitch_pump using (true) with check (true)', t || '_pump', t);
        execute format('grant select, insert, update, delete on public.%I to hookswitch_pump', t);
        execute format('create policy %I on public.%I for select to hookswitch_operator using (true)', t || '_operator', t);
        execute format('grant select on public.%I to hookswitch_operator', t);
        execute format('create policy %I on public.%I for select to service_role using (true)', t || '_service', t);
        execute format('grant select on public.%I to service_role', t);
    end loop;
    foreach t in array array['billing_accounts', 'checkout_sessions', 'invoices', 'usage_periods', 'usage_days', 'usage_alerts', 'usage_reports'] loop
        execute format('create policy %I on public.%I for select to hookswitch_api
                            using (organization_id = (select public.current_organization_id()))', t || '_organization', t);
        execute format('grant select on public.%I to hookswitch_api', t);
    end loop;
    foreach t in array array['subscription_standings'] loop
        execute format('create policy %I on public.%I for select to hookswitch_api using (true)', t || '_api', t);
        execute format('grant select on public.%I to hookswitch_api', t);
    end loop;
end
$$;
revoke all on sequence public.billing_reads from public, anon, authenticated;
grant usage, select on sequence public.billing_reads to hookswitch_pump;

-- Listed columns for people: what was read when, and the provider's own ids, stay hidden.
revoke select on public.subscriptions, public.usage_entries from authenticated;
grant select (id, organization_id, user_id, plan_id, tier_type, status, current, origin, external_id, current_period_start, current_period_end,
              cancel_at_period_end, payment_method, next_plan_id, trial_end, cancel_at, canceled_at, ended_at, created_at, updated_at)
    on public.subscriptions to authenticated;
grant select (id, organization_id, user_id, call_id, call_created_at, kind, quantity, billable, overage, occurred_at, billed_at, carried, counted,
              summed, created_at)
    on public.usage_entries to authenticated;

-- ---- the same under other names --------------------------------------------------

-- Days and periods are read by people, too: through these views they ask as themselves.
do $$
declare
    t text;
begin
    foreach t in array array['usage_periods', 'usage_days'] loop
        execute format('create policy %I on public.%I for select to authenticated
                            using (organization_id = (select public.current_organization_id()))', t || '_people', t);
    end loop;
end
$$;
grant select (organization_id, period_start, period_end, calls, seconds, billable_seconds, overage_seconds, state) on public.usage_periods to authenticated;
grant select (organization_id, date, calls, seconds, billable_seconds, overage_seconds) on public.usage_days to authenticated;

create or replace view public.daily_usage with (security_invoker = true) as
    select x.organization_id, x.date, sum(x.calls)::integer as calls, sum(x.seconds) as seconds, ceil(sum(x.billable) / 60.0)::integer as minutes
      from (select d.organization_id, d.date, d.calls::numeric as calls, d.seconds::numeric as seconds, d.billable_seconds::numeric as billable
              from public.usage_days d
            union all
            select e.organization_id, (e.occurred_at at time zone 'UTC')::date, case e.kind when 'calls' then e.billable - e.counted else 0 end,
                   case e.kind when 'seconds' then e.quantity - e.summed else 0 end, case e.kind when 'seconds' then e.billable - e.counted else 0 end
              from public.usage_entries e
             where e.counted <> e.billable or e.summed <> e.quantity) x
     group by 1, 2;
comment on view public.daily_usage is 'What organizations used by day (UTC): usage_days, and what is not in them yet.';

create or replace view public.user_call_usage with (security_invoker = true) as
    select md5(u.organization_id::text || coalesce(u.user_id::text, '') || u.period_start::text)::uuid as id,
           u.user_id, u.organization_id, s.id as subscription_id,
           u.period_start as billing_period_start, u.period_end as billing_period_end,
           u.calls_used, u.minutes_used,
           p.call_limit - u.calls_used as calls_remaining, p.minutes_limit - u.minutes_used as minutes_remaining,
           u.last_updated
      from (select e.organization_id, e.user_id,
                   coalesce(d.period_start, date_trunc('month', e.billed_at, 'UTC')) as period_start,
                   coalesce(d.period_end, date_trunc('month', e.billed_at, 'UTC') + interval '1 month') as period_end,
                   coalesce(sum(e.billable) filter (where e.kind = 'calls'), 0)::integer as calls_used,
                   ceil(coalesce(sum(e.billable) filter (where e.kind = 'seconds'), 0) / 60)::integer as minutes_used,
                   max(e.created_at) as last_updated
              from public.usage_entries e
              left join public.usage_periods d on d.organization_id = e.organization_id and d.period_start <= e.billed_at and d.period_end > e.billed_at
             group by 1, 2, 3, 4) u
      left join public.subscriptions s on s.organization_id = u.organization_id and s.current
      left join public.subscription_plans p on p.id = s.plan_id;
comment on view public.user_call_usage is 'The ledger summed by person and billing period.';
