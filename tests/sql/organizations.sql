-- organizations.sql - organizations: one's own, settings, the default, members.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select gen_random_uuid() as carol \gset
select gen_random_uuid() as dave \gset
insert into public.user_profiles (id, email, first_name, status)
values (:'alice', 'alice@x.test', 'Alice', 'active'), (:'bob', 'bob@x.test', null, 'active'), (:'carol', 'carol@x.test', null, 'active');
select public.organization_personal(:'alice', '{"email":"alice@x.test"}') as personal \gset
select tests.organization('Work', :'alice') as work \gset
select tests.organization('Bob', :'bob') as bobs \gset
insert into public.organization_members (organization_id, user_id, role, created_at)
values (:'work', :'carol', 'admin', now() + interval '1 second'), (:'work', :'dave', 'viewer', now() + interval '2 seconds');

-- A key of an organization.
create function tests.be_key(p_organization uuid, p_scopes text[]) returns uuid language plpgsql as $$
declare
    v_id uuid;
begin
    perform tests.be_nobody();
    insert into public.api_keys (organization_id, name, prefix, key_hash, scopes)
    values (p_organization, 'test', 'hsk_t', encode(sha256(gen_random_uuid()::text::bytea), 'hex'), p_scopes) returning id into v_id;
    perform set_config('request.jwt.claims', jsonb_build_object('role', 'hookswitch_key', 'key_id', v_id)::text, true),
            set_config('hookswitch.organization_id', p_organization::text, true);
    perform set_config('role', 'hookswitch_api', true);
    return v_id;
end
$$;
create function tests.settings(p_organization uuid, p_settings jsonb) returns jsonb language sql as $$
    select api.organization_update(p_organization, jsonb_build_object('settings', p_settings)) -> 'settings'
$$;
create function tests.settings_error(p_organization uuid, p_settings jsonb) returns text language plpgsql as $$
declare
    v_hint text;
begin
    perform tests.settings(p_organization, p_settings);
    return null;
exception when others then
    get stacked diagnostics v_hint = pg_exception_hint;
    return sqlstate || ' ' || sqlerrm || ' ' || v_hint;
end
$$;
create function tests.admission(p_organization uuid) returns text language sql as $$
    select coalesce(public.organization_admission(o), 'open') from public.organizations o where o.id = p_organization
$$;
grant execute on all functions in schema tests to public;

-- ---- one's own ------------------------------------------------------------------

select tests.be(:'alice');
select is((select array_agg(x ->> 'name' order by x ->> 'name') from jsonb_array_elements(api.organization_list() -> 'data') x),
          '{Work,alice@x.test}', 'a person sees all of his organizations, whichever is active');
select is(api.organization_list(null, 1) ->> 'next_cursor' is not null, true, 'by pages');
select is(jsonb_array_length(api.organization_list(api.organization_list(null, 1) ->> 'next_cursor', 1) -> 'data'), 1, 'that go on');
select is(api.organization_list(api.organization_list(null, 1) ->> 'next_cursor', 1) ->> 'next_cursor', null, 'to an end');
select throws_ok('select api.organization_list(''bm9uc2Vuc2U'')', 'PT400', 'bad_cursor', 'a cursor of another make is refused');
select is(api.organization_get(:'personal') ->> 'role', 'owner', 'the active one is shown with the asker''s role');
select throws_ok(format('select api.organization_get(%L)', :'work'), 'PT404', 'organization_not_found', 'one that is not active does not exist, even one''s own');
select throws_ok(format('select api.organization_update(%L, ''{"name":"X"}'')', :'bobs'), 'PT404', 'organization_not_found', 'nor can a stranger''s be changed');
select throws_ok(format('select public.api_keys_page(%L, null, 20)', :'bobs'), 'PT404', 'organization_not_found', 'nor its keys be seen past schema api');
select is(api.organization_create('New', null) ->> 'role', 'owner', 'who makes one owns it');
select is((select array_agg(key order by key) from jsonb_object_keys(api.organization_get(:'personal')) key),
          '{created_at,deleted_after,id,is_default,is_personal,name,role,settings,status,updated_at}', 'this is what is shown of one');

-- ---- settings ---------------------------------------------------------------------

select tests.be_nobody();
insert into public.templates (slug, name, category, is_active) values ('retired', 'Retired', 'general', false);
create temporary table gone (id uuid);
grant select on gone to public;
with a as (insert into public.assistants (organization_id, name, status, deleted_at) values (:'work', 'Gone', 'deleted', now()) returning id)
insert into gone select id from a;
select tests.be(:'alice', :'work');
select is(tests.settings(:'work', '{"max_concurrent_calls":3}') ->> 'max_concurrent_calls', '3', 'the cap on calls at once is a setting');
select is((select max_concurrent_calls from public.organizations where id = :'work'), 3, 'that the claim reads');
select is(tests.settings(:'work', '{"transfer_numbers":{"dispatch":"+15550100001"}}') -> 'transfer_numbers', '{"dispatch":"+15550100001"}', 'numbers to transfer to');
select is(tests.settings(:'work', '{"notifications":{"sms":{"enabled":true,"numbers":["+15550100002"]}}}') -> 'notifications',
          '{"sms":{"enabled":true,"numbers":["+15550100002"]},"email":{"enabled":false,"addresses":[]},"sms_enabled":true,"sms_numbers":["+15550100002"]}',
          'notifications are kept in both spellings');
select is(tests.settings(:'work', '{"notifications":{"sms_enabled":true,"sms_numbers":["+15550100003"]}}') -> 'notifications' -> 'sms',
          '{"enabled":true,"numbers":["+15550100003"]}', 'and understood in both');
select is(tests.settings(:'work', '{"calling_hours":{"start":"09:00","end":"20:00","timezone":"america/new_york","days":[5,1,1]}}') -> 'calling_hours',
          '{"start":"09:00","end":"20:00","timezone":"America/New_York","days":[1,5]}', 'calling hours in the zone''s own name and days in order');
select is(tests.settings(:'work', '{"calling_hours":{"start":"00:00","end":"24:00","timezone":"UTC"}}') -> 'calling_hours' ->> 'days',
          '[1, 2, 3, 4, 5, 6, 7]', 'without days it is every day');
select is(tests.settings(:'work', '{"transfer_numbers":null,"max_concurrent_calls":null}') - 'notifications' - 'calling_hours',
          '{"transfer_numbers":null,"assistant":null,"max_concurrent_calls":null}', 'null clears one');
select is((select settings ? 'transfer_numbers' from public.organizations where id = :'work'), false, 'and leaves nothing behind');
select is((select settings ? 'calling_hours' from public.organizations where id = :'work'), true, 'of itself alone');

select is(tests.settings_error(:'work', s.bad::jsonb), s.error, s.why) from (values
    ('{"calling_hours":{"start":"9:00","end":"20:00","timezone":"UTC"}}', 'PT422 calling_hours_invalid settings.calling_hours.start', 'a time of day has two digits each'),
    ('{"calling_hours":{"start":"09:00","end":"24:01","timezone":"UTC"}}', 'PT422 calling_hours_invalid settings.calling_hours.end', 'a day ends at 24:00'),
    ('{"calling_hours":{"start":"20:00","end":"09:00","timezone":"UTC"}}', 'PT422 calling_hours_invalid settings.calling_hours.end', 'hours past midnight would never be open'),
    ('{"calling_hours":{"start":"09:00","end":"09:00","timezone":"UTC"}}', 'PT422 calling_hours_invalid settings.calling_hours.end', 'nor would no time at all'),
    ('{"calling_hours":{"start":"09:00","end":"20:00","timezone":"Mars/Olympus"}}', 'PT422 timezone_unknown settings.calling_hours.timezone', 'a zone that does not exist'),
    ('{"calling_hours":{"start":"09:00","end":"20:00","timezone":"UTC","days":[1,8]}}', 'PT422 calling_hours_invalid settings.calling_hours.days.1', 'an eighth day'),
    ('{"calling_hours":{"start":"09:00","end":"20:00","timezone":"UTC","days":["1"]}}', 'PT422 calling_hours_invalid settings.calling_hours.days.0', 'a day as text'),
    ('{"calling_hours":{"start":"09:00","end":"20:00","timezone":"UTC","days":[1.5]}}', 'PT422 calling_hours_invalid settings.calling_hours.days.0', 'half a day'),
    ('{"notifications":{"sms":{"numbers":["+15550100002","123"]}}}', 'PT422 number_invalid settings.notifications.sms.numbers.1', 'a number of nobody'),
    ('{"notifications":{"sms_numbers":[7]}}', 'PT422 number_invalid settings.notifications.sms_numbers.0', 'a number that is no text'),
    ('{"assistant":{"template":"retired"}}', 'PT404 assistant_template_not_found settings.assistant.template', 'a template that is not on offer'),
    ('{"assistant":{"template":"receptionist","variable_values":{"business_description":"x","opening_hours":"always","colour":"red"}}}',
        'PT422 variable_unknown settings.assistant.variable_values.colour', 'a value for nothing'),
    ('{"assistant":{"template":"receptionist","variable_values":{"business_description":"x","opening_hours":"{{now}}"}}}',
        'PT422 variable_invalid settings.assistant.variable_values.opening_hours', 'a value that would be read as a template'),
    ('{"assistant":{"template":"receptionist","variable_values":{"business_description":"x"}}}',
        'PT422 variable_missing settings.assistant.variable_values.opening_hours', 'a value that is missing, other than the name, which is known'),
    ('{"assistant":{"default_id":"' || (select id from gone) || '"}}', 'PT404 assistant_not_found settings.assistant.default_id', 'an assistant that is deleted'),
    ('{"notifications":{"email":{"addresses":["a@b"]}}}', 'PT422 email_invalid settings.notifications.email.addresses.0', 'an address without a domain')) s(bad, error, why);

-- What is accepted is what the claim understands: each of these is open or closed at a known time, and never unreadable.
select tests.be_nobody();
select is(tests.admission(:'work'), 'open', 'the whole day is open');
update public.organizations set settings = public.settings_merge('{}', jsonb_build_object('calling_hours', jsonb_build_object('start', '00:00', 'end', '24:00',
    'timezone', 'UTC', 'days', jsonb_build_array(extract(isodow from now() at time zone 'UTC'))))) where id = :'work';
select is(tests.admission(:'work'), 'open', 'today is open');
update public.organizations set settings = public.settings_merge('{}', jsonb_build_object('calling_hours', jsonb_build_object('start', '00:00', 'end', '24:00',
    'timezone', 'UTC', 'days', jsonb_build_array(extract(isodow from (now() + interval '2 days') at time zone 'UTC'))))) where id = :'work';
select is(tests.admission(:'work'), 'calling_hours', 'only the day after tomorrow is not');
select is_empty($$select z.name from pg_timezone_names z
                   where z.name !~ '^(posix|right)/' and hashtext(z.name) % 10 = 0
                     and public.organization_admission(jsonb_populate_record(null::public.organizations, jsonb_build_object('status', 'active', 'settings',
                             public.settings_merge('{}', jsonb_build_object('calling_hours', jsonb_build_object('start', '00:00', 'end', '24:00', 'timezone', z.name))))))
                         is not null$$, 'every zone that is accepted is understood');
update public.organizations set settings = '{}' where id = :'work';

-- ---- the default ----------------------------------------------------------------------

select tests.be(:'alice', :'work');
select is(api.organization_default(:'work') ->> 'is_default', 'true', 'any of one''s organizations can be the default');
select tests.be(:'alice');
select is(public.current_organization_id(), :'work'::uuid, 'and is then the active one without a wish');
select is(api.organization_update(:'work', '{"is_default":false}') ->> 'is_default', 'false', 'or none');
select tests.be_nobody();
select is(public.organization_of_user(:'alice', null), :'personal'::uuid, 'then it is the personal one');
select tests.be_key(:'work', '{*}') as key \gset
select throws_ok(format('select api.organization_default(%L)', :'work'), 'PT403', 'person_needed', 'a key has no default');

-- ---- members -----------------------------------------------------------------------------

select tests.be(:'carol', :'work');
select is((select array_agg(x ->> 'role') from jsonb_array_elements(api.member_list(:'work') -> 'data') x), '{owner,admin,viewer}', 'members are listed, the first ones first');
select is(api.member_list(:'work') -> 'data' -> 0 ->> 'email', 'alice@x.test', 'with their addresses');
select throws_ok(format('select api.member_list(%L)', :'bobs'), 'PT404', 'organization_not_found', 'those of others are not');
select is(api.member_update(:'work', :'dave', '{"role":"member"}') ->> 'role', 'member', 'an admin gives a member another role');
select throws_ok(format('select api.member_update(%L, %L, ''{"role":"owner"}'')', :'work', :'dave'), 'PT403', 'owner_needed', 'but does not make an owner');
select throws_ok(format('select api.member_update(%L, %L, ''{"role":"owner"}'')', :'work', :'carol'), 'PT403', 'owner_needed', 'least of himself');
select throws_ok(format('select api.member_update(%L, %L, ''{"role":"viewer"}'')', :'work', :'alice'), 'PT403', 'owner_needed', 'nor takes an owner''s role');
select throws_ok(format('select api.member_remove(%L, %L)', :'work', :'alice'), 'PT403', 'owner_needed', 'nor removes one');
select throws_ok(format('select api.member_update(%L, %L, ''{"role":"viewer"}'')', :'work', :'bob'), 'PT404', 'member_not_found', 'who is no member has no role');
select throws_ok(format('select api.member_remove(%L, %L)', :'work', :'bob'), 'PT404', 'member_not_found', 'and cannot be removed');
select is(api.member_leave(:'work'), '{}', 'an admin may leave');
select tests.be(:'alice', :'work');
select throws_ok(format('select api.member_leave(%L)', :'work'), 'PT409', 'last_owner', 'the last owner may not');
select throws_ok(format('select api.member_update(%L, %L, ''{"role":"admin"}'')', :'work', :'alice'), 'PT409', 'last_owner', 'nor become less');
select is(api.member_update(:'work', :'dave', '{"role":"owner"}') ->> 'role', 'owner', 'an owner makes another one');
select is(api.member_update(:'work', :'alice', '{"role":"admin"}') ->> 'role', 'admin', 'and then may become less');
select tests.be_nobody();
select throws_ok(format('delete from public.organization_members where organization_id = %L and user_id = %L', :'work', :'dave'), 'PT409', 'last_owner',
                 'not even by SQL does an organization lose its last owner');
select throws_ok(format('update public.organization_members set role = ''viewer'' where organization_id = %L', :'work'), 'PT409', 'last_owner', 'nor all of them at once');
update public.organization_members set role = 'owner' where user_id = :'alice' and organization_id = :'work';
insert into public.organization_members (organization_id, user_id, role) values (:'personal', :'bob', 'owner');
select tests.be(:'alice', :'personal');
select throws_ok(format('select api.member_leave(%L)', :'personal'), 'PT409', 'organization_personal', 'nobody leaves the personal organization, whoever else owns it');
select tests.be(:'bob', :'personal');
select throws_ok(format('select api.member_update(%L, %L, ''{"role":"viewer"}'')', :'personal', :'alice'), 'PT409', 'organization_personal', 'nor is made less there');
select tests.be_key(:'work', '{members:read,members:write}') as key \gset
select throws_ok(format('select api.member_remove(%L, %L)', :'work', :'alice'), 'PT403', 'owner_needed', 'a key that may write members does not touch owners');
select throws_ok(format('select api.member_update(%L, %L, ''{"role":"admin"}'')', :'work', :'dave'), 'PT403', 'owner_needed', 'least of all by making them less');
select throws_ok(format('select api.member_invite(%L, ''x@x.test'', ''admin'')', :'work'), 'PT403', 'rights_exceeded', 'and gives no role that may do more than itself');
select throws_ok(format('select api.member_invite(%L, ''x@x.test'', ''owner'')', :'work'), 'PT403', 'owner_needed', 'least of all an owner''s');
select throws_ok(format('select api.member_leave(%L)', :'work'), 'PT403', 'person_needed', 'and is no member itself');
select tests.be_key(:'work', '{members:write,organization:delete}') as key \gset
select throws_ok(format('select api.member_invite(%L, ''x@x.test'', ''owner'')', :'work'), 'PT403', 'rights_exceeded', 'an owner''s only with all that owners may');
select tests.be_nobody();
insert into public.organization_members (organization_id, user_id, role) values (:'work', :'bob', 'member');
select tests.be_key(:'work', array(select r.scope from public.role_scopes() r where r.role = 'viewer') || 'members:write'::text) as key \gset
select is(api.member_invite(:'work', 'x@x.test', 'viewer') ->> 'role', 'viewer', 'a role that may do less it gives');
select throws_ok(format('select api.member_update(%L, %L, ''{"role":"admin"}'')', :'work', :'bob'), 'PT403', 'rights_exceeded', 'and makes no member more');
select is(api.member_update(:'work', :'bob', '{"role":"viewer"}') ->> 'role', 'viewer', 'but less');

select * from finish();
rollback;
