-- number_sweep.sql - Twilio's and Vapi's lists against our rows: what is an orphan, a stranger, lost, set otherwise; what is done about it, and when not.
begin;
set local client_min_messages = warning;
select no_plan();

-- What is others' is only counted here.
create table tests.asked (what text, whom text);
grant insert on tests.asked to public;
grant usage on schema tests to public;
drop function if exists public.number_sync(uuid);
drop function if exists public.assistant_start(public.assistants);
create function public.number_sync(p_number uuid) returns void language sql as $$ insert into tests.asked values ('sync', p_number) $$;
create function public.assistant_start(a public.assistants) returns text language sql as $$ insert into tests.asked values ('assistant', a.id) returning '' $$;

select tests.organization('Numbers') as org \gset
update public.call_service_providers set is_active = false where provider_type = 'vapi';
insert into public.call_service_providers (id, name, provider_type, priority, is_active)
values ('aaaaaaaa-0000-4000-8000-000000000001', 'sweep', 'vapi', 1, true);
update public.number_policy set enabled = true, orphans = 'release', drift = 'mend';
insert into public.workflow_runs (id, workflow, created_at) values ('number-sweep:t', 'number-sweep', now());
insert into public.workflow_runs (id, workflow, state, due_at) values ('phone-number:busy', 'phone-number', 'ready', now());
\set vapi 'aaaaaaaa-0000-4000-8000-000000000001'

-- Ours: one that is as it should be, unless said otherwise.
create function tests.number(p_n integer, p jsonb default '{}') returns uuid language sql as $$
    insert into public.phone_numbers (id, organization_id, phone_number, provider_sid, voice_number_id, provider_id, linked_assistant, status, origin, run_id, updated_at)
    select ('0000000' || p_n || '-0000-4000-8000-000000000000')::uuid, o.id, '+1212555100' || p_n, 'PN' || p_n, 'v' || p_n,
           'aaaaaaaa-0000-4000-8000-000000000001', 'a1', coalesce(p ->> 'status', 'active'), coalesce(p ->> 'origin', 'automatic'), p ->> 'run', now()
      from public.organizations o where o.name = 'Numbers' returning id
$$;
-- Theirs.
create function tests.twilio(p_n integer, p jsonb default '{}') returns jsonb language sql as $$
    select jsonb_strip_nulls(jsonb_build_object('id', 'PN' || p_n, 'number', '+1212555100' || p_n, 'name', 'hookswitch:0000000' || p_n || '-0000-4000-8000-000000000000',
        'sms_url', 'https://api.example.com/sms', 'status_callback', 'https://api.example.com/status', 'voice_fallback_url', 'https://api.example.com/voice',
        'created', 'Mon, 21 Sep 2020 13:33:20 +0000') || p)
$$;
create function tests.vapi(p_n integer, p jsonb default '{}') returns jsonb language sql as $$
    select jsonb_strip_nulls(jsonb_build_object('id', 'v' || p_n, 'number', '+1212555100' || p_n, 'name', 'hs:0000000' || p_n, 'assistant', 'a1',
        'server_url', 'https://api.example.com/vapi/' || o.id, 'created', '2020-01-01T00:00:00.000Z') || p) from public.organizations o where o.name = 'Numbers'
$$;
-- A page comes; answers the directive.
create function tests.page(p_list text, p_items jsonb, p jsonb default '{}', p_in jsonb default '{}') returns jsonb language sql as $$
    select public.number_sweep_page(jsonb_build_object('id', 'number-sweep:t',
        'input', jsonb_build_object('phase', 'list', 'list', p_list, 'began', clock_timestamp()) || p_in,
        'result', jsonb_build_object('items', p_items, 'account', 'AC1', 'base', 'https://api.example.com/vapi/', 'urls', jsonb_build_object(
            'sms', 'https://api.example.com/sms', 'status', 'https://api.example.com/status', 'voice', 'https://api.example.com/voice')) || p))
$$;
create function tests.list(p_list text, variadic p_items jsonb[] default '{}') returns jsonb language plpgsql as $$
begin
    delete from public.number_sweep_items;
    return tests.page(p_list, coalesce((select jsonb_agg(e) from unnest(p_items) e), '[]'));
end
$$;
create function tests.open(out text) language sql as $$
    select string_agg(provider || ' ' || kind || ' ' || external_id, ', ' order by provider, kind, external_id) from public.number_differences where resolved_at is null
$$;
create function tests.asked(out text) language sql as $$
    with gone as (delete from tests.asked returning what) select string_agg(what, ', ' order by what) from gone
$$;
create procedure tests.clear() language sql as $$
    delete from public.number_differences; delete from public.phone_numbers; delete from public.assistants; delete from tests.asked
$$;
create function tests.one(p_item jsonb, p_list text default 'twilio') returns text language plpgsql as $$
begin
    delete from public.number_differences;
    perform tests.list(p_list, p_item);
    return (select string_agg(kind, ',' order by kind) from public.number_differences where resolved_at is null);
end
$$;

create function tests.again(p jsonb) returns jsonb language sql as $$ select (p -> 'again') - 'began'::text $$;

-- ---- the order of lists -----------------------------------------------------------

create function tests.prepare(p_input jsonb) returns jsonb language sql as $$
    select public.number_sweep_prepare(jsonb_build_object('id', 'number-sweep:t', 'input', p_input))
$$;
select is(tests.again(tests.prepare('{}')), '{"phase":"list","list":"twilio"}', 'Twilio''s list is the first');
select is(tests.prepare('{"slot":"x"}') #>> '{again,list}', 'twilio', 'also of a slot');
select is(tests.prepare('{"phase":"list","list":"twilio"}'), '{"prepared":{"system":"twilio","what":"numbers","path":"/IncomingPhoneNumbers.json"}}', 'it is asked for');
select is(public.number_sweep_next('twilio') #>> '{again,list}', 'vapi_numbers:' || :'vapi', 'then Vapi''s numbers');
select is(public.number_sweep_next('vapi_numbers:' || :'vapi') #>> '{again,list}', 'vapi_assistants:' || :'vapi', 'then its assistants');
select is(public.number_sweep_next('vapi_assistants:' || :'vapi'), '{"again":{"phase":"look"}}', 'then what was missed is looked up');
select is(tests.prepare(jsonb_build_object('phase', 'list', 'list', 'vapi_numbers:' || :'vapi', 'before', '2026')) -> 'prepared' ->> 'path',
          '/phone-number?limit=500&createdAtLe=2026', 'a page goes on behind the last one');
select is(tests.prepare(jsonb_build_object('phase', 'list', 'list', 'vapi_numbers:' || :'org')) #>> '{again,phase}', 'look', 'an account that is gone is passed over');
select is(tests.prepare('{"phase":"look"}'), '{"again":{"phase":"release"}}', 'nothing is missed');
select is(tests.prepare('{"phase":"release"}'), '{"again":{"phase":"settle"}}', 'nothing is released');
select is(tests.prepare('{"phase":"settle"}'), '{"done":true}', 'and that was all');

-- ---- pages ------------------------------------------------------------------------

select tests.number(1) as one \gset
select tests.number(2) as two \gset
select is(tests.again(tests.page('twilio', jsonb_build_array(tests.twilio(1)), '{"next":"/x"}')), '{"phase":"list","list":"twilio","next":"/x","n":1}',
          'the next page is asked for');
select is(tests.open(), null, 'a list that is not whole proves nothing');
select is(tests.page('twilio', jsonb_build_array(tests.twilio(1)), '{"next":"/y"}', '{"n":1}'), '{"fail":"list_not_whole"}', 'a page that brings nothing new is none');
select is(tests.page('twilio', jsonb_build_array(tests.twilio(2)), '{}', '{"n":1}') #>> '{again,list}', 'vapi_numbers:' || :'vapi', 'the last page ends it');
select is(tests.open(), null, 'both are there');
select is(tests.again(tests.page('twilio', '[]', '{}', '{"n":7}')), '{"phase":"list","list":"twilio","restarts":1}', 'where pages are gone it begins anew');
select is(tests.again(tests.page('twilio', '[]', '{"absent":true}')), '{"phase":"list","list":"twilio","restarts":1}', 'also where the place is gone');
select is(tests.page('twilio', '[]', '{"absent":true}', '{"restarts":3}'), '{"fail":"list_not_whole"}', 'but not for ever');
select is(public.number_sweep_page('{"id":"number-sweep:t","input":{"phase":"list","list":"twilio"},"result":{}}'),
          '{"again":{"phase":"list","list":"twilio"},"sleep_seconds":1}', 'a page that was read and lost is read again');

-- ---- Twilio -----------------------------------------------------------------------

select tests.list('twilio', tests.twilio(1), tests.twilio(2), tests.twilio(3, '{"name":"by hand"}')) \g /dev/null
select is(tests.open(), 'twilio stranger PN3', 'a number without our mark is a stranger');
select tests.list('twilio', tests.twilio(1), tests.twilio(2), tests.twilio(3, '{"name":"by hand"}')) \g /dev/null
select is((select seen from public.number_differences), 2, 'each sweep sees it once');
select tests.list('twilio', tests.twilio(1), tests.twilio(2)) \g /dev/null
select is(tests.open(), null, 'when it has gone that is resolved');
select is(tests.one(tests.twilio(4)), 'lost,lost,orphan', 'one with our mark and no row is an orphan; ours that are missing are lost');
delete from public.phone_numbers where id = :'two';
select is(tests.one(tests.twilio(1)), null, 'all is well again');
select is(tests.one(tests.twilio(1, '{"sms_url":"https://elsewhere.example.com/"}')), 'drift', 'another address is drift');
select is((select array[ours ->> 'sms_url', theirs ->> 'sms_url', action] from public.number_differences),
          array['https://api.example.com/sms', 'https://elsewhere.example.com/', 'sync'], 'with what is ours and theirs');
select is(tests.asked(), 'sync', 'and is set again');
select is(tests.one(tests.twilio(1, '{"voice_fallback_url":null}')), 'drift', 'so is one that is not set');
select is(tests.one(tests.twilio(1, '{"name":"x"}')), 'drift', 'and a name without our mark');
select is(tests.asked(), 'sync, sync', 'each time it is seen');
update public.number_policy set drift = 'show';
select is(tests.one(tests.twilio(1, '{"name":"x"}')), 'drift', 'where it shall only be shown');
select is(tests.asked(), null, 'it is');
update public.number_policy set drift = 'mend';
update public.phone_numbers set run_id = 'phone-number:busy' where id = :'one';
select is(tests.one(tests.twilio(1, '{"name":"x"}')), null, 'what a run is at is passed over');
select is(tests.one(tests.twilio(5, '{"name":"by hand"}')), 'stranger', 'and is not lost');
update public.phone_numbers set run_id = 'phone-number:gone' where id = :'one';
select is(tests.one(tests.twilio(1, '{"name":"x"}')), 'drift', 'a run that is over is none');
update public.phone_numbers set status = 'released', run_id = null where id = :'one';
select is(tests.one(tests.twilio(1)), 'orphan', 'one whose row is released is an orphan');
select is(tests.one(tests.twilio(1, '{"name":"kept"}')), 'stranger', 'unless somebody has given it another name');
update public.phone_numbers set status = 'failed', provider_sid = null where id = :'one';
select is(tests.one(tests.twilio(1)), 'orphan', 'so is one whose purchase was given up');
update public.phone_numbers set status = 'buying', run_id = 'phone-number:busy' where id = :'one';
select is(tests.one(tests.twilio(1)), null, 'but not one that is being bought');
update public.phone_numbers set status = 'active', provider_sid = 'PN9', run_id = null where id = :'one';
select is(tests.one(tests.twilio(1)), 'double,lost', 'a second one of the same row is a double');
select is(tests.one(tests.twilio(4, '{"sms_url":"https://other.example.com/sms"}')), 'lost,stranger', 'another installation''s is a stranger');
update public.phone_numbers set twilio_account_sid = 'AC2' where id = :'one';
select is(tests.one(tests.twilio(4, '{"name":"x"}')), 'stranger', 'what is in another account is not missed');
update public.phone_numbers set twilio_account_sid = null, origin = 'manual', provider_sid = null where id = :'one';
select is(tests.one(tests.twilio(1, '{"name":"x"}')), null, 'a number that was written by hand is nobody''s stranger');
select is(tests.one(tests.twilio(4, '{"name":"x"}')), 'stranger', 'and is never lost');
update public.phone_numbers set provider_sid = 'PN7' where id = :'one';
select is(tests.one(tests.twilio(1, '{"name":"x"}')), null, 'whatever sid was written with it');
call tests.clear();

-- ---- lost -------------------------------------------------------------------------

select tests.number(1) as one \gset
create function tests.pick(p_phase text) returns uuid language sql as $$
    select (public.number_sweep_pick(p_phase, 'number-sweep:t') #>> '{again,id}')::uuid
$$;
create function tests.look(p_result jsonb) returns jsonb language sql as $$
    select public.number_sweep_look(jsonb_build_object('id', 'number-sweep:t', 'input', jsonb_build_object('phase', 'look', 'id', tests.pick('look')), 'result', p_result))
$$;
select tests.list('twilio') \g /dev/null
select is(public.number_sweep_look_prepare(jsonb_build_object('id', 'number-sweep:t', 'input', jsonb_build_object('id', tests.pick('look')))) #>> '{prepared,id}',
          'PN1', 'one that is missed is looked up by itself');
select is(tests.look('{"found":true}'), '{"again":{"phase":"look"}}', 'it is there');
select is((select status from public.phone_numbers), 'active', 'so it is not lost');
select is(tests.open(), null, 'and that is over');
select tests.list('twilio') \g /dev/null
select tests.look('{"refused":"twilio_20001"}') \g /dev/null
select is((select status || ' ' || tests.open() from public.phone_numbers), 'active twilio lost PN1', 'a refusal proves nothing');
select is(tests.pick('look'), null, 'and is not asked again by this sweep');
select tests.list('twilio') \g /dev/null
update public.phone_numbers set run_id = 'phone-number:busy';
select is(public.number_sweep_look_prepare(jsonb_build_object('id', 'number-sweep:t', 'input', jsonb_build_object('id', tests.pick('look')))),
          '{"again":{"phase":"look"}}', 'a run has come to be at it: passed over');
update public.phone_numbers set run_id = null;
select tests.list('twilio') \g /dev/null
select tests.look('{"absent":true}') \g /dev/null
select is((select array[status, release_reason] from public.phone_numbers), array['lost', 'taken_back'], 'it is gone');
select is((select count(*)::integer from public.phone_provision_logs where organization_id = :'org' and trigger_action = 'again'), 1,
          'what its organization shall have is looked at again');
select is((select count(*)::integer from public.events where type = 'number.lost'), 1, 'and that is told');
select is(tests.open(), null, 'the difference is over');
select is((select array[trigger_action, phone_number_id::text] from public.phone_provision_logs where trigger_action = 'lost' and organization_id = :'org'), array['lost', :'one'], 'it is in the log');
call tests.clear();

-- Many at once, and none that is there: another account, or another database.
insert into public.phone_numbers (organization_id, phone_number, provider_sid, status, origin)
select :'org', '+1415555' || (1000 + n), 'PNX' || n, 'active', 'automatic' from generate_series(1, 11) n;
select tests.list('twilio') \g /dev/null
select is(tests.open(), 'twilio lost twilio', 'said once');
select is(tests.pick('look'), null, 'and believed of none');
select is((select ours from public.number_differences), '{"count":11}', 'with how many');
select tests.list('twilio', tests.twilio(1, '{"id":"PNX1","number":"+14155551001","name":"x"}')) \g /dev/null
select is((select count(*)::integer from public.number_differences where kind = 'lost' and resolved_at is null), 10, 'where one is there the others are missed');
call tests.clear();

-- ---- orphans ----------------------------------------------------------------------

create function tests.twice(p_list text, variadic p_items jsonb[] default '{}') returns void language sql as $$
    select tests.list(p_list, variadic p_items), tests.list(p_list, variadic p_items)
$$;
create function tests.release(p_result jsonb) returns jsonb language sql as $$
    select public.number_sweep_release(jsonb_build_object('id', 'number-sweep:t', 'input', jsonb_build_object('phase', 'release', 'id', tests.pick('release')), 'result', p_result))
$$;
create function tests.prepared() returns jsonb language sql as $$
    select public.number_sweep_release_prepare(jsonb_build_object('id', 'number-sweep:t', 'input', jsonb_build_object('id', tests.pick('release'))))
$$;
select tests.list('twilio', tests.twilio(4)) \g /dev/null
select is(tests.pick('release'), null, 'an orphan that was seen once is left alone');
select tests.list('twilio', tests.twilio(4)) \g /dev/null
select is(tests.prepared() #>> '{prepared,id}', 'PN4', 'one that was seen twice is released');
update public.number_policy set orphans = 'show';
select is(tests.pick('release'), null, 'unless it shall only be shown');
update public.number_policy set orphans = 'release', enabled = false;
select is(tests.pick('release'), null, 'or nothing is done by itself');
update public.number_policy set enabled = true;
select is(tests.release('{"refused":"twilio_21631"}'), '{"again":{"phase":"release"}}', 'one that is refused');
select is(tests.open(), 'twilio orphan PN4', 'stays');
select is(tests.pick('release'), null, 'and does not stop the others');
select tests.list('twilio', tests.twilio(4)) \g /dev/null
select tests.release('{"gone":true}') \g /dev/null
select is(tests.open(), null, 'the next sweep tries again, and it is gone');
select tests.twice('twilio', tests.twilio(4, jsonb_build_object('created', now()))) \g /dev/null
select is(tests.pick('release'), null, 'a young one is left alone');
select tests.twice('twilio', tests.twilio(4, '{"created":"soon"}')) \g /dev/null
select is(tests.pick('release'), null, 'and one whose age nobody knows');
select tests.twice('twilio', tests.twilio(4)) \g /dev/null
select tests.number(4, '{"status":"buying","run":"phone-number:busy"}') \g /dev/null
select is(tests.prepared(), '{"again":{"phase":"release"}}', 'one that somebody buys by now is no orphan');
call tests.clear();
select tests.twice('twilio', variadic array(select tests.twilio(4, jsonb_build_object('id', 'PNO' || n)) from generate_series(1, 11) n)) \g /dev/null
select is(tests.pick('release'), null, 'many at once, and none of ours there: nothing is released');
select is((select string_agg(distinct action, ',') from public.number_differences), 'doubted', 'and that is said');
call tests.clear();

-- ---- Vapi -------------------------------------------------------------------------

select 'vapi_numbers:' || :'vapi' as numbers, 'vapi_assistants:' || :'vapi' as assistants \gset
select tests.number(1) as one \gset
select is(tests.one(tests.vapi(1), :'numbers'), null, 'what agrees is passed by');
select is(tests.one(tests.vapi(1, '{"assistant":"a2"}'), :'numbers'), 'drift', 'another assistant is drift');
select is(tests.one(tests.vapi(1, '{"server_url":null}'), :'numbers'), 'drift', 'so is another address');
select is(tests.asked(), 'sync, sync', 'and is set again');
update public.phone_numbers set status = 'paused';
select is(tests.one(tests.vapi(1), :'numbers'), 'drift', 'a paused number has none');
select is(tests.one(tests.vapi(1, '{"assistant":null}'), :'numbers'), null, 'and is well without');
update public.phone_numbers set status = 'active';
select is(tests.one(tests.vapi(2), :'numbers'), 'lost,orphan', 'one with our mark and no row is an orphan');
select is(tests.one(tests.vapi(2, '{"name":"x"}'), :'numbers'), 'lost,stranger', 'one without is a stranger');
select is(tests.one(tests.vapi(2, '{"server_url":"https://other.example.com/"}'), :'numbers'), 'lost,stranger', 'and so is another installation''s');
select is(tests.one(tests.vapi(1, '{"id":"v9"}'), :'numbers'), 'double,lost', 'a second one of the same number is a double');
select tests.list(:'numbers') \g /dev/null
select tests.look('{"absent":true}') \g /dev/null
select is((select status || coalesce(voice_number_id, ' none') || coalesce(linked_assistant, ' none') from public.phone_numbers), 'active none none', 'what Vapi lost is made anew');
select is(tests.asked(), 'sync, sync', 'by a run, as the paused one before');
call tests.clear();
select tests.twice(:'numbers', tests.vapi(4)) \g /dev/null
select tests.twice('twilio', tests.twilio(4)) \g /dev/null
select is(tests.prepared() -> 'prepared' ->> 'system', 'vapi', 'at Vapi first');
select is(tests.prepared() #>> '{prepared,front}', '/phone-number/', 'as the number that it is there');
select is(tests.prepared() #>> '{prepared,account,provider_type}', 'vapi', 'with the account''s key');
call tests.clear();

insert into public.assistants (id, organization_id, name, vapi_assistant_id, status, provider_id, synced_at, system_prompt)
values ('00000000-0000-4000-8000-00000000000a', :'org', 'One', 'a1', 'active', :'vapi', now(), 'x');
create function tests.assistant(p jsonb default '{}') returns jsonb language sql as $$
    select jsonb_strip_nulls(jsonb_build_object('id', 'a1', 'name', 'One', 'mark', '00000000-0000-4000-8000-00000000000a', 'organization', o.id,
                                                'created', '2020-01-01T00:00:00.000Z') || p) from public.organizations o where o.name = 'Numbers'
$$;
select is(tests.one(tests.assistant(), :'assistants'), null, 'an assistant that is there');
select is(tests.one(tests.assistant('{"id":"a2","mark":null}'), :'assistants'), 'lost', 'people''s own are no difference');
select is(tests.one(tests.assistant('{"id":"a2"}'), :'assistants'), 'double,lost', 'a second one of the same row is');
select is(tests.one(tests.assistant('{"id":"a2","mark":"00000000-0000-4000-8000-00000000000b"}'), :'assistants'), 'lost,orphan', 'and one without a row');
select is(tests.one(tests.assistant('{"id":"a2","mark":"00000000-0000-4000-8000-00000000000b","organization":"00000000-0000-4000-8000-00000000000b"}'), :'assistants'),
          'lost', 'unless it is another installation''s');
select tests.list(:'assistants') \g /dev/null
select tests.look('{"absent":true}') \g /dev/null
select is(tests.asked(), 'assistant', 'one that is gone is made anew');
update public.assistants set status = 'deleted', vapi_assistant_id = 'a1';
select tests.twice(:'assistants', tests.assistant()) \g /dev/null
select is(tests.prepared() #>> '{prepared,front}', '/assistant/', 'one that was deleted here is deleted there');
select tests.release('{"gone":true}') \g /dev/null
select is((select array[action, trigger_action] from public.number_differences d, public.phone_provision_logs l
            where d.kind = 'orphan' and d.resolved_at is not null and l.trigger_action = 'orphan' limit 1), array['released', 'orphan'], 'and that is in the log');

-- ---- figures and rights -----------------------------------------------------------

select is((select count(*)::integer from jsonb_array_elements(public.number_differences_metrics()) m, jsonb_array_elements(m -> 'samples') s
            where m ->> 'name' like '%number_differences'), 10, 'each kind has its figure');
select public.number_sweep_settle('number-sweep:t') \g /dev/null
select is((select count(*)::integer from public.number_sweep_items), 0, 'and forgotten when it ends');
select ok(not has_function_privilege('authenticated', 'public.number_sweep_page(jsonb)', 'execute'), 'nobody else sweeps');

select * from finish();
rollback;
