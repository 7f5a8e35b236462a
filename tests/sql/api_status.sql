-- api_status.sql - what /readyz and /metrics tell.
begin;
select no_plan();

select tests.organization('Status') as org \gset
select tests.provider('Status Vapi') as vapi \gset
select tests.template(:'org') as template \gset
select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';

create function tests.metric(p_name text, p_labels jsonb default '{}') returns numeric language sql as $$
    select sum((s ->> 'value')::numeric) from jsonb_array_elements(api.metrics()) m, jsonb_array_elements(m -> 'samples') s
     where m ->> 'name' = 'hookswitch_' || p_name and s -> 'labels' @> p_labels
$$;

select is((select array_agg(k order by k) from (select distinct jsonb_object_keys(m) from jsonb_array_elements(api.metrics()) m) x(k)),
          '{bounds,help,name,samples,type}', 'every metric has name, type, help and samples; a histogram has bounds');
select is_empty($$select m from jsonb_array_elements(api.metrics()) m where m ->> 'type' not in ('gauge', 'counter', 'histogram') or
                     (m ->> 'type' = 'histogram') <> (m ? 'bounds') or (m ->> 'type' = 'histogram') <> (m ->> 'name' ~ '_seconds$' and m ? 'bounds') or m ->> 'help' !~ '\.$'
                     or m ->> 'name' !~ '^hookswitch_[a-z_]+$' or (m ->> 'type' = 'counter') <> (m ->> 'name' ~ '_total$')$$, 'named as Prometheus wants it');
select is(tests.metric('queue_depth', '{"state":"ready"}'), 0::numeric, 'an empty queue has depth nought');
select is(tests.metric('queue_age_seconds'), 0::numeric, 'and age nought');
select tests.call(:'org', :'template') as call \gset
insert into public.call_queue (organization_id, template_id, recipient_number, scheduled_time) values (:'org', :'template', '+15550100001', now() + interval '1 day');
update public.call_queue set due_at = clock_timestamp() - interval '90 seconds' where id = :'call';
select is(tests.metric('queue_depth', '{"state":"ready"}'), 1::numeric, 'a due call is counted');
select is(tests.metric('queue_depth', '{"state":"future"}'), 1::numeric, 'a scheduled one apart');
select ok(tests.within(tests.metric('queue_age_seconds'), 90, 150), 'the age is that of the oldest due call');
select tests.accepted(:'call', 'status-1') as attempt \gset
select is(tests.metric('assignments_live', '{"state":"accepted","provider":"Status Vapi"}'), 1::numeric, 'live attempts by state and provider');
select tests.report(:'attempt', tests.ended('customer-ended-call')) \g /dev/null
select is(tests.metric('assignments_live', '{"provider":"Status Vapi"}'), null, 'until they end');
select public.webhook_count('pump', 'dial:status:accepted', 2), public.webhook_count('status', 'state:applied', 4),
       public.webhook_count('pump', 'turns', 0) \g /dev/null
select is(tests.metric('dials_total', '{"outcome":"accepted","provider":"status"}'), 2::numeric, 'dials by kind of provider and outcome');
select is(tests.metric('webhooks_total', '{"provider":"status","state":"applied"}'), 4::numeric, 'webhooks by what became of them');
select is(tests.metric('webhooks_counted_total', '{"provider":"status"}'), null, 'these are not chatter');
select ok(tests.metric('pump_total', '{"what":"turns"}') >= 0, 'the pump''s turns');
select is((select count(*)::integer from jsonb_array_elements(api.metrics()) m, jsonb_array_elements(m -> 'samples') s
            where m ->> 'name' = 'hookswitch_pump_total' and s -> 'labels' ->> 'what' like 'dial:%'), 0, 'which are not dials');
select public.webhook_keep('vapi', :'org', 'organization', 'status-k', 't', null, 'status-none', '{}', '{"status":"ringing"}', 'moves') \g /dev/null
select is(tests.metric('webhooks_pending', '{"state":"waiting"}'), (select count(*) from public.webhook_events where state = 'waiting')::numeric, 'and events that wait');
select public.webhook_count('vapi', 'status-chatter', 3);
select is(tests.metric('webhooks_counted_total', '{"type":"status-chatter"}'), 3::numeric, 'and those that are only counted');
select is(tests.metric('provider_cooling', '{"provider":"Status Vapi"}'), 0::numeric, 'a provider that is well');
select public.provider_cool(:'vapi', 'rate', 60, '');
select is(tests.metric('provider_cooling', '{"provider":"Status Vapi"}'), 1::numeric, 'and one that rests');
select is(api.schema_version() -> 'migrations' ->> 0, '0001_foundation', 'the migrations are told');
select tests.be_role('hookswitch_pump');
select lives_ok('select api.metrics()', 'the pump''s role may count');
select tests.be_role('hookswitch_webhook');
select throws_ok('select api.metrics()', '42501', null, 'the webhooks'' may not');

select * from finish();
rollback;
