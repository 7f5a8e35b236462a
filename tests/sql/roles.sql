-- roles.sql - what each role of a member may do, and who is asked for a role at all.
begin;
select no_plan();

select gen_random_uuid() as anna \gset
select gen_random_uuid() as vera \gset
select tests.organization('Anna', :'anna') as org \gset
select tests.organization('Other') as other \gset
insert into public.organization_members (organization_id, user_id, role) values (:'org', :'vera', 'viewer');

create function tests.enter(p_user uuid, p_organization text, p_scope text, p_more jsonb default '{}') returns uuid language sql as $$
    select organization_id from public.request_identity_token(jsonb_build_object('sub', p_user, 'role', 'authenticated') || p_more, p_organization, p_scope)
$$;

-- ---- the table ----------------------------------------------------------------

select set_eq('select distinct role from public.role_scopes()', array['viewer', 'member', 'admin', 'owner'], 'each role that a member can have stands in the table');
select set_eq($$select scope from public.role_scopes() where role = 'viewer'$$,
    array['assistants:read', 'calls:read', 'contacts:read', 'members:read', 'numbers:read', 'organization:read', 'templates:read', 'voices:read'], 'a viewer reads');
-- Each of the others may do all that the one before may, and these:
select set_eq(format('select scope from public.role_scopes() where role = %L except select scope from public.role_scopes() where role = %L', x.role, x.before),
              x.more, 'a ' || x.role || ' may do more')
  from (values ('member', 'viewer', array['assistants:write', 'calls:write', 'contacts:write', 'templates:write', 'usage:read']),
               ('admin', 'member', array['audit:read', 'billing:read', 'billing:write', 'keys:read', 'keys:write', 'members:write', 'numbers:write', 'organization:write']),
               ('owner', 'admin', array['organization:delete'])) x(role, before, more);
select is_empty(format('select scope from public.role_scopes() where role = %L except select scope from public.role_scopes() where role = %L', x.less, x.more),
                'a ' || x.less || ' may do nothing that the next one may not')
  from (values ('viewer', 'member'), ('member', 'admin'), ('admin', 'owner')) x(less, more);
select is_empty('select role, scope from public.role_scopes() group by 1, 2 having count(*) > 1', 'nothing stands there twice');

-- ---- people -------------------------------------------------------------------

select is(tests.enter(:'vera', :'org', 'calls:read'), :'org'::uuid, 'a viewer may read');
select throws_ok(format('select tests.enter(%L, %L, ''calls:write'')', :'vera', :'org'), 'PT403', 'role_missing', 'and not write');
select throws_ok(format('select tests.enter(%L, %L, ''nonsense:read'')', :'anna', :'org'), 'PT403', 'role_missing', 'a scope that no role has is refused to all');
select throws_ok(format('select tests.enter(%L, %L, ''calls:write'')', :'vera', :'other'), 'PT404', 'organization_not_found', 'a stranger does not learn of roles');
insert into public.organization_members (organization_id, user_id, role) select :'org', gen_random_uuid(), r from unnest(array['member', 'admin']) r;
create function tests.allowed(p_organization uuid, p_role text, p_scope text) returns boolean language plpgsql as $$
begin
    perform public.role_check(p_organization, m.user_id, p_scope) from public.organization_members m
      where m.organization_id = p_organization and m.role = p_role;
    return found;
exception when sqlstate 'PT403' then
    return false;
end
$$;
select results_eq(format($$select x.role, s.scope from (select distinct role from public.role_scopes()) x, (select distinct scope from public.role_scopes()) s
                            where tests.allowed(%L, x.role, s.scope) order by 1, 2$$, :'org'),
    'select role, scope from public.role_scopes() order by 1, 2', 'each role is allowed exactly what the table says');
select is((select organization_id from public.request_identity_token('{"role":"service_role"}', :'org', 'organization:delete')), :'org'::uuid,
          'an application''s service key has no role and needs none');

-- ---- routes for a person, whatever the organization ---------------------------------

select is(tests.enter(:'vera', null, null), :'org'::uuid, 'a person acts for the organization that there is');
select is(tests.enter(:'vera', null, null, jsonb_build_object('app_metadata', jsonb_build_object('organization_id', :'other'))), :'org'::uuid,
          'one in the token that the person has left is no hindrance');
select throws_ok(format('select tests.enter(%L, %L, null)', :'vera', :'other'), 'PT404', 'organization_not_found', 'the path''s must be the person''s');
select isnt(tests.enter(gen_random_uuid(), null, null), null, 'the first token of a person makes an organization there, too');
select throws_ok($$select public.request_identity_token('{"role":"service_role"}', null, null)$$, 'PT403', 'person_needed', 'a service key is no person');
update public.organizations set status = 'disabled' where id = :'org';
select isnt(tests.enter(:'vera', null, null), :'org'::uuid, 'who has only a disabled organization gets one of his own');
select throws_ok(format('select tests.enter(%L, %L, null)', :'vera', :'org'), 'PT403', 'organization_inactive', 'the disabled one says what it is');
update public.organizations set status = 'disabled' where personal_of = :'vera';
select is(tests.enter(:'vera', null, null), null, 'without any organization a person is still a person');
update public.organizations set status = 'active';

-- ---- keys and the path -----------------------------------------------------------

insert into public.api_keys (organization_id, name, prefix, key_hash, scopes) values (:'org', 'k', 'hsk_1', repeat('a', 64), '{*}');
select is((select organization_id from public.request_identity_key(repeat('a', 64), :'org', 'calls:read', true)), :'org'::uuid, 'the path may name the key''s organization');
select throws_ok(format('select public.request_identity_key(%L, %L, ''calls:read'', true)', repeat('a', 64), :'other'), 'PT404', 'organization_not_found',
                 'another one in the path does not exist for the key');
select throws_ok(format('select public.request_identity_key(%L, %L, ''calls:read'', false)', repeat('a', 64), :'other'), 'PT403', 'organization_mismatch',
                 'in the header it is a contradiction');

-- ---- tokens that were taken back -----------------------------------------------------

create function tests.refusal() returns text language sql as $$ select current_setting('tests.refusal', true) $$;
create or replace function public.token_refused(p_claims jsonb) returns text language sql as $$ select nullif(tests.refusal(), '') $$;
select set_config('tests.refusal', 'session_revoked', true) \g /dev/null
select throws_ok(format('select tests.enter(%L, null, ''calls:read'')', :'anna'), 'PT401', 'session_revoked', 'an ended session is told so');
select set_config('tests.refusal', 'account_inactive', true) \g /dev/null
select throws_ok(format('select tests.enter(%L, null, null)', :'anna'), 'PT403', 'account_inactive', 'and an account that is not active');
select set_config('tests.refusal', '', true) \g /dev/null
select lives_ok(format('select tests.enter(%L, null, null)', :'anna'), 'and else nothing');

select * from finish();
rollback;
