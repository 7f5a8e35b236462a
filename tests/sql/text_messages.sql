-- text_messages.sql - events of Twilio: texts that come in and go out, and calls that nobody else takes.
begin;
select no_plan();

select tests.organization('Texts') as org, tests.organization('Others') as other \gset
insert into public.phone_numbers (organization_id, phone_number, origin, status, provider_sid, capabilities)
values (:'org', '+12025550100', 'chosen', 'active', 'PN1', '{"SMS":true}') returning id as number \gset
insert into public.phone_numbers (organization_id, phone_number, origin, status, provider_sid)
values (:'other', '+12025550100', 'chosen', 'released', 'PN0'), (:'other', '+12025550111', 'manual', 'active', null);

create function tests.twilio(p_key text, p_facts jsonb, p_type text default 'x') returns text language sql as $$
    select public.twilio_keep(p_key, p_type, p_facts, 'raw ' || p_key) ->> 'state'
$$;
create function tests.sms(p_sid text, p_body text, p_more jsonb default '{}') returns text language sql as $$
    select tests.twilio(p_sid || ':received', jsonb_build_object('kind', 'sms', 'sid', p_sid, 'from', '+15550100077', 'to', '+12025550100', 'body', p_body,
        'media', '[]'::jsonb) || p_more)
$$;
create function tests.message(p_sid text, p_status text, p_error text default null) returns text language sql as $$
    select tests.twilio(p_sid || ':' || p_status, jsonb_build_object('kind', 'message', 'sid', p_sid, 'status', p_status, 'error_code', p_error))
$$;
create function tests.voice(p_sid text, p_more jsonb default '{}') returns jsonb language sql as $$
    select public.twilio_keep(p_sid || ':voice' || p_more::text, 'voice', jsonb_build_object('kind', 'voice', 'sid', p_sid, 'from', '+15550100077', 'to', '+12025550100')
        || p_more, 'raw')
$$;

-- ---- what a word means ---------------------------------------------------------------

select is(public.sms_keyword(w), 'stop', format('%L is STOP', w))
  from unnest(array['STOP', ' stop ', E'Stopall\r\n', 'UNSUBSCRIBE', 'cancel', 'End', 'quit', 'OPTOUT', 'revoke']) w;
select is(public.sms_keyword(w), 'start', format('%L is START', w)) from unnest(array['START', 'yes', E'\tUnstop']) w;
select is(public.sms_keyword(w), 'help', format('%L is HELP', w)) from unnest(array['HELP', 'info']) w;
select is(public.sms_keyword(w), null, format('%L is any message', w)) from unnest(array[null, '', 'stop it', 'STOP.', 's top', 'no']) w;

-- ---- in --------------------------------------------------------------------------------

select is(tests.sms('SM1', 'Hello'), 'applied', 'a text to a number is taken');
select is(tests.sms('SM1', 'Hello'), 'duplicate', 'once');
select is((select jsonb_build_array(organization_id, phone_number_id, direction, from_number, to_number, body, status, keyword, provider) from public.text_messages),
          jsonb_build_array(:'org', :'number', 'inbound', '+15550100077', '+12025550100', 'Hello', 'received', null, 'twilio'), 'it is the organization''s whose number it is');
select is((select jsonb_build_array(provider, organization_id, signer, type, provider_call_id, state, report, body) from public.webhook_events),
          jsonb_build_array('twilio', :'org', 'installation', 'x', 'SM1', 'applied', null, 'raw SM1:received'), 'and is kept raw');
select is((select array_agg(type) from public.events where organization_id = :'org'), '{message.received}', 'and told');
select is(tests.sms('SM2', 'STOP', '{"to":"+12025550199"}'), 'kept', 'one to nobody is kept');
select is_empty('select from public.do_not_call', 'and stops nobody');
select is(tests.sms('SM3', 'STOP', '{"from":"12345"}'), 'applied', 'a sender that is no telephone cannot be called anyway');
select is_empty('select from public.do_not_call', 'so it is on no list');

select is(tests.sms('SM4', 'STOP'), 'applied', 'STOP is taken');
select results_eq('select organization_id, phone_number, reason from public.do_not_call', format($$values (%L::uuid, '+15550100077', 'sms_stop')$$, :'org'),
                  'and is on that organization''s list');
select is(tests.sms('SM5', 'START', '{"to":"+12025550111"}'), 'applied', 'START to another organization');
select is((select count(*)::integer from public.do_not_call), 1, 'takes nothing from that list');
select is(tests.sms('SM6', 'Yes'), 'applied', 'START to the same');
select is_empty('select from public.do_not_call', 'does');
insert into public.do_not_call (organization_id, phone_number, reason) values (:'org', '+15550100077', 'by hand');
select tests.sms('SM7', 'stop'), tests.sms('SM8', 'start') \g /dev/null
select is((select reason from public.do_not_call), 'by hand', 'what a person wrote stays');
delete from public.do_not_call;
select is((select array_agg(type order by created_at, id::text) filter (where type like 'message.opted%') from public.events where organization_id = :'org') @> '{message.opted_out,message.opted_in}',
          true, 'only what changed the list was told as such');
select is((select count(*)::integer from public.events where type like 'message.opted%'), 2, 'each once');

-- ---- out -------------------------------------------------------------------------------

select is(public.sms_sender(:'org', '+12025550100'), :'number'::uuid, 'a number that can text is a sender');
select is(public.sms_sender(:'other', '+12025550100'), null, 'of its organization alone');
select is(public.sms_send('a', '+15550100088', 'Hi', :'org', '+12025550100'), true, 'a text is asked for from it');
select is(public.sms_send('b', '+15550100088', 'Hi', :'other', '+12025550100'), false, 'and from no other''s');
select is((select jsonb_build_array(direction, phone_number_id, from_number, to_number, status, provider_sid) from public.text_messages where run_id = 'sms:a'),
          jsonb_build_array('outbound', :'number', '+12025550100', '+15550100088', 'queued', null), 'it is a row at once');
select is((select input ->> 'from' from public.workflow_runs where id = 'sms:a'), '+12025550100', 'and the run knows the sender');

select is(tests.message('SMa', 'sent'), 'waiting', 'a status that comes before the answer waits');
select is(tests.message('SMa', 'sending'), 'waiting', 'like one before it');
select public.sms_sent('{"id":"sms:a","result":{"id":"SMa","status":"queued"}}') \g /dev/null
select is((select status from public.text_messages where provider_sid = 'SMa'), 'sent', 'and is applied with it, by rank');
select is((select array_agg(state::text order by id) from public.webhook_events where provider_call_id = 'SMa'), '{applied,ignored}', 'nothing waits any more');
select is(tests.message('SMa', 'queued'), 'ignored', 'nothing goes back');
select is(tests.message('SMa', 'undelivered', '30003'), 'applied', 'forward it goes');
select is(tests.message('SMa', 'delivered'), 'ignored', 'and the first end is the end');
select is(tests.message('SMa', 'surprised'), 'unknown', 'a word that we do not know changes nothing');
select is((select jsonb_build_array(status, error_code) from public.text_messages where provider_sid = 'SMa'), '["undelivered","30003"]', 'with its code');
select is((select data ->> 'error_code' from public.events where type = 'message.updated'), '30003', 'which is told');
select is(tests.message('SM1', 'delivered'), 'ignored', 'what came in is not moved by what is told of what goes out');

select public.sms_send('c', '+15550100088', 'Hi', :'org') \g /dev/null
select public.sms_sent('{"id":"sms:c","result":{"id":"SMa","status":"queued"}}') \g /dev/null
select is((select jsonb_build_array(status, provider_sid) from public.text_messages where run_id = 'sms:c'), '["queued",null]', 'a message that was found for two is the first one''s');
select public.sms_send('d', '+15550100088', 'Hi', :'org') \g /dev/null
update public.workflow_runs set state = 'working', due_at = now() where id = 'sms:d';
update public.workflow_runs set state = 'failed', last_error = 'send: twilio_21610', finished_at = now(), due_at = null where id = 'sms:d';
select is((select jsonb_build_array(status, error_code) from public.text_messages where run_id = 'sms:d'), '["failed","twilio_21610"]', 'what is never sent says so');
select public.sms_sent('{"id":"sms:d","result":{"id":"SMd","status":"accepted"}}') \g /dev/null
select is((select jsonb_build_array(status, error_code) from public.text_messages where run_id = 'sms:d'), '["accepted",null]', 'until it is, after all');

-- ---- calls ------------------------------------------------------------------------------

select is(tests.voice('CA1'), '{"state":"waiting","answer":{"record":true}}', 'a call in need is asked for a message');
select is((select jsonb_build_array(organization_id, direction, status, phone_number_id, provider_type, provider_call_id) from public.calls),
          jsonb_build_array(:'org', 'inbound', 'in-progress', :'number', 'twilio', 'CA1'), 'and is a call');
update public.phone_numbers set forward_to = '+15550100088' where id = :'number';
select is(tests.voice('CA1'), '{"state":"duplicate","answer":{"dial":"+15550100088","caller_id":"+15550100077"}}', 'a copy is answered as things stand');
select is(tests.voice('CA2', '{"from":"anonymous"}') -> 'answer' ->> 'caller_id', '+12025550100', 'a caller without a number is shown as ours');
select is(tests.voice('CA3', '{"from":"+15550100088"}') -> 'answer', '{"record":true}', 'nobody is put through to himself');
select is(tests.voice('CA2', '{"dialed":"completed"}') -> 'answer', '{"hangup":true}', 'who was put through is done');
select is(tests.voice('CA9', '{"dialed":"busy"}'), '{"state":"waiting","answer":{"record":true}}', 'an answer whose call is not known yet waits');
update public.phone_numbers set forward_when = 'never' where id = :'number';
select is(tests.voice('CA4') -> 'answer', '{"record":true}', 'never is never');
update public.phone_numbers set wanted = 'paused' where id = :'number';
select is(tests.voice('CA5'), '{"state":"kept","answer":{"reject":true}}', 'a number that shall be paused takes no calls');
select is(tests.voice('CA6', '{"to":"+12025550199"}') -> 'answer', '{"reject":true}', 'nor does nobody''s');
update public.phone_numbers set wanted = 'active' where id = :'number';

select is(tests.twilio('RE1:taken', '{"kind":"recording","sid":"CA1","status":"taken","url":"https://x/1","duration":"9"}'), 'applied', 'a message is taken');
select is(tests.twilio('RE1:completed', '{"kind":"recording","sid":"CA1","status":"completed","url":"https://x/1","duration":"9"}'), 'ignored', 'once');
select is(tests.twilio('RE2:taken', format('{"kind":"recording","sid":"CA3","status":"taken","url":%s,"duration":"%s"}', u, d)::jsonb), s, format('%s of %s seconds', u, d))
  from (values ('"javascript:x"', 9, 'ignored')) x(u, d, s);
select is(tests.twilio('RE3:absent', '{"kind":"recording","sid":"CA3","status":"absent","url":"https://x/1"}'), 'ignored', 'none is none');
select is(tests.twilio('CA1:completed', '{"kind":"call","sid":"CA1","status":"completed","to":"+12025550100","duration":"31"}'), 'applied', 'the end is the end');
select is((select jsonb_build_array(status, ended_reason, duration_seconds, progress) from public.calls where provider_call_id = 'CA1'),
          '["completed","assistant_down",31,"in-progress"]', 'of a call that was taken');
select is((select state::text from public.webhook_events where key = 'CA1:voice{}'), 'applied', 'and its first event waits no longer');
select is(tests.twilio('CA7:completed', '{"kind":"call","sid":"CA7","status":"completed","to":"+12025550100"}'), 'kept', 'a call of the voice provider is kept');
select is((select organization_id from public.webhook_events where key = 'CA7:completed'), :'org'::uuid, 'for its organization');

-- ---- who may ----------------------------------------------------------------------------

select tests.be_role('hookswitch_webhook');
select is(tests.sms('SM9', 'Hello'), 'applied', 'the webhook''s role keeps');
select throws_ok($$select public.twilio_apply('{}')$$, '42501', null, 'and applies nothing by itself');
select throws_ok($$select * from public.text_messages$$, '42501', null, 'nor reads texts');
reset role;
select tests.be_role('hookswitch_api');
select throws_ok($$select public.twilio_keep('x', 'x', '{}', '')$$, '42501', null, 'the API keeps no events of Twilio');
select throws_ok($$select public.sms_received('{}')$$, '42501', null, 'and takes no texts');
reset role;

select * from finish();
rollback;
