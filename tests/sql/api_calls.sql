-- api_calls.sql - /api/v1/calls: each operation works, is refused for a stranger, in the wrong state, and twice.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as org \gset
select tests.organization('Bob', :'bob') as other \gset
select tests.provider('Calls Vapi', 'vapi', 1000) as vapi \gset
select tests.template(:'org') as template \gset
-- The field that an error names.
create function tests.hint_of(p_sql text) returns text language plpgsql as $$
declare
    v_hint text;
begin
    execute p_sql;
    return null;
exception when others then
    get stacked diagnostics v_hint = pg_exception_hint;
    return v_hint;
end
$$;
select tests.be(:'alice');

-- ---- create ------------------------------------------------------------------

select api.call_create('+15550100001', :'template', 'John', 'j@x.test', '2099-01-02T03:04:05Z', 1, '{"a":1}', '{"b":2}', null, null, 4, '2099-01-03T00:00:00Z') as made \gset
select :'made'::jsonb ->> 'id' as call \gset
select is(:'made'::jsonb - '{id,created_at,updated_at}'::text[], jsonb_build_object('organization_id', :'org', 'user_id', :'alice', 'direction', 'outbound', 'status', 'queued',
    'progress', null, 'recipient_number', '+15550100001', 'recipient_name', 'John', 'recipient_email', 'j@x.test', 'from_number', null, 'template_id', :'template',
    'voice_id', null, 'caller_number_id', null, 'phone_number_id', null, 'assistant_id', null, 'provider_type', null, 'provider_call_id', null, 'priority', 1, 'scheduled_time', '2099-01-02T03:04:05.000Z', 'attempts', 0,
    'retry_of', null, 'custom_variables', '{"a":1}'::jsonb, 'metadata', '{"b":2}'::jsonb, 'started_at', null, 'ended_at', null, 'duration_seconds', null, 'ended_reason', null,
    'cost_cents', null, 'admission', null, 'due_at', '2099-01-02T03:04:05.000Z', 'expires_at', '2099-01-03T00:00:00.000Z', 'max_attempts', 4, 'cancel_requested_at', null), 'a call is created and shown whole');
select throws_ok(format('select api.call_create(''5551234'', %L)', :'template'), 'PT422', 'number_invalid', 'what cannot be dialled is refused');
select is((select count(*)::integer from public.calls), 1, 'and leaves nothing');

select api.call_create_many(jsonb_build_array(jsonb_build_object('recipient_number', '+15550100002', 'template_id', :'template'),
    jsonb_build_object('recipient_number', '+15550100003', 'template_id', :'template'))) as many \gset
select is((select array_agg(c ->> 'recipient_number' order by i) from jsonb_array_elements(:'many'::jsonb -> 'data') with ordinality x(c, i)), '{+15550100002,+15550100003}', 'many are created in their order');
select is(tests.error_of(format('select api.call_create_many(%L)', jsonb_build_array(jsonb_build_object('recipient_number', '+15550100002', 'template_id', :'template'),
    jsonb_build_object('recipient_number', 'x', 'template_id', :'template')))), 'PT422 number_invalid', 'one that is wrong');
select is((select count(*)::integer from public.calls), 3, 'refuses all');
select is(tests.hint_of(format('select api.call_create_many(%L)', jsonb_build_array(jsonb_build_object('recipient_number', '+15550100002', 'template_id', :'template'),
    jsonb_build_object('recipient_number', 'x', 'template_id', :'template')))), 'calls.1.recipient_number', 'and is named');
select tests.be(:'bob');
select throws_ok(format('select api.call_create(''+15550100001'', %L)', :'template'), 'PT422', 'template_not_found', 'a stranger''s template does not exist');

-- ---- get, list --------------------------------------------------------------------

select throws_ok(format('select api.call_%s(%L)', f, :'call'), 'PT404', 'call_not_found', format('%s: a stranger''s call does not exist', f))
  from unnest('{get,cancel,retry,transcript,actions,recording}'::text[]) f;
select throws_ok(format('select api.call_reschedule(%L, now())', :'call'), 'PT404', 'call_not_found', 'reschedule: nor here');
select is(api.call_list(), '{"data":[],"next_cursor":null}', 'a stranger''s list is empty');
select is(api.call_stats() ->> 'total', '0', 'his numbers nought');
select is(api.queue_status() ->> 'queued', '0', 'and his queue too');
select tests.be(:'alice');
select is(api.call_get(:'call') ->> 'recipient_name', 'John', 'one''s own call is shown');
select throws_ok(format('select api.call_get(%L)', gen_random_uuid()), 'PT404', 'call_not_found', 'one that never was is not');

select is((select array_agg(c ->> 'recipient_number' order by i) from jsonb_array_elements(api.call_list() -> 'data') with ordinality x(c, i)),
          (select array_agg(to_number order by created_at desc, id desc) from public.calls), 'the list is newest first');
select api.call_list(p_limit => 2) as page \gset
select is(jsonb_array_length(:'page'::jsonb -> 'data'), 2, 'a page holds as many as were asked for');
select is((select array_agg(c ->> 'id' order by i) from jsonb_array_elements((:'page'::jsonb -> 'data') || (api.call_list(p_limit => 2, p_after => :'page'::jsonb ->> 'next_cursor') -> 'data')) with ordinality x(c, i)),
          (select array_agg(id::text order by created_at desc, id desc) from public.calls), 'the next page goes on behind it, with none twice or missing');
select is(api.call_list(p_limit => 2, p_after => :'page'::jsonb ->> 'next_cursor') ->> 'next_cursor', null, 'the last page says so');
select is(api.call_list(p_limit => 3) ->> 'next_cursor', null, 'also when it is just full');
select throws_ok(format('select api.call_list(p_after => %L)', c), 'PT400', 'bad_cursor', format('%L is no cursor', c)) from unnest('{x,MTIz,%%%,""}'::text[]) c;
select is(jsonb_array_length(api.call_list(p_recipient_number => '+15550100002') -> 'data'), 1, 'filtered by number');
select is(jsonb_array_length(api.call_list(p_template_id => gen_random_uuid()) -> 'data'), 0, 'by template');
select is(jsonb_array_length(api.call_list(p_status => 'queued') -> 'data'), 3, 'by status');
select is(jsonb_array_length(api.call_list(p_direction => 'inbound') -> 'data'), 0, 'by direction');
select is(jsonb_array_length(api.call_list(p_created_from => now() + interval '1 hour') -> 'data'), 0, 'from a time');
select is(jsonb_array_length(api.call_list(p_created_to => now() - interval '1 hour') -> 'data'), 0, 'to a time');

-- ---- reschedule, cancel -------------------------------------------------------------

select is(api.call_reschedule(:'call', '2099-02-02T00:00:00Z') ->> 'due_at', '2099-02-02T00:00:00.000Z', 'a waiting call is moved to another time');
select is(api.call_get(:'call') ->> 'expires_at', '2099-02-02T20:55:55.000Z', 'and keeps its patience');
select is(api.call_get(:'call') ->> 'scheduled_time', '2099-02-02T00:00:00.000Z', 'the call shows it');
select is(api.call_cancel(:'call') ->> 'status', 'canceled', 'a waiting call is canceled');
select throws_ok(format('select api.call_cancel(%L)', :'call'), 'PT409', 'call_ended', 'once');
select throws_ok(format('select api.call_reschedule(%L, now())', :'call'), 'PT409', 'call_not_queued', 'a canceled call is not moved');

-- ---- a call's whole way, and its retry ---------------------------------------------------

select api.call_create('+15550100009', :'template', p_custom_variables => '{"x":1}') ->> 'id' as call \gset
select throws_ok(format('select api.call_retry(%L)', :'call'), 'PT409', 'call_not_ended', 'a call that is not over is not retried');
select throws_ok(format('select api.call_transcript(%L)', :'call'), 'PT404', 'transcript_not_found', 'it has no transcript yet');
select throws_ok(format('select api.call_recording(%L)', :'call'), 'PT404', 'recording_not_found', 'nor a recording');
select is(api.call_actions(:'call'), '{"data":[],"next_cursor":null}', 'nor actions');
select tests.be_nobody();
select tests.accepted(:'call', 'api-1') as attempt \gset
update public.call_queue set due_at = now() where status = 'queued'; -- the time of one transaction stands still
select tests.be(:'alice');
select throws_ok(format('select api.call_reschedule(%L, now())', :'call'), 'PT409', 'call_not_queued', 'a live call is not moved');
select is(api.queue_status() - 'oldest_due_at', '{"queued":2,"due":2,"scheduled":0,"in_progress":1,"waiting_for":{}}', 'the queue is counted');
select tests.be_nobody();
select tests.report(:'attempt', tests.ended('customer-ended-call') || '{"transcript":"AI: Hi.","summary":"Greeted.","messages":[{"role":"bot"},"noise",null],"recording_url":"https://r.test/1","cost_cents":10}') \g /dev/null
insert into public.call_actions (call_id, call_created_at, organization_id, action_type) select id, created_at, organization_id, 'transfer' from public.calls where id = :'call';
select tests.be(:'alice');
select is(api.call_transcript(:'call'), jsonb_build_object('call_id', :'call', 'transcript', 'AI: Hi.', 'segments', '[{"role":"bot"}]'::jsonb, 'summary', 'Greeted.', 'extracted_data', null), 'then its transcript is there, in parts that are objects');
select is(api.call_recording(:'call'), jsonb_build_object('provider_type', 'vapi', 'base_url', 'http://127.0.0.1:1', 'api_key', 'sealed:x', 'provider_call_id', 'api-1',
    'recording_url', 'https://r.test/1', 'timeout_ms', null, 'assignment_id', :'attempt'::uuid), 'what the program asks the provider for its recording');
select is(api.call_actions(:'call') -> 'data' -> 0 ->> 'action_type', 'transfer', 'and its actions');
select is(api.call_stats() - '{from,to}'::text[], '{"total":4,"completed":1,"failed":0,"canceled":1,"expired":0,"queued":2,"in_progress":0,"attempts":1,"duration_seconds":65,
    "average_duration_seconds":65.0,"cost_cents":10,"ended_reasons":{"canceled":1,"customer-ended-call":1}}', 'the numbers count them all');
select api.call_retry(:'call') as again \gset
select is(:'again'::jsonb ->> 'retry_of', :'call'::text, 'a retry is a new call that names the old one');
select is((:'again'::jsonb ->> 'recipient_number') || (:'again'::jsonb ->> 'custom_variables'), '+15550100009{"x": 1}', 'and says the same to the same');
select isnt(:'again'::jsonb ->> 'id', :'call'::text, 'under its own id');
select is(api.call_create('+15550100009', :'template') ->> 'retry_of', null, 'the next new call is no retry');

select tests.be(:'bob');
select throws_ok(format('select api.call_%s(%L)', f, :'call'), 'PT404', 'call_not_found', format('%s: a stranger sees nothing of it either', f))
  from unnest('{get,cancel,retry,transcript,actions,recording}'::text[]) f;

-- A retry that had to wait shows its redials.
select tests.be_nobody();
select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'api-2') as attempt \gset
select tests.report(:'attempt', tests.ended('customer-busy', false)) \g /dev/null
select tests.be(:'alice');
select is(api.call_get(:'call') -> 'retries' -> 0 ->> 'reason', 'customer-busy', 'a call shows why it is dialled again');

select * from finish();
rollback;
