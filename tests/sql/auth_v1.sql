-- auth_v1.sql - accounts in the form of Supabase Auth: who may ask, what a token still opens, and what a user looks like.
begin;
select no_plan();

create function tests.v1_session(p_refresh text) returns jsonb language sql as $$
    select jsonb_build_object('refresh_hash', encode(sha256(p_refresh::bytea), 'hex'), 'user_agent', 'pgTAP', 'seconds', 3600)
$$;
create function tests.v1_claims(p_user uuid, p_session uuid) returns jsonb language sql as $$
    select jsonb_build_object('sub', p_user, 'role', 'authenticated', 'session_id', p_session)
$$;
-- The members of an object that are there.
create function tests.v1_members(p_object jsonb) returns text language sql as $$
    select string_agg(k, ' ' order by k) from jsonb_object_keys(p_object) k
$$;

-- ---- rights ------------------------------------------------------------------------------------------------

create temporary view v1_functions as
    select p.oid, n.nspname, p.proname, p.prosecdef from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where p.proname like 'auth\_v1\_%' and n.nspname in ('api', 'public');
select cmp_ok((select count(*)::integer from v1_functions where nspname = 'api'), '>=', 24, 'there are functions of this form');
select is_empty($$select proname from v1_functions, unnest(array['authenticated', 'anon', 'service_role', 'hookswitch_webhook']) r
                   where has_function_privilege(r, oid, 'execute')$$, 'nobody who comes through PostgREST calls any of them');
select is_empty($$select proname from v1_functions where nspname = 'public' and has_function_privilege('hookswitch_api', oid, 'execute')$$,
                'the programs call those of schema api only');

-- ---- whose accounts they are ------------------------------------------------------------------------------------

savepoint external;
create role auth_v1_elsewhere;
alter schema auth owner to auth_v1_elsewhere;
select throws_ok(q, 'PT404', 'auth_external', q) from unnest(array[
    $$select api.auth_v1_signup('a@example.com', 'h', '{}', '{}', null)$$, $$select api.auth_v1_signup('a@example.com', 'h', '{}', '{}', '{}')$$,
    $$select api.auth_v1_otp('a@example.com', true, '{}', '{}')$$, $$select api.auth_v1_recover('a@example.com', '{}')$$,
    $$select api.auth_v1_resend('a@example.com', 'signup', '{}')$$, $$select api.auth_v1_code('a@example.com', '["signup"]')$$,
    $$select api.auth_v1_verify(gen_random_uuid(), 'signup', '{}', false)$$, $$select api.auth_v1_redirect(gen_random_uuid())$$,
    $$select api.auth_v1_pkce(gen_random_uuid(), 'x', '{}')$$, $$select api.auth_v1_ready()$$, $$select api.auth_v1_keys()$$,
    $$select api.auth_v1_user('{}')$$, $$select api.auth_v1_logout('{}', 'global')$$, $$select api.auth_v1_password_ask('{}')$$,
    $$select api.auth_v1_factor_add('{}', 'x', 'x')$$, $$select api.auth_v1_factor_challenge('{}', gen_random_uuid())$$,
    $$select api.auth_v1_admin_list('{}', 1, 1)$$, $$select api.auth_v1_admin_get('{}', gen_random_uuid())$$,
    $$select api.auth_v1_admin_create('{}', 'a@example.com', null, '{}')$$, $$select api.auth_v1_admin_link('{}', 'signup', 'a@example.com', null, '{}')$$,
    $$select api.auth_v1_admin_delete('{}', gen_random_uuid())$$]) q;
rollback to external;

-- ---- what a user looks like -----------------------------------------------------------------------------------

select public.auth_v1_sign_up_now('Ann@example.com', 'hash', '{"full_name":"Ann Lee"}') as ann \gset
select is(tests.v1_members(public.auth_v1_user(:'ann')),
          'app_metadata aud confirmed_at created_at email email_confirmed_at id identities is_anonymous phone role updated_at user_metadata',
          'what is not set is left out');
select is(public.auth_v1_user(:'ann') ->> 'email', 'ann@example.com', 'an address is in small letters');
select is(public.auth_v1_user(gen_random_uuid()), null, 'nobody is nothing');
select throws_ok($$select public.auth_v1_sign_up_now('ann@Example.com', 'other', '{}')$$, 'PT422', 'user_already_exists', 'an address is had once');
select is(tests.v1_members(public.auth_v1_nobody('ann@example.com', '{}')),
          'app_metadata aud confirmation_sent_at created_at email id identities is_anonymous phone role updated_at user_metadata',
          'an invented person has what one has who waits');

-- ---- who holds a token ---------------------------------------------------------------------------------------------

select public.auth_session_open(:'ann', '{password}', tests.v1_session('one')) as session \gset
select tests.v1_claims(:'ann', :'session') as claims \gset
select is(public.auth_v1_enter(:'claims'), :'ann', 'a session that runs is let in');
select is(public.auth_session_current(), :'session', 'and the transaction is its person''s');
select throws_ok(format('select public.auth_v1_enter(%L)', tests.v1_claims(:'ann', gen_random_uuid())), 'PT401', 'session_revoked',
                 'a session that nobody knows is over');
select throws_ok(format('select public.auth_v1_enter(%L)', tests.v1_claims(gen_random_uuid(), :'session')), 'PT404', 'user_not_found',
                 'a person whom nobody knows is none');
savepoint changes;
update public.user_profiles set status = 'inactive' where id = :'ann';
select throws_ok(format('select public.auth_v1_enter(%L)', :'claims'), 'PT403', 'account_inactive', 'somebody inactive is not let in');
rollback to changes;
update hookswitch_auth.sessions set expires_at = statement_timestamp();
select throws_ok(format('select public.auth_v1_enter(%L)', :'claims'), 'PT401', 'session_revoked', 'nor a session that ran out');
rollback to changes;
select is(api.auth_v1_logout(:'claims', 'local'), '{}', 'a session is ended');
select throws_ok(format('select public.auth_v1_enter(%L)', :'claims'), 'PT401', 'session_revoked', 'then it opens nothing');
rollback to changes;

-- ---- both factors ---------------------------------------------------------------------------------------------------

select lives_ok(format('select public.auth_v1_need_aal2(%L)', :'ann'), 'who has one factor needs one');
insert into hookswitch_auth.factors (user_id, secret, verified_at) values (:'ann', 'sealed:x', now());
select throws_ok(format('select public.auth_v1_need_aal2(%L)', :'ann'), 'PT401', 'insufficient_aal', 'who has two needs both');
select throws_ok(format('select api.auth_v1_user_update(%L, ''b@example.com'', null, null, null, ''{}'')', :'claims'), 'PT401', 'insufficient_aal',
                 'to change the address');
select is(public.auth_v1_session_raise(:'session', tests.v1_session('two'), 'sealed:two') #>> '{claims,aal}', 'aal2', 'both were shown');
select lives_ok(format('select public.auth_v1_need_aal2(%L)', :'ann'), 'then they are there');
select is((select array_agg(k.hash = encode(sha256('two'), 'hex')) from hookswitch_auth.refresh_tokens k
            where k.session_id = :'session' and k.used_at is null), array[true], 'and the new refresh token is the only one that counts');
rollback to changes;

-- ---- codes for a challenge, and metadata -------------------------------------------------------------------------------

select ok(public.auth_v1_pkce_fits('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk', 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', 's256'),
          'the example of RFC 7636 fits');
select ok(not public.auth_v1_pkce_fits('E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', 's256'),
          'a challenge is not its own verifier');
select ok(public.auth_v1_pkce_fits('abc', 'abc', 'plain') and not public.auth_v1_pkce_fits('abc', 'abd', 'plain'), 'plain is the same text');
select lives_ok(format('select public.auth_v1_data_apply(%L, ''{"full_name":null,"a":{"b":null}}'')', :'ann'), 'null takes away');
select is(public.auth_v1_user(:'ann') -> 'user_metadata', '{"a":{"b":null}}', 'a member of the first level only');
select throws_ok(format('select public.auth_v1_data_apply(%L, %L)', :'ann', jsonb_build_object('x', repeat('y', 4096))), 'PT400', 'validation_failed',
                 'metadata has its measure');

select * from finish();
rollback;
