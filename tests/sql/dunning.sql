-- dunning.sql - a bill that is not paid: mails, standing, what is closed and when, and that a payment ends it at once.
begin;
select no_plan();

insert into auth.users (id, email) values (gen_random_uuid(), 'owner-dunning@example.org') returning id as owner \gset
insert into auth.users (id, email) values (gen_random_uuid(), 'member-dunning@example.org') returning id as member \gset
insert into public.user_profiles (id, email) values (:'owner', 'owner-dunning@example.org'), (:'member', 'member-dunning@example.org')
on conflict (id) do update set email = excluded.email;
select tests.organization('Dunning', :'owner') as org \gset
insert into public.organization_members (organization_id, user_id, role) values (:'org', :'member', 'member');
select id as plan from public.subscription_plans where name = 'basic' \gset
insert into public.subscriptions (organization_id, plan_id, origin, external_id, status)
values (:'org', :'plan', 'stripe', 'sub_dunning', 'active') returning id as sub \gset
select set_config('tests.sub', :'sub', true), set_config('tests.org', :'org', true) \g /dev/null

create function pg_temp.stands() returns text language sql as $$
    select a.standing || ' ' || o.status from public.billing_accounts a join public.organizations o on o.id = a.organization_id
     where o.id = current_setting('tests.org')::uuid $$;
create function pg_temp.run() returns text language sql as $$
    select public.dunning_run_id(s) from public.subscriptions s where s.id = current_setting('tests.sub')::uuid $$;
-- The step, as if the payment had failed so many days ago; with what it had done until then.
create function pg_temp.act(p_days numeric, p_through integer default null) returns jsonb language plpgsql as $$
declare
    v_run text;
begin
    update public.subscriptions set past_due_since = clock_timestamp() - p_days * interval '1 day' - interval '1 second' where id = current_setting('tests.sub')::uuid;
    v_run := pg_temp.run();
    return public.dunning_act(jsonb_build_object('id', v_run, 'input',
        jsonb_strip_nulls(jsonb_build_object('subscription', current_setting('tests.sub')::uuid, 'through', p_through))));
end
$$;
create function pg_temp.mails(out text) language sql as $$
    select coalesce(string_agg((r.input ->> 'kind') || ' ' || (r.input ->> 'to'), ',' order by r.created_at, r.id), '') from public.workflow_runs r
     where r.workflow = 'mail' and r.organization_id = current_setting('tests.org')::uuid $$;
create function pg_temp.no_mails() returns void language sql as $$
    delete from public.workflow_runs r where r.workflow = 'mail' and r.organization_id = current_setting('tests.org')::uuid $$;

-- ---- it begins ------------------------------------------------------------------

select public.dunning_begin(:'sub') \g /dev/null
select is(pg_temp.stands(), 'good active', 'a subscription that is paid begins nothing');
select is((select past_due_since from public.subscriptions where id = :'sub'), null, 'nor is it late');
update public.subscriptions set status = 'past_due' where id = :'sub';
select public.dunning_begin(:'sub') \g /dev/null
select is(pg_temp.stands(), 'past_due past_due', 'a payment failed: the organization stands so');
select is((select jsonb_build_object('workflow', r.workflow, 'organization', r.organization_id, 'input', r.input) from public.workflow_runs r where r.id = pg_temp.run()),
          jsonb_build_object('workflow', 'dunning', 'organization', :'org', 'input', jsonb_build_object('subscription', :'sub')), 'and a run begins');
select pg_temp.run() as run \gset
select public.dunning_begin(:'sub') \g /dev/null
select is(pg_temp.run(), :'run', 'beginning twice is beginning once');
select is((select count(*)::integer from public.workflow_runs where id like 'dunning:%' and organization_id = :'org'), 1, 'with one run');
select public.dunning_begin(gen_random_uuid()) \g /dev/null
select is(public.dunning_act(jsonb_build_object('id', :'run', 'input', jsonb_build_object('subscription', gen_random_uuid()))), '{"done": true}',
          'a subscription that is gone ends its run');

-- ---- what the days bring ----------------------------------------------------------

select is(pg_temp.act(0), '{"wait":"paid","wait_seconds":5,"next":"act"}', 'at first the bill is still being read');
insert into public.invoices (organization_id, provider, external_id, external_subscription_id, number, status, currency, amount_remaining_cents, hosted_url, issued_at)
values (:'org', 'stripe', 'in_dunning', 'sub_dunning', 'R-1', 'open', 'eur', 2900, 'https://pay.example.org/1', now());
select is(pg_temp.act(0) -> 'again' ->> 'through', '0', 'then the first day''s mail goes out');
select is(pg_temp.mails(), 'payment_failed owner-dunning@example.org', 'to the owner, and to no member');
select is((select r.input -> 'data' from public.workflow_runs r where r.workflow = 'mail' and r.organization_id = :'org') - 'run' - 'stops_on',
          jsonb_build_object('subscription', :'sub', 'number', 'R-1', 'amount', '29.00 EUR', 'url', 'https://pay.example.org/1', 'stopped', false,
                             'organization_name', 'Dunning'), 'saying how much, and where it is paid');
select is(pg_temp.act(0, 0) - 'wait_seconds', '{"wait":"paid","next":"act"}', 'then it waits for the payment');
select is((pg_temp.act(0, 0) ->> 'wait_seconds')::integer, 86400, 'for a day at most');
select ok((pg_temp.act(2.5, 0) ->> 'wait_seconds')::integer between 43100 and 43200, 'or until the next day that brings something');
select pg_temp.no_mails() \g /dev/null
select is(pg_temp.act(1, 0) ? 'again', false, 'on the second day nothing happens');
select is(pg_temp.mails(), '', 'and nobody is told');
select is(pg_temp.act(3, 0) -> 'again' ->> 'through', '3', 'on day 3 the second mail');
select is(pg_temp.act(3, 3) ? 'again', false, 'once');
select is(pg_temp.act(7, 3) -> 'again' ->> 'through', '7', 'on day 7 the third');
select is(pg_temp.mails(), 'payment_failed owner-dunning@example.org,payment_failed owner-dunning@example.org', 'of the same kind');
select is(pg_temp.stands(), 'past_due past_due', 'until then calls go on');
select pg_temp.no_mails() \g /dev/null
select is(pg_temp.act(14, 7) -> 'again' ->> 'through', '14', 'on day 14');
select is(pg_temp.stands(), 'read_only read_only', 'nothing new is taken or dialled');
select is(pg_temp.mails(), 'payment_failed_stopped owner-dunning@example.org', 'and the last mail says so');
select is(pg_temp.act(21, 14) -> 'again' ->> 'through', '21', 'on day 21');
select is(pg_temp.stands(), 'suspended suspended', 'it is suspended');
select is(pg_temp.act(21, 21), '{"wait":"paid","wait_seconds":86400,"next":"act"}', 'then nothing more happens but a payment');
select public.standing_set(:'org', 'good'), public.standing_set(:'org', 'past_due'), pg_temp.no_mails() \g /dev/null
select is(pg_temp.act(30) -> 'again' ->> 'through', '21', 'whoever was away for a month does it all at once');
select is(pg_temp.mails(), 'payment_failed_stopped owner-dunning@example.org', 'but for old mails');
select is(pg_temp.stands(), 'suspended suspended', 'with the same end');

-- ---- a mail that is too late --------------------------------------------------------

select r.input as mail from public.workflow_runs r where r.workflow = 'mail' and r.organization_id = :'org' \gset
select is(public.mail_prepare(jsonb_build_object('input', :'mail'::jsonb)), null, 'a mail about a bill that is still open goes out');

-- ---- it is paid ---------------------------------------------------------------------

select pg_temp.run() as run \gset
insert into public.workflow_runs (id, workflow, organization_id, input) values (:'run', 'dunning', :'org', '{}') on conflict do nothing;
-- Whoever writes the subscription may have written that, too.
update public.subscriptions set past_due_since = null where id = :'sub';
update public.subscriptions set status = 'active' where id = :'sub';
select pg_temp.no_mails(), public.dunning_end(:'sub') \g /dev/null
select is(pg_temp.stands(), 'good active', 'a payment sets it right at once');
select is((select past_due_since from public.subscriptions where id = :'sub'), null, 'it is not late any more');
select is(pg_temp.mails(), 'payment_recovered owner-dunning@example.org', 'and people are told');
select is((select count(*)::integer from public.workflow_signals where run_id = :'run' and name = 'paid'), 1, 'so is the run');
select is(public.dunning_act(jsonb_build_object('id', :'run', 'input', jsonb_build_object('subscription', :'sub'))), '{"done": true}', 'which ends');
select is(public.mail_prepare(jsonb_build_object('input', :'mail'::jsonb)), '{"done": true, "result": {"skipped": "paid"}}', 'a mail that waited is not sent');
select public.dunning_end(:'sub') \g /dev/null
select is(pg_temp.mails(), 'payment_recovered owner-dunning@example.org', 'ending twice is ending once');
update public.subscriptions set status = 'past_due' where id = :'sub';
select public.dunning_begin(:'sub') \g /dev/null
select isnt(pg_temp.run(), :'run', 'the next time is another run');
update public.subscriptions set status = 'canceled' where id = :'sub';
select pg_temp.no_mails(), public.dunning_end(:'sub') \g /dev/null
select is(pg_temp.stands() || pg_temp.mails(), 'good active', 'one that is over owes nothing more, and nobody is thanked');

-- ---- whose status it is -------------------------------------------------------------

select is(public.standing_status(s, o, n), r, format('%s, from %s to %s: %s', s, o, n, r)) from (values
    ('active', 'good', 'past_due', 'past_due'), ('past_due', 'past_due', 'read_only', 'read_only'), ('read_only', 'read_only', 'good', 'active'),
    ('suspended', 'suspended', 'good', 'active'), ('active', 'past_due', 'read_only', 'read_only'), ('suspended', 'good', 'past_due', 'suspended'),
    ('suspended', 'past_due', 'good', 'suspended'), ('canceled', 'good', 'suspended', 'canceled'), ('disabled', 'suspended', 'good', 'disabled'),
    (null, 'good', 'past_due', null)) x(s, o, n, r);
update public.organizations set status = 'disabled', disabled_from = 'active' where id = :'org';
select is(public.standing_set(:'org', 'past_due'), true, 'a closed one stands badly, too');
select is((select disabled_from from public.organizations where id = :'org'), 'past_due', 'and is that when it is opened again');
select is(public.standing_set(:'org', 'past_due'), false, 'standing as before is no change');

-- ---- amounts ---------------------------------------------------------------------------

select is(public.money_text(a, c), t, t) from (values
    (2900, 'usd', '29.00 USD'), (5, 'eur', '0.05 EUR'), (2900, 'jpy', '2900 JPY'), (12345, 'kwd', '12.345 KWD'), (-150, 'usd', '-1.50 USD'),
    (0.5, 'usd', '0.01 USD')) x(a, c, t);
select is(public.money_text(null, 'usd'), null, 'no amount is no text');

select * from finish();
rollback;
