-- isolation_accounts.sql - what of an account is out of reach for half a session, for somebody who was banned, and for who guesses.
begin;
select no_plan();

insert into auth.users (email, email_confirmed_at, banned_until) values
    ('ann@example.com', now(), null), ('ben@example.com', null, now() + interval '1 day'), ('cid@example.com', null, null);
insert into public.user_profiles (id, email, status)
select id, email, case when email_confirmed_at is null then 'inactive' else 'active' end from auth.users where email ~ '^(ann|ben|cid)@';
select public.auth_user_of('ann@example.com') as ann, public.auth_user_of('ben@example.com') as ben, public.auth_user_of('cid@example.com') as cid \gset
insert into hookswitch_auth.credentials (user_id, password_hash) values (:'ann', 'x');

create function tests.session(p_user uuid, p_aal text) returns jsonb language sql as $$
    insert into hookswitch_auth.sessions (user_id, aal, expires_at) values (p_user, p_aal, now() + interval '1 day')
    returning jsonb_build_object('sub', user_id, 'role', 'authenticated', 'session_id', id, 'aal', 'aal2')
$$;
create function tests.alive(p_user uuid) returns integer language sql as $$
    select count(*)::integer from hookswitch_auth.sessions where user_id = p_user and revoked_at is null
$$;
create function tests.unstop() returns void language sql as 'update hookswitch_auth.throttles set blocked_until = null';

-- ---- half a session ---------------------------------------------------------------------

select tests.session(:'ann', 'aal1') as half, tests.session(:'ann', 'aal1') as one \gset
select lives_ok(format('select api.auth_v1_user_update(%L, null, null, null, ''{"a":1}'', ''{}'')', :'half'), 'without a second factor a session is a whole one');
insert into hookswitch_auth.factors (user_id, secret, verified_at) values (:'ann', 'sealed:x', now()) returning id as factor \gset
select tests.session(:'ann', 'aal2') as whole \gset
select throws_ok(format('select api.auth_v1_%s', format(t.call, :'half')), 'PT401', 'insufficient_aal', 'half a session does not: ' || t.call)
  from (values ('user_update(%L, null, null, null, ''{"first_name":"x"}'', ''{}'')'), ('user_update(%L, ''ann@new.example'', null, null, null, ''{}'')'),
               ('user_update(%L, null, ''x'', ''y'', null, ''{}'')'), ('user_update(%L, null, null, null, null, ''{}'')'), ('password_ask(%L)'),
               ('logout(%L, ''others'')')) t(call);
select throws_ok(format('select api.auth_v1_factor_remove(%L, %L)', :'half', :'factor'), 'PT401', 'insufficient_aal', 'nor gives it up the second factor');
select throws_ok(format('select api.auth_v1_factor_add(%L, ''x'', ''sealed:y'')', :'half'), 'PT409', 'totp_enrolled', 'nor begin another');
select is(api.auth_v1_user(:'half') ->> 'email', 'ann@example.com', 'it may look');
select is(api.auth_v1_factor_challenge(:'half', :'factor') ->> 'type', 'totp', 'and go on to the second');
select is(public.token_refused(:'half'), 'totp_needed', 'everywhere else it is refused, whatever its claims say of it');
select is(public.token_refused(:'whole'), null, 'as a whole one is not');
select is(api.auth_v1_logout(:'half', 'global'), '{}', 'it ends itself');
select is(tests.alive(:'ann'), 2, 'and no other');
select is(api.auth_v1_logout(:'whole', 'others'), '{}', 'a whole one ends the others');
select is(tests.alive(:'ann'), 1, 'all of them');
select tests.session(:'ann', 'aal1') as one \gset
select is(api.auth_v1_logout(:'whole', 'global'), '{}', 'or all');
select is(tests.alive(:'ann'), 0, 'itself too');

-- ---- banned ------------------------------------------------------------------------------

select public.auth_token_make('signup', :'ben', 3600) as mail, public.auth_token_make('signup', :'cid', 3600) as other \gset
select throws_ok(format('select api.auth_v1_verify(%L, ''signup'', ''{"seconds":60}'', false)', :'mail'), 'PT403', 'account_inactive',
                 'who was banned before he confirmed his address is banned still');
select throws_ok($$select api.auth_v1_signup('ben@example.com', 'x', '{}', '{}', '{"seconds":60}')$$, 'PT403', 'account_inactive',
                 'also where addresses need not be confirmed');
select lives_ok(format('select api.auth_v1_verify(%L, ''signup'', jsonb_build_object(''refresh_hash'', repeat(''a'', 64), ''seconds'', 60), false)', :'other'),
                'who was not is let in');
select is(api.auth_v1_admin_update('{"role":"service_role"}', :'ben', null, null, '{"email_confirm":true}') ->> 'banned_until' is null, false,
          'the application confirms the address');
select is((select status from public.user_profiles where id = :'ben'), 'inactive', 'which lifts no ban');
select is(api.auth_v1_admin_update('{"role":"service_role"}', :'ben', null, null, '{"ban_duration":"none"}') ->> 'banned_until', null, 'that is done by name');
select is((select status from public.user_profiles where id = :'ben'), 'active', 'and then he is in');

-- ---- a refreshed session -------------------------------------------------------------------

select is(api.auth_v1_person(repeat('a', 64)) ->> 'email', 'cid@example.com', 'whoever holds a refresh token is told whose it is');

-- ---- another address -----------------------------------------------------------------------

select public.auth_email_ask(:'ann', 'ann@new.example') \g /dev/null
select tests.unstop(), public.auth_email_ask(:'ann', 'ann@new.example') from generate_series(1, 3) \g /dev/null
create function tests.waiting() returns integer language sql as $$
    select count(*)::integer from hookswitch_auth.one_time_tokens where kind = 'email_change' and used_at is null and user_id is not null
$$;
select is(tests.waiting(), 1, 'a link waits');
select ok(public.auth_throttle_wait(public.auth_throttle_key('mail email_change', 'ann@new.example')) > 0, 'and no more mails are sent now');
select is(api.auth_v1_resend('ann@example.com', 'email_change', '{}'), '{}', 'whoever asks for another then');
select is(tests.waiting(), 1, 'does not spoil the one that was sent');
select is(count(*) filter (where x.a ? 'wait'), 0::bigint, 'ten codes may be tried')
  from (select tests.unstop(), api.auth_v1_code('ann@new.example', '["email_change"]') as a from generate_series(1, 10)) x;
select tests.unstop() \g /dev/null
select api.auth_v1_code('ann@new.example', '["email_change"]') \g /dev/null
update hookswitch_auth.throttles set blocked_until = null
 where key <> public.auth_throttle_key('code email_change', 'ann@new.example');
select ok(api.auth_v1_code('ann@new.example', '["email_change"]') ? 'wait', 'then it takes longer and longer, wherever they come from');

select * from finish();
rollback;
