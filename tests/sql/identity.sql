-- identity.sql - who is asking, established once for each request; Idempotency-Key.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as org \gset
select tests.organization('Bob', :'bob') as other \gset

create function tests.token(p_user uuid, p_header text default null, p_more jsonb default '{}') returns uuid language sql as $$
    select organization_id from public.request_identity_token(jsonb_build_object('sub', p_user, 'role', 'authenticated') || p_more, p_header, 'calls:read')
$$;

-- ---- tokens -----------------------------------------------------------------

select is(tests.token(:'alice'), :'org'::uuid, 'a token without a wish acts for the default organization');
select is(tests.token(:'alice', :'org'), :'org'::uuid, 'the header names one');
select is(tests.token(:'alice', '', jsonb_build_object('app_metadata', jsonb_build_object('organization_id', :'org'))), :'org'::uuid, 'or the token');
select throws_ok(format('select tests.token(%L, %L)', :'alice', :'other'), 'PT404', 'organization_not_found', 'an organization of others does not exist');
select throws_ok(format('select tests.token(%L, ''nonsense'')', :'alice'), 'PT404', 'organization_not_found', 'nor one that is no id');
select throws_ok(format('select tests.token(%L, null, %L)', :'alice', jsonb_build_object('app_metadata', jsonb_build_object('organization_id', :'other'))),
                 'PT404', 'organization_not_found', 'nor one of others in the token');
select is(tests.token(:'alice', null, jsonb_build_object('user_metadata', jsonb_build_object('organization_id', :'other'))), :'org'::uuid, 'user_metadata is not asked');
update public.organizations set status = 'disabled' where id = :'org';
select throws_ok(format('select tests.token(%L, %L)', :'alice', :'org'), 'PT403', 'organization_inactive', 'a disabled organization says so to its members');
select throws_ok(format('select tests.token(%L, %L)', :'bob', :'org'), 'PT404', 'organization_not_found', 'and not to strangers');
update public.organizations set status = 'active' where id = :'org';

select gen_random_uuid() as dora \gset
select tests.token(:'dora') as doras \gset
update public.organizations set status = 'disabled' where id = :'doras';
select throws_ok(format('select tests.token(%L)', :'dora'), 'PT403', 'organization_inactive', 'who has no other organization is told that it is disabled');
select gen_random_uuid() as carol \gset
select tests.token(:'carol', null, '{"email":"carol@example.com"}') as personal \gset
select results_eq(format('select name, personal_of::text from public.organizations where id = %L', :'personal'), format('values (''carol@example.com'', %L)', :'carol'),
                  'the first token of a person makes a personal organization');
select is(tests.token(:'carol'), :'personal'::uuid, 'the second finds it');
select results_eq(format('select role, is_default from public.organization_members where user_id = %L', :'carol'), $$values ('owner', true)$$, 'that is his own');
select is((select email || ' ' || status from public.user_profiles where id = :'carol'), 'carol@example.com active', 'with a profile');
select throws_ok(format('select tests.token(%L, %L)', gen_random_uuid(), :'org'), 'PT404', 'organization_not_found', 'a stranger with a wish gets none made');

select throws_ok($$select public.request_identity_token('{"role":"service_role"}', null, 'calls:read')$$, 'PT400', 'bad_request', 'a service key must name the organization');
select is((select organization_id from public.request_identity_token('{"role":"service_role"}', :'other', 'calls:read')), :'other'::uuid, 'then it acts for any');
select throws_ok(format($$select public.request_identity_token('{"role":"service_role"}', %L, 'calls:read')$$, gen_random_uuid()), 'PT404', 'organization_not_found', 'that exists');
update public.organizations set status = 'disabled' where id = :'other';
select throws_ok(format($$select public.request_identity_token('{"role":"service_role"}', %L, 'calls:read')$$, :'other'), 'PT403', 'organization_inactive', 'and is open');
update public.organizations set status = 'active' where id = :'other';
select throws_ok($$select public.request_identity_token('{"role":"authenticated"}', null, 'calls:read')$$, 'PT404', 'organization_not_found', 'a token of nobody is nobody');

-- ---- keys ----------------------------------------------------------------------

insert into public.api_keys (organization_id, created_by, name, prefix, key_hash, scopes)
values (:'org', :'alice', 'reader', 'hsk_1', repeat('a', 64), '{calls:read}'), (:'org', :'alice', 'all', 'hsk_2', repeat('b', 64), '{*}');
insert into public.api_keys (organization_id, name, prefix, key_hash, scopes, expires_at, revoked_at)
values (:'org', 'old', 'hsk_3', repeat('c', 64), '{*}', now() - interval '1 second', null), (:'org', 'gone', 'hsk_4', repeat('d', 64), '{*}', null, now());
select results_eq(format('select organization_id, user_id from public.request_identity_key(%L, null, ''calls:read'')', repeat('a', 64)),
                  format('values (%L::uuid, %L::uuid)', :'org', :'alice'), 'a key acts for its own organization');
select ok((select last_used_at = now() from public.api_keys where key_hash = repeat('a', 64)), 'its use is dated');
update public.api_keys set last_used_at = now() - interval '30 seconds';
select public.request_identity_key(repeat('a', 64), null, 'calls:read') \g /dev/null
select ok((select last_used_at < now() from public.api_keys where key_hash = repeat('a', 64)), 'at most once a minute');
select throws_ok(format('select public.request_identity_key(%L, null, ''calls:write'')', repeat('a', 64)), 'PT403', 'scope_missing', 'a key without the scope is refused');
select lives_ok(format('select public.request_identity_key(%L, null, ''calls:write'')', repeat('b', 64)), 'the scope * is every scope');
select throws_ok(format('select public.request_identity_key(%L, null, ''calls:read'')', repeat('c', 64)), 'PT401', 'api_key_invalid', 'an expired key is no key');
select throws_ok(format('select public.request_identity_key(%L, null, ''calls:read'')', repeat('d', 64)), 'PT401', 'api_key_invalid', 'nor is a revoked one');
select throws_ok(format('select public.request_identity_key(%L, null, ''calls:read'')', repeat('e', 64)), 'PT401', 'api_key_invalid', 'nor one that never was');
select lives_ok(format('select public.request_identity_key(%L, %L, ''calls:read'')', repeat('a', 64), :'org'), 'the header may name its organization');
select throws_ok(format('select public.request_identity_key(%L, %L, ''calls:read'')', repeat('a', 64), :'other'), 'PT403', 'organization_mismatch', 'and no other');
update public.organizations set status = 'disabled' where id = :'org';
select throws_ok(format('select public.request_identity_key(%L, null, ''calls:read'')', repeat('b', 64)), 'PT403', 'organization_inactive', 'the key of a disabled organization is refused');
update public.organizations set status = 'active' where id = :'org';

-- ---- Idempotency-Key ----------------------------------------------------------------

select tests.be(:'alice', :'org');
select results_eq('select state, status, body from public.idempotency_take(''k1'', ''f1'')', $$values ('new', null::integer, null::text)$$, 'a new key is new');
select public.idempotency_keep('k1', 'f1', 201, '{"id":1}');
select results_eq('select state, status, body from public.idempotency_take(''k1'', ''f1'')', $$values ('replay', 201, '{"id":1}')$$, 'the same request gets the first answer again');
select results_eq('select state, status, body from public.idempotency_take(''k1'', ''f2'')', $$values ('reused', null::integer, null::text)$$, 'another request under the same key is refused');
select tests.be(:'bob', :'other');
select results_eq('select state, status, body from public.idempotency_take(''k1'', ''f1'')', $$values ('new', null::integer, null::text)$$, 'another organization''s key is another key');
select tests.be_nobody();
update public.idempotency_keys set created_at = now() - interval '24 hours 1 second' where key = 'k1';
select tests.be(:'alice', :'org');
select results_eq('select state, status, body from public.idempotency_take(''k1'', ''f2'')', $$values ('new', null::integer, null::text)$$, 'after a day a key is new again');
select lives_ok('select public.idempotency_keep(''k1'', ''f2'', 201, ''{}'')', 'and can be kept');
select tests.be(:'alice');
select results_eq('select state from public.idempotency_take(''k1'', ''f1'', true)', $$values ('new')$$, 'a person''s key is another one than her organization''s');
select lives_ok('select public.idempotency_keep(''k1'', ''f1'', 201, ''{"secret":1}'', true)', 'and is kept');
select tests.be(:'alice', :'org');
select results_eq('select state, body from public.idempotency_take(''k1'', ''f1'', true)', $$values ('replay', '{"secret":1}')$$,
                  'she gets that answer again whichever organization is active');
select tests.be_nobody();
insert into public.organization_members (organization_id, user_id, role) values (:'org', :'carol', 'member');
select tests.be(:'carol', :'org');
select results_eq('select state from public.idempotency_take(''k1'', ''f1'', true)', $$values ('new')$$, 'and another member of it does not');
select tests.be_nobody();

-- ---- small things -----------------------------------------------------------------------

select is(public.uuid_or_null('x'), null, 'what is no id is none');
select is(public.uuid_or_null('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'), 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, 'an id in capitals is one');

select * from finish();
rollback;
