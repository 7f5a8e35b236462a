-- organizations_keys.sql - organizations: invitations and API keys.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select gen_random_uuid() as carol \gset
select tests.organization('Work', :'alice') as work \gset
select tests.organization('Bob', :'bob') as bobs \gset
insert into public.organization_members (organization_id, user_id, role) values (:'work', :'carol', 'admin');
insert into public.user_profiles (id, email, first_name, last_name, status)
values (:'alice', 'Alice@x.test', 'Alice', 'A', 'active'), (:'carol', 'carol@x.test', null, null, 'active');

-- A person as the server makes him, with the address that his token names.
create function tests.be_mail(p_user uuid, p_email text, p_more jsonb default '{}') returns void language plpgsql as $$
begin
    perform tests.be(p_user);
    perform set_config('request.jwt.claims', (jsonb_build_object('sub', p_user, 'role', 'authenticated', 'email', p_email) || p_more)::text, true);
end
$$;
create function tests.hash(p_text text) returns text language sql as $$ select encode(sha256(p_text::bytea), 'hex') $$;
create function tests.be_key(p_organization uuid, p_key uuid) returns void language plpgsql as $$
begin
    perform tests.be_nobody();
    perform set_config('request.jwt.claims', jsonb_build_object('role', 'hookswitch_key', 'key_id', p_key)::text, true),
            set_config('hookswitch.organization_id', p_organization::text, true);
    perform set_config('role', 'hookswitch_api', true);
end
$$;
create function tests.works(p_text text) returns boolean language plpgsql security definer as $$
begin
    perform public.request_identity_key(tests.hash(p_text), null, 'calls:read');
    return true;
exception when sqlstate 'PT401' then
    return false;
end
$$;
grant execute on all functions in schema tests to public;

-- ---- invitations ------------------------------------------------------------------

select tests.be(:'alice', :'work');
select api.member_invite(:'work', 'New@x.test', 'member') ->> 'id' as invitation \gset
select is((select email || ' ' || role || ' ' || state from public.organization_invitations where id = :'invitation'), 'new@x.test member pending', 'an address is invited');
select tests.be_nobody();
select is((select workflow || ' ' || organization_id from public.workflow_runs where id = format('mail:invitation:%s:1', :'invitation')), 'mail ' || :'work',
          'the mail''s run begins in the same transaction');
select is((select input::text ~ :'invitation' and input::text ~ 'Alice A' from public.workflow_runs where id = format('mail:invitation:%s:1', :'invitation')), true,
          'knows the invitation and who invited');
select tests.be(:'alice', :'work');
select throws_ok(format('select api.member_invite(%L, ''NEW@x.test'', ''viewer'')', :'work'), 'PT409', 'invitation_exists', 'an address is invited once');
select throws_ok(format('select api.member_invite(%L, ''alice@X.test'', ''viewer'')', :'work'), 'PT409', 'member_exists', 'a member is not invited');
select throws_ok(format('select api.member_invite(%L, ''other@x.test'', ''viewer'')', :'bobs'), 'PT404', 'organization_not_found', 'nobody invites to an organization of others');
select throws_ok(format('select api.invitation_resend(%L, %L)', :'work', :'invitation'), 'PT429', 'rate_limited', 'it is not sent twice in a minute');
select throws_ok(format('select api.invitation_resend(%L, %L)', :'work', gen_random_uuid()), 'PT404', 'invitation_not_found', 'one that is none is not sent');
select tests.be_nobody();
update public.organization_invitations set sent_at = now() - interval '2 minutes', expires_at = now() - interval '1 second' where id = :'invitation';
select tests.be(:'carol', :'work');
select is((select x ->> 'state' from jsonb_array_elements(api.invitation_list(:'work') -> 'data') x), 'expired', 'an old one shows that it is');
select is(api.invitation_resend(:'work', :'invitation') ->> 'state', 'pending', 'and waits again when it is sent again');
select throws_ok(format('select api.member_invite(%L, ''boss@x.test'', ''owner'')', :'work'), 'PT403', 'owner_needed', 'an admin invites no owner');
select tests.be(:'alice', :'work');
select api.member_invite(:'work', 'boss@x.test', 'owner') ->> 'id' as boss \gset
select tests.be_nobody();
update public.organization_invitations set sent_at = now() - interval '2 minutes' where id = :'boss';
select tests.be(:'carol', :'work');
select throws_ok(format('select api.invitation_resend(%L, %L)', :'work', :'boss'), 'PT403', 'owner_needed', 'nor sends such an invitation again');

select tests.be_mail(:'bob', 'bob@x.test');
select throws_ok(format('select api.invitation_accept(%L)', :'invitation'), 'PT403', 'invitation_other_address', 'another person''s invitation is not accepted');
select is(jsonb_array_length(api.invitation_list(:'work') -> 'data'), 0, 'nor seen');
select throws_ok(format('select api.invitation_revoke(%L, %L)', :'bobs', :'invitation'), 'PT404', 'invitation_not_found', 'nor taken back');
select tests.be_mail(:'bob', null);
select throws_ok(format('select api.invitation_accept(%L)', :'invitation'), 'PT403', 'invitation_other_address', 'nor by a person without an address');
select tests.be_mail(:'bob', 'new@x.test', '{"is_anonymous":true}');
select throws_ok(format('select api.invitation_accept(%L)', :'invitation'), 'PT403', 'invitation_other_address', 'nor by an anonymous one');
select tests.be_nobody();
insert into auth.users (id, email) values (:'bob', 'bob@x.test');
select tests.be_mail(:'bob', 'new@x.test');
select throws_ok(format('select api.invitation_accept(%L)', :'invitation'), 'PT403', 'invitation_other_address', 'nor by one whose account has another address by now');
select tests.be_nobody();
delete from auth.users where id = :'bob';
select tests.be_mail(:'bob', 'NEW@x.test');
select is(api.invitation_accept(:'invitation') ->> 'role', 'member', 'the person of that address joins');
select throws_ok(format('select api.invitation_accept(%L)', :'invitation'), 'PT409', 'invitation_used', 'once');
select throws_ok(format('select api.invitation_accept(%L)', gen_random_uuid()), 'PT404', 'invitation_not_found', 'what was never sent is not accepted');
select tests.be(:'bob', :'work');
select is(api.organization_get(:'work') ->> 'role', 'member', 'and is a member from then on');
select tests.be_mail(:'alice', 'boss@x.test');
select throws_ok(format('select api.invitation_accept(%L)', :'boss'), 'PT409', 'member_exists', 'a member does not become another one');
select tests.be(:'alice', :'work');
select is(api.invitation_revoke(:'work', :'boss'), '{}', 'an invitation is taken back');
select throws_ok(format('select api.invitation_revoke(%L, %L)', :'work', :'boss'), 'PT409', 'invitation_revoked', 'once');
select throws_ok(format('select api.invitation_revoke(%L, %L)', :'work', :'invitation'), 'PT409', 'invitation_used', 'and not after it was accepted');
select tests.be_mail(gen_random_uuid(), 'boss@x.test');
select throws_ok(format('select api.invitation_accept(%L)', :'boss'), 'PT409', 'invitation_revoked', 'then nobody joins by it');
select tests.be(:'alice', :'work');
select api.member_invite(:'work', 'late@x.test', 'viewer') ->> 'id' as late \gset
select tests.be_nobody();
update public.organization_invitations set expires_at = now() - interval '1 second' where id = :'late';
select tests.be_mail(gen_random_uuid(), 'late@x.test');
select throws_ok(format('select api.invitation_accept(%L)', :'late'), 'PT409', 'invitation_expired', 'nor by one that is too old');
select tests.be(:'alice', :'work');
select lives_ok(format('select api.member_invite(%L, ''late@x.test'', ''viewer'')', :'work'), 'but the address can be invited anew');
select tests.be_nobody();
select throws_ok(format('update public.organization_invitations set state = ''pending'' where id = %L', :'boss'), 'PT409', 'state_move_refused', 'what is over stays over');

-- ---- keys: rights ----------------------------------------------------------------------

select tests.be(:'alice', :'work');
select api.api_key_create(:'work', 'all', '["*"]', null, tests.hash('k-all'), 'hsk_all') ->> 'id' as key_all \gset
select is(api.api_key_create(:'work', 'reader', '["calls:read","calls:read"]', now() + interval '1 day', tests.hash('k-read'), 'hsk_r') -> 'scopes', '["calls:read"]', 'an owner makes any key');
select throws_ok(format('select api.api_key_create(%L, ''x'', ''["calls:dance"]'', null, tests.hash(''x''), ''hsk_x'')', :'work'), 'PT422', 'scope_unknown', 'of scopes that there are');
select throws_ok(format('select api.api_key_create(%L, ''x'', ''[7]'', null, tests.hash(''x''), ''hsk_x'')', :'work'), 'PT422', 'scope_unknown', 'in words');
select throws_ok(format('select api.api_key_create(%L, ''x'', ''["calls:read"]'', now(), tests.hash(''x''), ''hsk_x'')', :'work'), 'PT422', 'expires_in_past', 'that have not ended yet');
select throws_ok(format('select api.api_key_create(%L, ''x'', ''["calls:read"]'', null, tests.hash(''x''), ''hsk_x'')', :'bobs'), 'PT404', 'organization_not_found', 'of one''s own organization');
select tests.be(:'carol', :'work');
select throws_ok(format('select api.api_key_create(%L, ''x'', ''["*"]'', null, tests.hash(''x''), ''hsk_x'')', :'work'), 'PT403', 'rights_exceeded', 'an admin''s key is no owner');
select throws_ok(format('select api.api_key_create(%L, ''x'', ''["organization:delete"]'', null, tests.hash(''x''), ''hsk_x'')', :'work'), 'PT403', 'rights_exceeded', 'not in part either');
select throws_ok(format('select api.api_key_rotate(%L, %L, 60, null, tests.hash(''x''), ''hsk_x'')', :'work', :'key_all'), 'PT403', 'rights_exceeded', 'and rotating is no way around that');
select api.api_key_create(:'work', 'maker', '["keys:write","calls:read"]', null, tests.hash('k-maker'), 'hsk_m') ->> 'id' as maker \gset
select tests.be_key(:'work', :'maker');
select throws_ok(format('select api.api_key_create(%L, ''x'', ''["calls:write"]'', null, tests.hash(''x''), ''hsk_x'')', :'work'), 'PT403', 'rights_exceeded', 'a key makes none that may do more');
select is(api.api_key_create(:'work', 'child', '["calls:read"]', null, tests.hash('k-child'), 'hsk_c') ->> 'created_by', null, 'but one that may do as much');
select tests.be(:'bob', :'bobs');
select throws_ok(format('select api.api_key_get(%L, %L)', :'bobs', :'maker'), 'PT404', 'api_key_not_found', 'a key of others does not exist');
select throws_ok(format('select api.api_key_revoke(%L, %L)', :'bobs', :'maker'), 'PT404', 'api_key_not_found', 'and is not revoked by strangers');
select throws_ok(format('select api.api_key_rotate(%L, %L, 60, null, tests.hash(''x''), ''hsk_x'')', :'bobs', :'maker'), 'PT404', 'api_key_not_found', 'nor rotated');

-- ---- keys: rotation ----------------------------------------------------------------------

select tests.be(:'alice', :'work');
select api.api_key_create(:'work', 'robot', '["calls:read"]', null, tests.hash('r-1'), 'hsk_1') ->> 'id' as r1 \gset
select api.api_key_rotate(:'work', :'r1', 3600, null, tests.hash('r-2'), 'hsk_2') ->> 'id' as r2 \gset
select is(array[tests.works('r-1'), tests.works('r-2')], '{t,t}', 'while a key is rotated both work');
select is((select (x ->> 'name') || ' ' || (x ->> 'replaces') from (select api.api_key_get(:'work', :'r2')) y(x)), 'robot ' || :'r1', 'the new one has its name and knows it');
select is(api.api_key_get(:'work', :'r1') ->> 'replaced_by', :'r2', 'and it knows the new one');
select throws_ok(format('select api.api_key_rotate(%L, %L, 60, null, tests.hash(''x''), ''hsk_x'')', :'work', :'r1'), 'PT409', 'api_key_rotated', 'a key is rotated once');
select api.api_key_rotate(:'work', :'r2', 0, now() + interval '1 hour', tests.hash('r-3'), 'hsk_3') ->> 'id' as r3 \gset
select is(array[tests.works('r-1'), tests.works('r-2'), tests.works('r-3')], '{f,f,t}', 'without a grace the old one ends at once, and the one before it too');
select throws_ok(format('select api.api_key_rotate(%L, %L, 60, null, tests.hash(''x''), ''hsk_x'')', :'work', :'r2'), 'PT409', 'api_key_ended', 'what has ended is not rotated');
select is(api.api_key_revoke(:'work', :'r3'), '{}', 'a key is revoked');
select is(tests.works('r-3'), false, 'and ends at once');
select throws_ok(format('select api.api_key_revoke(%L, %L)', :'work', :'r3'), 'PT409', 'api_key_ended', 'once');
select is(api.api_key_get(:'work', :'r3') ->> 'state', 'revoked', 'it is shown still');
select is((select bool_or(x ? 'key_hash' or x ? 'key') from jsonb_array_elements(api.api_key_list(:'work') -> 'data') x), false, 'but never the key itself');

select * from finish();
rollback;
