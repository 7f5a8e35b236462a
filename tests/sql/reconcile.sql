-- reconcile.sql - our books against Stripe's pages: what differs, what is missing on either side, what is read again, what is resolved.
begin;
set local client_min_messages = warning;
select no_plan();

select tests.organization('Books') as org \gset
select tests.organization('Other') as other \gset
select id as basic from public.subscription_plans where name = 'basic' \gset
select id as business from public.subscription_plans where name = 'business' \gset
update public.organizations set stripe_customer_id = 'cus_b' where id = :'org';
insert into public.plan_prices (provider, price_id, plan_id, kind) values ('stripe', 'price_b', :'basic', 'base'), ('stripe', 'price_o', :'basic', 'overage'),
    ('stripe', 'price_z', :'business', 'base');
insert into public.workflow_runs (id, workflow, created_at) values ('reconcile:t', 'reconcile', now());

-- What Stripe says of the one subscription, with a change.
create function tests.theirs(p_change jsonb default '{}') returns jsonb language sql as $$
    select '{"provider":"stripe","id":"sub_b","customer":"cus_b","status":"active","items":[{"id":"si_o","price":"price_o","quantity":null},{"id":"si_b","price":"price_b","quantity":1}],
             "currency":"usd","period_start":1767225600,"period_end":1769904000,"cancel_at_period_end":false,"cancel_at":null,"canceled_at":null,
             "ended_at":null,"trial_end":null,"created":1767225600,"latest_invoice":null,"metadata":{},"read":10}'::jsonb || p_change
$$;
create function tests.bill(p_change jsonb default '{}') returns jsonb language sql as $$
    select '{"provider":"stripe","id":"in_b","customer":"cus_b","subscription":"sub_b","status":"paid","number":"A-1","billing_reason":"subscription_create","currency":"usd",
             "total":2900,"tax":0,"amount_due":2900,"amount_paid":2900,"amount_remaining":0,"period_start":1767225600,"period_end":1769904000,"attempt_count":1,
             "created":1767225600,"auto_advance":true,"lines":[],"read":11}'::jsonb || p_change
$$;
-- A page of that phase comes; answers the directive.
create function tests.page(p_phase text, p_items jsonb, p_more jsonb default '{}', p_input jsonb default '{}') returns jsonb language sql as $$
    select public.reconcile_page(jsonb_build_object('id', 'reconcile:t', 'input', jsonb_build_object('phase', p_phase) || p_input,
                                                    'result', jsonb_build_object('items', p_items, 'has_more', false, 'read', 1000) || p_more))
$$;
create function tests.prepare(p_input jsonb) returns jsonb language sql as $$
    select public.reconcile_prepare(jsonb_build_object('id', 'reconcile:t', 'input', p_input))
$$;
create function tests.open(out text) language sql as $$
    select string_agg(kind || ' ' || external_id, ', ' order by kind, external_id) from public.billing_differences where resolved_at is null
$$;
create function tests.reread(out text) language sql as $$
    select string_agg(input ->> 'kind' || ' ' || (input ->> 'id'), ', ' order by input ->> 'kind', input ->> 'id') from public.workflow_runs where workflow = 'stripe-sync' and id like 'stripe-sync:reconcile:t:%'
$$;
create procedure tests.clear() language sql as $$
    delete from public.billing_differences; delete from public.workflow_runs where workflow = 'stripe-sync'
$$;

select public.subscription_apply(tests.theirs()), public.invoice_apply(tests.bill()) \g /dev/null
call tests.clear();

-- ---- subscriptions -----------------------------------------------------------------

select is(tests.page('subscriptions', jsonb_build_array(tests.theirs())), '{"again":{"phase":"subscriptions_gone"}}', 'what agrees is passed by');
select is(tests.open(), null, 'without a word');
select ok((select reconciled_at is not null from public.subscriptions where external_id = 'sub_b'), 'but it was seen');
select is(tests.page('subscriptions', jsonb_build_array(tests.theirs('{"metadata":{"x":"1"}}')), '{"has_more":true,"last":"sub_b"}'),
          '{"again":{"phase":"subscriptions","after":"sub_b"}}', 'the next page is asked for');

create function tests.differs(p_change jsonb) returns text language plpgsql as $$
begin
    call tests.clear();
    perform tests.page('subscriptions', jsonb_build_array(tests.theirs(p_change)));
    return coalesce((select string_agg(kind, ',' order by kind) from public.billing_differences where external_id = 'sub_b' and resolved_at is null), 'nothing')
           || coalesce(' -> ' || tests.reread(), '');
end
$$;
select is(tests.differs(c::jsonb), w || ' -> subscription sub_b', d) from (values
    ('{"status":"past_due"}', 'subscription_status', 'another status is one'),
    ('{"status":"some_new_one"}', 'subscription_status', 'also one that nobody knows'),
    ('{"items":[{"id":"si_b","price":"price_z","quantity":1}]}', 'subscription_plan', 'another price'),
    ('{"items":[{"id":"si_b","price":"price_nobody_knows","quantity":1}]}', 'subscription_plan', 'a price of nobody''s'),
    ('{"items":[]}', 'subscription_plan', 'no price at all'),
    ('{"period_end":1769904001}', 'subscription_period', 'a second of its period'),
    ('{"cancel_at_period_end":true}', 'subscription_cancel', 'that it ends'),
    ('{"cancel_at":1790000000}', 'subscription_cancel', 'that it ends some day'),
    ('{"status":"canceled","cancel_at_period_end":true}', 'subscription_cancel,subscription_status', 'two at once are read once')) x(c, w, d);
select is(tests.differs('{"metadata":{"y":"2"}}'), 'nothing', 'other things are none');
select is(tests.differs(jsonb_build_object('cancel_at', 1769904000)), 'subscription_cancel -> subscription sub_b', 'an end at the period''s end is one, too');
select public.subscription_apply(tests.theirs(jsonb_build_object('read', 12, 'items', '[{"id":"si_b","price":"price_b","quantity":1}]'::jsonb,
       'metadata', jsonb_build_object('hold_plan_id', :'business', 'hold_until', '4000000000')))) \g /dev/null
select is(tests.differs(jsonb_build_object('metadata', jsonb_build_object('hold_plan_id', :'business', 'hold_until', '4000000000'))), 'nothing',
          'while a downgrade waits the plan that is held is right');
select is(tests.differs('{}'), 'subscription_plan -> subscription sub_b', 'when it does not wait any more it is not');
select public.subscription_apply(tests.theirs('{"read":13}')) \g /dev/null
update public.subscriptions set read_number = 2000 where external_id = 'sub_b';
select is(tests.differs('{"status":"past_due"}'), 'nothing', 'what was read later than the page is not judged by it');
update public.subscriptions set read_number = 13 where external_id = 'sub_b';

call tests.clear();
select tests.page('subscriptions', jsonb_build_array(tests.theirs('{"id":"sub_new"}'), tests.theirs('{"id":"sub_strange","customer":"cus_nobody"}'),
    '{"id":"sub_odd","unreadable":true}'::jsonb)) \g /dev/null
select is(tests.open(), 'stranger sub_strange, subscription_missing sub_new, unreadable sub_odd', 'what is missing here, and who is a stranger');
select is(tests.reread(), 'subscription sub_new', 'what is missing is read');
select tests.page('subscriptions', jsonb_build_array(tests.theirs('{"id":"sub_new"}'))) \g /dev/null
select is((select seen from public.billing_differences where external_id = 'sub_new'), 2, 'seen again it is the same difference');
select is((select count(*)::integer from public.workflow_runs where workflow = 'stripe-sync'), 1, 'and is not read twice by one run');

-- ---- what Stripe does not have ---------------------------------------------------------

call tests.clear();
update public.subscriptions set reconciled_at = null, synced_at = now() - interval '1 day', created_at = now() - interval '1 day' where external_id = 'sub_b';
select tests.prepare('{"phase":"subscriptions_gone"}') \g /dev/null
select is(tests.open() || ' -> ' || tests.reread(), 'subscription_gone sub_b -> subscription sub_b', 'one that Stripe does not list is asked for by name, also if it is the only one');
call tests.clear();
insert into public.subscriptions (organization_id, plan_id, origin, external_id, external_status, status, current, created_at)
select :'other', :'basic', 'stripe', 'sub_many_' || n, 'active', 'active', false, now() - interval '1 day' from generate_series(1, 10) n;
select is(tests.prepare('{"phase":"subscriptions_gone"}'), '{"again":{"phase":"invoices"}}', 'if many are not there it goes on');
select is(tests.open() || coalesce(tests.reread(), ''), 'other_account subscriptions', 'it is another account, of which nothing of ours is asked');
select is(tests.prepare('{"phase":"invoices_gone"}'), '{"again":{"phase":"refunds"}}', 'not of invoices, either');
select is(tests.open(), 'other_account subscriptions', 'nor are they missed');
call tests.clear();
delete from public.subscriptions where external_id like 'sub_many%';
insert into public.subscriptions (organization_id, plan_id, origin, external_id, external_status, status, current, reconciled_at, created_at)
values (:'other', :'basic', 'stripe', 'sub_there', 'active', 'active', true, clock_timestamp(), now() - interval '1 day');
select is(tests.prepare('{"phase":"subscriptions_gone"}'), '{"again":{"phase":"invoices"}}', 'where some are there');
select is(tests.open() || ' -> ' || tests.reread(), 'subscription_gone sub_b -> subscription sub_b', 'one that is not is missed, and asked for by name');
call tests.clear();
update public.subscriptions set status = 'canceled' where external_id = 'sub_b';
select tests.prepare('{"phase":"subscriptions_gone"}') \g /dev/null
select is(tests.open(), null, 'what is over is not missed');
update public.subscriptions set status = 'active' where external_id = 'sub_b';
insert into public.subscriptions (organization_id, plan_id, origin, external_id, external_status, status, current, created_at)
select :'other', :'basic', 'stripe', 'sub_many_' || n, 'active', 'active', false, now() - interval '1 day' from generate_series(1, 130) n;
select tests.prepare('{"phase":"subscriptions_gone"}') as first \gset
select is(:'first'::jsonb #>> '{again,phase}', 'subscriptions_gone', 'many are missed a hundred at a time');
select is(tests.prepare(:'first'::jsonb -> 'again'), '{"again":{"phase":"invoices"}}', 'until there are no more');
select is((select count(*)::integer from public.billing_differences where kind = 'subscription_gone'), 131, 'and each is');
delete from public.subscriptions where external_id like 'sub_many%' or external_id = 'sub_there';

-- ---- invoices ----------------------------------------------------------------------------

create function tests.bill_differs(p_change jsonb) returns text language plpgsql as $$
begin
    call tests.clear();
    perform tests.page('invoices', jsonb_build_array(tests.bill(p_change)));
    return coalesce(tests.open(), 'nothing') || coalesce(' -> ' || tests.reread(), '');
end
$$;
select is(tests.bill_differs('{"lines":[1]}'), 'nothing', 'an invoice that agrees');
select is(tests.bill_differs(c::jsonb), w || ' in_b -> invoice in_b', d) from (values
    ('{"status":"open"}', 'invoice_status', 'one that is not paid'),
    ('{"number":"A-2"}', 'invoice_status', 'another number'),
    ('{"total":2901}', 'invoice_amount', 'a cent'),
    ('{"currency":"eur"}', 'invoice_amount', 'another currency'),
    ('{"amount_paid":0}', 'invoice_amount', 'what was paid'),
    ('{"amount_remaining":1}', 'invoice_amount', 'what remains')) x(c, w, d);
call tests.clear();
select is(tests.page('invoices', jsonb_build_array(tests.bill('{"id":"in_new","customer":"cus_b"}'), tests.bill('{"id":"in_strange","customer":"cus_x","subscription":null}'))),
          '{"again":{"phase":"invoices_open"}}', 'then the open ones of before');
select is(tests.open() || ' -> ' || tests.reread(), 'invoice_missing in_new, stranger in_strange -> invoice in_new', 'invoices that are missing, and strangers''');
call tests.clear();
update public.invoices set reconciled_at = null, synced_at = now() - interval '1 day', created_at = now() - interval '1 day', issued_at = now() - interval '2 days' where external_id = 'in_b';
select is(tests.prepare('{"phase":"invoices_gone"}'), '{"again":{"phase":"refunds"}}', 'invoices that were in no list');
select is(tests.open() || ' -> ' || tests.reread(), 'invoice_gone in_b -> invoice in_b', 'are asked for by name');
call tests.clear();
update public.invoices set issued_at = now() - interval '1 year' where external_id = 'in_b';
select tests.prepare('{"phase":"invoices_gone"}') \g /dev/null
select is(tests.open(), null, 'old ones that are paid are not missed');
update public.invoices set status = 'open' where external_id = 'in_b';
select tests.prepare('{"phase":"invoices_gone"}') \g /dev/null
select is(tests.open(), 'invoice_gone in_b', 'those that are to be paid are');
update public.invoices set status = 'paid', issued_at = now() where external_id = 'in_b';

-- ---- what is asked -------------------------------------------------------------------------

select is(tests.prepare('{}') #- '{prepared,read}', '{"prepared":{"path":"/v1/subscriptions","what":"subscription","query":{"limit":"100"}}}', 'it begins with subscriptions');
select ok((tests.prepare('{}') #>> '{prepared,read}')::bigint < (tests.prepare('{}') #>> '{prepared,read}')::bigint, 'each page is a reading');
select is(tests.prepare('{"phase":"subscriptions","after":"sub_9"}') #> '{prepared,query}', '{"limit":"100","starting_after":"sub_9"}', 'and goes on behind the last one');
select is((tests.prepare('{"phase":"invoices"}') #>> '{prepared,query,created[gte]}')::bigint,
          extract(epoch from (select created_at from public.workflow_runs where id = 'reconcile:t') - interval '45 days')::bigint, 'invoices of six weeks');
select is(tests.prepare('{"phase":"invoices_open"}') #>> '{prepared,query,status}', 'open', 'and older ones that are open');
select is(public.reconcile_page('{"id":"reconcile:t","input":{"phase":"invoices","after":"in_1"},"result":{"absent":true}}'), '{"again":{"phase":"invoices"}}',
          'a list whose place is gone begins anew');
select is(public.reconcile_page('{"id":"reconcile:t","input":{"phase":"invoices"},"result":{"absent":true}}'), '{"fail":"list_absent"}', 'but not for ever');
select is(public.reconcile_page('{"id":"reconcile:t","input":{"phase":"invoices","after":"in_1"},"result":{}}') -> 'again', '{"phase":"invoices","after":"in_1"}',
          'a page that was lost is asked for again');

-- ---- usage ---------------------------------------------------------------------------------

call tests.clear();
select is(tests.prepare('{"phase":"usage"}'), jsonb_build_object('again', jsonb_build_object('phase', 'usage', 'part', 'open', 'after', (select id from public.subscriptions where external_id = 'sub_b'))),
          'without a meter there is nothing to ask');
insert into public.billing_meters (provider, event_name, meter_id) values ('stripe', 'hookswitch_overage_seconds', 'mtr_1');
update public.subscriptions set current_period_start = '2026-01-01 00:00:30+00', current_period_end = '2026-02-01 00:00:30+00' where external_id = 'sub_b';
select id as sub from public.subscriptions where external_id = 'sub_b' \gset
select is(tests.prepare('{"phase":"usage"}') -> 'prepared' #- '{read}' #- '{query,end_time}',
          '{"path":"/v1/billing/meters/mtr_1/event_summaries","what":"summary","query":{"customer":"cus_b","limit":"100","start_time":"1767225600"}}',
          'the meter is asked for whole minutes');
select is(tests.prepare(jsonb_build_object('phase', 'usage', 'after', :'sub', 'part', 'last')), '{"again":{"phase":"settle"}}', 'after the last one it comes to its end');
insert into public.usage_periods (organization_id, period_start, period_end, subscription_id) values (:'org', '2025-12-01 00:00:30+00', '2026-01-01 00:00:30+00', :'sub');
select is(tests.prepare(jsonb_build_object('phase', 'usage', 'after', :'sub', 'part', 'open')) #> '{prepared,query}',
          '{"customer":"cus_b","limit":"100","start_time":"1764547200","end_time":"1767225600"}', 'and the period before');

insert into public.calls (organization_id, to_number, status, finished_at) select :'org', '+1555010000' || n, 'completed', now() from generate_series(1, 3) n;
insert into public.usage_entries (organization_id, call_id, call_created_at, kind, quantity, billable, counted, overage, occurred_at, billed_at)
select :'org', c.id, c.created_at, 'seconds', 60, 60, 60, 60, '2026-01-10', '2026-01-10' from public.calls c where c.organization_id = :'org';
insert into public.usage_reports (identifier, organization_id, entry_id, call_id, subscription_id, customer_id, event_name, quantity, occurred_at, told_at, state, sent_at)
select 'rep_' || row_number() over (), e.organization_id, e.id, e.call_id, :'sub', 'cus_b', 'x', 60, e.occurred_at, e.occurred_at, 'sent', now() - interval '1 hour'
  from public.usage_entries e where e.organization_id = :'org';
create function tests.metered(p_values jsonb) returns text language plpgsql as $$
begin
    perform tests.page('usage', p_values, '{"query":{"start_time":"1767225600","end_time":"1769904000"}}');
    return coalesce(tests.open(), 'nothing');
end
$$;
select is(tests.metered('[{"value":180}]'), 'nothing', 'what was told is what was counted');
select is(tests.metered('[{"value":120},{"value":60}]'), 'nothing', 'in parts, too');
select is(tests.metered('[{"value":181}]'), 'usage_meter sub_b:1767225600', 'a second too many is a difference');
select is(tests.metered('[]'), 'usage_meter sub_b:1767225600', 'and all too few');
select is((select ours ->> 'seconds' || ' ' || (theirs ->> 'seconds') || ' ' || seen from public.billing_differences where kind = 'usage_meter'), '180 0 2', 'which says both');
select is(tests.metered('[{"value":180}]'), 'nothing', 'until it agrees');
update public.usage_reports set sent_at = now() where identifier = 'rep_1';
select is(tests.metered(v::jsonb), 'nothing', 'what was told just now may be counted or not: ' || v) from unnest(array['[{"value":120}]', '[{"value":180}]']) v;
select is(tests.metered('[{"value":119}]'), 'usage_meter sub_b:1767225600', 'but no less than what was told before');
update public.usage_reports set sent_at = now() - interval '1 hour';
select tests.metered('[{"value":180}]') \g /dev/null
update public.usage_reports set state = 'canceled' where identifier = 'rep_1';
update public.usage_entries set overage = 0 where id = (select entry_id from public.usage_reports where identifier = 'rep_1');
select is(tests.metered(v::jsonb), 'nothing', 'so may be what was taken back just now: ' || v) from unnest(array['[{"value":120}]', '[{"value":180}]']) v;
update public.usage_entries set overage = 60 where overage = 0 and organization_id = :'org';
update public.usage_reports set state = 'refused' where identifier = 'rep_1';
select is(tests.metered('[{"value":120}]'), 'usage_unreported sub_b:1767225630', 'what the provider refused is missing from what it was told');
select is((select ours || theirs from public.billing_differences where kind = 'usage_unreported' and resolved_at is null), '{"seconds":120}', 'and how much');
update public.usage_reports set state = 'sent' where identifier = 'rep_1';
select is(tests.metered('[{"value":180}]'), 'nothing', 'told after all it agrees');
select is(public.reconcile_page(jsonb_build_object('id', 'reconcile:t', 'input', '{"phase":"usage"}'::jsonb, 'result', '{"absent":true}'::jsonb)) #>> '{again,part}', 'open',
          'a customer who is gone has no meter');

-- ---- the end ---------------------------------------------------------------------------------

call tests.clear();
update public.subscriptions set synced_at = now() - interval '1 day' where external_id = 'sub_b';
select tests.page('subscriptions', jsonb_build_array(tests.theirs(jsonb_build_object('status', 'past_due', 'period_start', extract(epoch from timestamptz '2026-01-01 00:00:30+00'),
    'period_end', extract(epoch from timestamptz '2026-02-01 00:00:30+00'))))) \g /dev/null
select is(tests.open(), 'subscription_status sub_b', 'something differs');
select is(tests.prepare('{"phase":"settle"}'), '{"again":{"phase":"settle","waits":1},"sleep_seconds":1}', 'while it is read again the end waits');
select is(tests.prepare('{"phase":"settle","waits":60}'), '{"done":true}', 'not for ever');
select is(tests.open(), 'subscription_status sub_b', 'what was not read is still a difference');
update public.workflow_runs set state = 'working' where workflow = 'stripe-sync';
update public.workflow_runs set state = 'done', due_at = null, finished_at = now() where workflow = 'stripe-sync';
select public.subscription_apply(tests.theirs('{"status":"past_due","read":3000}')) \g /dev/null
select is(tests.prepare('{"phase":"settle"}'), '{"done":true}', 'when it was read it is over');
select is(tests.open(), null, 'and agrees');
select isnt((select resolved_at from public.billing_differences where kind = 'subscription_status'), null, 'its row stays');
insert into public.billing_differences (provider, kind, external_id, last_seen_at) values ('stripe', 'stranger', 'sub_gone', now() - interval '1 day'),
    ('stripe', 'invoice_amount', 'in_old', now() - interval '1 day'), ('stripe', 'unknown_price', 'sub_b', now() - interval '1 day'), ('paddle', 'unknown_price', 'sub_p', now() - interval '1 day');
select tests.prepare('{"phase":"settle"}') \g /dev/null
select is(tests.open(), 'unknown_price sub_b, unknown_price sub_p', 'what this run did not see any more is resolved, but for what only reading can');
update public.subscriptions set status = 'canceled' where external_id = 'sub_b';
select tests.prepare('{"phase":"settle"}') \g /dev/null
select is(tests.open(), 'unknown_price sub_p', 'or its end');
select ok((select seen from public.webhook_counts where (provider, type) = ('billing', 'reconciled')) >= 4, 'each that came to its end is counted');

select * from finish();
rollback;
