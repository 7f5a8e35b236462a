-- auth.sql - accounts: who may reach credentials, how often something may be tried, and whether a token still counts.
begin;
select no_plan();

-- What a program asks as: nobody, from an address.
create function tests.from_address(p_address text) returns void language sql as $$
    select set_config('hookswitch.address', p_address, true)
$$;
create function tests.session_json(p_refresh text) returns jsonb language sql as $$
    select jsonb_build_object('refresh_hash', encode(sha256(p_refresh::bytea), 'hex'), 'user_agent', 'pgTAP', 'seconds', 3600)
$$;
create function tests.token(p_kind text, p_user uuid) returns uuid language sql security definer as $$
    select id from hookswitch_auth.one_time_tokens where kind = p_kind and user_id = p_user
$$;
-- Somebody confirmed, with the password hash "hash" and no session.
create function tests.account(p_email text) returns uuid language plpgsql as $$
declare
    v_user uuid;
begin
    perform public.auth_sign_up(p_email, 'hash', '{}');
    v_user := public.auth_user_of(p_email);
    perform public.auth_confirm(v_user, 'hash', '{}');
    return v_user;
end
$$;

-- ---- rights, from the catalogue ------------------------------------------------------------------------

create temporary view secret_tables as select c.* from pg_class c where c.relnamespace = 'hookswitch_auth'::regnamespace and c.relkind = 'r';
select cmp_ok((select count(*)::integer from secret_tables), '>=', 7, 'there are tables of credentials');
select is_empty('select relname from secret_tables where not relrowsecurity or not relforcerowsecurity', 'row security is enabled and forced on each');
select is_empty($$select relname from secret_tables where obj_description(oid, 'pg_class') is null$$, 'each has a comment');
select is_empty($$select t.relname, a.grantee::regrole from secret_tables t, aclexplode(t.relacl) a
                   where a.grantee not in (t.relowner, 'hookswitch_pump'::regrole)$$, 'nobody is granted anything but hookswitch_pump');
select is_empty($$select a.grantee::regrole from pg_namespace n, aclexplode(n.nspacl) a
                   where n.nspname = 'hookswitch_auth' and a.grantee not in (n.nspowner, 'hookswitch_pump'::regrole)$$, 'nor is the schema anybody''s');
select is_empty($$select t.relname, p.polname from secret_tables t join pg_policy p on p.polrelid = t.oid
                   where p.polroles <> array['hookswitch_pump'::regrole::oid]$$, 'and no policy lets anybody else in');
select tests.be_role('hookswitch_api');
select throws_ok('select 1 from hookswitch_auth.credentials', '42501', null, 'the role of the programs reads no credentials');
select throws_ok('select public.auth_password_put(gen_random_uuid(), ''x'')', '42501', null, 'nor writes any');
select throws_ok('select 1 from auth.users', '42501', null, 'nor sees who there is');
select throws_ok('select public.auth_session_open(gen_random_uuid(), ''{otp}'', ''{}'')', '42501', null, 'nor opens a session without a proof');
select tests.be_role('authenticated');
select throws_ok('select api.auth_me()', '42501', null, 'people who come through PostgREST call nothing of this');
select tests.be_nobody();

-- ---- whose accounts they are ------------------------------------------------------------------------------

select ok(public.auth_is_ours(), 'here people sign up with us');
savepoint external;
create role auth_elsewhere;
alter schema auth owner to auth_elsewhere;
select ok(not public.auth_is_ours(), 'where schema auth belongs to somebody else they do not');
select throws_ok(q, 'PT404', 'auth_external', q) from unnest(array[
    $$select api.auth_signup('a@example.com', 'h', null, null, null)$$, $$select api.auth_resend('a@example.com')$$,
    $$select api.auth_forgot('a@example.com')$$, $$select api.auth_code('a@example.com', 'signup')$$,
    $$select api.auth_signin_ask('a@example.com')$$, $$select api.auth_refresh('x', '{}', 10, 10)$$,
    $$select api.auth_verify(gen_random_uuid(), 'signup', '{}')$$, $$select api.auth_reset(gen_random_uuid(), 'h')$$,
    $$select api.auth_email_take(gen_random_uuid())$$, $$select api.auth_challenge_ask(gen_random_uuid(), true)$$,
    $$select api.auth_prove_ask()$$, $$select api.totp_ask()$$]) q;
rollback to external;

-- ---- tokens that were verified --------------------------------------------------------------------------------

select tests.account('ann@example.com') as ann \gset
select public.auth_session_open(:'ann', '{password}', tests.session_json('one')) as session \gset
create function tests.refused(p_user uuid, p_session uuid, p_more jsonb default '{}') returns text language sql as $$
    select public.token_refused(jsonb_build_object('sub', p_user, 'role', 'authenticated', 'session_id', p_session) || p_more)
$$;
select is(tests.refused(:'ann', :'session'), null, 'a session that runs is not refused');
select is(tests.refused(:'ann', null), null, 'nor a token without one');
select is(tests.refused(:'ann', gen_random_uuid()), null, 'nor one of a session that somebody else keeps');
select is(tests.refused(gen_random_uuid(), :'session'), 'session_revoked', 'a session is its person''s alone');
select is(public.token_refused('{"role":"service_role"}'), null, 'a service key has no session');
update hookswitch_auth.sessions set expires_at = now() - interval '1 second' where id = :'session';
select is(tests.refused(:'ann', :'session'), 'session_revoked', 'a session that ran out is refused');
update hookswitch_auth.sessions set expires_at = now() + interval '1 hour', revoked_at = now(), revoked_because = 'signout' where id = :'session';
select is(tests.refused(:'ann', :'session'), 'session_revoked', 'and one that was ended');
update hookswitch_auth.sessions set revoked_at = null;
update public.user_profiles set status = 'inactive' where id = :'ann';
select is(tests.refused(:'ann', :'session'), 'account_inactive', 'an inactive account is refused');
select is(tests.refused(:'ann', null), 'account_inactive', 'with whatever token');
select throws_ok(format('select public.request_identity_token(%L, null, ''calls:read'')', jsonb_build_object('sub', :'ann', 'role', 'authenticated')),
                 'PT403', 'account_inactive', 'in every request');
update public.user_profiles set status = 'active';

-- Switched on in one session; another was opened without a code.
savepoint factor;
insert into hookswitch_auth.factors (user_id, secret, verified_at) values (:'ann', 'sealed:x', now());
create function tests.identity(p_user uuid, p_session uuid, p_scope text) returns text language sql as $$
    select user_id::text from public.request_identity_token(
        jsonb_build_object('sub', p_user, 'role', 'authenticated', 'session_id', p_session), null, p_scope)
$$;
select is(tests.refused(:'ann', :'session'), 'totp_needed', 'a session without the second factor is half a session');
select throws_ok(format('select tests.identity(%L, %L, %L)', :'ann', :'session', w), 'PT403', 'totp_needed', 'it does nothing: ' || coalesce(w, 'as a person'))
  from unnest(array['calls:read', null]) w;
update hookswitch_auth.sessions set aal = 'aal2' where id = :'session';
select is(tests.identity(:'ann', :'session', 'calls:read'), :'ann', 'then it is a whole one');
rollback to factor;
savepoint gone;
delete from public.user_profiles where id = :'ann';
select is(tests.refused(:'ann', :'session'), 'session_revoked', 'a person who was taken away is refused');
rollback to gone;

-- ---- how often something may be tried ----------------------------------------------------------------------------

select is(array(select public.auth_throttle_take(repeat('a', 64), 3, 8) from generate_series(1, 3)), '{0,0,0}', 'three tries are free');
select is(public.auth_throttle_take(repeat('a', 64), 3, 8), 1, 'then one waits');
create function tests.delays(p_n integer) returns numeric[] language plpgsql as $$
declare
    v_delays numeric[] := '{}';
begin
    for i in 1..p_n loop
        update hookswitch_auth.throttles set blocked_until = now() - interval '1 second' where key = repeat('a', 64);
        perform public.auth_throttle_take(repeat('a', 64), 3, 8);
        v_delays := v_delays || (select round(extract(epoch from blocked_until - touched_at)) from hookswitch_auth.throttles where key = repeat('a', 64));
    end loop;
    return v_delays;
end
$$;
select is(tests.delays(5), '{2,4,8,8,8}', 'twice as long each time, up to the limit');
update hookswitch_auth.throttles set touched_at = now() - interval '25 hours', blocked_until = null where key = repeat('a', 64);
select is(array(select public.auth_throttle_take(repeat('a', 64), 3, 8) from generate_series(1, 4)), '{0,0,0,1}', 'a day later all is forgotten');

select tests.from_address('192.0.2.7') \g /dev/null
select is(public.auth_network(), '192.0.2.7', 'an address is counted by itself');
select tests.from_address('2001:db8:1:2:3:4:5:6') \g /dev/null
select is(public.auth_network(), '2001:db8:1:2::/64', 'of IPv6 the network');
select tests.from_address('::ffff:192.0.2.7') \g /dev/null
select is(public.auth_network(), '192.0.2.7', 'IPv4 as IPv6 writes it is not one network of everybody');
select tests.from_address('a:b:c') \g /dev/null
select is(public.auth_network(), 'a:b:c', 'what is no address is taken as it is');
select tests.from_address('') \g /dev/null
select is(public.auth_network(), 'local', 'and so is none');

-- Ann has signed in from 192.0.2.1; somebody else guesses from many addresses.
delete from hookswitch_auth.throttles;
update hookswitch_auth.sessions set address = '192.0.2.1' where user_id = :'ann';
create function tests.try_from(p_address text, p_email text, p_times integer default 1) returns integer[] language plpgsql as $$
begin
    perform tests.from_address(p_address);
    return array(select public.auth_try(p_email) from generate_series(1, p_times));
end
$$;
select is(tests.try_from('198.51.100.1', 'ann@example.com', 5), '{0,0,0,0,0}', 'five guesses are free');
select ok(0 < all (tests.try_from('198.51.100.2', 'ann@example.com', 2)), 'another address does not help who guesses on');
select ok(0 < all (tests.try_from('198.51.100.2', 'ANN@example.com', 1)), 'nor another spelling');
select is(tests.try_from('192.0.2.1', 'ann@example.com', 5), '{0,0,0,0,0}', 'from where she signed in before she is not locked out');
select ok(0 < all (tests.try_from('192.0.2.1', 'ann@example.com', 1)), 'but does not guess there for ever either');
update hookswitch_auth.throttles set blocked_until = null, tries = case when key = public.auth_throttle_key('address', '192.0.2.1') then 1 else 40 end;
select tests.try_from('198.51.100.3', 'ann@example.com') \g /dev/null
select is((select max(round(extract(epoch from blocked_until - touched_at))) from hookswitch_auth.throttles
            where key = public.auth_throttle_key('account', 'ann@example.com')), 60::numeric, 'elsewhere nobody waits longer than a minute for the next try');
select tests.from_address('192.0.2.1') \g /dev/null
select public.auth_try_worked('ann@example.com') \g /dev/null
select is(tests.try_from('192.0.2.1', 'ann@example.com', 5), '{0,0,0,0,0}', 'success forgets the account''s tries');
select is(tests.try_from('198.51.100.4', 'ann@example.com', 1), '{0}', 'those from elsewhere too');
select is((select tries from hookswitch_auth.throttles where key = public.auth_throttle_key('address', '198.51.100.1')), 40, 'but not an address''s');

delete from hookswitch_auth.throttles;
select is((select count(*) from unnest(array(select (tests.try_from('198.51.100.9', 'p' || i || '@example.com'))[1] from generate_series(1, 31) i)) w where w = 0),
          30::bigint, 'an address tries thirty accounts, and then waits');
select is_empty($$select 1 from hookswitch_auth.throttles where key !~ '^[0-9a-f]{64}$'$$, 'what is counted is not written in clear');

-- ---- refresh tokens: the rows ------------------------------------------------------------------------------------------

create function tests.refresh(p_old text, p_new text, p_grace integer default 10) returns jsonb language sql as $$
    select public.auth_refresh(encode(sha256(p_old::bytea), 'hex'),
                               jsonb_build_object('hash', encode(sha256(p_new::bytea), 'hex'), 'sealed', 'sealed:' || p_new), p_grace, 3600)
$$;
select is(tests.refresh('one', 'two') ->> 'state', 'rotated', 'a refresh token is traded');
select is(tests.refresh('one', 'three') ->> 'sealed', 'sealed:two', 'within the grace the first successor is told again');
select is(tests.refresh('two', 'four') ->> 'state', 'rotated', 'which is good itself');
select is(tests.refresh('one', 'five') ->> 'sealed', 'sealed:four', 'a slow one gets the newest');
select is((select array_agg(successor) from hookswitch_auth.refresh_tokens where successor is not null), '{sealed:four}', 'older successors are forgotten');
select is(tests.refresh('unknown', 'six') ->> 'state', 'unknown', 'an unknown token is unknown');
select is(tests.refresh('one', 'seven', 0) ->> 'state', 'reused', 'after the grace it is reuse');
select is(tests.refresh('four', 'eight') ->> 'state', 'unknown', 'and the whole family is over');
select throws_ok(format($$insert into hookswitch_auth.refresh_tokens (hash, session_id) values (repeat('1', 64), %L), (repeat('2', 64), %L)$$, :'session', :'session'),
                 '23505', null, 'a session never has two tokens that are good');

-- ---- one-time tokens ------------------------------------------------------------------------------------------------------

select public.auth_sign_up('bob@example.com', 'hash', '{"first_name":"Bob","plan":"gold"}') ->> 'user_id' as bob \gset
select is((select status from public.user_profiles where id = :'bob'), 'inactive', 'a new account is inactive');
select is((select raw_user_meta_data from auth.users where id = :'bob'), '{"first_name":"Bob","plan":"gold"}', 'what it brought stands in its metadata');
select is((select raw_app_meta_data ->> 'organization_id' from auth.users where id = :'bob'), null, 'and never where rights are read');
select throws_ok(format('select public.auth_token_take(%L, ''recovery'')', tests.token('signup', :'bob')), 'PT422', 'code_invalid', 'a token is good for its own purpose');
select lives_ok(format('select public.auth_verify(%L, ''signup'', tests.session_json(''bob''))', tests.token('signup', :'bob')), 'and for that it is');
select is((select status from public.user_profiles where id = :'bob'), 'active', 'then the account is active');
select is((select count(*) from public.organizations where personal_of = :'bob'), 1::bigint, 'with one personal organization');
select public.auth_forgot('bob@example.com') \g /dev/null
select throws_ok(format('select public.auth_reset(%L, ''x'')', tests.token('signup', :'bob')),
                 'PT422', 'code_invalid', 'a link to confirm sets no password');
select public.auth_forgot('nobody@example.com') \g /dev/null
select throws_ok(format('select public.auth_reset(%L, ''x'')', (select id from hookswitch_auth.one_time_tokens where kind = 'recovery' and user_id is null limit 1)),
                 'PT422', 'code_invalid', 'what was made for an address that nobody has is worth nothing');

-- Checked against one hash, which another request changed meanwhile.
select public.auth_password_put(:'bob', 'checked') \g /dev/null
select lives_ok(format('select public.auth_password_change(%L, ''checked'', ''first'', null)', :'bob'), 'a password is changed by who knew the old one');
select throws_ok(format('select public.auth_password_change(%L, ''checked'', ''second'', null)', :'bob'), 'PT403', 'password_wrong', 'which is the old one no more');
select throws_ok(format('select public.auth_signed_in(%L, ''checked'', tests.session_json(''late''))', :'bob'), 'PT401', 'credentials_invalid', 'and opens no session');

-- ---- what is over is taken away ----------------------------------------------------------------------------------------------

update hookswitch_auth.sessions set expires_at = now() - interval '31 days' where user_id = :'ann';
update hookswitch_auth.one_time_tokens set expires_at = now() - interval '8 days' where user_id = :'bob';
update hookswitch_auth.throttles set touched_at = now() - interval '2 days';
select public.auth_upkeep(null) \g /dev/null
select is_empty(format('select 1 from hookswitch_auth.sessions where user_id = %L', :'ann'), 'old sessions go, and their tokens');
select isnt_empty(format('select 1 from hookswitch_auth.sessions where user_id = %L', :'bob'), 'others stay');
select is_empty('select 1 from hookswitch_auth.throttles', 'old counts go');
select is_empty(format('select 1 from hookswitch_auth.one_time_tokens where user_id = %L', :'bob'), 'and old links');
delete from auth.users where id = :'bob';
select is_empty(format('select 1 from hookswitch_auth.credentials where user_id = %L', :'bob'), 'a person who is taken away takes his password along');

select * from finish();
rollback;
