-- invoices.sql - what a payment provider says of invoices, charges, customers and checkout pages becomes ours.
begin;
select no_plan();

select tests.organization('Ours') as ours \gset
update public.organizations set stripe_customer_id = 'cus_ours' where id = :'ours';
insert into public.subscriptions (organization_id, origin, external_id, external_customer_id, status) values (:'ours', 'stripe', 'sub_1', 'cus_ours', 'active');

-- An invoice as it is read: p_more replaces what is ordinary.
create function tests.inv(p_id text, p_more jsonb default '{}') returns jsonb language sql as $$
    select jsonb_build_object('provider', 'stripe', 'id', p_id, 'customer', 'cus_ours', 'subscription', 'sub_1', 'status', 'paid', 'number', 'N-1',
        'billing_reason', 'subscription_cycle', 'currency', 'usd', 'total', 2900, 'tax', null, 'amount_due', 2900, 'amount_paid', 2900,
        'amount_remaining', 0, 'refunded', null, 'period_start', 1800000000, 'period_end', 1802592000, 'hosted_url', 'https://x', 'pdf_url', null,
        'attempt_count', 1, 'next_attempt', null, 'paid_at', 1802595600, 'finalized_at', 1802595500, 'created', 1802592000, 'auto_advance', false,
        'lines', '[{"id":"il_1","amount":2900}]'::jsonb, 'read', nextval('public.billing_reads')) || p_more
$$;
create function tests.invoice(p_id text, p_more jsonb default '{}') returns void language sql security definer as $$
    select public.invoice_apply(tests.inv(p_id, p_more))
$$;
create function tests.of(p_id text) returns public.invoices language sql security definer as $$
    select i from public.invoices i where i.external_id = p_id
$$;
create function tests.keys(p_like text) returns text[] language sql security definer as $$
    select coalesce(array_agg(e.key || ' ' || coalesce(e.amount_cents::text, '-') order by e.key), '{}') from public.billing_events e where e.key like p_like
$$;

-- ---- invoices ---------------------------------------------------------------

select tests.invoice('in_x', '{"customer":"cus_nobody","subscription":"sub_nobody"}') \g /dev/null
select ok((tests.of('in_x')).id is null and exists (select from public.billing_differences where (kind, external_id) = ('stranger', 'in_x')),
          'an invoice of nobody is written down as a stranger, and nothing else');
select tests.invoice('in_1', '{"customer":"cus_old"}') \g /dev/null
select is((tests.of('in_1')).organization_id, :'ours', 'an invoice is whose subscription it is of');
select tests.invoice('in_2', '{"subscription":null}') \g /dev/null
select is((tests.of('in_2')).organization_id, :'ours', 'or whose customer');
select is(concat_ws(' ', (tests.of('in_1')).status, (tests.of('in_1')).number, (tests.of('in_1')).total_cents, (tests.of('in_1')).amount_paid_cents,
                    (tests.of('in_1')).tax_cents, (tests.of('in_1')).lines -> 0 ->> 'id', (tests.of('in_1')).paid_at at time zone 'UTC'),
          'paid N-1 2900 2900 il_1 2027-02-14 09:00:00', 'it is as it was told');
select set_eq($$ select unnest(tests.keys('%in\_1%')) $$, array['invoice_finalized:in_1 2900', 'invoice_paid:in_1 2900'], 'what happened to it is in the book');
select tests.invoice('in_1', '{"status":"open","read":1}') \g /dev/null
select is((tests.of('in_1')).status, 'paid', 'what was read earlier does not replace what was read later');

select tests.invoice('in_3', '{"status":"open","attempt_count":2,"amount_paid":0,"amount_remaining":2900,"paid_at":null}') \g /dev/null
select set_eq($$ select unnest(tests.keys('payment\_failed:in\_3%')) $$, array['payment_failed:in_3:1 2900', 'payment_failed:in_3:2 2900'],
              'each attempt that failed is told, also those that nobody saw');
select tests.invoice('in_3', '{"attempt_count":3}') \g /dev/null
select is(array_length(tests.keys('payment\_failed:in\_3%'), 1), 2, 'the one that was good is none of them');
select tests.invoice('in_4', '{"status":"void"}'), tests.invoice('in_5', '{"status":"uncollectible","amount_remaining":5}') \g /dev/null
select set_eq($$ select unnest(tests.keys('%ed:in\_4') || tests.keys('invoice\_uncollectible:in\_5')) $$,
              array['invoice_finalized:in_4 2900', 'invoice_voided:in_4 2900', 'invoice_uncollectible:in_5 5'], 'ends without money are told, too');
select is((select count(*)::int from public.events e where e.type = 'invoice.paid' and e.organization_id = :'ours'), 3, 'payments go out, once each');

select tests.invoice('in_6', '{"status":"paid","total":-500,"amount_due":0,"amount_paid":0,"attempt_count":0}'),
       tests.invoice('in_7', '{"currency":"XYZ"}'), tests.invoice('in_8', '{"currency":null,"status":null,"lines":null,"total":null}') \g /dev/null
select is((tests.of('in_6')).total_cents, -500::bigint, 'a credit is kept as it is');
select is((tests.of('in_7')).currency, 'xyz', 'so is a currency that nobody knows');
select set_eq($$ select external_id from public.billing_differences where kind = 'unknown_currency' $$, array['in_7', 'in_8'], 'which is written down');
select is((tests.of('in_8')).status, 'unknown', 'what says nothing is nothing that we know');
select is((select count(*)::int from public.billing_events where key = 'invoice_paid:in_8'), 0, 'and no payment');
select is((select count(*)::int from public.subscriptions where organization_id = :'ours'), 2, 'whatever an invoice says, it opens no plan');

-- ---- charges ------------------------------------------------------------------

create function tests.charge(p_refunded bigint, p_disputed boolean default false, p_invoice text default 'in_1') returns void language sql security definer as $$
    select public.charge_apply(jsonb_build_object('provider', 'stripe', 'id', 'ch_1', 'invoice', p_invoice, 'amount', 2900, 'refunded', p_refunded,
        'disputed', p_disputed, 'currency', 'usd'))
$$;
select tests.charge(0), tests.charge(1000), tests.charge(1000), tests.charge(2900), tests.charge(1000) \g /dev/null
select is((tests.of('in_1')).refunded_cents, 2900::bigint, 'what was paid back is known, in whatever order it is told');
select set_eq($$ select unnest(tests.keys('refunded:%')) $$, array['refunded:ch_1:1000 1000', 'refunded:ch_1:2900 1900'], 'each part of it once');
select tests.invoice('in_1') \g /dev/null
select is((tests.of('in_1')).refunded_cents, 2900::bigint, 'an invoice that does not say it changes nothing of it');
select tests.charge(2900, true), tests.charge(2900, true) \g /dev/null
select is(tests.keys('disputed:%'), array['disputed:ch_1 2900'], 'a dispute is told once');
select lives_ok($$ select tests.charge(5, true, 'in_nobody'), tests.charge(5, true, null) $$, 'a charge of nobody is nobody''s');

-- ---- customers and pages --------------------------------------------------------

create function tests.customer(p jsonb) returns void language sql security definer as $$
    select public.customer_apply('{"provider":"stripe","id":"cus_ours","deleted":false,"payment_method":{"last4":"1111"}}'::jsonb
        || jsonb_build_object('read', nextval('public.billing_reads')) || p)
$$;
create function tests.account() returns text language sql security definer as $$
    select concat_ws(' ', b.customer_deleted, b.payment_method ->> 'last4') from public.billing_accounts b
      join public.organizations o on o.id = b.organization_id where o.stripe_customer_id = 'cus_ours'
$$;
select tests.customer('{}') \g /dev/null
select is(tests.account(), 'f', 'of who has a subscription, that says how it is paid');
update public.subscriptions set current = false where external_id = 'sub_1';
select tests.customer('{}') \g /dev/null
select is(tests.account(), 'f 1111', 'else the customer does');
select tests.customer('{"read":1,"deleted":true}'), tests.customer('{"id":"cus_nobody","deleted":true}') \g /dev/null
select is(tests.account(), 'f 1111', 'not by an older reading, nor by another customer');
select tests.customer('{"deleted":true,"payment_method":null}') \g /dev/null
select is(tests.account(), 't', 'one that was deleted is gone');

select id as plan from public.subscription_plans limit 1 \gset
insert into public.checkout_sessions (organization_id, plan_id, external_id) values (:'ours', :'plan', 'cs_1');
create function tests.page(p jsonb) returns text language sql security definer as $$
    select public.checkout_apply('{"provider":"stripe","id":"cs_1","status":"complete","payment_status":"unpaid","subscription":"sub_9"}'::jsonb
        || jsonb_build_object('read', nextval('public.billing_reads')) || p);
    select concat_ws(' ', c.status, c.payment_status, c.external_subscription_id, (c.completed_at is not null)::text)
      from public.checkout_sessions c where c.external_id = 'cs_1'
$$;
select is(tests.page('{}'), 'complete unpaid sub_9 true', 'a page that was used says with what');
select is(tests.page('{"read":1,"status":"open"}'), 'complete unpaid sub_9 true', 'not by an older reading');
select is(tests.page('{"payment_status":"paid"}'), 'complete paid sub_9 true', 'and when it was paid');
select is(tests.page('{"status":"strange"}'), 'complete unpaid sub_9 true', 'a status that nobody knows is none');
select lives_ok($$ select tests.page('{"id":"cs_nobody"}') $$, 'a page of nobody is nobody''s');

select * from finish();
rollback;
