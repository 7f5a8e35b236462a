-- usage.sql - the ledger, its sums by period and day, what lies beyond a plan, and closing a period.
begin;
-- Nobody counts these tables' rows meanwhile: none of them can be seen from outside, and plans for empty tables would be made for full ones.
lock table public.calls, public.usage_entries, public.usage_periods, public.usage_days, public.usage_reports, public.workflow_runs in share update exclusive mode;
select no_plan();

-- ---- what the tests need -------------------------------------------------------------

create function pg_temp.plan(p_name text, p_minutes integer, p_step integer default 60, p_overage numeric default 6, p_calls integer default null,
                             p_mode text default 'soft', p_interval text default 'monthly') returns uuid language sql as $$
    insert into public.subscription_plans (name, price, minutes_limit, call_limit, increment_seconds, overage_cents, limit_mode, "interval")
    values (p_name, 1, p_minutes, p_calls, p_step, p_overage, p_mode, p_interval) returning id
$$;
-- An organization whose subscription Stripe told us of, for this period.
create function pg_temp.customer(p_plan uuid, p_start timestamptz, p_end timestamptz, p_item text default 'si_over') returns uuid language plpgsql as $$
declare
    v_org uuid := tests.organization('Customer');
begin
    insert into public.subscriptions (organization_id, plan_id, origin, external_id, external_customer_id, overage_item_id, current_period_start, current_period_end)
    values (v_org, p_plan, 'stripe', 'sub_' || v_org, 'cus_' || v_org, p_item, p_start, p_end);
    return v_org;
end
$$;
-- n calls of it that are over as far as the ledger is concerned.
create function pg_temp.calls(p_org uuid, p_n integer default 1) returns uuid[] language plpgsql as $$
declare
    v_ids uuid[];
begin
    set local session_replication_role = replica;
    with made as (insert into public.calls (organization_id, to_number, status, attempts)
                  select p_org, '+15550100001', 'completed', 1 from generate_series(1, p_n) returning id)
    select array_agg(m.id) into v_ids from made m;
    set local session_replication_role = origin;
    return v_ids;
end
$$;
create function pg_temp.ends(p_call uuid, p_at timestamptz, p_seconds integer) returns void language plpgsql as $$
declare
    c public.calls;
begin
    select * into c from public.calls x where x.id = p_call;
    c.ended_at := p_at;
    perform public.usage_write(c, p_seconds);
end
$$;
create function pg_temp.used(p_org uuid, p_at timestamptz, p_seconds integer) returns uuid language plpgsql as $$
declare
    v_id uuid := (pg_temp.calls(p_org))[1];
begin
    perform pg_temp.ends(v_id, p_at, p_seconds);
    return v_id;
end
$$;
create function pg_temp.reported(p_org uuid) returns text language sql as $$
    select string_agg(r.quantity || ' ' || r.state, ', ' order by r.created_at, r.identifier) from public.usage_reports r where r.organization_id = p_org
$$;
create function pg_temp.periods(p_org uuid) returns text language sql as $$
    select string_agg(p.calls || ' ' || p.billable_seconds || ' ' || p.overage_seconds || ' ' || p.state, ', ' order by p.period_start)
      from public.usage_periods p where p.organization_id = p_org
$$;

-- ---- any ends, in any order -------------------------------------------------------------

-- What does not hold now; null: all does.  p_folded: all is counted.
create function pg_temp.wrong(p_org uuid, p_included integer, p_folded boolean) returns text language plpgsql as $$
declare
    p record;
    t record;
begin
    for p in select * from public.usage_periods x where x.organization_id = p_org loop
        select * into t from public.usage_totals_of(p_org, p.period_start, p.period_end);
        if p_folded and (p.calls, p.seconds, p.billable_seconds, p.overage_seconds) is distinct from (t.calls, t.seconds, t.billable_seconds, t.overage_seconds) then
            return format('period %s is %s, the ledger says %s', p.period_start, p, t);
        elsif p_folded and t.overage_seconds <> greatest(0, t.billable_seconds - p_included) then
            return format('beyond the plan are %s of %s', t.overage_seconds, t);
        elsif t.overage_seconds <> (select coalesce(sum(r.quantity), 0) from public.usage_reports r join public.usage_entries u on u.id = r.entry_id
                                      where r.state <> 'canceled' and u.organization_id = p_org and u.billed_at >= p.period_start and u.billed_at < p.period_end) then
            return format('%s were not told', t);
        end if;
        select * into t from public.usage_totals_of(p_org, p.period_start, 'infinity') x
         where (x.calls, x.seconds, x.billable_seconds) is distinct from (select (s.calls, s.seconds, s.billable_seconds) from public.usage_sums_of(p_org, p.period_start) s);
        if found then
            return format('the fast sum from %s is not %s', p.period_start, t);
        end if;
    end loop;
    if p_folded and exists (
        select from (select (u.occurred_at at time zone 'UTC')::date as date, sum(u.quantity) filter (where u.kind = 'calls') as calls,
                            sum(u.quantity) filter (where u.kind = 'seconds') as seconds, sum(u.billable) filter (where u.kind = 'seconds') as billable, sum(u.overage) as overage
                       from public.usage_entries u where u.organization_id = p_org group by 1) l
          full join (select * from public.usage_days x where x.organization_id = p_org) d on d.date = l.date
         where (d.calls, d.seconds, d.billable_seconds, d.overage_seconds)
            is distinct from (coalesce(l.calls, 0), coalesce(l.seconds, 0), coalesce(l.billable, 0), l.overage)) then
        return 'a day is not what the ledger says';
    end if;
    return null;
end
$$;

-- One life: ends across the border of two periods, late, out of order, on the microsecond; corrections before and after they are counted and
-- after the bill; sums made up at any time, and a period that is closed at some time.
create function pg_temp.life(p_seed integer, p_calls integer, p_steps integer) returns text language plpgsql as $$
declare
    v_border timestamptz := date_trunc('second', now()) - interval '9 days';
    v_step integer := (array[1, 6, 30, 60])[1 + p_seed % 4];
    v_included integer := (array[0, 60, 600, 6000])[1 + p_seed / 4 % 4] * greatest(1, p_calls / 100);
    v_org uuid := pg_temp.customer(pg_temp.plan('life ' || p_seed, v_included / 60, v_step), v_border - interval '1 month', v_border);
    v_ids uuid[] := pg_temp.calls(v_org, p_calls);
    v_seconds integer[] := array_fill(0, array[p_calls]);
    v_ended integer := 0;
    v_closed jsonb;
    v_what double precision;
    v_wrong text;
    k integer;
begin
    perform setseed(p_seed / 1000.0);
    for i in 1..p_steps loop
        v_what := random();
        if v_what < 0.6 and v_ended < p_calls then
            v_ended := v_ended + 1;
            v_seconds[v_ended] := case when random() < 0.1 then 0 else floor(random() * 400) end;
            perform pg_temp.ends(v_ids[v_ended], v_border + case when random() < 0.2 then (floor(random() * 3) - 1) * interval '1 microsecond'
                                                                 else (random() - 0.7) * interval '12 days' end, v_seconds[v_ended]);
        elsif v_what < 0.8 and v_ended > 0 then
            k := 1 + floor(random() * v_ended);
            v_seconds[k] := floor(random() * 500);
            perform pg_temp.ends(v_ids[k], now(), v_seconds[k]);
        elsif v_what < 0.97 then
            perform public.usage_fold(1 + floor(random() * greatest(40, p_calls / 2))::integer) where p_calls < 1000 or random() < 0.01;
        elsif v_what < 0.975 then
            perform public.usage_rebuild(v_org, x.period_start) from public.usage_periods x where x.organization_id = v_org;
        elsif v_what < 0.98 then
            update public.subscriptions set current_period_start = v_border, current_period_end = v_border + interval '1 month' where external_id = 'sub_' || v_org;
        elsif i > p_steps / 3 and v_closed is null then
            v_closed := public.usage_close(v_org, v_border);
        end if;
        if i % greatest(1, p_steps / 20) = 0 then
            v_wrong := pg_temp.wrong(v_org, v_included, false);
        end if;
        exit when v_wrong is not null;
    end loop;
    while v_wrong is null and public.usage_fold(100000) > 0 loop
    end loop;
    v_wrong := coalesce(v_wrong, pg_temp.wrong(v_org, v_included, true));
    if v_closed is not null and v_closed is distinct from public.usage_close(v_org, v_border) then
        v_wrong := coalesce(v_wrong, 'a closed period changed');
    end if;
    return coalesce(v_wrong, (
        select format('%s calls, %s s are in the ledger, not %s, %s', t.calls, t.seconds, v_ended, x.seconds)
          from public.usage_totals_of(v_org, '-infinity', 'infinity') t, (select sum(s) as seconds, sum(ceil(s / v_step::numeric) * v_step) as billable from unnest(v_seconds) s) x
         where t.calls <> v_ended or t.seconds <> x.seconds or t.billable_seconds <> x.billable));
end
$$;

select is(pg_temp.life(n, 60, 150), null, format('ledger, reports and summaries say the same, whatever happens in whatever order (%s)', n)) from generate_series(1, 24) n;
select cmp_ok((select count(*) from public.usage_entries where part > 0), '>', 0::bigint, 'also where calls turned out longer after the bill');
select cmp_ok((select count(*) from public.usage_reports where state = 'canceled'), '>', 0::bigint, 'or shorter than was told');
select is(pg_temp.life(1000, 10000, 14000), null, 'and of 10,000 calls');

-- ---- beyond the plan ----------------------------------------------------------------------

select now() - interval '5 days' as start, now() + interval '25 days' as ends \gset
select pg_temp.customer(pg_temp.plan('one minute', 1), :'start', :'ends') as org \gset
select pg_temp.used(:'org', now() - interval '2 hours', 50) as first \gset
select pg_temp.used(:'org', now() - interval '1 hour', 61) as second \gset
select is((select (calls, seconds, billable_seconds, overage_seconds)::text from public.usage_sums_of(:'org', :'start')), '(2,111,180,0)', 'sums are exact before anything is counted');
select is(public.usage_fold(100), 4, 'each row of the ledger is counted');
select is(public.usage_fold(100), 0, 'once');
select is(pg_temp.periods(:'org'), '2 180 120 open', 'in its period');
select is(pg_temp.reported(:'org'), '120 pending', 'what is beyond the plan is told, by the call that was beyond it');
select is((select array_agg((r.workflow, r.input ->> 'identifier' = p.identifier)::text) from public.workflow_runs r, public.usage_reports p
            where r.organization_id = :'org' and p.organization_id = :'org' and r.workflow = 'usage-report'), '{"(usage-report,t)"}', 'by a run of its own');
select is((select (call_id, customer_id, occurred_at, told_at)::text from public.usage_reports where organization_id = :'org'),
          row(:'second'::uuid, 'cus_' || :'org', now() - interval '1 hour', now() - interval '1 hour')::text, 'with the call''s end');
select pg_temp.ends(:'second', now() - interval '1 hour', 121);
select public.usage_fold(100) \g /dev/null
select is(pg_temp.reported(:'org'), '120 pending, 60 pending', 'a call that was longer is told by the rest');
select pg_temp.ends(:'second', now() - interval '1 hour', 50);
select public.usage_fold(100) \g /dev/null
select is(pg_temp.reported(:'org'), '120 canceled, 60 pending', 'one that was shorter takes back what is too much');
select pg_temp.ends(:'first', now() - interval '2 hours', 0);
select public.usage_fold(100) \g /dev/null
select is(pg_temp.reported(:'org'), '120 canceled, 60 canceled', 'also when it was another one that was shorter');
select is((select count(*) from public.workflow_runs where organization_id = :'org' and input ->> 'cancel' = 'true'), 2::bigint, 'by runs that take it back');
select is((select (calls, seconds, minutes)::text from public.daily_usage where organization_id = :'org' and date = (now() - interval '2 hours')::date), (
    select (sum(calls), sum(seconds), ceil(sum(billable_seconds) / 60.0))::text from public.usage_days where organization_id = :'org' and date = (now() - interval '2 hours')::date),
    'the day has it, too');

select pg_temp.customer(pg_temp.plan('no item', 0), :'start', :'ends', null) as org \gset
select pg_temp.used(:'org', now(), 10) \g /dev/null
select tests.organization('By hand') as hand \gset
insert into public.subscriptions (organization_id, plan_id) select :'hand', id from public.subscription_plans where name = 'no item';
select pg_temp.used(:'hand', now(), 10) \g /dev/null
select public.usage_fold(100) \g /dev/null
select is(array[pg_temp.reported(:'org'), pg_temp.reported(:'hand')], '{"60 unbilled","60 unbilled"}', 'where nobody can be told it is shown');
select is((select count(*) from public.workflow_runs where organization_id in (:'org', :'hand') and workflow = 'usage-report'), 0::bigint, 'and no run is begun');
select tests.organization('Hard') as org \gset
insert into public.subscriptions (organization_id, plan_id) select :'org', pg_temp.plan('hard', 1, 60, 6, null, 'hard');
select pg_temp.used(:'org', now(), 600) \g /dev/null
select public.usage_fold(100) \g /dev/null
select is(pg_temp.reported(:'org'), null, 'a hard plan sells nothing beyond itself, how long its last call may be');

-- ---- a year of a yearly plan ---------------------------------------------------------------

select pg_temp.customer(pg_temp.plan('year', 10, p_interval => 'yearly'), now() - interval '200 days', now() + interval '165 days') as org \gset
select pg_temp.used(:'org', now() - d * interval '30 days', 150) from generate_series(6, 1, -1) d \g /dev/null
select public.usage_fold(100) \g /dev/null
select is(pg_temp.periods(:'org'), '6 1080 480 open', 'a yearly plan includes its minutes once a year');

-- ---- closing a period ------------------------------------------------------------------------

select now() - interval '1 day' as border \gset
select pg_temp.customer(pg_temp.plan('closing', 1), :'border'::timestamptz - interval '30 days', :'border') as org \gset
select pg_temp.used(:'org', :'border'::timestamptz - interval '1 microsecond', 120) as before \gset
select pg_temp.used(:'org', :'border', 60) as after \gset
select is(public.usage_close(:'org', :'border') - '{plan_id,period_start,period_end}'::text[], '{"calls": 1, "seconds": 120, "billable_seconds": 120, "overage_seconds": 60}',
          'a period ends just before the next one begins');
select is(pg_temp.periods(:'org'), '1 120 60 final, 1 60 0 open', 'and is final');
select pg_temp.used(:'org', :'border'::timestamptz - interval '1 hour', 60) as late \gset
select is((select array_agg(distinct (u.billed_at = :'border'::timestamptz and u.carried and u.occurred_at < u.billed_at)) from public.usage_entries u where u.call_id = :'late'), '{t}',
          'what is learnt of it later belongs to the next one, and is marked');
select pg_temp.ends(:'before', :'border'::timestamptz - interval '1 microsecond', 200);
select is((select array_agg((part, quantity, billable, carried)::text order by part) from public.usage_entries where call_id = :'before' and kind = 'seconds'),
          '{"(0,120,120,f)","(1,80,120,t)"}', 'by how much a call turned out longer, too');
select pg_temp.ends(:'before', :'border'::timestamptz - interval '1 microsecond', 50);
select is((select array_agg((part, quantity, billable)::text order by part) from public.usage_entries where call_id = :'before' and kind = 'seconds'),
          '{"(0,120,120)","(1,-70,-60)"}', 'or shorter');
select public.usage_fold(100) \g /dev/null
select is(pg_temp.periods(:'org'), '1 120 60 final, 2 60 0 open', 'a final period stays as it was');
select is(public.usage_close(:'org', :'border') ->> 'seconds', '120', 'closing it again says the same');
select is(public.usage_close(gen_random_uuid(), now()), null, 'nobody has nothing to close');
select is((select usage_close is not null from public.usage_close(tests.organization('Idle'), now())), true, 'a period without a call is closed as well');

-- ---- another subscription begins in the middle ----------------------------------------------

select tests.organization('Changes') as org \gset
update public.subscriptions set plan_id = (select id from public.subscription_plans where name = 'free'), period_anchor = now() - interval '20 days',
    created_at = now() - interval '20 days' where organization_id = :'org';
select pg_temp.used(:'org', now() - d * interval '1 day', 60) from generate_series(1, 5) d \g /dev/null
select public.usage_fold(100) \g /dev/null
select is(pg_temp.periods(:'org'), '5 300 0 open', 'five calls on the free plan');
insert into public.subscriptions (organization_id, plan_id, origin, external_id, external_customer_id, overage_item_id, current_period_start, current_period_end)
select :'org', pg_temp.plan('paid', 1), 'stripe', 'sub_mid', 'cus_mid', 'si_mid', now() - interval '60 hours', now() + interval '27 days';
select is((select calls from public.usage_sums_of(:'org', now() - interval '60 hours')), 2::bigint, 'the new period has the calls since it began, though they were counted before');
select pg_temp.used(:'org', now(), 60) \g /dev/null
select public.usage_fold(100) \g /dev/null
select is(pg_temp.periods(:'org'), '3 180 0 open, 3 180 60 open', 'the summaries are parted there');
select public.subscription_default(:'org') \g /dev/null
update public.subscriptions set plan_id = (select id from public.subscription_plans where name = 'free'), period_anchor = now() - interval '20 days' where organization_id = :'org' and current;
select is((select calls from public.usage_sums_of(:'org', (select period_start from public.plan_of(:'org', now())))), 6::bigint, 'back on the free plan all calls of its month count');
select pg_temp.used(:'org', clock_timestamp(), 60) \g /dev/null
select public.usage_fold(100) \g /dev/null
select is((select sum(calls) from public.usage_periods where organization_id = :'org'), 7::numeric, 'none is lost, none is twice');
select is_empty(format($$select from public.usage_periods a join public.usage_periods b on b.organization_id = a.organization_id and a.period_start < b.period_start
                          and a.period_end > b.period_start where a.organization_id = %L$$, :'org'), 'and no two summaries overlap');

-- ---- warnings ----------------------------------------------------------------------------------

create function pg_temp.warned(p_org uuid) returns text language sql as $$
    select string_agg(a.kind || ' ' || a.percent, ', ' order by a.kind, a.percent) from public.usage_alerts a where a.organization_id = p_org
$$;
select gen_random_uuid() as owner \gset
select tests.organization('Warned', :'owner') as org \gset
insert into public.user_profiles (id, email) values (:'owner', 'owner@example.com') on conflict (id) do update set email = excluded.email;
update public.organizations set settings = '{"notifications":{"email":{"enabled":true,"addresses":["more@example.com","owner@example.com"]}}}' where id = :'org';
insert into public.subscriptions (organization_id, plan_id) select :'org', pg_temp.plan('ten', 100, 60, null, 10);
select pg_temp.used(:'org', now(), 60) from generate_series(1, 4) \g /dev/null
select public.usage_fold(100) \g /dev/null
select is(pg_temp.warned(:'org'), null, 'nobody is warned below the half');
select pg_temp.used(:'org', now(), 60) \g /dev/null
select public.usage_fold(100) \g /dev/null
select is(pg_temp.warned(:'org'), 'calls 50', 'then somebody is');
select pg_temp.used(:'org', now(), 600) from generate_series(1, 7) \g /dev/null
select public.usage_fold(100) \g /dev/null
select is(pg_temp.warned(:'org'), 'calls 50, calls 80, calls 100, calls 120, minutes 50', 'at each mark, of calls and of minutes');
select is((select array_agg(distinct input ->> 'to' order by input ->> 'to') from public.workflow_runs where organization_id = :'org' and workflow = 'mail'), '{more@example.com,owner@example.com}',
          'by mail to owners, and to those whom the settings name, nobody twice');
select is((select count(*) from public.workflow_runs where organization_id = :'org' and workflow = 'mail'), 10::bigint, 'once each');
select is((select count(*) from public.events where organization_id = :'org' and type = 'usage.threshold_reached'), 5::bigint, 'and by an event');
select public.usage_alerts_check(:'org') \g /dev/null
select is((select count(*) from public.events where organization_id = :'org' and type = 'usage.threshold_reached'), 5::bigint, 'and never again in this period');

-- ---- each night ----------------------------------------------------------------------------------

select is(public.usage_check((now() - interval '3 days')::date) -> 'wrong', '0', 'nothing is wrong');
update public.usage_days set seconds = seconds + 1, calls = 0 where organization_id = :'org';
update public.usage_periods set billable_seconds = 1 where organization_id = :'org';
select is(public.usage_check((now() at time zone 'UTC')::date) -> 'wrong', '2', 'what is wrong is found');
select is(public.usage_check((now() at time zone 'UTC')::date) -> 'wrong', '0', 'and mended');
select is((select calls from public.usage_days where organization_id = :'org'), 12::bigint, 'from the ledger');
select ok((select seen >= 2 from public.webhook_counts where provider = 'work' and type = 'usage_mended'), 'which is counted');
select is(public.usage_aggregate('{"input":{"slot":"2026-03-01T02:00:00Z"}}') -> 'result' ->> 'date', '2026-02-28', 'the day is that before the slot');

select * from finish();
rollback;
