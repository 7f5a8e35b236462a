-- admin.sql - operators: who is one, people and organizations that are closed, providers and their keys, what hangs; all of it in the log.
begin;
set local client_min_messages = warning;
select no_plan();

select gen_random_uuid() as olga \gset
select gen_random_uuid() as alice \gset
select tests.organization('Alice & Co', :'alice') as org \gset
insert into auth.users (id, email, email_confirmed_at) values (:'olga', 'olga@example.com', now()), (:'alice', 'alice@example.com', now());
insert into public.user_profiles (id, email, first_name, last_name, status) values (:'olga', 'olga@example.com', 'Olga', 'O', 'active'),
    (:'alice', 'alice@example.com', 'Alice', 'Smith', 'active');

-- ---- who is one ------------------------------------------------------------------

create function tests.operates(p_claims jsonb, p_named text default '') returns text language plpgsql as $$
begin
    perform public.request_identity_token(p_claims, null, null, p_named);
    return 'yes';
exception when others then
    return sqlstate || ' ' || sqlerrm;
end
$$;
create function tests.claims(p_user uuid, p_more jsonb default '{}') returns jsonb language sql as $$
    select jsonb_build_object('sub', p_user, 'role', 'authenticated') || p_more
$$;
select is(tests.operates(tests.claims(:'olga')), 'PT403 operator_needed', 'who is not named is no operator');
select is(tests.operates(tests.claims(:'olga'), ' , ,'), 'PT403 operator_needed', 'nor by an empty list');
select is(tests.operates(tests.claims(:'olga', '{"app_metadata":{"hookswitch_operator":true}}')), 'yes', 'the claim makes one');
select is(tests.operates(tests.claims(:'olga', jsonb_build_object('app_metadata', jsonb_build_object('hookswitch_operator', v)))), 'PT403 operator_needed',
          format('not as %s', v)) from unnest(array['"true"', '1', '"yes"', 'null', '[true]', '{"a":true}', 'false']::jsonb[]) v;
select is(tests.operates(tests.claims(:'olga', m)), 'PT403 operator_needed', format('nor %s', m))
  from unnest(array['{"user_metadata":{"hookswitch_operator":true}}', '{"hookswitch_operator":true}', '{"app_metadata":true}', '{"app_metadata":["hookswitch_operator"]}',
                    '{"user_metadata":{"app_metadata":{"hookswitch_operator":true}}}']::jsonb[]) m;
select is(tests.operates(tests.claims(:'olga'), upper(:'olga')), 'yes', 'the id in the list');
select is(tests.operates(tests.claims(:'olga'), 'x@example.com, ' || :'olga' || E'\n'), 'yes', 'among others');
select is(tests.operates(tests.claims(:'olga'), left(:'olga', 8)), 'PT403 operator_needed', 'a part of the id is none');
select is(tests.operates(tests.claims(:'olga', '{"email":"x@example.com"}'), 'Olga@Example.com'), 'yes', 'the account''s own address');
select is(tests.operates(tests.claims(:'alice', '{"email":"olga@example.com"}'), 'olga@example.com'), 'PT403 operator_needed', 'not what a token says of an account that has another');
select is(tests.operates(jsonb_build_object('sub', gen_random_uuid(), 'role', 'authenticated', 'email', 'olga@example.com', 'email_verified', true), 'olga@example.com'),
          'PT403 operator_needed', 'nor what a token says of an account that is not at hand');
insert into auth.users (id, email, email_confirmed_at) values (gen_random_uuid(), E'kate\u212a@example.com', now()) returning id as kelvin \gset
select is(tests.operates(tests.claims(:'kelvin'), n), 'PT403 operator_needed', format('a sign that lower case makes a letter of is not %s', n))
  from unnest(array['katek@example.com', 'KATEK@EXAMPLE.COM']) n;
update auth.users set email_confirmed_at = null where id = :'olga';
select is(tests.operates(tests.claims(:'olga', '{"email":"olga@example.com","email_verified":true,"user_metadata":{"email_verified":true}}'), 'olga@example.com'),
          'PT403 operator_needed', 'not while it is not confirmed');
update auth.users set email_confirmed_at = now() where id = :'olga';
select is(tests.operates('{"role":"service_role","app_metadata":{"hookswitch_operator":true}}'), 'PT403 operator_needed', 'an application''s own key is no person');
select is(tests.operates(tests.claims(:'olga', '{"role":"service_role"}'), :'olga'), 'PT403 operator_needed', 'whatever it names');
select is(tests.operates(tests.claims(:'olga', '{"is_anonymous":true,"email":"olga@example.com"}'), 'olga@example.com'), 'PT403 operator_needed', 'nor is somebody anonymous');

insert into hookswitch_auth.sessions (user_id, expires_at) values (:'olga', now() + interval '1 day') returning id as session \gset
select tests.claims(:'olga', jsonb_build_object('session_id', :'session', 'app_metadata', '{"hookswitch_operator":true}'::jsonb)) as claims \gset
select is(tests.operates(:'claims'), 'PT403 operator_needed', 'of a session of ours what the account says now counts, not what the token said');
update auth.users set raw_app_meta_data = '{"hookswitch_operator":true}' where id = :'olga';
select is(tests.operates(:'claims'), 'yes', 'and it may say so');
insert into hookswitch_auth.factors (user_id, secret, verified_at) values (:'olga', 'sealed:x', now());
select is(tests.operates(:'claims'), 'PT403 totp_needed', 'half a session opens nothing');
update hookswitch_auth.sessions set aal = 'aal2' where id = :'session';
select is(tests.operates(:'claims'), 'yes', 'a whole one does');
update hookswitch_auth.sessions set revoked_at = now() where id = :'session';
select is(tests.operates(:'claims'), 'PT401 session_revoked', 'one that has ended counts at once');
update public.user_profiles set status = 'inactive' where id = :'olga';
select is(tests.operates(tests.claims(:'olga'), :'olga'), 'PT403 account_inactive', 'a closed account is no operator');
update public.user_profiles set status = 'active' where id = :'olga';
update public.organizations set status = 'disabled' where personal_of = :'olga';
select is(tests.operates(tests.claims(:'olga'), :'olga'), 'yes', 'what is with the operator''s own organization does not matter');

create function tests.operator(p_user uuid) returns void language plpgsql as $$
begin
    perform tests.be_nobody();
    perform set_config('request.jwt.claims', jsonb_build_object('sub', p_user)::text, true), set_config('hookswitch.address', '192.0.2.9', true);
    perform set_config('role', 'hookswitch_operator', true);
end
$$;
create function tests.logged() returns text language sql security definer as $$
    select action || ' ' || actor_type || ' ' || coalesce(actor_id::text, '') || ' ' || coalesce(organization_id::text, '-') || ' ' || details::text
      from public.audit_log order by created_at desc, id desc limit 1
$$;
grant execute on all functions in schema tests to public;

-- ---- only operators --------------------------------------------------------------

select is(tests.error_of(format('set local role %I; select public.%s', r, f)), '42501 permission denied for function ' || split_part(f, '(', 1),
          format('%s cannot call %s', r, split_part(f, '(', 1)))
  from unnest('{hookswitch_api,authenticated,anon,service_role,hookswitch_webhook}'::text[]) r,
       unnest(array['admin_person_open(null, false)', 'admin_organization_open(null, false)', 'admin_provider_account(null)',
                    'admin_provider_key(null, 1, null, null, null)', 'admin_attempt_look(null)', 'admin_webhook_apply(null)', 'admin_note(null, null, null, null)']) f;
select tests.be_nobody();
select throws_ok(format('select public.admin_person_open(%L, false)', :'alice'), 'PT403', 'operator_needed', 'not even a superuser, who is no operator');

-- ---- people ----------------------------------------------------------------------

select tests.operator(:'olga');
select is(api.admin_person_list(p_q => q) -> 'data' -> 0 ->> 'id', :'alice', format('%s finds her', q))
  from unnest(array['ALICE@exa', 'lice smi', left(:'alice', 9), upper(:'alice')]) q;
select is(jsonb_array_length(api.admin_person_list(p_q => '%') -> 'data'), 0, 'a pattern is a text like any other');
select is(jsonb_array_length(api.admin_person_list(p_q => substr(:'alice', 3)) -> 'data'), 0, 'the middle of an id is nobody''s');
select results_eq(format($$select m ->> 'role', m ->> 'name' from jsonb_array_elements(api.admin_person_get(%L) -> 'memberships') m$$, :'alice'),
                  $$values ('owner', 'Alice & Co')$$, 'one person comes with her organizations');
select throws_ok('select api.admin_person_get(gen_random_uuid())', 'PT404', 'user_not_found', 'a stranger is not found');
select tests.be_nobody();
insert into hookswitch_auth.sessions (user_id, expires_at) values (:'alice', now() + interval '1 day') returning id as hers \gset
select tests.operator(:'olga');
select is((api.admin_person_get(:'alice') ->> 'sessions')::integer, 1, 'and with how many sessions are open');
select is(api.admin_person_disable(:'alice') ->> 'status', 'inactive', 'an account is closed');
select is(tests.logged(), format('person.disabled operator %s - {"from": "active"}', :'olga'), 'which is written down as the operator''s doing');
select is((api.admin_person_get(:'alice') ->> 'sessions')::integer, 0, 'its sessions are over');
select tests.be_nobody();
select is(public.token_refused(jsonb_build_object('sub', :'alice')), 'account_inactive', 'tokens of any kind are refused');
select public.auth_confirm(:'alice', null, '{}') \g /dev/null
select is((select status from public.user_profiles where id = :'alice'), 'inactive', 'a link out of a mail does not open it again');
select tests.operator(:'olga');
select is(api.admin_person_disable(:'alice') ->> 'status', 'inactive', 'closing it twice changes nothing');
select is(api.admin_person_enable(:'alice') ->> 'status', 'active', 'and it is opened again');
select throws_ok(format('select api.admin_person_disable(%L)', :'olga'), 'PT409', 'operator_self', 'nobody shuts himself out');
select throws_ok('select api.admin_person_disable(gen_random_uuid())', 'PT404', 'user_not_found', 'nor somebody who is not there');

-- ---- organizations -----------------------------------------------------------------

select tests.be_nobody();
select tests.template(:'org') as template \gset
select tests.provider('Admin Vapi') as provider \gset
select tests.call(:'org', :'template') as call \gset
update public.organizations set status = 'past_due' where id = :'org';
select tests.operator(:'olga');
select is(api.admin_organization_list(p_q => 'e & c') -> 'data' -> 0 ->> 'id', :'org', 'an organization is found by a part of its name');
select is((api.admin_organization_get(:'org') -> 'calls_waiting')::integer, 1, 'and shows what waits');
select is(api.admin_organization_disable(:'org') ->> 'status', 'disabled', 'it is closed');
select is(tests.logged(), format('organization.status_changed operator %s %s {"to": "disabled", "from": "past_due"}', :'olga', :'org'), 'its own log says by whom');
select tests.be_nobody();
select is(tests.claim(), '{}', 'nothing of it is dialled');
select is((tests.queue(:'call')).admission, 'organization_inactive', 'the call says why it waits');
select throws_ok(format('select public.request_identity_token(%L, %L, ''calls:read'')', tests.claims(:'alice'), :'org'), 'PT403', 'organization_inactive', 'nobody gets in');
select tests.operator(:'olga');
select is(api.admin_organization_disable(:'org') ->> 'status', 'disabled', 'twice is once');
select is(api.admin_organization_enable(:'org') ->> 'status', 'past_due', 'it is opened as it was');
select is(api.admin_organization_enable(:'org') ->> 'status', 'past_due', 'which twice is once');
select tests.be_nobody();
select is(tests.claim(), array[:'call'::uuid], 'and its call goes');
select tests.be(:'alice', :'org');
select is(api.audit_list(:'org') -> 'data' -> 0 ->> 'actor_type', 'operator', 'its people see that an operator did it');
select is((select count(*)::integer from public.audit_log where organization_id is null), 0, 'and nothing of the installation''s own log');
select public.organization_delete(:'org') \g /dev/null
select tests.operator(:'olga');
select throws_ok(format('select api.admin_organization_disable(%L)', :'org'), 'PT409', 'organization_deleted', 'one that was deleted is left to itself');
select throws_ok(format('select api.admin_organization_enable(%L)', :'org'), 'PT409', 'organization_deleted', 'and not brought back past its owner');
select throws_ok('select api.admin_organization_get(gen_random_uuid())', 'PT404', 'organization_not_found', 'one that is not there is not found');

-- ---- providers ------------------------------------------------------------------

select api.admin_provider_create('New one', 'vapi', p_priority => 3, p_starts_per_second => 7, p_base_url => 'http://127.0.0.1:9') as made \gset
select :'made'::jsonb ->> 'id' as new \gset
select is(:'made'::jsonb - '{id,created_at}'::text[] @> '{"name":"New one","provider_type":"vapi","priority":3,"starts_per_second":7,"is_active":false,"has_key":false,"key_number":1,"key_hint":null}',
          true, 'a provider is made, and takes no calls yet');
select is(tests.logged() ~ format('^provider.(created|updated) operator %s - ', :'olga'), true, 'which is written down');
select throws_ok(format('select api.admin_provider_create(''x'', ''vapi'', p_base_url => %L)', u), 'PT422', 'url_invalid', format('a key is not sent to %s', u))
  from unnest(array['ftp://x', 'https://', 'https:///x', 'http://api.example.com', 'http://10.0.0.1', 'http://127.0.0.1.example.com', 'http://127.0.0.1@example.com/', 'http://localhost.example.com',
                    'https://user:pw@example.com', 'https://example.com?x', 'https://example.com/#x', E'https://example.com/\nx', E'https://example.com\n', 'https://exa mple.com', ' https://example.com',
                    'HTTPS://example.com', 'https://example.com\@example.org', 'file:///etc/passwd']) u;
select is((api.admin_provider_update(:'new', jsonb_build_object('base_url', u)) ->> 'base_url'), u, format('but to %s', u))
  from unnest(array['https://api.example.com', 'https://api.example.com:8443/v2/', 'https://[2001:db8::1]/x', 'http://localhost:9/x', 'http://[::1]:80']) u;
select is((api.admin_provider_update(:'new', '{"name":"Newer","starts_per_second":null,"base_url":null,"max_concurrent_calls":77}'))
          @> '{"name":"Newer","starts_per_second":null,"base_url":null,"max_concurrent_calls":77,"priority":3}', true, 'what is named is changed, null clears');
select is(tests.logged(), format('provider.updated operator %s - {"name": "Newer", "changed": ["base_url", "max_concurrent_calls", "name", "starts_per_second"]}', :'olga'), 'with the names of what changed');
select is(api.admin_provider_update(:'new', '{"api_key":"sealed:stolen","id":"00000000-0000-4000-8000-000000000000","failures":7}') ->> 'has_key', 'false', 'a key comes by its own way alone');
select throws_ok('select api.admin_provider_update(gen_random_uuid(), ''{}'')', 'PT404', 'provider_not_found', 'one that is not there is not changed');

select api.admin_provider_key(:'new', 1, 'sealed:1:a:x', 'x7f2', '0123456789abcdef') \g /dev/null
select is(api.admin_provider_get(:'new') @> '{"has_key":true,"key_number":2,"key_hint":"x7f2","key_fingerprint":"0123456789abcdef"}', true, 'a key is put in, and told by its marks');
select is(tests.logged(), format('provider.key_changed operator %s - {"name": "Newer", "changed": ["key_number"]}', :'olga'), 'of which the log says only that');
select throws_ok(format('select api.admin_provider_key(%L, 1, ''sealed:1:a:y'', null, ''x'')', :'new'), 'PT409', 'provider_key_changed', 'of two at once the second is told');
select throws_ok(format('select api.admin_provider_key(%L, 2, ''plain'', null, ''x'')', :'new'), 'PT500', 'internal', 'a plain key does not get in');
select throws_ok('select api.admin_provider_key(gen_random_uuid(), 2, ''sealed:x'', null, ''x'')', 'PT404', 'provider_not_found', 'nor one for nobody');
select is((select string_agg(x::text, '') from api.admin_provider_get(:'new') x) ~ 'sealed', false, 'no view holds the key, not even sealed');

-- A key that was written by hand: sealing it does not make it another one, writing another one does.
select tests.be_nobody();
update public.call_service_providers set api_key = 'key-of-somebody-1234' where id = :'new';
select results_eq(format('select key_number, key_hint, key_fingerprint = left(encode(sha256(''key-of-somebody-1234''), ''hex''), 16) from public.call_service_providers where id = %L', :'new'),
                  $$values (3, '1234', true)$$, 'a key written by hand has its marks');
select public.secret_seal('provider', :'new', 'api_key', 'key-of-somebody-1234', 'sealed:1:a:z') \g /dev/null
select results_eq(format('select key_number, key_hint from public.call_service_providers where id = %L', :'new'), $$values (3, '1234')$$, 'sealed it is the same');
update public.call_service_providers set api_key = 'short' where id = :'new';
select results_eq(format('select key_number, key_hint from public.call_service_providers where id = %L', :'new'), $$values (4, null)$$, 'of a short one nothing is shown');

-- Pause, drain, resume.
select tests.operator(:'olga');
select is(api.admin_provider_drain(:'provider') @> '{"is_active":true,"is_draining":true}', true, 'a provider is drained');
select is(api.admin_provider_health(:'provider') ->> 'state', 'draining', 'which its health says');
select is((api.admin_provider_health(:'provider') ->> 'free')::integer, 0, 'nothing new goes there');
select is(api.admin_provider_pause(:'provider') @> '{"is_active":false,"is_draining":false}', true, 'or switched off');
select tests.be_nobody();
update public.call_service_providers set failures = 3, cooling_until = now() + interval '1 hour', cooling_reason = 'rate', last_error = 'no line for +15550100002 now' where id = :'provider';
select tests.operator(:'olga');
select is(api.admin_provider_health(:'provider') ->> 'last_error', 'no line for # now', 'what a provider said is shown without numbers');
select is(api.admin_provider_resume(:'provider') @> '{"is_active":true,"is_draining":false}', true, 'and resumed');
select is(api.admin_provider_health(:'provider') @> '{"state":"active","failures":0,"cooling_until":null}', true, 'as if it were well');
select throws_ok('select api.admin_provider_pause(gen_random_uuid())', 'PT404', 'provider_not_found', 'one that is not there is not paused');
select api.admin_provider_delete(:'new') \g /dev/null
select throws_ok(format('select api.admin_provider_get(%L)', :'new'), 'PT404', 'provider_not_found', 'one without calls is taken away');

select * from finish();
rollback;
