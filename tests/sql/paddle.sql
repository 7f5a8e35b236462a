-- paddle.sql - what Paddle's events do: in whatever order they come, and to nobody else.
begin;
select no_plan();

select tests.organization('Paddles') as org \gset
select tests.organization('Other') as other \gset
select id as basic from public.subscription_plans where name = 'basic' \gset
select id as business from public.subscription_plans where name = 'business' \gset
insert into public.plan_prices (provider, price_id, plan_id) values ('paddle', 'pri_basic', :'basic'), ('paddle', 'pri_business', :'business');

-- An event about p_kind that occurred at second p_at; as common/peers/paddle_object.c writes it.
create function tests.paddle(p_at integer, p_kind text, p_id text, p_data jsonb) returns text language sql as $$
    select public.money_keep('paddle', 'evt_' || p_kind || '_' || p_id || '_' || p_at || '_' || md5(p_data::text), p_kind || '.updated', jsonb_build_object('kind', p_kind, 'id', p_id,
        'customer', p_data ->> 'customer', 'data', jsonb_build_object('provider', 'paddle', 'id', p_id) || p_data
            || jsonb_build_object('read', 1790000000000000 + p_at * 1000000::bigint)), '{}')
$$;
create function tests.paddle_subscription(p_at integer, p_status text, p_price text default 'pri_basic', p_more jsonb default '{}', p_id text default 'sub_1',
                                          p_customer text default 'ctm_1') returns text language sql as $$
    select tests.paddle(p_at, 'subscription', p_id, jsonb_build_object('customer', p_customer, 'status', p_status,
        'items', jsonb_build_array(jsonb_build_object('id', p_price, 'price', p_price, 'quantity', 1)), 'currency', 'usd',
        'period_start', 1789900000, 'period_end', 1792500000, 'cancel_at_period_end', false, 'cancel_at', null, 'canceled_at', null, 'ended_at', null,
        'trial_end', null, 'created', 1789900000, 'latest_invoice', null, 'metadata', '{}'::jsonb) || p_more)
$$;
create function tests.paddle_invoice(p_at integer, p_status text, p_more jsonb default '{}', p_id text default 'txn_1') returns text language sql as $$
    select tests.paddle(p_at, 'invoice', p_id, jsonb_build_object('customer', 'ctm_1', 'subscription', 'sub_1', 'status', p_status, 'number', '325-1',
        'billing_reason', 'subscription_recurring', 'currency', 'usd', 'total', 2900, 'tax', 0, 'amount_due', 2900, 'amount_paid', case p_status when 'paid' then 2900 else 0 end,
        'amount_remaining', case p_status when 'paid' then 0 else 2900 end, 'attempt_count', 1, 'created', 1789900000, 'finalized_at', 1789900000, 'lines', '[]'::jsonb) || p_more)
$$;
create function tests.owned(p_organization uuid) returns jsonb language sql as $$
    select jsonb_build_object('organization_id', p_organization)
$$;
create function tests.paddle_row(p_id text default 'sub_1') returns text language sql as $$
    select concat_ws(' ', s.status, s.external_status, s.tier_type, s.current, s.organization_id::text)
      from public.subscriptions s where s.origin = 'paddle' and s.external_id = p_id
$$;

-- ---- whose it is ------------------------------------------------------------------------

select is(tests.paddle_invoice(1, 'paid'), 'waiting', 'a bill that comes before its subscription waits for it');
select is(tests.paddle_subscription(2, 'active'), 'waiting', 'a subscription that names no organization of ours waits, too');
select is((select count(*)::integer from public.billing_differences where provider = 'paddle' and kind = 'stranger' and external_id = 'sub_1'), 1, 'and is on the list of strangers');
select is(tests.paddle(3, 'customer', 'ctm_9', '{"deleted":false,"email":"x@example.com","metadata":{}}'), 'ignored', 'a customer of nobody is nobody''s business');
select is(tests.paddle_invoice(3, 'open', '{"subscription":null,"customer":"ctm_9"}', 'txn_9'), 'ignored', 'nor is what he did not pay');
select is(tests.paddle_row(), null, 'nothing is made of them');

select is(tests.paddle_subscription(4, 'active', p_more => jsonb_build_object('metadata', tests.owned(:'org'))), 'applied', 'one that names an organization of ours is its own');
select is(tests.paddle_row(), 'active active basic t ' || :'org', 'at once, with the plan of its price');
select is((select paddle_customer_id from public.billing_accounts where organization_id = :'org'), 'ctm_1', 'which has that customer from now on');
select is((select organization_id from public.webhook_events where provider = 'paddle' and state = 'applied'), :'org'::uuid, 'the event is that organization''s');
select is((select count(*)::integer from public.billing_differences where external_id = 'sub_1' and resolved_at is null), 0, 'it is no stranger any more');

update public.webhook_events set try_at = now() - interval '1 second' where state = 'waiting' and provider = 'paddle';
select public.webhook_sweep() \g /dev/null
select is((select status || ' ' || amount_paid_cents from public.invoices where external_id = 'txn_1'), 'paid 2900', 'the bill that waited is there');
select is((select array_agg(state::text order by id) from public.webhook_events where provider = 'paddle' and provider_call_id in ('txn_1', 'sub_1')), '{applied,ignored,applied}', 'what waited and is older than what is known is passed over');
select is(tests.paddle_row(), 'active active basic t ' || :'org', 'and changes nothing');

select is(tests.paddle_subscription(5, 'active', 'pri_business', jsonb_build_object('metadata', tests.owned(:'other')), 'sub_2'), 'applied', 'a second one of the same customer');
select is((select count(*)::integer from public.subscriptions where organization_id = :'other' and origin = 'paddle'), 0, 'is not another organization''s, whatever it says');
select is(tests.paddle_row('sub_2'), 'active active business f ' || :'org', 'it is the same one''s, and not its current one');
select is(tests.paddle_subscription(6, 'active', 'pri_business', jsonb_build_object('metadata', tests.owned(:'org')), 'sub_3', 'ctm_3'), 'waiting',
          'one of another customer that says so is not that organization''s');

-- ---- in any order -----------------------------------------------------------------------

create table tests.life (n integer, at integer, status text, price text, more jsonb);
insert into tests.life values
    (1, 10, 'trialing', 'pri_basic', '{"trial_end":1790100000}'), (2, 20, 'active', 'pri_basic', '{}'), (3, 30, 'active', 'pri_business', '{}'),
    (4, 40, 'past_due', 'pri_business', '{}'), (5, 50, 'active', 'pri_business', '{"cancel_at_period_end":true,"cancel_at":1792500000}');
create function tests.life_ends(p_order integer[]) returns text language plpgsql as $$
declare
    v_result text;
begin
    begin
        perform tests.paddle_subscription(l.at, l.status, l.price, l.more) from unnest(p_order) with ordinality u(n, i) join tests.life l using (n) order by u.i;
        select tests.paddle_row() || ' ' || s.cancel_at_period_end || ' ' || coalesce(s.trial_end::text, '-') || ' ' || coalesce(s.past_due_since::text, '-') || ' ' || b.standing
          into v_result from public.subscriptions s join public.billing_accounts b using (organization_id) where s.external_id = 'sub_1';
        raise exception 'undo';
    exception when raise_exception then
        return v_result;
    end;
end
$$;
with recursive orders(o) as (
    select array[n] from tests.life
    union all
    select o || n from orders join tests.life on n <> all (o))
select is(array_agg(distinct tests.life_ends(o || o[1:2])), array['active active business t ' || :'org' || ' true - - good'],
          'whatever order five events come in, and the first two again: the same row') from orders where cardinality(o) = 5;

-- ---- what opens nothing --------------------------------------------------------------------

select is(tests.paddle_subscription(60, 'sung'), 'applied', 'a status that nobody knows');
select is(tests.paddle_row(), 'unknown sung basic t ' || :'org', 'is unknown');
select is((select may_call from public.subscription_standings where status = 'unknown'), false, 'and opens nothing');
select is(tests.paddle_subscription(61, 'active', 'pri_of_nobody'), 'applied', 'a price that stands for no plan');
select is((select plan_id from public.subscriptions where external_id = 'sub_1'), null, 'gives none');
select is((select count(*)::integer from public.billing_differences where kind = 'unknown_price' and external_id = 'sub_1' and resolved_at is null), 1, 'and is on the list of what does not fit');
select is(tests.paddle_invoice(62, 'open', '{"currency":"zzz","total":-500}', 'txn_2'), 'applied', 'a bill in a currency that nobody knows, of less than nothing, is kept');
select is((select currency || ' ' || total_cents from public.invoices where external_id = 'txn_2'), 'zzz -500', 'as it is');
select is(tests.paddle_subscription(63, 'canceled', p_more => '{"ended_at":1790000063,"canceled_at":1790000063,"period_start":null,"period_end":null}'), 'applied', 'the end');
select is((select tier_type from public.subscriptions where organization_id = :'org' and current), 'business', 'leaves the second one, which is paid for');
select is(tests.paddle_subscription(64, 'canceled', 'pri_business', '{"ended_at":1790000064}', 'sub_2'), 'applied', 'and when that is over, too');
select is((select origin || ' ' || (plan_id = (select p.id from public.subscription_plans p where p.is_default)) from public.subscriptions where organization_id = :'org' and current),
          'manual true', 'it has what everybody has');
select is(tests.paddle_subscription(62, 'active'), 'ignored', 'nothing older brings it back');

-- ---- an effect that fails ---------------------------------------------------------------------

create function tests.broken() returns trigger language plpgsql as $$ begin raise exception 'the disk of money is full'; end $$;
create trigger zz_broken before insert or update on public.invoices for each row execute function tests.broken();
select is(tests.paddle_invoice(70, 'paid', '{}', 'txn_3'), 'failed', 'an event whose effect fails is kept');
select ok((select apply_error like '%disk of money%' and try_at is not null and report is not null from public.webhook_events where provider_call_id = 'txn_3'), 'with why, for later');
drop trigger zz_broken on public.invoices;
update public.webhook_events set try_at = now() - interval '1 second' where provider_call_id = 'txn_3';
select is(public.webhook_sweep(), 1, 'the pump tries it again');
select results_eq($$select state::text, apply_error, report, organization_id from public.webhook_events where provider_call_id = 'txn_3'$$,
                  format($$values ('applied', null::text, null::text, %L::uuid)$$, :'org'), 'and then it is applied');

-- ---- what its seller's page wrote on it -----------------------------------------------------

select tests.organization('Buyers') as buyer \gset
select is(tests.paddle_subscription(1, 'active', 'pri_basic', jsonb_build_object('metadata', jsonb_build_object('organization_id', :'buyer',
    'hold_plan_id', :'business', 'hold_until', '99999999999', 'user_id', gen_random_uuid())), 'sub_held', 'ctm_held'), 'applied', 'whatever is written on it, it is taken in');
select is(tests.paddle_row('sub_held'), 'active active basic t ' || :'buyer', 'who writes a greater plan on what he buys has the one that he pays');
select is((select user_id from public.subscriptions where external_id = 'sub_held'), null, 'and a stranger who is written there is nobody');

select * from finish();
rollback;
