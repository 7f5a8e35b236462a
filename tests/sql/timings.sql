-- timings.sql - how often and how long: adding, histograms, what numbers tell.
begin;
select no_plan();
delete from public.timings;

create function tests.metric(p_name text) returns jsonb language sql as $$
    select m -> 'samples' from jsonb_array_elements(api.metrics()) m where m ->> 'name' = 'hookswitch_' || p_name
$$;
create function tests.metric(p_name text, p_labels jsonb) returns numeric language sql as $$
    select (s ->> 'value')::numeric from jsonb_array_elements(tests.metric(p_name)) s where s -> 'labels' = p_labels
$$;

-- ---- adding ------------------------------------------------------------------

select is(public.timing_buckets(0), '{1,0,0,0,0,0,0,0,0,0,0,0,0,0}'::bigint[], 'what took no time is in the first bucket');
select is(public.timing_buckets(0.005), public.timing_buckets(0), 'a bucket holds its upper end');
select is(public.timing_buckets(0.006), '{0,1,0,0,0,0,0,0,0,0,0,0,0,0}'::bigint[], 'and not what is beyond it');
select is(public.timing_buckets(61), '{0,0,0,0,0,0,0,0,0,0,0,0,0,1}'::bigint[], 'what took longer than all bounds is in the last');

select public.timings_add('[]') \g /dev/null
select is_empty('select from public.timings', 'nothing adds nothing');
select public.timings_add(jsonb_build_array(
    jsonb_build_object('kind', 'step', 'name', 'mail.send', 'outcome', 'ok', 'n', 2, 'seconds', 0.3, 'buckets', '[1,0,0,0,0,1,0,0,0,0,0,0,0,0]'::jsonb),
    jsonb_build_object('kind', 'step', 'name', 'mail.send', 'outcome', 'ok', 'n', 1, 'seconds', 90, 'buckets', '[0,0,0,0,0,0,0,0,0,0,0,0,0,1]'::jsonb),
    jsonb_build_object('kind', 'step', 'name', 'mail.send', 'outcome', 'retry', 'n', 1, 'seconds', 0.001, 'buckets', '[1,0,0,0,0,0,0,0,0,0,0,0,0,0]'::jsonb),
    jsonb_build_object('kind', 'step', 'name', 'mail.send', 'outcome', 'ok', 'n', -5, 'seconds', 1, 'buckets', '[]'::jsonb),
    jsonb_build_object('kind', 'nonsense', 'name', 'x', 'outcome', 'ok', 'n', 1, 'seconds', 1, 'buckets', '[]'::jsonb))) \g /dev/null
select results_eq('select kind::text collate "default", name::text collate "default", outcome::text collate "default", n, seconds, buckets from public.timings order by 3',
    $$values ('step', 'mail.send', 'ok', 3::bigint, 90.3::double precision, '{1,0,0,0,0,1,0,0,0,0,0,0,0,1}'::bigint[]),
             ('step', 'mail.send', 'retry', 1, 0.001, '{1,0,0,0,0,0,0,0,0,0,0,0,0,0}')$$,
    'rows of one key are added up; what is none of ours, or less than nothing, is left out');
select public.timings_add('[{"kind":"step","name":"mail.send","outcome":"ok","n":1,"seconds":0.7,"buckets":[0,0,0,0,0,0,0,1,0,0,0,0,0,0]}]') \g /dev/null
select results_eq($$select n, round(seconds::numeric, 3), buckets from public.timings where outcome = 'ok'$$,
    $$values (4::bigint, 91.000, '{1,0,0,0,0,1,0,1,0,0,0,0,0,1}'::bigint[])$$, 'and added to what was there');

insert into public.timings (kind, name, outcome) select 'query', 'q' || i, 'ok' from generate_series(1, 5000) i;
select public.timings_add('[{"kind":"query","name":"one too many","n":1,"seconds":0,"buckets":[1]},{"kind":"query","name":"q7","outcome":"ok","n":1,"seconds":0,"buckets":[1]}]') \g /dev/null
select is_empty($$select from public.timings where name = 'one too many'$$, 'a full table takes no more names');
select is((select n from public.timings where name = 'q7'), 1::bigint, 'but goes on with those that it has');
delete from public.timings where kind = 'query';

-- ---- histograms ---------------------------------------------------------------

select is(tests.metric('step_seconds'), jsonb_build_array(jsonb_build_object('labels', '{"workflow":"mail","step":"send"}'::jsonb, 'count', 5, 'sum', 91.001,
    'buckets', '[2,2,2,2,2,3,3,4,4,4,4,4,4]'::jsonb)), 'a histogram adds the outcomes up, and each bucket holds those below it');
select is(tests.metric('step_outcomes_total', '{"workflow":"mail","step":"send","outcome":"retry"}'), 1::numeric, 'outcomes are counted apart');
select public.timings_add('[{"kind":"provider","name":"twilio.buy.look","outcome":"twilio_21422","n":3,"seconds":1,"buckets":[3]},
    {"kind":"request","name":"POST /api/v1/calls","outcome":"2xx","n":7,"seconds":1,"buckets":[7]},
    {"kind":"query","name":"call_list","outcome":"late","n":2,"seconds":30,"buckets":[0,0,0,0,0,0,0,0,0,0,0,2]},
    {"kind":"database","name":"connect","outcome":"failed","n":4,"seconds":0,"buckets":[4]},
    {"kind":"timeout","name":"pool","outcome":"busy","n":6,"seconds":0,"buckets":[6]}]') \g /dev/null
select is(tests.metric('provider_requests_total', '{"system":"twilio","operation":"buy.look","code":"twilio_21422"}'), 3::numeric,
          'providers by system, operation and code');
select is(tests.metric('requests_total', '{"method":"POST","route":"/api/v1/calls","status":"2xx"}'), 7::numeric, 'requests by route and status');
select is(tests.metric('query_seconds') -> 0 -> 'labels', '{"query":"call_list"}', 'trips to the database by statement');
select is(tests.metric('query_seconds') -> 0 ->> 'count', '2', 'a shorter row of buckets is one that ends early');
select is(tests.metric('query_outcomes_total', '{"outcome":"late"}'), 2::numeric, 'and by what came of them');
select is(tests.metric('database_connect_failures_total', '{}'), 4::numeric, 'connections that failed');
select is(tests.metric('timeouts_total', '{"what":"pool"}'), 6::numeric, 'what took too long');
select is(tests.metric('timeouts_total', '{"what":"request"}'), 0::numeric, 'is there before it happens, so that the first one is seen');

-- ---- numbers ----------------------------------------------------------------

select tests.organization('Timings') as org \gset
select is(tests.metric('numbers', '{"status":"active"}'), (select count(*)::numeric from public.phone_numbers where status = 'active'), 'numbers by status');
insert into public.phone_numbers (organization_id, phone_number, status, origin) values (:'org', '+15550107777', 'active', 'automatic'), (:'org', null, 'searching', 'automatic');
select is(tests.metric('numbers', '{"status":"searching"}'), (select count(*)::numeric from public.phone_numbers where status = 'searching'), 'also those on their way');
select is(tests.metric('numbers', '{"status":"lost"}'), 0::numeric, 'and 0 of those that there are none of');

delete from public.phone_provision_logs;
insert into public.phone_provision_logs (organization_id, trigger_action, status, reason, duration_ms, began_at, detail)
    select x.* from (values
        (:'org'::uuid, 'insert', 'pending', null, null, clock_timestamp() - interval '100 seconds', '{}'::jsonb), (:'org', 'insert', 'completed', null, 4200, null, '{}'),
        (:'org', 'update', 'failed', 'no_number_found', 900, null, '{}'), (:'org', 'update', 'skipped', 'plan', 1, null, '{}'),
        (:'org', 'decide', 'noted', null, 1, null, '{}'), (:'org', 'search', 'noted', null, 20, null, '{"found":3}'),
        (:'org', 'search', 'noted', null, 20, null, '{"found":0}'), (:'org', 'search', 'noted', 'twilio_21451', 20, null, '{"found":0}')) x;
select is(tests.metric('provisioning_open', '{}'), 1::numeric, 'what is not over');
select ok(tests.within(tests.metric('provisioning_oldest_seconds', '{}'), 100, 160), 'and for how long');
select is(tests.metric('provisioning_total', '{"outcome":"failed"}'), 0::numeric, 'nothing is counted before the engine counts it');
select is(public.provisioning_count(100), 6, 'outcomes and searches are counted');
select is(public.provisioning_count(100), 0, 'once');
select results_eq($$select o, tests.metric('provisioning_total', jsonb_build_object('outcome', o)) from unnest('{completed,failed,skipped}'::text[]) o$$,
                  $$values ('completed', 1::numeric), ('failed', 1), ('skipped', 1)$$, 'by what became of them');
select results_eq($$select o, tests.metric('number_search_total', jsonb_build_object('outcome', o)) from unnest('{found,empty,failed}'::text[]) o$$,
                  $$values ('found', 1::numeric), ('empty', 1), ('failed', 1)$$, 'searches, too');
select is(tests.metric('provisioning_seconds') -> 0 ->> 'sum', '4.200000', 'how long a number took, of those that came');
select is(tests.metric('provisioning_seconds') -> 0 -> 'buckets', '[0,0,0,0,0,0,0,0,0,1,1,1,1]', 'in its bucket and those above');
update public.phone_provision_logs set status = 'completed', duration_ms = 300000 where status = 'pending';
select is(public.provisioning_count(100), 1, 'what ends later is counted then');
select is(tests.metric('provisioning_seconds') -> 0 ->> 'count', '2', 'also what took longer than all bounds');
delete from public.phone_provision_logs;
select is(tests.metric('provisioning_total', '{"outcome":"completed"}'), 2::numeric, 'a counter does not fall when an organization goes');

insert into public.number_differences (provider, kind, external_id, resolved_at) values ('twilio', 'orphan', 'PN1', null), ('vapi', 'orphan', 'v1', null),
    ('vapi', 'drift', 'v2', now());
select is(tests.metric('number_differences', '{"kind":"orphan"}'), 2::numeric, 'differences that stand, by kind');
select is(tests.metric('number_differences', '{"kind":"drift"}'), 0::numeric, 'not those that are over');
select is_empty($$select from jsonb_array_elements(public.number_metrics()) m where m::text ~ '5550107777'$$, 'no number is told');

select * from finish();
rollback;
