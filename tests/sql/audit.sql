-- audit.sql - the audit log: what is written, by whom; append-only; read by page and as CSV.
begin;
set local client_min_messages = warning;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select gen_random_uuid() as carol \gset
select public.organization_personal(:'alice', '{}') \g /dev/null
select tests.organization('Bob', :'bob') as bobs \gset

create function tests.log(p_organization uuid) returns text[] language sql security definer as $$
    select array_agg(a.action || ' ' || a.actor_type order by a.created_at, a.id) from public.audit_log a where a.organization_id = p_organization
$$;
create function tests.last(p_organization uuid) returns public.audit_log language sql security definer as $$
    select a from public.audit_log a where a.organization_id = p_organization order by a.created_at desc, a.id desc limit 1
$$;
create function tests.listed() returns jsonb language sql security definer as $$
    select (a.details -> 'numbers') || jsonb_build_array(a.action, a.actor_type, a.target_type) from public.audit_log a
     where a.action like 'do_not_call.%' order by a.created_at desc, a.id desc limit 1
$$;
grant execute on all functions in schema tests to public;

-- ---- what is written ---------------------------------------------------------------

select tests.be(:'alice');
select set_config('hookswitch.request_id', 'req-1', true), set_config('hookswitch.address', '192.0.2.7', true) \g /dev/null
select api.organization_create('Work', null) ->> 'id' as work \gset
select is(tests.log(:'work'), '{organization.created user,member.added user}', 'making an organization is written down');
select is((tests.last(:'work')).actor_id, :'alice'::uuid, 'with who did it');
select is((tests.last(:'work')).request_id || ' ' || (tests.last(:'work')).address, 'req-1 192.0.2.7', 'in which request, and from where');
select tests.be(:'alice', :'work');
select api.organization_update(:'work', '{"name":"Work 2","settings":{"max_concurrent_calls":3,"transfer_numbers":{"manager":"+15550100001"}}}') \g /dev/null
select is((tests.last(:'work')).details -> 'changed', '["name", "settings.max_concurrent_calls", "settings.transfer_numbers"]', 'of settings the names alone');
select api.organization_update(:'work', '{"name":"Work 2"}') \g /dev/null
select is(cardinality(tests.log(:'work')), 3, 'what changes nothing is not written');
select api.member_invite(:'work', 'x@x.test', 'viewer') ->> 'id' as invitation \gset
select is((tests.last(:'work')).action || ' ' || (tests.last(:'work')).target_id, 'invitation.created ' || :'invitation', 'invitations');
select api.invitation_revoke(:'work', :'invitation') \g /dev/null
select is((tests.last(:'work')).action, 'invitation.revoked', 'taken back');
select api.api_key_create(:'work', 'robot', '["keys:write","calls:read"]', null, repeat('a', 64), 'hsk_1') ->> 'id' as key \gset
select is((tests.last(:'work')).details, '{"name":"robot","prefix":"hsk_1","scopes":["calls:read","keys:write"]}', 'keys, but not the key');
select tests.be_nobody();
select set_config('request.jwt.claims', jsonb_build_object('role', 'hookswitch_key', 'key_id', :'key')::text, true),
       set_config('hookswitch.organization_id', :'work', true), set_config('role', 'hookswitch_api', true) \g /dev/null
select api.api_key_rotate(:'work', :'key', 60, null, repeat('b', 64), 'hsk_2') ->> 'id' as key2 \gset
select is((select array_agg(a.action || ' ' || a.actor_type || ' ' || (a.actor_id = :'key')::text order by a.created_at) from public.audit_log a where a.target_type = 'api_key'),
          '{api_key.created user false,api_key.rotated key true,api_key.changed key true}', 'what a key does is the key''s');
select tests.be(:'alice', :'work');
select api.api_key_revoke(:'work', :'key2') \g /dev/null
select is((tests.last(:'work')).action, 'api_key.revoked', 'revoking');
select tests.be_nobody();
insert into public.organization_members (organization_id, user_id, role) values (:'work', :'carol', 'viewer');
select is((tests.last(:'work')).action || ' ' || (tests.last(:'work')).actor_type, 'member.added system', 'what is written past the API is written down too');
select tests.be(:'alice', :'work');
select api.member_update(:'work', :'carol', '{"role":"admin"}') \g /dev/null
select is((tests.last(:'work')).details, '{"from":"viewer","to":"admin"}', 'roles, from what to what');
select tests.be(:'carol', :'work');
select api.member_leave(:'work') \g /dev/null
select tests.be(:'alice', :'work');
select is((tests.last(:'work')).action, 'member.left', 'who left');

-- The do-not-call list, in whatever way it changes.
select api.do_not_call_add('+15550100007', 'asked by mail') \g /dev/null
select is(tests.listed(), '[{"phone_number":"+15550100007","reason":"asked by mail"},"do_not_call.added","user","do_not_call"]', 'who is not called any more, and why');
select api.do_not_call_add('+15550100007') \g /dev/null
select api.do_not_call_add('+15550100007', 'asked by mail') \g /dev/null
select is((select count(*) from public.audit_log a where a.action like 'do_not_call.%'), 1::bigint, 'twice is once');
select api.do_not_call_add('+15550100007', 'and by telephone') \g /dev/null
select is(tests.listed(), '[{"phone_number":"+15550100007","reason":"and by telephone"},"do_not_call.changed","user","do_not_call"]', 'another reason');
select api.contact_create('+15550100007') ->> 'id' as contact \gset
select api.contact_update(:'contact', '{"do_not_call":false}') \g /dev/null
select is(tests.listed() #- '{0,created_at}', jsonb_build_array(jsonb_build_object('phone_number', '+15550100007', 'reason', 'and by telephone', 'created_by', :'alice'),
    'do_not_call.removed', 'user', 'do_not_call'), 'taken off by its contact: with what stood there');
select api.contact_update(:'contact', '{"do_not_call":true}') \g /dev/null
select is(tests.listed() -> 1 #>> '{}', 'do_not_call.added', 'put on by its contact');
select tests.be_nobody();
update public.do_not_call set phone_number = '+15550100008' where organization_id = :'work';
select is((select array_agg(a.action || ' ' || a.actor_type || ' ' || (a.details -> 'numbers' -> 0 ->> 'phone_number') order by a.created_at desc)
             from (select * from public.audit_log x where x.action like 'do_not_call.%' order by x.created_at desc limit 2) a),
          '{do_not_call.added system +15550100008,do_not_call.removed system +15550100007}', 'past the API another number is one that goes and one that comes');
insert into public.do_not_call (organization_id, phone_number, reason) select :'work', '+1555010' || n, 'import x' from generate_series(1001, 1250) n;
select is((tests.last(:'work')).details, '{"count":250,"reason":"import x"}', 'many at once are counted');
delete from public.do_not_call where organization_id = :'work';
select is((select array_agg(n order by n) from (select jsonb_array_length(a.details -> 'numbers') as n from public.audit_log a
            where a.action = 'do_not_call.removed' order by a.created_at desc limit 3) x), '{51,100,100}', 'but each that leaves is named, a hundred in an entry');
insert into public.do_not_call (organization_id, phone_number) values (:'bobs', '+15550100009');
select is(tests.log(:'bobs'), '{organization.created system,member.added system,do_not_call.added system}'::text[], 'in the log of whose list it is');
delete from public.do_not_call where organization_id = :'bobs';
select cardinality(tests.log(:'work')) as written \gset
select (public.assistant_make(:'work', null, '{"name":"Riley"}')).id as riley \gset
update public.assistants set status = 'active', vapi_assistant_id = 'a-1', synced_at = now(), synced_version = version, run_id = null where id = :'riley';
insert into public.phone_numbers (organization_id, phone_number, origin) values (:'work', '+12125550001', 'automatic') returning id as number \gset
update public.phone_numbers set assistant_wanted_id = :'riley', linked_assistant = 'a-1', status = 'active' where id = :'number';
update public.phone_numbers set wanted = 'paused', pause_reason = 'plan_changed' where id = :'number';
update public.phone_numbers set wanted = 'active' where id = :'number';
select is((tests.log(:'work'))[:written + 1:], '{assistant.created system,number.bought system,number.paused system,number.resumed system}',
          'what the engine wants is written down; how it brings it about is not');
select tests.be(:'alice', :'work');
select api.organization_delete(:'work') \g /dev/null
select is((tests.last(:'work')).action, 'organization.deleted', 'deletion');
select api.organization_restore(:'work') \g /dev/null
select is((tests.last(:'work')).action, 'organization.restored', 'and that it was taken back');
select is((select count(*)::integer from public.audit_log where details::text ~ '15550100001|aaaaaaaa|bbbbbbbb'), 0, 'no number and no hash stands in it');

-- ---- read ------------------------------------------------------------------------------

select is(jsonb_array_length(api.audit_list(:'work', p_limit => 100) -> 'data'), cardinality(tests.log(:'work')), 'all of it is listed');
select is((select array_agg(x ->> 'action' order by n desc) from jsonb_array_elements(api.audit_list(:'work', p_limit => 100) -> 'data') with ordinality e(x, n)),
          (select array_agg(split_part(l, ' ', 1) order by n) from unnest(tests.log(:'work')) with ordinality u(l, n)), 'the newest first');
select is((with recursive pages as (
              select api.audit_list(:'work', p_limit => 3) as p
              union all select api.audit_list(:'work', p_after => p ->> 'next_cursor', p_limit => 3) from pages where p ->> 'next_cursor' is not null)
           select array_agg(x ->> 'id') from pages, jsonb_array_elements(p -> 'data') x),
          (select array_agg(x ->> 'id') from jsonb_array_elements(api.audit_list(:'work', p_limit => 100) -> 'data') x), 'by pages too, each entry once');
select is((select array_agg(distinct x ->> 'action') from jsonb_array_elements(api.audit_list(:'work', p_action => 'member.left') -> 'data') x), '{member.left}', 'by action');
select is((select array_agg(x ->> 'action') from jsonb_array_elements(api.audit_list(:'work', p_actor_id => :'key') -> 'data') x), '{api_key.changed,api_key.rotated}', 'by who did it');
select is((select array_agg(x ->> 'action') from jsonb_array_elements(api.audit_list(:'work', p_target_type => 'invitation') -> 'data') x), '{invitation.revoked,invitation.created}', 'by what it was done to');
select is((select array_agg(x ->> 'action') from jsonb_array_elements(api.audit_list(:'work', p_target_id => :'carol') -> 'data') x), '{member.left,member.role_changed,member.added}', 'by whom it was done to');
select is(jsonb_array_length(api.audit_list(:'work', p_from => now() + interval '1 hour') -> 'data'), 0, 'from a time on');
select is(jsonb_array_length(api.audit_list(:'work', p_to => now() - interval '1 hour') -> 'data'), 0, 'and up to one');
select is((select array_agg(key order by key) from jsonb_object_keys(api.audit_list(:'work', p_limit => 1) -> 'data' -> 0) key),
          '{action,actor_id,actor_type,address,created_at,details,id,request_id,target_id,target_type}', 'this is what is shown of an entry');
select tests.be(:'bob', :'bobs');
select throws_ok(format('select api.audit_list(%L)', :'work'), 'PT404', 'organization_not_found', 'the log of others does not exist');
select is((select count(distinct organization_id)::integer from public.audit_log), 1, 'and none of it is seen');
select is(public.csv_field('a"b,c'), '"a""b,c"', 'a field of CSV');
select is(public.csv_field('=1+1') || public.csv_field('-1') || public.csv_field('@x'), '"''=1+1""''-1""''@x"', 'is never a formula');
select is(left(public.csv_field(x || '1'), 2), '"''', format('nor behind %L', x)) from unnest(array[chr(65309), chr(65291), chr(65312), chr(65293), chr(10), chr(9)]) x;
select is(public.csv_field(null), '""', 'nothing is nothing');

-- ---- append-only -----------------------------------------------------------------------

select throws_ok('insert into public.audit_log (organization_id) values (gen_random_uuid())', '42501', null, 'the API writes no entries of its own');
select tests.be_nobody();
select throws_ok(format('update public.audit_log set actor_id = null where organization_id = %L', :'work'), '42501', 'the audit log is append-only', 'a superuser changes nothing');
select throws_ok(format('delete from public.audit_log where organization_id = %L', :'work'), '42501', 'the audit log is append-only', 'and deletes nothing');
select throws_ok('truncate public.audit_log', '42501', 'the audit log is append-only', 'not all at once either');
select throws_ok('truncate public.organizations cascade', '42501', 'the audit log is append-only', 'nor by way of the organizations');
select tests.be_role('hookswitch_pump');
select throws_ok('update public.audit_log set action = ''a.b''', '42501', 'permission denied for table audit_log', 'the pump may not try');
select is_empty('delete from public.audit_log returning id', 'and deletes nothing of an organization that is there');
select tests.be_role('service_role');
select throws_ok('delete from public.audit_log', '42501', 'permission denied for table audit_log', 'nor the application''s back end');
select tests.be_nobody();
delete from public.organizations where id = :'work';
select is(tests.log(:'work'), null, 'it goes with its organization');
select isnt(tests.log(:'bobs'), null, 'and nobody else''s with it');

select * from finish();
rollback;
