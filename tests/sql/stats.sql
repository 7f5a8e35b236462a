-- stats.sql - calls in numbers: each group and the whole, at the asker's clock, with what people thought.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as org \gset
select tests.organization('Bob', :'bob') as other \gset
select tests.template(:'org') as template \gset

create function tests.was(p_org uuid, p_at timestamptz, p_status text, p_seconds integer default null, p_reason text default null, p_template uuid default null, p_attempts integer default 1)
    returns uuid language sql as $$
    insert into public.calls (organization_id, created_at, to_number, status, finished_at, started_at, duration_seconds, ended_reason, template_id, attempts, total_cost_cents)
    values (p_org, p_at, '+15550100001', p_status, case when p_status not in ('queued', 'in-progress') then p_at end, case when p_seconds > 0 then p_at end, p_seconds, p_reason,
            p_template, p_attempts, p_seconds / 10.0) returning id
$$;
select tests.was(:'org', '2026-03-08 03:30Z', 'completed', 60, 'customer-ended-call', :'template') as one \gset
select tests.was(:'org', '2026-03-08 06:59Z', 'completed', 30, 'customer-ended-call') as two \gset
select tests.was(:'org', '2026-03-08 07:10Z', 'failed', 0, 'customer-busy', null, 3) as three \gset
select tests.was(:'org', '2026-03-09 03:59:59.999Z', 'canceled', null, 'canceled', null, 0) \g /dev/null
select tests.was(:'org', '2026-03-09 04:00Z', 'queued', null, null, null, 0) \g /dev/null
select tests.was(:'other', '2026-03-08 12:00Z', 'completed', 1000) as theirs \gset
insert into public.call_feedback (call_id, call_created_at, organization_id, user_id, rating)
select c.id, c.created_at, c.organization_id, gen_random_uuid(), r from public.calls c, unnest(array[4, 5]) r where c.id = :'one'
union all select c.id, c.created_at, c.organization_id, gen_random_uuid(), 1 from public.calls c where c.id in (:'three', :'theirs');

create function tests.numbers(p_group text, p_zone text default 'UTC') returns jsonb language sql as $$
    select api.call_analytics('2026-03-01Z', '2026-04-01Z', p_group, p_zone)
$$;
create function tests.totals(p_group text, p_zone text default 'UTC') returns text language sql as $$
    select string_agg(format('%s:%s', g ->> 'key', g ->> 'total'), ' ' order by i) from jsonb_array_elements(tests.numbers(p_group, p_zone) -> 'groups') with ordinality x(g, i)
$$;
select tests.be(:'alice');
select is(tests.numbers('day') -> 'total', '{"total":5,"completed":2,"failed":1,"canceled":1,"expired":0,"queued":1,"in_progress":0,"attempts":5,"duration_seconds":90,
    "average_duration_seconds":45.0,"cost_cents":9.0,"answered":2,"answer_rate":0.6667,"feedback_count":3,"feedback_average":3.33}', 'all together');
select is(tests.numbers(g) -> 'total', tests.numbers('day') -> 'total', format('by %s all together are the same', g)) from unnest(array['hour', 'outcome', 'status', 'template', 'direction']) g;
select is(tests.totals('day'), '2026-03-08:3 2026-03-09:2', 'by day, in UTC');
select is(tests.totals('day', 'America/New_York'), '2026-03-07:1 2026-03-08:3 2026-03-09:1', 'by day where the asker is, on the day when its clock is put forward too');
select is(tests.totals('hour', 'America/New_York'), '00:1 01:1 03:1 22:1 23:1', 'by hour of the day, there');
select is(tests.totals('hour', 'Asia/Kathmandu'), '09:3 12:2', 'also where clocks are off by quarters of an hour');
select is(tests.totals('outcome'), 'customer-ended-call:2 canceled:1 customer-busy:1 :1', 'by how they ended, the most frequent first');
select is(tests.totals('status'), 'completed:2 canceled:1 failed:1 queued:1', 'by status');
select is(tests.totals('template'), format(':4 %s:1', :'template'::text), 'by template');
select is(tests.totals('direction'), 'outbound:5', 'by direction');
select is((select string_agg(format('%s %s', g ->> 'feedback_count', g ->> 'feedback_average'), ',' order by g ->> 'key') from jsonb_array_elements(tests.numbers('template') -> 'groups') g),
          '2 4.50,1 1.00', 'with what people thought of each group');
select is(api.call_analytics('2020-01-01Z', '2020-02-01Z') -> 'groups', '[]', 'where nothing was there are no groups');
select is(api.call_analytics('2020-01-01Z', '2020-02-01Z') -> 'total' ->> 'total', '0', 'and none altogether');
select throws_ok(format('select api.call_analytics(p_timezone => %L)', z), 'PT422', 'timezone_unknown', format('%L is no time zone', z))
  from unnest(array['Mars/Phobos', '', 'UTC+3', '+05:30', 'America/New_York; x', '../etc/passwd', 'posixrules''']) z;
select lives_ok(format('select api.call_analytics(p_timezone => %L)', z), format('%s is one', z)) from unnest(array['UTC', 'Etc/GMT+5', 'America/Argentina/Buenos_Aires', 'europe/berlin']) z;
select is(api.call_stats('2026-03-01Z', '2026-04-01Z') - '{from,to}'::text[], '{"total":5,"completed":2,"failed":1,"canceled":1,"expired":0,"queued":1,"in_progress":0,"attempts":5,
    "duration_seconds":90,"average_duration_seconds":45.0,"cost_cents":9.0,"ended_reasons":{"customer-ended-call":2,"canceled":1,"customer-busy":1}}', 'the numbers in short');
select tests.be(:'bob');
select is(tests.numbers('day') -> 'total' ->> 'duration_seconds', '1000', 'everybody has his own');
select is(tests.numbers('day') -> 'total' ->> 'feedback_average', '1.00', 'and his own feedback');

select * from finish();
rollback;
