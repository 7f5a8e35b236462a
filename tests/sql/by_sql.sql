-- by_sql.sql - the queue worked by SQL alone: the examples of the first documents, as written but for two ids.
begin;
select no_plan();

select gen_random_uuid() as user_uuid \gset
select tests.clear_road();
select tests.be_nobody();
insert into public.call_templates (name, is_public, assistant_id) values ('Reminder', true, 'assistant-1') returning id as template_uuid \gset
set local search_path = public;

-- ---- the four examples --------------------------------------------------------

INSERT INTO call_service_providers (name, provider_type, api_key, api_secret, base_url, max_concurrent_calls, priority)
   VALUES
     ('Vapi Production', 'vapi', 'your_vapi_key', 'your_vapi_secret', 'https://api.vapi.com', 10, 1),
     ('SynthFlow Production', 'synthflow', 'your_synthflow_key', 'your_synthflow_secret', 'https://api.synthflow.com', 10, 2);

INSERT INTO provider_availability (provider_id, current_calls, available_slots, status)
   SELECT id, 0, max_concurrent_calls, 'online'
   FROM call_service_providers
   WHERE is_active = TRUE;

SELECT schedule_call(
     :'user_uuid',
     :'template_uuid',
     'John Doe',
     '+15551234567',
     'john@example.com',
     CURRENT_TIMESTAMP + INTERVAL '1 hour',
     3, -- priority
     '{"company_name": "Acme Inc"}', -- custom variables
     '{"source": "web_app"}' -- metadata
   ) as call \gset

   -- Get next call
   WITH next_call AS (
     SELECT * FROM get_next_call_in_queue()
   ),
   best_provider AS (
     SELECT get_best_available_provider() AS provider_id
   )
   SELECT assign_call_to_provider(next_call.queue_id, best_provider.provider_id)
   FROM next_call, best_provider
   WHERE next_call.queue_id IS NOT NULL AND best_provider.provider_id IS NOT NULL \g /dev/null

select is((tests.queue(:'call')).status, 'queued', 'a call in an hour is not assigned now');
select results_eq(format('select recipient_name, priority, custom_variables, metadata, due_at from call_queue where id = %L', :'call'),
                  $$select 'John Doe', 3, '{"company_name": "Acme Inc"}'::jsonb, '{"source": "web_app"}'::jsonb, current_timestamp + interval '1 hour'$$, 'it waits as it was scheduled');
select is((select queue_id from get_next_call_in_queue()), null, 'so long nothing is next');
update call_queue set due_at = clock_timestamp() where id = :'call';
select is((select queue_id from get_next_call_in_queue()), :'call'::uuid, 'when its time comes it is next');
select is((select name from call_service_providers where id = get_best_available_provider()), 'Vapi Production', 'the best provider is the first in order');

   WITH next_call AS (
     SELECT * FROM get_next_call_in_queue()
   ),
   best_provider AS (
     SELECT get_best_available_provider() AS provider_id
   )
   SELECT assign_call_to_provider(next_call.queue_id, best_provider.provider_id) as attempt
   FROM next_call, best_provider
   WHERE next_call.queue_id IS NOT NULL AND best_provider.provider_id IS NOT NULL \gset

select is((tests.queue(:'call')).status, 'in-progress', 'it is assigned');
select is((tests.attempt(:'call')).id, :'attempt'::uuid, 'the answer is the attempt');
select is(public.calls_claim(10, 'a', 30) -> 'dials' -> 0 ->> 'assignment_id', :'attempt'::text, 'which the next pump turn dials');

-- ---- each function -----------------------------------------------------------------

select id as vapi from call_service_providers where name = 'Vapi Production' \gset
select id as flow from call_service_providers where name = 'SynthFlow Production' \gset
select is(assign_call_to_provider(:'call', :'vapi'), null, 'a call that is assigned is not assigned again');
select is(assign_call_to_provider(gen_random_uuid(), :'vapi'), null, 'nor one that does not exist');
select schedule_call(:'user_uuid', :'template_uuid', 'n', '+15551234567') as call \gset
select is(assign_call_to_provider(:'call', gen_random_uuid()), null, 'nor to nobody');
select throws_ok(format('select assign_call_to_provider(%L, %L)', :'call', :'flow'), 'PT422', 'template_no_target', 'nor to a provider that cannot say it');
select is((tests.queue(:'call')).status, 'queued', 'which leaves it where it was');
update call_service_providers set max_concurrent_calls = 1 where id = :'vapi';
select is(assign_call_to_provider(:'call', :'vapi'), null, 'nor where no place is free');
select is(get_best_available_provider(), :'flow'::uuid, 'the best provider is one with a free place');
update call_service_providers set max_concurrent_calls = 10 where id = :'vapi';
update organizations set max_concurrent_calls = 1 where id = (tests.queue(:'call')).organization_id;
select is(assign_call_to_provider(:'call', :'vapi'), null, 'nor beyond the organization''s cap');
update organizations set max_concurrent_calls = null where id = (tests.queue(:'call')).organization_id;

select ok(not complete_call(:'call'), 'a call that waits cannot be completed');
select ok(not handle_failed_call(:'call'), 'nor fail');
select assign_call_to_provider(:'call', :'vapi') \g /dev/null
select ok(complete_call(:'call', 61, 'AI: Hi.', 'https://r.test/1'), 'a live call is completed by hand');
select results_eq(format('select status, duration_seconds, ended_reason from calls where id = %L', :'call'), $$values ('completed', 61, 'completed')$$, 'with its length');
select results_eq(format('select kind, quantity from usage_entries where call_id = %L order by 1', :'call'), $$values ('calls', 1::numeric), ('seconds', 61::numeric)$$, 'its usage');
select is((select transcript from call_history where id = :'call'), 'AI: Hi.', 'its transcript');
select is((select recording_url from call_history where id = :'call'), 'https://r.test/1', 'and its recording');
select ok(not complete_call(:'call'), 'once');
select ok(not handle_failed_call(:'call'), 'and it does not fail afterwards');
select is((select count(*)::integer from call_assignments where call_id = :'call' and state in ('leased', 'sent', 'accepted', 'unknown')), 0, 'no place stays taken');

insert into call_queue (user_id, template_id, recipient_number, max_attempts) values (:'user_uuid', :'template_uuid', '+15550100001', 2) returning id as call \gset
select assign_call_to_provider(:'call', :'vapi') \g /dev/null
select ok(handle_failed_call(:'call', 'nobody home'), 'a live call fails by hand');
select results_eq(format('select status, attempts, retry_count, last_error from call_queue where id = %L', :'call'), $$values ('queued', 1, 1, 'nobody home')$$, 'it is dialled again later');
select is((select count(*)::integer from call_retries where call_id = :'call'), 1, 'with its row among the retries');
update call_queue set due_at = clock_timestamp() where id = :'call';
select assign_call_to_provider(:'call', :'vapi') \g /dev/null
select ok(handle_failed_call(:'call'), 'the last attempt');
select is((tests.record(:'call')).status || ' ' || (tests.record(:'call')).ended_reason, 'failed failed', 'has failed');
select is((tests.record(:'call')).attempts, 2, 'after two attempts');

select * from finish();
rollback;
