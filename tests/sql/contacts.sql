-- contacts.sql - contacts, their calls, the do-not-call list where it is asked, and files of contacts, batch by batch.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as mine \gset
select tests.organization('Bob', :'bob') as theirs \gset
select tests.provider('Contacts Vapi') as provider \gset
select tests.template(:'mine') as template \gset

create function tests.hint_of_contact(p_sql text) returns text language plpgsql as $$
declare
    v_hint text;
begin
    execute p_sql;
    return null;
exception when others then
    get stacked diagnostics v_hint = pg_exception_hint;
    return sqlstate || ' ' || sqlerrm || ' ' || v_hint;
end
$$;
create function tests.found(p_q text, p_tag text default null, p_listed boolean default null) returns text language sql as $$
    select string_agg(x ->> 'name', ' ' order by x ->> 'name') from jsonb_array_elements(api.contact_list(p_q, p_tag, p_listed) -> 'data') x
$$;
create function tests.batch(p_import jsonb, p_rows jsonb, p_more jsonb default '{}') returns jsonb language sql as $$
    select api.contact_import_rows((i ->> 'id')::uuid, x.fence, x.bytes, jsonb_build_object(
               'rows', p_rows, 'errors', '[]'::jsonb, 'read', jsonb_array_length(p_rows), 'failed', 0, 'line', x.line + jsonb_array_length(p_rows),
               'bytes', x.bytes + 100, 'digest', 'abc', 'last', false) || p_more)
      from (select p_import) p(i) join public.contact_imports x on x.id = (i ->> 'id')::uuid
$$;
create function tests.said(p_view jsonb) returns text language sql as $$
    select concat_ws(' ', p_view ->> 'status', p_view ->> 'rows_read', p_view ->> 'rows_created', p_view ->> 'rows_updated', p_view ->> 'rows_skipped',
                     p_view ->> 'rows_failed', p_view ->> 'errors_found')
$$;
grant execute on all functions in schema tests to public;

-- ---- one by one -----------------------------------------------------------------

select tests.be(:'alice', :'mine');
select api.contact_create('+15550100001', 'Ann', 'Ann@example.com', 'ACME', '["vip","new","vip"]', '{"level":3,"since":null,"ok":true}', 'likes tea') as made \gset
select :'made'::jsonb ->> 'id' as ann \gset
select is(:'made'::jsonb - '{id,created_at,updated_at,created_by}'::text[], '{"phone_number":"+15550100001","name":"Ann","email":"Ann@example.com","company":"ACME",
    "tags":["vip","new"],"custom_fields":{"level":3,"ok":true},"notes":"likes tea","source":"api","do_not_call":false,"call_count":0,"last_call_at":null}',
    'a contact is what was given, each tag once, without nulls');
select is((:'made'::jsonb ->> 'created_by')::uuid, :'alice', 'and tells who made it');
select is(api.contact_get(:'ann'), :'made'::jsonb, 'it is found again');
select throws_ok('select api.contact_create(''+15550100001'')', 'PT409', 'contact_exists', 'a number has one contact');
select is(tests.hint_of_contact('select api.contact_create(''+15550100002'', p_tags => ''["a;b"]'')'), 'PT422 tags_invalid tags', 'a tag has no semicolon');
select is(tests.hint_of_contact('select api.contact_create(''+15550100002'', p_tags => ''[1]'')'), 'PT422 tags_invalid tags', 'and is a text');
select is(tests.hint_of_contact('select api.contact_create(''+15550100002'', p_custom_fields => ''{"a":[1]}'')'), 'PT422 custom_fields_invalid custom_fields.a',
    'a custom field is no list');
select is(tests.hint_of_contact(format('select api.contact_create(''+15550100002'', p_custom_fields => %L)',
    (select jsonb_object_agg('f' || n, n) from generate_series(1, 51) n))), 'PT422 custom_fields_invalid custom_fields', 'there are 50 of them at most');
select is(tests.hint_of_contact(format('select api.contact_create(''+15550100002'', p_custom_fields => %L)',
    jsonb_build_object('a', repeat('x', 1001)))), 'PT422 custom_fields_invalid custom_fields.a', 'of 1000 characters at most');
select is(tests.hint_of_contact(format('select api.contact_create(''+15550100002'', p_custom_fields => %L)',
    (select jsonb_object_agg('f' || n, repeat('ü', 999)) from generate_series(1, 20) n))), 'PT422 custom_fields_invalid custom_fields', 'and 16000 bytes together');

select is(api.contact_update(:'ann', '{"name":"Anna","custom_fields":{"level":null,"town":"Ulm"},"email":null}') - '{updated_at}'::text[],
    :'made'::jsonb - '{updated_at}'::text[] || '{"name":"Anna","email":null,"custom_fields":{"ok":true,"town":"Ulm"}}', 'a change leaves the rest as it was');
select is(api.contact_update(:'ann', '{"custom_fields":null,"tags":null}') -> 'custom_fields', '{}', 'null takes all custom fields out');
select api.contact_create('+15550100003', 'Carl') ->> 'id' as carl \gset
select throws_ok(format('select api.contact_update(%L, ''{"phone_number":"+15550100001"}'')', :'carl'), 'PT409', 'contact_exists', 'a number cannot be taken over');
select is(api.contact_update(:'carl', '{"phone_number":"+15550100004"}') ->> 'phone_number', '+15550100004', 'but changed');
select throws_ok(format('select api.contact_update(%L, ''{}'')', gen_random_uuid()), 'PT404', 'contact_not_found', 'what is not there is not changed');
select is((select array_agg(p.polname order by p.polname) from pg_policy p where p.polrelid = 'public.contacts'::regclass and p.polcmd <> 'r' and
    'hookswitch_api'::regrole::oid = any (p.polroles)), '{contacts_organization}', 'rows are held apart by one policy');

select tests.be(:'bob', :'theirs');
select throws_ok(format('select api.contact_get(%L)', :'ann'), 'PT404', 'contact_not_found', 'another organization''s contact does not exist');
select throws_ok(format('select api.contact_update(%L, ''{}'')', :'ann'), 'PT404', 'contact_not_found', 'and is not changed');
select throws_ok(format('select api.contact_delete(%L)', :'ann'), 'PT404', 'contact_not_found', 'nor removed');
select throws_ok(format('select api.contact_calls(%L)', :'ann'), 'PT404', 'contact_not_found', 'nor are its calls told');
select is(api.contact_create('+15550100001', 'Bob''s Ann') ->> 'name', 'Bob''s Ann', 'each organization has its own with the same number');
select is(api.contact_list() -> 'data' -> 0 ->> 'name', 'Bob''s Ann', 'and sees it alone');
select is(jsonb_array_length(api.contact_list() -> 'data'), 1, 'in a list of one');

-- ---- found ------------------------------------------------------------------------

select tests.be(:'alice', :'mine');
select api.contact_update(:'ann', '{"tags":["vip"],"email":"ann@example.com"}') \g /dev/null
select api.contact_create('+15550200005', 'Änne', null, null, '["vip","old"]') \g /dev/null
select api.contact_create('+15550200006', '100%') \g /dev/null
select is(tests.found('ann'), 'Anna', 'by the beginning of a name');
select is(tests.found('ANN@'), 'Anna', 'or of an address, in either case');
select is(tests.found('än'), 'Änne', 'of any letters');
select is(tests.found('+155502'), '100% Änne', 'or of a number');
select is(tests.found('155502'), '100% Änne', 'with or without the plus');
select is(tests.found('100%'), '100%', 'what it says is not a pattern');
select is(tests.found('_nn'), null, 'in any way');
select is(tests.found(null, 'vip'), 'Anna Änne', 'by a tag');
select is(tests.found('ä', 'vip'), 'Änne', 'by both');
select is(jsonb_array_length(api.contact_list(p_limit => 3) -> 'data'), 3, 'by pages');
select is(jsonb_array_length(api.contact_list(p_after => api.contact_list(p_limit => 3) ->> 'next_cursor', p_limit => 3) -> 'data'), 1, 'that end');

-- ---- its calls ----------------------------------------------------------------------

select tests.call(:'mine', :'template', '+15550100001') as first \gset
select tests.call(:'mine', :'template', '+15550100001') as second \gset
select tests.be_nobody();
insert into public.calls (organization_id, direction, status, from_number, to_number, created_at)
values (:'mine', 'inbound', 'completed', '+15550100001', '+15550109999', now() + interval '1 second'),
       (:'mine', 'inbound', 'completed', '+15550109999', '+15550100001', now() + interval '2 seconds'),
       (:'theirs', 'outbound', 'completed', '+15550109999', '+15550100001', now() + interval '3 seconds');
select tests.be(:'alice', :'mine');
select is((select array_agg(x ->> 'direction') from jsonb_array_elements(api.contact_calls(:'ann') -> 'data') x), '{inbound,outbound,outbound}',
    'calls to a contact and from it, newest first, of no other number or organization');
select is(api.contact_get(:'ann') ->> 'call_count', '3', 'it is told how many there were');
select isnt(api.contact_get(:'ann') ->> 'last_call_at', null, 'and when the last');
select is(api.contact_calls(:'ann', api.contact_calls(:'ann', null, 2) ->> 'next_cursor', 2) -> 'data' -> 0 ->> 'id', :'first', 'by pages');
select is(api.contact_calls(:'carl') -> 'data', '[]', 'another has none');

-- ---- the do-not-call list --------------------------------------------------------------

select is(api.contact_update(:'ann', '{"do_not_call":true,"do_not_call_reason":"asked"}') ->> 'do_not_call', 'true', 'a contact that is not called');
select is((api.do_not_call_list() -> 'data' -> 0) - 'created_at'::text, jsonb_build_object('phone_number', '+15550100001', 'reason', 'asked', 'created_by', :'alice'),
    'stands on the one list, with the reason and who said it');
select is(api.do_not_call_add('+15550100001') ->> 'reason', 'asked', 'twice is once');
select is(api.do_not_call_add('+15550100001', 'again') ->> 'reason', 'again', 'a new reason is the one that stays');
select is(tests.found(null, null, true), 'Anna', 'those on the list can be listed');
select is(tests.found('an', null, false), null, 'and the others');
select is(tests.hint_of_contact(format('select api.call_create(''+15550100001'', %L)', :'template')), 'PT422 number_do_not_call recipient_number',
    'no call to it is entered');
select is(tests.hint_of_contact(format('select api.call_create_many(''[{"recipient_number":"+15550100001","template_id":"%s"}]'')', :'template')),
    'PT422 number_do_not_call calls.0.recipient_number', 'nor in a batch');
select is(tests.hint_of_contact(format('select public.schedule_call(%L, %L, ''x'', ''+15550100001'', p_metadata => ''{"organization_id":"%s"}'')', :'alice', :'template', :'mine')),
    'PT422 number_do_not_call recipient_number', 'nor by SQL');
select tests.be_nobody();
select is(tests.claim(), '{}', 'those that wait are not dialled');
select is((tests.record(:'first')).ended_reason || ' ' || (tests.record(:'second')).ended_reason, 'do_not_call do_not_call', 'but end, and say why');
select tests.be(:'alice', :'mine');
select is(tests.hint_of_contact(format('select api.call_retry(%L)', :'first')), 'PT422 number_do_not_call recipient_number', 'and are not ordered again');
select lives_ok(format('select api.contact_delete(%L)', :'ann'), 'a contact can be removed');
select throws_ok(format('select api.contact_get(%L)', :'ann'), 'PT404', 'contact_not_found', 'then it is gone');
select is(api.do_not_call_list('+15550100001') -> 'data' -> 0 ->> 'reason', 'again', 'its number stays on the list');
select tests.be(:'bob', :'theirs');
select is(api.do_not_call_list() -> 'data', '[]', 'another organization has a list of its own');
select throws_ok('select api.do_not_call_remove(''+15550100001'')', 'PT404', 'number_not_listed', 'and takes nothing off others''');
select tests.be(:'alice', :'mine');
select lives_ok('select api.do_not_call_remove(''+15550100001'')', 'a number can be taken off');
select throws_ok('select api.do_not_call_remove(''+15550100001'')', 'PT404', 'number_not_listed', 'once');
select is(api.contact_create('+15550100001', 'Ann again', p_do_not_call => true) ->> 'do_not_call', 'true', 'a new contact may be on the list at once');
select is(api.contact_update((api.contact_list('Ann a') -> 'data' -> 0 ->> 'id')::uuid, '{"do_not_call":false}') ->> 'do_not_call', 'false', 'and be taken off');

-- What was claimed, or given to a provider by SQL, before the number came onto the list.
select tests.be_nobody();
select tests.call(:'mine', :'template', '+15550300001') as claimed \gset
select tests.claim() \g /dev/null
select tests.call(:'mine', :'template', '+15550300002') as given \gset
select public.queue_promote() \g /dev/null
select public.assign_call_to_provider(:'given', :'provider') as attempt \gset
insert into public.do_not_call (organization_id, phone_number) values (:'mine', '+15550300001'), (:'mine', '+15550300002');
select is(public.calls_sent(array[(tests.attempt(:'claimed')).id], array[(tests.attempt(:'claimed')).fence], 10000, 30), '{}', 'what was claimed is not sent');
select is((tests.record(:'claimed')).ended_reason, 'do_not_call', 'but ends, and says why');
select public.leases_renew(10, 'b', 30) \g /dev/null
select is(public.calls_sent(array[(tests.attempt(:'given')).id], array[(tests.attempt(:'given')).fence], 10000, 30), '{}', 'nor what SQL gave away');
select is((tests.record(:'given')).status || ' ' || (tests.attempt(:'given')).state || ' ' || (tests.attempt(:'given')).reason, 'canceled absent do_not_call',
    'its attempt counts as never made');

-- A redial: the person was busy, and by the next try has said no.
select tests.call(:'mine', :'template', '+15550300003') as busy \gset
select tests.accepted(:'busy', 'contacts-1') as attempt \gset
select tests.report(:'attempt', tests.ended('customer-busy', false)) \g /dev/null
select is((tests.queue(:'busy')).status, 'queued', 'who was busy is to be tried again');
insert into public.do_not_call (organization_id, phone_number) values (:'mine', '+15550300003');
update public.call_queue set due_at = clock_timestamp(), ready = true where id = :'busy';
select is(tests.claim(), '{}', 'and is not, once he has said no');
select is((tests.record(:'busy')).ended_reason, 'do_not_call', 'the call ends');

-- ---- files ------------------------------------------------------------------------------

select tests.be(:'alice', :'mine');
delete from public.contacts;
select api.contact_import_create('first') as import \gset
select is(tests.said(:'import'), 'waiting 0 0 0 0 0 0', 'an import waits for its file');
select api.contact_import_begin((:'import'::jsonb ->> 'id')::uuid) as begun \gset
select is(:'begun'::jsonb - 'view', '{"state":"open","retry_after":0,"fence":1,"bytes":0,"line":1,"digest":null,"columns":null,"refuse_unknown":false}', 'a request begins to send it');
select is(api.contact_import_begin((:'import'::jsonb ->> 'id')::uuid) ->> 'state', 'running', 'another one must wait');
select is(tests.said(tests.batch(:'import', '[{"line":2,"phone_number":"+15550400001","name":"One"},{"line":3,"phone_number":"+15550400002","tags":["a"]},
    {"line":4,"phone_number":"+15550400001","name":"Double"},{"line":5,"phone_number":"+15550400003","custom_fields":{"a":[1]}},
    {"line":6,"phone_number":"+15550400004","tags":["a;b"]}]', '{"columns":["phone_number","name"],"errors":[{"line":7,"field":"email","code":"email","detail":"x"}],"failed":1}')),
    'running 5 2 0 1 3 3', 'a batch tells what became of each row');
select is((select array_agg((x ->> 'line') || ' ' || (x ->> 'field') || ' ' || (x ->> 'code')) from jsonb_array_elements(
    api.contact_import_errors((:'import'::jsonb ->> 'id')::uuid) -> 'data') x), '{5 custom_fields.a custom_fields_invalid,6 tags tags_invalid,7 email email}',
    'errors are kept in the order of the file');
select is(tests.found(null), 'One', 'the first of doubles stays');
select throws_ok(format('select api.contact_import_rows(%L, 1, 0, ''{"rows":[]}'')', :'import'::jsonb ->> 'id'), 'PT409', 'import_taken_over', 'a batch is taken once');
select throws_ok(format('select api.contact_import_rows(%L, 2, 100, ''{"rows":[]}'')', :'import'::jsonb ->> 'id'), 'PT409', 'import_taken_over', 'by the request that holds it');
select api.contact_import_release((:'import'::jsonb ->> 'id')::uuid, 1) \g /dev/null
select is(api.contact_import_get((:'import'::jsonb ->> 'id')::uuid) ->> 'status', 'interrupted', 'a request that is over leaves it interrupted');
select is(api.contact_import_begin((:'import'::jsonb ->> 'id')::uuid) - 'view', '{"state":"open","retry_after":0,"fence":2,"bytes":100,"line":6,"digest":"abc",
    "columns":["phone_number","name"],"refuse_unknown":false}', 'the next one goes on behind what was taken');
select is(tests.said(tests.batch(:'import', '[]', '{"last":true}')), 'done 5 2 0 1 3 3', 'to the end');
select is(api.contact_import_begin((:'import'::jsonb ->> 'id')::uuid) ->> 'state', 'done', 'and no further');

select api.contact_import_create('second', false, 'update') as import \gset
select api.contact_import_begin((:'import'::jsonb ->> 'id')::uuid) \g /dev/null
select is(tests.said(tests.batch(:'import', '[{"line":2,"phone_number":"+15550400001","company":"ACME","custom_fields":{"a":1},"do_not_call":"true"},
    {"line":3,"phone_number":"+15550400001","custom_fields":{"b":2}},{"line":4,"phone_number":"+15550400009"}]', '{"last":true}')), 'done 3 1 2 0 0 0', 'doubles change what is there');
select is(x - '{id,created_at,updated_at,created_by}'::text[], '{"phone_number":"+15550400001","name":"One","email":null,"company":"ACME","tags":[],"custom_fields":{"a":1,"b":2},
    "notes":null,"source":"import","do_not_call":true,"call_count":0,"last_call_at":null}', 'in what they say, and leave the rest')
  from jsonb_array_elements(api.contact_list('One') -> 'data') x;
select is(api.do_not_call_list('+15550400001') -> 'data' -> 0 ->> 'reason', 'import ' || (:'import'::jsonb ->> 'id'), 'the list says which file put a number there');

select api.contact_import_create('third', true, 'skip') as import \gset
select api.contact_import_begin((:'import'::jsonb ->> 'id')::uuid) \g /dev/null
select tests.batch(:'import', '[{"line":2,"phone_number":"+15550400001"},{"line":3,"phone_number":"+15550400011","do_not_call":"true"}]') \g /dev/null
select is(tests.said(tests.batch(:'import', '[{"line":4,"phone_number":"+15550400011"},{"line":5,"phone_number":"+15550400012","tags":[";"]}]', '{"last":true}')),
    'done 4 1 0 2 1 1', 'a dry run tells the same');
select is(tests.found('+155504000'), 'One', 'and makes nothing');
select is(api.do_not_call_list('+15550400011') -> 'data', '[]', 'anywhere');
select is((select count(*) from public.contact_import_numbers), 0::bigint, 'nor keeps what it met');

select api.contact_import_create('full') as import \gset
select api.contact_import_begin((:'import'::jsonb ->> 'id')::uuid) \g /dev/null
select is(tests.batch(:'import', '[]', jsonb_build_object('errors', (select jsonb_agg(jsonb_build_object('line', n, 'code', 'x', 'detail', 'x')) from generate_series(2, 9991) n))) ->> 'errors_kept',
    '9990', 'errors are kept');
select is((tests.batch(:'import', '[{"line":10000,"phone_number":"+15550400021","tags":[1]}]', jsonb_build_object('errors', (
    select jsonb_agg(jsonb_build_object('line', n, 'code', 'x', 'detail', 'x')) from generate_series(10001, 10050) n)))) ->> 'errors_kept',
    '10000', 'up to ten thousand');
select is(api.contact_import_get((:'import'::jsonb ->> 'id')::uuid) ->> 'errors_found', '10041', 'and all of them counted');
select tests.be(:'bob', :'theirs');
select throws_ok(format('select api.contact_import_get(%L)', :'import'::jsonb ->> 'id'), 'PT404', 'import_not_found', 'another organization''s import does not exist');
select throws_ok(format('select api.contact_import_begin(%L)', :'import'::jsonb ->> 'id'), 'PT404', 'import_not_found', 'nobody else sends its file');
select throws_ok(format('select api.contact_import_rows(%L, 1, 200, ''{"rows":[]}'')', :'import'::jsonb ->> 'id'), 'PT409', 'import_taken_over', 'or rows');
select throws_ok(format('select api.contact_import_errors(%L)', :'import'::jsonb ->> 'id'), 'PT404', 'import_not_found', 'or reads its errors');
select throws_ok(format('select api.contact_import_delete(%L)', :'import'::jsonb ->> 'id'), 'PT404', 'import_not_found', 'or forgets it');
select is(api.contact_import_list() -> 'data', '[]', 'or sees it in a list');
select tests.be(:'alice', :'mine');
select lives_ok(format('select api.contact_import_delete(%L)', :'import'::jsonb ->> 'id'), 'it can be forgotten');
select is(jsonb_array_length(api.contact_import_list() -> 'data'), 3, 'then it is in no list');

-- Two files at one time.
select id as one from jsonb_to_record(api.contact_import_create('one')) x(id uuid) \gset
select id as two from jsonb_to_record(api.contact_import_create('two')) x(id uuid) \gset
select id as three from jsonb_to_record(api.contact_import_create('three')) x(id uuid) \gset
select is(api.contact_import_begin(:'one') ->> 'state', 'open', 'one file');
select is(api.contact_import_begin(:'two') ->> 'state', 'open', 'and another are read at one time');
select is(api.contact_import_begin(:'three') - '{view,fence}'::text[] @> '{"state":"busy","retry_after":5}', true, 'a third one waits');
select is(api.contact_import_begin(:'one') ->> 'state', 'running', 'of one of the two its own is told');
select tests.be(:'bob', :'theirs');
select is(api.contact_import_begin((api.contact_import_create('his') ->> 'id')::uuid) ->> 'state', 'open', 'another organization need not wait');
select tests.be(:'alice', :'mine');
select api.contact_import_release(:'one', 1) \g /dev/null
select is(api.contact_import_begin(:'three') ->> 'state', 'open', 'until one is over');
select api.contact_import_release(:'three', 1), api.contact_import_release(:'one', 1) \g /dev/null

-- A number that is listed keeps its reason; what a file says of it is not lost on others.
select api.do_not_call_add('+15550400031', 'asked') \g /dev/null
select api.contact_import_create('reasons') as import \gset
select api.contact_import_begin((:'import'::jsonb ->> 'id')::uuid) \g /dev/null
select is(tests.said(tests.batch(:'import', '[{"line":2,"phone_number":"+15550400031","do_not_call":"true"},{"line":3,"phone_number":"+15550400032","do_not_call":"true"},
    {"line":4,"phone_number":"+15550400032","do_not_call":"true"},{"line":5,"phone_number":"+15550400033","tags":[1],"do_not_call":"true"}]', '{"last":true}')), 'done 4 2 0 1 1 1',
    'a file lists numbers');
select is((select array_agg(d.phone_number || ' ' || left(d.reason, 6) order by d.phone_number) from public.do_not_call d
            where d.organization_id = :'mine' and d.phone_number like '+1555040003%'), '{"+15550400031 asked","+15550400032 import"}', 'those of rows that were taken, once');

-- The newest hundred are kept.
select count(api.contact_import_create('many ' || n)) from generate_series(1, 110) n \g /dev/null
select is((select count(*) || ' ' || min(i.name) filter (where i.name not like 'many%') from public.contact_imports i), '101 two', 'old imports go, but for one that is being read');

-- ---- out again ----------------------------------------------------------------------------

select is(public.contact_csv_field(v), w, 'in a file ' || coalesce(v, 'nothing') || ' is ' || w) from (values
    (null, '""'), ('Ann', '"Ann"'), ('a "b"', '"a ""b"""'), ('=1+1', '"''=1+1"'), ('''=1', '"''''=1"'), ('-x', '"''-x"'), ('''x', '"''x"'), (E'\t1', E'"''\t1"')) x(v, w);
select is(split_part(api.contact_export('One', null, null, null, null, null) ->> 'text', E'\r\n', 2),
    '+15550400001,"One","","ACME","","","true","{""a"": 1, ""b"": 2}"', 'a line for each contact');
select is(api.contact_export('nobody', null, null, null, null, null), E'{"text":"phone_number,name,email,company,tags,notes,do_not_call,custom_fields\\r\\n","next_cursor":null}',
    'and one that names the columns');

-- ---- an organization that is deleted ---------------------------------------------------------

select tests.be_nobody();
update public.organizations set status_before = status, status = 'canceled', deleted_after = now() + interval '1 day', deletion_run = 'x' where id = :'mine';
select tests.be(:'alice', :'mine');
select throws_ok(q, 'PT403', 'organization_inactive', 'in a deleted organization nothing is changed: ' || q) from (values
    ('select api.contact_create(''+15550500001'')'), ('select api.do_not_call_add(''+15550500001'')'), ('select api.contact_import_create()')) x(q);
select is(tests.found('One'), 'One', 'but read');

select * from finish();
rollback;
