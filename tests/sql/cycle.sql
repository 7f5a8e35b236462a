-- cycle.sql - the end of a period: by hand and by the clock, what the meter is told and when, what is taken back, what the steps decide.
begin;
select no_plan();

insert into auth.users (id, email) values (gen_random_uuid(), 'owner-cycle@example.org') returning id as owner \gset
insert into public.user_profiles (id, email) values (:'owner', 'owner-cycle@example.org') on conflict (id) do update set email = excluded.email;
select tests.organization('Cycle', :'owner') as org \gset
select id as basic from public.subscription_plans where name = 'basic' \gset
select id as business from public.subscription_plans where name = 'business' \gset
select set_config('tests.org', :'org', true) \g /dev/null
create function pg_temp.current() returns public.subscriptions language sql as $$
    select s from public.subscriptions s where s.organization_id = current_setting('tests.org')::uuid and s.current $$;
create function pg_temp.run(p_input jsonb, p_results jsonb default '{}', p_result jsonb default '{}') returns jsonb language sql as $$
    select jsonb_build_object('id', 'usage-report:u1', 'organization_id', current_setting('tests.org'), 'attempt', 1, 'input', p_input, 'results', p_results,
                              'result', p_result) $$;

-- ---- subscriptions by hand ------------------------------------------------------

insert into public.subscriptions (organization_id, plan_id, period_anchor, current_period_start, current_period_end)
values (:'org', :'basic', now() - interval '40 days', now() - interval '40 days', now() - interval '10 days') returning id as sub \gset
select is(public.subscriptions_roll(10) >= 1, true, 'a period that is over is followed by the next one');
select ok((pg_temp.current()).current_period_start <= now() and (pg_temp.current()).current_period_end > now(), 'which holds this moment');
select is((pg_temp.current()).id, :'sub'::uuid, 'of the same subscription');
select is(public.subscriptions_roll(10), 0, 'once');
update public.subscriptions set next_plan_id = :'business', current_period_end = now() - interval '1 second' where id = :'sub';
select public.subscriptions_roll(10) \g /dev/null
select is(((pg_temp.current()).plan_id, (pg_temp.current()).next_plan_id)::text, format('(%s,)', :'business'), 'what was to become of it at the period''s end, it becomes');
update public.subscriptions set cancel_at_period_end = true where id = :'sub';
select is(public.subscriptions_roll(10), 0, 'one that ends goes on until then');
update public.subscriptions set current_period_end = now() - interval '1 second' where id = :'sub';
select public.subscriptions_roll(10) \g /dev/null
select is((select status from public.subscriptions where id = :'sub'), 'canceled', 'then it is over');
select ok((select p.is_default from public.subscription_plans p where p.id = (pg_temp.current()).plan_id), 'and the organization has the plan of who pays for nothing');
select is((select count(*)::integer from public.billing_events where organization_id = :'org' and event_type = 'subscription_canceled'), 1, 'the book says so');
select is((select count(*)::integer from public.workflow_runs where organization_id = :'org' and input ->> 'kind' = 'subscription_canceled'), 1, 'and a mail');
update public.subscriptions set cancel_at_period_end = true, current_period_end = now() - interval '1 second' where organization_id = :'org' and current;
select public.subscriptions_roll(10) \g /dev/null
select ok((pg_temp.current()).status = 'active' and (pg_temp.current()).current_period_end > now(), 'that plan itself never ends');
insert into public.subscriptions (organization_id, plan_id, cancel_at) values (:'org', :'basic', now() - interval '1 second') returning id as ended \gset
select public.subscriptions_roll(10) \g /dev/null
select is((select status from public.subscriptions where id = :'ended'), 'canceled', 'one with an end is over then, in the middle of its period');

-- ---- periods without an invoice --------------------------------------------------

insert into public.usage_periods (organization_id, period_start, period_end, subscription_id, plan_id, calls, billable_seconds, overage_seconds) values
    (:'org', now() - interval '70 days', now() - interval '40 days', :'sub', :'basic', 3, 600, 90),
    (:'org', now() - interval '40 days', now() - interval '30 minutes', :'sub', :'basic', 1, 60, 0);
select is(public.cycles_begin(10), 1, 'a period is closed an hour after its end');
select is(public.cycles_begin(10), 0, 'once');
select id as run, input as input from public.workflow_runs where workflow = 'billing-cycle' and organization_id = :'org' \gset
select is(public.cycle_hold(jsonb_build_object('input', :'input'::jsonb)), '{"next": "close"}', 'without an invoice there is nothing to hold');
select is(public.cycle_finalize(jsonb_build_object('input', :'input'::jsonb, 'results', '{}'::jsonb)), '{"next": "tell"}', 'nor to send');
select is(public.cycle_tell(jsonb_build_object('id', :'run', 'organization_id', :'org', 'input', :'input'::jsonb,
              'results', jsonb_build_object('close', jsonb_build_object('period_start', :'input'::jsonb ->> 'period_start')))), null, 'it is told');
select is((select metadata - 'period_start' - 'period_end' from public.billing_events where organization_id = :'org' and event_type = 'period_closed'),
          '{"calls":3,"total_minutes":10,"included_minutes":1000,"overage_minutes":1.5,"overage_cost_cents":9}'::jsonb, 'with what was used beyond the plan, and what it costs');
select is((select count(*)::integer from public.workflow_runs where organization_id = :'org' and input ->> 'kind' = 'usage_summary'), 1, 'and a summary to the owner');

-- ---- a draft -----------------------------------------------------------------------

insert into public.invoices (organization_id, provider, external_id, external_subscription_id, status, billing_reason, currency, period_start, period_end, issued_at)
values (:'org', 'stripe', 'in_cycle', 'sub_cycle', 'draft', 'subscription_cycle', 'usd', '2026-10-01', '2026-11-01', now()) returning id as invoice \gset
select public.cycle_begin(:'invoice'), public.cycle_begin(:'invoice') \g /dev/null
select is((select count(*)::integer from public.workflow_runs where id = 'billing-cycle:in_cycle'), 1, 'a draft begins one run');
update public.invoices set billing_reason = 'subscription_update', external_id = 'in_other' where id = :'invoice';
select public.cycle_begin(:'invoice') \g /dev/null
select is((select count(*)::integer from public.workflow_runs where id = 'billing-cycle:in_other'), 0, 'another kind of invoice begins none');
select is(public.cycle_wait(pg_temp.run('{"period_end":"2026-11-01T00:00:00Z","seen_at":"2026-11-01T00:01:00Z"}', '{"hold":{"status":"draft","late_minutes":15}}'))
          ->> 'until', '2026-11-01T00:15:00+00:00', 'late reports are waited for');
select is(public.cycle_wait(pg_temp.run('{"period_end":"2099-11-01T00:00:00Z","seen_at":"2026-11-01T00:01:00Z"}', '{"hold":{"status":"draft","late_minutes":15}}'))
          ->> 'until', '2026-11-01T00:16:00+00:00', 'by our clock, should Stripe''s be ahead');
select is(public.cycle_wait(pg_temp.run('{"period_end":"2099-11-01T00:00:00Z"}', '{"hold":{"status":"final"}}')), null, 'what is out already is not waited for');
select is(public.cycle_metered(pg_temp.run('{"invoice":"in_cycle"}', jsonb_build_object('close', jsonb_build_object('at', now())), '{"told":5,"counted":5}')), null,
          'a meter that counted the same is believed');
select is(public.cycle_metered(pg_temp.run('{"invoice":"in_cycle"}', jsonb_build_object('close', jsonb_build_object('at', now())), '{"told":5,"counted":4}')) ->> 'next',
          'meter', 'one that did not yet is asked again');
select is(public.cycle_metered(pg_temp.run('{"invoice":"in_cycle"}', jsonb_build_object('close', jsonb_build_object('at', now() - interval '31 minutes')),
          '{"told":5,"counted":4}')), null, 'for half an hour');
select is((select ours::text || theirs::text from public.billing_differences where kind = 'meter_total' and external_id = 'in_cycle'), '54', 'then it is noted');
select is(public.cycle_aligned(pg_temp.run('{"subscription":"sub_cycle"}', '{}', '{"refused":"x"}') || '{"attempt":2}') ->> 'next', 'items',
          'a refusal behind an unknown outcome is looked at again');

-- ---- reports -------------------------------------------------------------------------

select tests.organization('Reports') as org2 \gset
insert into public.calls (organization_id, created_at) values (:'org2', now()) returning id as call, created_at as called \gset
insert into public.usage_entries (organization_id, call_id, call_created_at, kind, quantity, billable, occurred_at, billed_at, counted, summed)
values (:'org2', :'call', :'called', 'seconds', 90, 90, now() - interval '2 hours', date_trunc('second', now()) - interval '1 hour', 90, 90)
returning id as entry, extract(epoch from billed_at)::bigint as billed \gset
insert into public.usage_reports (identifier, organization_id, entry_id, call_id, customer_id, event_name, quantity, occurred_at)
values ('u1', :'org2', :'entry', :'call', 'cus_1', 'seconds', 30, now() - interval '2 hours');
create function pg_temp.report() returns text language sql as $$ select r.state || coalesce(' ' || r.reason, '') from public.usage_reports r where r.identifier = 'u1' $$;
select is(public.usage_report_prepare(pg_temp.run('{"identifier":"u1"}')) -> 'prepared',
          jsonb_build_object('event_name', 'seconds', 'customer', 'cus_1', 'value', 30, 'timestamp', :billed), 'the meter is told the moment that the call is billed at');
select is(public.usage_report_prepare(pg_temp.run('{"identifier":"u1","cancel":true}')), '{"next": "cancel"}', 'a run that takes back goes on to that');
select is(public.usage_cancel_prepare(pg_temp.run('{"identifier":"u1","cancel":true}')), '{"done": true}', 'what was never told need not be taken back');
insert into public.workflow_runs (id, workflow, input) values ('usage-report:u1', 'usage-report', '{"identifier":"u1"}');
insert into public.workflow_steps (run_id, generation, step, state, attempts, tries) values ('usage-report:u1', 1, 'tell', 'unknown', 1, 1);
update public.usage_entries set billed_at = now() where id = :'entry';
select is(public.usage_report_prepare(pg_temp.run('{"identifier":"u1"}')) -> 'prepared' ->> 'timestamp', :'billed', 'what may have been heard is said again as it was');
select is(public.usage_cancel_prepare(pg_temp.run('{"identifier":"u1","cancel":true}')) ->> 'next', 'cancel', 'and is waited for by who takes it back');
select public.usage_report_told(pg_temp.run('{"identifier":"u1"}')) \g /dev/null
select is(pg_temp.report(), 'sent', 'it is told');
select is(public.usage_cancel_prepare(pg_temp.run('{"identifier":"u1","cancel":true}')) -> 'prepared' ->> 'event_name', 'seconds', 'then it is taken back');
update public.usage_reports set state = 'canceled', reason = 'corrected' where identifier = 'u1';
select public.usage_canceled(pg_temp.run('{"identifier":"u1"}')) \g /dev/null
select is(pg_temp.report(), 'canceled taken_back', 'and is');
select public.usage_canceled(pg_temp.run('{"identifier":"u1"}', '{}', '{"refused":"resource_missing"}')) \g /dev/null
select is(pg_temp.report(), 'sent not taken back: resource_missing', 'what the meter keeps, it was told');
select is((select count(*)::integer from public.billing_differences where kind = 'usage_overtold'), 1, 'which is noted');
update public.usage_reports set state = 'pending', reason = null where identifier = 'u1';
select public.usage_report_told(pg_temp.run('{"identifier":"u1"}', '{}', '{"refused":"timestamp_too_far_in_past"}')) \g /dev/null
select is(pg_temp.report(), 'refused timestamp_too_far_in_past', 'what the meter refuses is known');
select is((select count(*)::integer from public.billing_differences where kind = 'usage_refused'), 1, 'and noted');

select * from finish();
rollback;
