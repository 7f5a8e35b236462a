-- plans_limits.sql - what a plan lets an organization do: its period, what is left, who is refused.
begin;
select no_plan();

create function pg_temp.plan(p_name text, p_calls integer, p_minutes integer default null, p_mode text default 'hard', p_interval text default 'monthly')
    returns uuid language sql as $$
    insert into public.subscription_plans (name, price, call_limit, minutes_limit, limit_mode, "interval")
    values (p_name, 1, p_calls, p_minutes, p_mode, p_interval) returning id
$$;
create function pg_temp.has(p_org uuid, p_plan uuid, p_since timestamptz default now() - interval '3 days') returns uuid language sql as $$
    insert into public.subscriptions (organization_id, plan_id, period_anchor) values (p_org, p_plan, p_since) returning id
$$;
create function pg_temp.enters(p_org uuid, p_template uuid) returns text language sql as $$
    select coalesce(tests.error_of(format('select public.call_enter(%L, null, %L)', p_org,
        jsonb_build_object('recipient_number', '+15550100001', 'template_id', p_template))), 'entered')
$$;
-- A call that is over, long ago or just now, with so many seconds.
create function pg_temp.used(p_org uuid, p_seconds integer default 30, p_at timestamptz default now()) returns void language plpgsql as $$
declare
    c public.calls;
begin
    set local session_replication_role = replica;
    insert into public.calls (organization_id, to_number, status, attempts, ended_at) values (p_org, '+15550100001', 'completed', 1, p_at) returning * into c;
    set local session_replication_role = origin;
    perform public.usage_write(c, p_seconds);
end
$$;
create function pg_temp.waits(p_org uuid) returns text language sql as $$
    select string_agg(x.line, ' ' order by x.line) from (
        select concat(q.status, ':', q.admission, '=', count(*)) as line from public.call_queue q where q.organization_id = p_org group by q.status, q.admission) x
$$;

-- ---- periods -------------------------------------------------------------------------

create function pg_temp.period(p_anchor text, p_interval text, p_at text) returns text language sql as $$
    select to_char(b.period_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' to ' || to_char(b.period_end at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
      from public.period_at(p_anchor::timestamptz, p_interval, p_at::timestamptz) b
$$;
select is(pg_temp.period('2026-01-31T10:00Z', 'monthly', at), then_, format('signed up on 31 January, asked at %s', at)) from (values
    ('2026-01-31T10:00Z', '2026-01-31 10:00 to 2026-02-28 10:00'),
    ('2026-02-28T09:59:59.999999Z', '2026-01-31 10:00 to 2026-02-28 10:00'),
    ('2026-02-28T10:00Z', '2026-02-28 10:00 to 2026-03-31 10:00'),
    ('2026-03-31T09:59Z', '2026-02-28 10:00 to 2026-03-31 10:00'),
    ('2026-04-30T10:00Z', '2026-04-30 10:00 to 2026-05-31 10:00'),
    ('2028-02-29T11:00Z', '2028-02-29 10:00 to 2028-03-31 10:00'),
    ('2026-01-31T09:00Z', '2025-12-31 10:00 to 2026-01-31 10:00')) x(at, then_);
select is(pg_temp.period('2024-02-29T00:00Z', 'yearly', at), then_, format('a year from 29 February, asked at %s', at)) from (values
    ('2025-02-27T23:00Z', '2024-02-29 00:00 to 2025-02-28 00:00'),
    ('2025-02-28T00:00Z', '2025-02-28 00:00 to 2026-02-28 00:00'),
    ('2028-02-29T00:00Z', '2028-02-29 00:00 to 2029-02-28 00:00')) x(at, then_);
set local timezone = 'America/New_York';
select is(pg_temp.period('2026-01-31T02:00Z', 'monthly', '2026-03-08T12:00-04:00'), '2026-02-28 02:00 to 2026-03-31 02:00', 'months are those of UTC, whatever the clock of the session');
reset timezone;
select is((select count(*) from generate_series(0, 4000) d cross join lateral public.period_at('2024-01-31T23:30Z', 'monthly', timestamptz '2024-02-01T00:00Z' + d * interval '7 hours') b
            where not (timestamptz '2024-02-01T00:00Z' + d * interval '7 hours' >= b.period_start and timestamptz '2024-02-01T00:00Z' + d * interval '7 hours' < b.period_end)),
          0::bigint, 'each moment is in the period that is named for it');

select tests.organization('Told') as told \gset
insert into public.subscriptions (organization_id, plan_id, origin, external_id, current_period_start, current_period_end)
select :'told', id, 'stripe', 'sub_told', '2026-01-10', '2026-02-10' from public.subscription_plans where name = 'basic';
select is((select (period_start, period_end)::text from public.plan_of(:'told', '2026-02-09')), row('2026-01-10'::timestamptz, '2026-02-10'::timestamptz)::text,
          'a period is what the provider told');
select is((select (period_start, period_end)::text from public.plan_of(:'told', '2026-03-11')), row('2026-03-10'::timestamptz, '2026-04-10'::timestamptz)::text,
          'and goes on by months while no renewal is known');

-- ---- calls left ------------------------------------------------------------------------

select tests.provider('Limits Vapi', 'vapi', 100) as vapi \gset
select tests.organization('Hard') as org \gset
select tests.template(:'org') as template \gset
select pg_temp.plan('hard 4', 4) as hard \gset
select pg_temp.has(:'org', :'hard') as sub \gset
select pg_temp.used(:'org', 30, now() - interval '4 days');
select pg_temp.used(:'org', 30, now() - interval '2 minutes');
select is(array(select pg_temp.enters(:'org', :'template') from generate_series(1, 4)), '{entered,entered,entered,"PT402 plan_calls_used_up"}'::text[],
          'what is made in the period and what waits count, what was made before it does not');
select matches((select d from (select tests.error_of(format('select public.call_enter(%L, null, %L)', :'org',
          jsonb_build_object('recipient_number', '+15550100001', 'template_id', :'template'))) d) x), 'plan_calls_used_up', 'and the refusal has a name');
select is(cardinality(tests.claim(10)), 3, 'all that was taken is dialled');
select is(pg_temp.enters(:'org', :'template'), 'PT402 plan_calls_used_up', 'calls under way count');
select tests.call(:'org', :'template') as past \gset
select is(tests.claim(10), '{}', 'what came into the queue past the limit is not dialled');
select is((tests.queue(:'past')).admission, 'plan_calls', 'and says why');
select is(public.assign_call_to_provider(:'past', :'vapi'), null, 'not by SQL either');
select public.usage_fold(100) \g /dev/null
select is(pg_temp.enters(:'org', :'template'), 'PT402 plan_calls_used_up', 'also when the ledger is summed');
update public.subscription_plans set call_limit = 6 where id = :'hard';
select is(cardinality(tests.claim(10)), 1, 'a greater plan lets it go on by itself');
update public.subscription_plans set call_limit = 5 where id = :'hard';
select tests.call(:'org', :'template') as later \gset
select is(tests.claim(10), '{}', 'and a smaller one holds it back');
update public.subscriptions set period_anchor = now() - interval '1 minute' where id = :'sub';
select is(cardinality(tests.claim(10)), 1, 'until the next period begins');

-- ---- minutes ---------------------------------------------------------------------------

select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';
select tests.organization('Minutes') as org \gset
select tests.template(:'org') as template \gset
select pg_temp.has(:'org', pg_temp.plan('hard minutes', null, 5)) as sub \gset
select pg_temp.used(:'org', 61);
select is(array(select pg_temp.enters(:'org', :'template') from generate_series(1, 5)), array_fill('entered'::text, array[5]), 'calls that wait need no minutes yet');
select is(cardinality(tests.claim(10)), 3, 'each that is under way counts as one increment');
select is(cardinality(tests.claim(10)), 0, 'the others wait');
select is((select array_agg(distinct admission) from public.call_queue where organization_id = :'org' and status = 'queued'), array['plan_minutes'], 'and say for what');
select is(pg_temp.enters(:'org', :'template'), 'PT402 plan_minutes_used_up', 'nothing more is taken');
update public.subscriptions set plan_id = (select id from public.subscription_plans where name = 'business') where id = :'sub';
select is(pg_temp.enters(:'org', :'template'), 'entered', 'until the plan is another one');
select is(cardinality(tests.claim(10)), 3, 'whose calls go on by themselves');

-- ---- soft plans, closed ones -------------------------------------------------------------

select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';
select tests.organization('Soft') as org \gset
select tests.template(:'org') as template \gset
select pg_temp.has(:'org', pg_temp.plan('soft 1', 1, 1, 'soft')) as sub \gset
select pg_temp.used(:'org', 600) from generate_series(1, 3);
select is(pg_temp.enters(:'org', :'template'), 'entered', 'a soft plan goes on');
select is(cardinality(tests.claim(10)), 1, 'and is dialled');

select tests.call(:'org', :'template') as call \gset
create function pg_temp.stands(p_sub uuid, p_org uuid, p_template uuid, p_status text) returns text language plpgsql as $$
begin
    update public.subscriptions set status = p_status where id = p_sub;
    return pg_temp.enters(p_org, p_template);
end
$$;
select is(pg_temp.stands(:'sub', :'org', :'template', s.status), case when s.may_call then 'entered' else 'PT402 subscription_inactive' end,
          format('a subscription that is %s', s.status)) from public.subscription_standings s order by 1;
update public.subscriptions set status = 'unknown' where id = :'sub';
select is(tests.claim(10), '{}', 'nothing is dialled under a status that we do not know');
select is((tests.queue(:'call')).admission, 'subscription_inactive', 'and it says so');
update public.subscriptions set status = 'active', plan_id = null where id = :'sub';
select is(pg_temp.enters(:'org', :'template'), 'PT402 subscription_inactive', 'a price that stands for no plan opens nothing');
update public.subscriptions set current = false where id = :'sub';
select is(pg_temp.enters(:'org', :'template'), 'PT402 subscription_inactive', 'nor does no subscription at all');
select is((select may_call from public.plan_now(:'org')), false, 'which is still an answer');
select is(tests.claim(10), '{}', 'and nothing is dialled');

select tests.organization('Unpaid') as org \gset
select tests.template(:'org') as template \gset
create function pg_temp.standing(p_org uuid, p_template uuid, p_standing text, p_status text) returns text language plpgsql as $$
begin
    update public.billing_accounts set standing = p_standing where organization_id = p_org;
    update public.organizations set status = p_status where id = p_org;
    return pg_temp.enters(p_org, p_template);
end
$$;
select is(pg_temp.standing(:'org', :'template', standing, status), then_, format('bills %s, organization %s', standing, status)) from (values
    ('good', 'active', 'entered'), ('past_due', 'past_due', 'entered'), ('read_only', 'read_only', 'PT402 subscription_inactive'),
    ('suspended', 'suspended', 'PT402 subscription_inactive'), ('good', 'suspended', 'PT403 organization_inactive'),
    ('good', 'canceled', 'PT403 organization_inactive')) x(standing, status, then_);

-- ---- a line of closed ones does not stand in the way ----------------------------------------

select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';
select pg_temp.plan('none', 0) as none \gset
create temporary table crowd as select tests.organization('Crowd ' || i) as org, i from generate_series(1, 8) i;
select pg_temp.has(org, :'none'), tests.call(org, tests.template(org), p_priority => 1) from crowd \g /dev/null
insert into public.call_queue (organization_id, template_id, recipient_number, priority)
select c.org, t.id, '+15550100001', 1 from crowd c join public.call_templates t on t.organization_id = c.org, generate_series(1, 60) \g /dev/null
select tests.organization('Behind') as behind \gset
select tests.call(:'behind', tests.template(:'behind'), p_priority => 9) as call \gset
select is(tests.claim(3), array[:'call'::uuid], 'whose plan is used up is passed over as a whole');

-- ---- another's plan -------------------------------------------------------------------------

select gen_random_uuid() as alice \gset
select tests.organization('Alice', :'alice') as mine \gset
select tests.be(:'alice');
select is((select count(*)::integer from public.plan_now(:'mine')), 1, 'one sees the own plan');
select is((select count(*)::integer from public.plan_now(:'behind')), 0, 'and no other');
select is((select count(*)::integer from public.usage_sums(:'mine', '2020-01-01')), 1, 'the own usage');
select is((select count(*)::integer from public.usage_sums(:'behind', '2020-01-01')), 0, 'and no other');
select tests.be_nobody();

select * from finish();
rollback;
