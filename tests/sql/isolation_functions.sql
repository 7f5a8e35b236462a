-- isolation_functions.sql - who may call which function, and what happens when it is given ids of another organization.
--
-- A new function that anybody but the pump may call fails here until it has its row in `callers` below.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as mine \gset
select tests.organization('Bob', :'bob') as theirs \gset
select tests.provider('Isolation Vapi') as provider \gset
select tests.template(:'mine') as own \gset
select tests.template(:'theirs') as template \gset
select tests.call(:'theirs', :'template') as over \gset
select tests.accepted(:'over', 'isolation-1') as attempt \gset
select tests.report(:'attempt', tests.ended('customer-ended-call') || '{"transcript":"AI: secret","recording_url":"https://r.test/secret"}') \g /dev/null
select public.transcripts_read(100) \g /dev/null
insert into public.call_feedback (call_id, call_created_at, organization_id, user_id, rating) select id, created_at, organization_id, :'bob', 5 from public.calls where id = :'over';
select tests.call(:'theirs', :'template') as waiting \gset

insert into auth.users (id, email, email_confirmed_at) values (:'alice', 'alice@example.com', now()), (:'bob', 'bob@example.com', now());
insert into public.user_profiles (id, status) values (:'alice', 'active'), (:'bob', 'active')
    on conflict (id) do update set status = 'active';
insert into hookswitch_auth.sessions (user_id, expires_at) values (:'bob', now() + interval '1 day') returning id as session \gset
insert into hookswitch_auth.factors (user_id, secret) values (:'bob', 'sealed:x') returning id as factor \gset
insert into hookswitch_auth.factors (user_id, secret) values (:'alice', 'sealed:x') returning id as begun \gset
insert into hookswitch_auth.credentials (user_id, password_hash) values (:'bob', 'x');
insert into hookswitch_auth.one_time_tokens (kind, user_id, expires_at, data)
    values ('totp', :'bob', now() + interval '1 hour', jsonb_build_object('factor_id', :'factor')) returning id as challenge \gset
insert into hookswitch_auth.one_time_tokens (kind, user_id, expires_at, code_challenge, code_challenge_method)
    values ('pkce', :'bob', now() + interval '1 hour', 'challenge', 'plain') returning id as ticket \gset
insert into hookswitch_auth.one_time_tokens (kind, user_id, expires_at)
    values ('pkce', :'bob', now() + interval '1 hour') returning id as bare \gset
insert into hookswitch_auth.one_time_tokens (kind, user_id, expires_at, new_email)
    values ('email_change', :'bob', now() + interval '1 hour', 'bob@new.example') returning id as change \gset
insert into public.organization_invitations (organization_id, email, role, expires_at)
    values (:'theirs', 'carol@example.com', 'member', now() + interval '1 day') returning id as invitation \gset
insert into public.api_keys (organization_id, name, prefix, key_hash) values (:'theirs', 'k', 'hsk_x', repeat('a', 64)) returning id as key \gset

insert into public.contacts (organization_id, phone_number) values (:'theirs', '+15550100001');
insert into public.do_not_call (organization_id, phone_number) values (:'theirs', '+15550100001');

-- callers: labels as in isolation.sql (people: authenticated; all: everybody).  attempt: what Alice tries with Bob's things, once for each of
-- anon, people and api that may call it; a security definer function that one of them may call needs one, or a reason why not.  $mine $theirs $alice $bob $own
-- $template $over $waiting $session $factor $invitation $key $begun $challenge $ticket $bare $change stand for the ids above.  answer: the error, or the value; *: any (answer_to_key: another one for an API key); whatever it is,
-- nothing of Bob's may change.
create temporary table callers (name text, callers text, attempt text, answer text, answer_to_key text, why_none text);
insert into callers (name, callers, attempt, answer) values
    ('auth.jwt', 'all', null, null),
    ('auth.role', 'all', null, null),
    ('auth.uid', 'all', null, null),
    ('public.current_user_id', 'all', null, null),
    ('public.current_organization_id', 'all', 'select coalesce(nullif(public.current_organization_id(), ''$mine''), null)', null),
    ('public.schedule_call', 'people api service', 'select public.schedule_call(''$bob'', ''$own'', ''x'', ''+15550100001'')', 'PT403 user_mismatch'),
    ('public.schedule_call', 'people api service', 'select public.schedule_call(''$alice'', ''$template'', ''x'', ''+15550100001'')', 'PT422 template_not_found'),
    ('public.schedule_call', 'people api service', 'select public.schedule_call(''$alice'', ''$own'', ''x'', ''+15550100001'',
        p_metadata => ''{"organization_id":"$theirs"}'')', 'PT404 organization_not_found'),
    ('public.schedule_call', 'people api service', 'select public.schedule_call(null, ''$own'', ''x'', ''+15550100001'',
        p_metadata => ''{"organization_id":"$theirs"}'')', 'PT403 user_mismatch'),
    ('public.call_enter', 'api', 'select public.call_enter(''$theirs'', ''$bob'', ''{"recipient_number":"+15550100001","template_id":"$template"}'')',
        'PT404 organization_not_found'),
    ('public.call_enter', 'api', 'select public.call_enter(''$mine'', ''$alice'', ''{"recipient_number":"+15550100001","template_id":"$template"}'')',
        'PT422 template_not_found'),
    ('public.call_cancel', 'api', 'select public.call_cancel(''$waiting'')', 'PT404 call_not_found'),
    ('public.call_cancel', 'api', 'select public.call_cancel(''$over'')', 'PT404 call_not_found'),
    ('public.call_reschedule', 'api', 'select public.call_reschedule(''$waiting'', ''2099-01-01'')', 'PT409 call_not_queued'),
    ('public.recording_access', 'api', 'select public.recording_access(''$over'', ''$mine'')', null),
    ('public.recording_access', 'api', 'select public.recording_access(''$over'', ''$theirs'')', null),
    ('api.schema_version', 'api webhook', 'select api.schema_version() ? ''migrations''', 'true'),
    ('public.call_view', 'api', null, null),
    ('public.call_view_of', 'api', 'select public.call_view_of(''$over'')', null),
    ('public.cursor_bytes', 'api', null, null),
    ('public.cursor_make', 'api', null, null),
    ('public.time_view', 'api', null, null),
    ('public.refuse_field', 'api', null, null),
    ('public.idempotency_keep', 'api', null, null),
    ('public.idempotency_take', 'api', null, null),
    -- Voices are everybody's; a preference is the asker's own.
    ('public.voice_view', 'api', null, null),
    ('public.uuid_or_null', 'api', null, null),
    ('public.voice_preferences_view', 'api', null, null),
    ('public.voice_kind', 'api', 'select public.voice_kind(''$theirs'')', null),
    ('public.voice_account', 'api', 'select public.voice_account(''$theirs'')', null),
    -- Contacts.
    ('public.actor_id', 'api', null, null),
    ('public.contacts_open', 'api', null, null),
    ('public.do_not_call_view', 'api', null, null),
    ('public.do_not_call_add', 'api', 'select (public.do_not_call_add(''$theirs'', ''+15550100001'', ''x'')).reason', 'PT404 organization_not_found'),
    ('public.do_not_call_remove', 'api', 'select public.do_not_call_remove(''$theirs'', ''+15550100001'')', 'false'),
    ('public.contacts_rows', 'api', 'select count(*) from public.contacts_rows(''{}'', null, 1000) where organization_id <> ''$mine''', '0'),
    ('public.contact_tags_wrong', 'api', null, null),
    ('public.contact_tags', 'api', null, null),
    ('public.contact_custom_wrong', 'api', null, null),
    ('public.contact_check', 'api', null, null),
    ('public.contact_view', 'api', null, null),
    ('public.contact_csv_field', 'api', null, null),
    ('public.contact_csv', 'api', null, null),
    ('public.contact_of', 'api', null, null),
    ('public.contact_refuse_double', 'api', null, null),
    ('public.contact_import_row', 'api', null, null),
    ('public.contact_import_keep', 'api', null, null),
    ('public.contact_import_view', 'api', null, null),
    ('public.contact_import_of', 'api', null, null),
    -- The back end of an application is trusted with all of it.
    ('public.assign_call_to_provider', 'service', null, null),
    ('public.complete_call', 'service', null, null),
    ('public.get_best_available_provider', 'service', null, null),
    ('public.get_next_call_in_queue', 'service', null, null),
    ('public.handle_failed_call', 'service', null, null),
    ('public.call_route', 'service operator', null, null),
    -- Whose event it is was proved by its signature.
    ('public.webhook_count', 'webhook', null, null),
    ('public.webhook_keep', 'webhook', null, null),
    ('public.webhook_keep_many', 'webhook', null, null),
    ('public.webhook_secrets_of', 'webhook', null, null),
    -- Organizations.
    ('public.organization_here', 'api', 'select public.organization_here(''$theirs'')', 'PT404 organization_not_found'),
    ('public.organization_view_of', 'api', 'select public.organization_view_of(''$theirs'')', 'PT404 organization_not_found'),
    ('public.organization_update', 'api', 'select public.organization_update(''$theirs'', ''{"name":"x"}'')', 'PT404 organization_not_found'),
    ('public.organization_default', 'api', 'select public.organization_default(''$theirs'', true)', 'PT404 organization_not_found'),
    ('public.organization_delete', 'api', 'select public.organization_delete(''$theirs'')', 'PT404 organization_not_found'),
    ('public.organization_restore', 'api', 'select public.organization_restore(''$theirs'')', 'PT404 organization_not_found'),
    ('public.organization_create', 'api', 'select public.organization_create(''x'', ''{}'') ->> ''role''', 'owner'),
    ('public.organizations_mine', 'api', 'select (public.organizations_mine(null, 100) -> ''data'') @> ''[{"id":"$theirs"}]''', 'false'),
    ('public.members_page', 'api', 'select public.members_page(''$theirs'', null, 20)', 'PT404 organization_not_found'),
    ('public.member_view_of', 'api', 'select public.member_view_of(''$theirs'', ''$bob'')', 'PT404 organization_not_found'),
    ('public.member_view_of', 'api', 'select public.member_view_of(''$mine'', ''$bob'')', null),
    ('public.member_role_set', 'api', 'select public.member_role_set(''$theirs'', ''$alice'', ''owner'')', 'PT404 organization_not_found'),
    ('public.member_role_set', 'api', 'select public.member_role_set(''$mine'', ''$bob'', ''viewer'')', 'PT404 member_not_found'),
    ('public.member_remove', 'api', 'select public.member_remove(''$theirs'', ''$bob'')', 'PT404 organization_not_found'),
    ('public.member_remove', 'api', 'select public.member_remove(''$mine'', ''$bob'')', 'PT404 member_not_found'),
    ('public.invitation_make', 'api', 'select public.invitation_make(''$theirs'', ''alice@example.com'', ''owner'')', 'PT404 organization_not_found'),
    ('public.invitation_resend', 'api', 'select public.invitation_resend(''$theirs'', ''$invitation'')', 'PT404 organization_not_found'),
    ('public.invitation_resend', 'api', 'select public.invitation_resend(''$mine'', ''$invitation'')', 'PT404 invitation_not_found'),
    ('public.invitation_revoke', 'api', 'select public.invitation_revoke(''$theirs'', ''$invitation'')', 'PT404 organization_not_found'),
    ('public.invitation_revoke', 'api', 'select public.invitation_revoke(''$mine'', ''$invitation'')', 'PT404 invitation_not_found'),
    ('public.invitation_accept', 'api', 'select public.invitation_accept(''$invitation'')', 'PT403 invitation_other_address'),
    ('public.api_keys_page', 'api', 'select public.api_keys_page(''$theirs'', null, 20)', 'PT404 organization_not_found'),
    ('public.api_key_view_of', 'api', 'select public.api_key_view_of(''$theirs'', ''$key'')', 'PT404 organization_not_found'),
    ('public.api_key_view_of', 'api', 'select public.api_key_view_of(''$mine'', ''$key'')', 'PT404 api_key_not_found'),
    ('public.api_key_make', 'api', 'select public.api_key_make(''$theirs'', ''x'', ''["*"]'', null, repeat(''b'', 64), ''hsk_b'')', 'PT404 organization_not_found'),
    ('public.api_key_rotate', 'api', 'select public.api_key_rotate(''$theirs'', ''$key'', 0, null, repeat(''b'', 64), ''hsk_b'')', 'PT404 organization_not_found'),
    ('public.api_key_rotate', 'api', 'select public.api_key_rotate(''$mine'', ''$key'', 0, null, repeat(''b'', 64), ''hsk_b'')', 'PT404 api_key_not_found'),
    ('public.api_key_revoke', 'api', 'select public.api_key_revoke(''$theirs'', ''$key'')', 'PT404 organization_not_found'),
    ('public.api_key_revoke', 'api', 'select public.api_key_revoke(''$mine'', ''$key'')', 'PT404 api_key_not_found'),
    ('public.person_needed', 'api', null, null),
    ('public.organization_view', 'api', null, null),
    ('public.invitation_view', 'api', null, null),
    ('public.cursor_read', 'api', null, null),
    ('public.audit_filter', 'api', null, null),
    ('public.audit_rows', 'api', 'select count(*) from public.audit_rows(''{}'', null, 1000) where organization_id <> ''$mine''', '0'),
    ('public.audit_view', 'api', null, null),
    ('public.audit_csv', 'api', null, null),
    ('public.csv_field', 'api', null, null),
    -- Templates.
    ('public.call_templates_shared', 'people api', 'select public.call_templates_shared()', '{}'),
    ('public.call_template_make', 'api', 'select public.call_template_make(''{"name":"x"}'') is not null', 'true'),
    ('public.call_template_update', 'api', 'select public.call_template_update(''$template'', ''{"name":"x"}'')', 'PT404 call_template_not_found'),
    ('public.call_template_delete', 'api', 'select public.call_template_delete(''$template'')', 'PT404 call_template_not_found'),
    ('public.call_template_category_rename', 'api', 'select public.call_template_category_rename(''theirs'', ''x'')', 'PT404 category_not_found'),
    ('public.call_template_copy', 'api', 'select public.call_template_copy(''$template'', null, null)', 'PT404 call_template_not_found'),
    ('public.call_template_shares_of', 'api', 'select public.call_template_shares_of(''$template'')', 'PT404 call_template_not_found'),
    ('public.call_template_share', 'api', 'select public.call_template_share(''$template'', ''$alice'', null, null)', 'PT404 call_template_not_found'),
    ('public.call_template_share', 'api', 'select public.call_template_share(''$own'', ''$bob'', null, null)', 'PT404 member_not_found'),
    ('public.call_template_unshare', 'api', 'select public.call_template_unshare(''$template'', ''$invitation'')', 'PT404 call_template_not_found'),
    ('public.call_template_unshare', 'api', 'select public.call_template_unshare(''$own'', ''$invitation'')', 'PT404 share_not_found'),
    ('public.call_template_own', 'api', null, null),
    ('public.call_template_view', 'api', null, null),
    ('public.template_tags', 'api', null, null),
    ('public.assistant_template_view', 'api', null, null),
    ('public.assistant_template_render', 'api', 'select public.assistant_template_render(''none'', ''{}'')', 'PT404 assistant_template_not_found'),
    ('public.page_view', 'api', null, null),
    -- Calls: what is looked for, counted, judged.
    ('public.call_rows', 'api', 'select count(*) from public.call_rows(null, null, null, null, null, null, null, 1000)', '0'),
    ('public.calls_counted', 'api', 'select count(*) from public.calls_counted(''$theirs'', ''2000-01-01'', ''2100-01-01'', ''day'')', '0'),
    ('public.calls_grouped', 'api', 'select total from public.calls_grouped(''2000-01-01'', ''2100-01-01'', ''day'', ''UTC'') where whole', '0'),
    ('public.search_languages_of', 'api', 'select cardinality(public.search_languages_of(''$theirs''))', '0'),
    ('public.search_hits', 'api', 'select count(*) from public.search_hits(''$theirs'', ''{simple,english}'', ''{secret,secret}'', null, null, null, null, now(), null, null,
        null, 10)', 'PT404 organization_not_found'),
    ('public.search_hits', 'api', 'select count(*) from public.search_hits(''$mine'', ''{simple,english}'', ''{secret,secret}'', null, null, null, null, now(), null, null,
        null, 10)', '0'),
    ('public.search_view', 'api', 'select count(*) from public.calls c where public.search_view(''$over'', c.created_at, 1, ''secret'') is not null', '0'),
    ('public.feedback_give', 'api', 'select public.feedback_give(''$over'', 1, ''x'')', 'PT404 call_not_found'),
    ('public.feedback_change', 'api', 'select public.feedback_change(''$over'', ''{"rating":1}'')', 'PT404 feedback_not_found'),
    ('public.feedback_withdraw', 'api', 'select public.feedback_withdraw(''$over'')', 'PT404 feedback_not_found'),
    ('public.calls_group', 'api', null, null),
    ('public.call_csv', 'api', null, null),
    ('public.call_line', 'api', null, null),
    ('public.csv_number', 'api', null, null),
    ('public.feedback_view', 'api', null, null),
    ('public.search_fold', 'api', null, null),
    ('public.search_language', 'api', null, null),
    ('public.search_languages', 'api', null, null),
    ('public.search_marked', 'api', null, null),
    ('public.search_question', 'api', null, null),
    ('public.search_word', 'api', null, null),
    ('public.zone_needed', 'api', null, null),
    -- A person's own account.
    ('api.auth_me', 'api', 'select coalesce(nullif(api.auth_me() ->> ''id'', ''$alice''), null)', null),
    ('api.session_list', 'api', 'select (api.session_list() -> ''data'')::text', '[]'),
    ('api.session_revoke', 'api', 'select api.session_revoke(''$session'')', 'PT404 session_not_found'),
    ('api.auth_signout', 'api', 'select api.auth_signout(''all'')', '{}'),
    ('api.auth_prove_ask', 'api', 'select api.auth_prove_ask() ->> ''password_hash''', '*'),
    ('api.auth_proved', 'api', 'select api.auth_proved()', '*'),
    ('api.auth_password_change', 'api', 'select api.auth_password_change(''x'', ''y'')', '*'),
    ('api.auth_email_change', 'api', 'select api.auth_email_change(''bob@example.com'')', '*'),
    ('api.totp_ask', 'api', 'select api.totp_ask() ->> ''factor''', '*'),
    ('api.totp_enrol', 'api', 'select api.totp_enrol(''x'', ''sealed:y'') ->> ''email''', '*'),
    ('api.totp_confirm', 'api', 'select api.totp_confirm(''$factor'', 1, ''[]'')', '*'),
    ('api.totp_disable', 'api', 'select api.totp_disable()', '*'),
    ('api.recovery_codes_renew', 'api', 'select api.recovery_codes_renew(''[]'')', '*');
insert into callers (name, callers, attempt, answer, answer_to_key) values
    ('public.voice_preferences_put', 'api', 'select public.voice_preferences_put(''$bob'', null)', 'PT422 voice_not_found', 'PT403 person_needed'),
    ('public.voice_preferences_put', 'api', 'select public.voice_preferences_put(null, ''[{"language":"de","voice_id":"$bob"}]'')',
        'PT422 voice_not_found', 'PT403 person_needed');
insert into callers (name, callers, why_none)
select 'api.' || name, 'api', 'who asks is proved by what the program checked before: a sealed token, a password, a refresh token'
  from unnest(array['auth_signup', 'auth_resend', 'auth_forgot', 'auth_code', 'auth_verify', 'auth_email_take', 'auth_reset', 'auth_signin_ask',
                    'auth_signin', 'auth_challenge_ask', 'auth_challenge_take', 'auth_refresh']) name;
insert into callers (name, callers, why_none)
select 'public.' || name, 'api', 'makes the identity that all else is measured by, from what the program verified'
  from unnest(array['request_identity_token', 'request_identity_key', 'request_admit', 'request_admitted', 'key_set_read', 'key_set_store']) name;
-- The same in the words of Supabase.  Whoever has verified claims is who they say; with them come ids of Bob's, or no person at all.
insert into callers (name, callers, attempt, answer)
select 'api.auth_v1_' || f.name, 'api', format('select api.auth_v1_%s(%s%s)', f.name, c.claims, f.more), c.answer
  from (values ('user', ''), ('password_ask', ''), ('user_update', ', ''bob@example.com'', null, ''y'', ''{}'', ''{}'''), ('logout', ', ''global'''),
               ('factor_add', ', ''x'', ''sealed:y'''), ('factor_challenge', ', ''$factor'''), ('factor_ask', ', ''$factor'', ''$challenge'''),
               ('factor_verify', ', ''$factor'', ''$challenge'', 1, ''{}'', ''x'''), ('factor_remove', ', ''$factor''')) f(name, more),
       (values ('null', 'PT404 user_not_found'), ('''{"session_id":"$session"}''', 'PT404 user_not_found'),
               ('''{"sub":"$alice","session_id":"$session"}''', 'PT401 session_revoked'),
               ('''{"sub":"$alice","session_id":"x"}''', 'PT401 session_revoked')) c(claims, answer);
insert into callers (name, callers, attempt, answer)
select 'api.auth_v1_' || f.name, 'api', format('select api.auth_v1_%s(%s, %s)', f.name, c.claims, f.more), 'PT403 not_admin'
  from (values ('admin_list', '1, 50'), ('admin_get', '''$bob'''), ('admin_create', '''carol@example.com'', ''x'', ''{}'''),
               ('admin_update', '''$bob'', ''x@example.com'', ''y'', ''{"ban_duration":"1h"}'''), ('admin_delete', '''$bob'''),
               ('admin_link', '''recovery'', ''bob@example.com'', null, ''{}''')) f(name, more),
       (values ('null'), ('''{}'''), ('''{"role":null}'''), ('''{"sub":"$alice","role":"authenticated"}'''),
               ('''{"sub":"$alice","role":"authenticated","app_metadata":{"role":"service_role"},"user_metadata":{"role":"service_role"}}'''),
               ('''{"role":"hookswitch_key"}'''), ('''["service_role"]''')) c(claims);
insert into callers (name, callers, attempt, answer) values
    ('api.auth_v1_admin_get', 'api', 'select api.auth_v1_admin_get(''{"role":"service_role"}'', null)', 'PT404 user_not_found'),
    ('api.auth_v1_admin_update', 'api', 'select api.auth_v1_admin_update(''{"role":"service_role"}'', null, null, ''y'', ''{}'')', 'PT404 user_not_found'),
    ('api.auth_v1_admin_delete', 'api', 'select api.auth_v1_admin_delete(''{"role":"service_role"}'', null)', 'PT404 user_not_found'),
    ('api.auth_v1_user', 'api', 'select api.auth_v1_user(''{"sub":"$alice"}'') ->> ''id''', '*'),
    ('api.auth_v1_password_ask', 'api', 'select api.auth_v1_password_ask(''{"sub":"$alice"}'')', 'PT400 reauthentication_needed'),
    ('api.auth_v1_user_update', 'api', 'select api.auth_v1_user_update(''{"sub":"$alice"}'', ''bob@example.com'', null, null, ''{"sub":"x"}'', ''{}'') ->> ''id''', '*'),
    ('api.auth_v1_logout', 'api', 'select api.auth_v1_logout(''{"sub":"$alice"}'', ''global'')', '{}'),
    ('api.auth_v1_logout', 'api', 'select api.auth_v1_logout(''{"sub":"$alice"}'', ''others'')', '{}'),
    ('api.auth_v1_factor_add', 'api', 'select api.auth_v1_factor_add(''{"sub":"$alice"}'', ''x'', ''sealed:y'') ->> ''email''', '*'),
    ('api.auth_v1_factor_challenge', 'api', 'select api.auth_v1_factor_challenge(''{"sub":"$alice"}'', ''$factor'')', 'PT404 mfa_factor_not_found'),
    ('api.auth_v1_factor_challenge', 'api', 'select api.auth_v1_factor_challenge(''{"sub":"$alice"}'', null)', 'PT404 mfa_factor_not_found'),
    ('api.auth_v1_factor_ask', 'api', 'select api.auth_v1_factor_ask(''{"sub":"$alice"}'', ''$factor'', ''$challenge'')', 'PT404 mfa_factor_not_found'),
    ('api.auth_v1_factor_ask', 'api', 'select api.auth_v1_factor_ask(''{"sub":"$alice"}'', ''$begun'', ''$challenge'')', 'PT422 mfa_challenge_expired'),
    ('api.auth_v1_factor_ask', 'api', 'select api.auth_v1_factor_ask(''{"sub":"$alice"}'', ''$begun'', null)', 'PT422 mfa_challenge_expired'),
    ('api.auth_v1_factor_verify', 'api', 'select api.auth_v1_factor_verify(''{"sub":"$alice"}'', ''$factor'', ''$challenge'', 1, ''{}'', ''x'')',
        'PT404 mfa_factor_not_found'),
    ('api.auth_v1_factor_verify', 'api', 'select api.auth_v1_factor_verify(''{"sub":"$alice"}'', ''$begun'', ''$challenge'', 1, ''{}'', ''x'')',
        'PT401 session_revoked'),
    ('api.auth_v1_factor_remove', 'api', 'select api.auth_v1_factor_remove(''{"sub":"$alice"}'', ''$factor'')', 'PT404 mfa_factor_not_found'),
    ('api.auth_v1_factor_remove', 'api', 'select api.auth_v1_factor_remove(''{"sub":"$alice"}'', null)', 'PT404 mfa_factor_not_found'),
    ('api.auth_v1_signup', 'api', 'select api.auth_v1_signup(''bob@example.com'', ''y'', ''{}'', ''{}'', null) -> ''user'' ->> ''id''', '*'),
    ('api.auth_v1_signup', 'api', 'select api.auth_v1_signup(''Bob@example.com'', ''y'', ''{}'', ''{}'', ''{"seconds":1}'')', 'PT422 user_already_exists'),
    ('api.auth_v1_signin', 'api', 'select api.auth_v1_signin(''$bob'', ''y'', ''{}'')', 'PT401 credentials_invalid'),
    ('api.auth_v1_signin', 'api', 'select api.auth_v1_signin(''$bob'', null, ''{}'')', 'PT401 credentials_invalid'),
    ('api.auth_v1_signin', 'api', 'select api.auth_v1_signin(''$alice'', null, ''{}'')', 'PT401 credentials_invalid'),
    ('api.auth_v1_signin', 'api', 'select api.auth_v1_signin(null, ''x'', ''{}'')', 'PT401 credentials_invalid'),
    ('api.auth_v1_person', 'api', 'select api.auth_v1_person(''$bob'')', null),
    ('api.auth_v1_person', 'api', 'select api.auth_v1_person(null)', null),
    -- Not what was mailed: a challenge, a code, a mail of another kind; none at all.
    ('api.auth_v1_verify', 'api', 'select api.auth_v1_verify(''$challenge'', ''totp'', ''{}'', false)', 'PT422 code_invalid'),
    ('api.auth_v1_verify', 'api', 'select api.auth_v1_verify(''$ticket'', ''pkce'', ''{}'', true)', 'PT422 code_invalid'),
    ('api.auth_v1_verify', 'api', 'select api.auth_v1_verify(''$change'', ''recovery'', ''{}'', false)', 'PT422 code_invalid'),
    ('api.auth_v1_verify', 'api', 'select api.auth_v1_verify(''$change'', null, ''{}'', false)', 'PT422 code_invalid'),
    ('api.auth_v1_verify', 'api', 'select api.auth_v1_verify(null, ''email_change'', ''{}'', false)', 'PT422 code_invalid'),
    ('api.auth_v1_pkce', 'api', 'select api.auth_v1_pkce(''$ticket'', ''x'', ''{"seconds":1}'')', 'PT400 bad_code_verifier'),
    ('api.auth_v1_pkce', 'api', 'select api.auth_v1_pkce(''$ticket'', null, ''{"seconds":1}'')', 'PT400 bad_code_verifier'),
    ('api.auth_v1_pkce', 'api', 'select api.auth_v1_pkce(''$bare'', ''x'', ''{"seconds":1}'')', 'PT400 bad_code_verifier'),
    ('api.auth_v1_pkce', 'api', 'select api.auth_v1_pkce(''$challenge'', ''challenge'', ''{"seconds":1}'')', 'PT404 flow_state_not_found'),
    ('api.auth_v1_pkce', 'api', 'select api.auth_v1_pkce(null, ''challenge'', ''{"seconds":1}'')', 'PT404 flow_state_not_found'),
    ('api.auth_v1_resend', 'api', 'select api.auth_v1_resend(''bob@example.com'', ''email_change'', ''{}'')', '{}'),
    ('api.auth_v1_resend', 'api', 'select api.auth_v1_resend(''bob@example.com'', ''signup'', ''{}'')', '{}'),
    ('api.auth_v1_ready', 'api', 'select api.auth_v1_ready()', '{}'),
    ('api.auth_v1_keys', 'api', 'select api.auth_v1_keys() ->> ''keys''', '[]');
insert into callers (name, callers, why_none) values
    ('api.auth_v1_otp', 'api', 'mails a link to the person himself, and answers nothing'),
    ('api.auth_v1_recover', 'api', 'mails a link to the person himself, and answers nothing'),
    ('api.auth_v1_code', 'api', 'says which token six digits must belong to, and counts the try; the program checks them'),
    ('api.auth_v1_redirect', 'api', 'who asks showed the sealed token of a mail');
update callers set answer_to_key = 'PT403 person_needed'
 where name in ('public.organization_create', 'public.organization_default', 'public.invitation_accept');
update callers set answer_to_key = case when attempt like '%(null,%' then 'PT404 organization_not_found' else 'PT403 user_mismatch' end
 where name = 'public.schedule_call';

-- What is called admin_... is for operators, who see all organizations; each that acts with other rights than theirs asks for their role.
insert into callers (name, callers, why_none)
select distinct n.nspname || '.' || p.proname, 'operator', 'for operators alone'
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('api', 'public') and p.proname like 'admin\_%';
insert into callers (name, callers)
select 'public.' || f, 'operator' from unnest(array['time_view', 'cursor_bytes', 'cursor_make', 'cursor_read', 'refuse_field', 'operator_needed',
    'audit_view', 'csv_field', 'providers_free', 'work_redrive', 'work_cancel', 'idempotency_take', 'idempotency_keep']) f;
insert into callers (name, callers) values ('api.workflow_run_list', 'operator'), ('api.workflow_run_get', 'operator');

create temporary view functions as
    select p.oid, n.nspname || '.' || p.proname as name, p.prosecdef, p.proowner, p.proconfig, n.nspname,
           coalesce((select case when bool_or(a.grantee = 0) then 'all'
                                 else string_agg(distinct l.label, ' ') end
                       from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                       left join (values ('anon', 'anon'), ('authenticated', 'people'), ('hookswitch_api', 'api'), ('hookswitch_webhook', 'webhook'),
                                         ('service_role', 'service'), ('hookswitch_operator', 'operator')) l(role, label)
                         on a.grantee <> 0 and l.role = a.grantee::regrole::text
                      where a.grantee not in (p.proowner, to_regrole('hookswitch_pump'), to_regrole('hookswitch_owner'))), '') as callers
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname !~ '^pg_|^information_schema$|^tests$' and p.prorettype <> 'trigger'::regtype
       and (n.nspname <> 'auth' or pg_get_userbyid(p.proowner) = 'hookswitch_owner')
       and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e');

-- ---- who may call what -----------------------------------------------------------

-- Labels in the order of the alphabet; functions of api that are the API's alone, and act with its rights, are proved by their routes.
select is(f.callers, (select string_agg(x, ' ' order by x) from (select distinct regexp_split_to_table(c.callers, ' ') as x from callers c where c.name = f.name) y),
          f.name || ' is called by those that "callers" of tests/sql/isolation_functions.sql names (a new function needs its row there)')
  from functions f
 where (f.callers <> '' and not (f.nspname = 'api' and f.callers = 'api' and not f.prosecdef)) or f.name in (select c.name from callers c)
 order by f.name;
select is_empty($$select c.name from callers c where c.name not in (select f.name from functions f)$$, 'no row of "callers" is about a function that is gone');
select is_empty($$select f.name from functions f where f.prosecdef and f.callers ~ '(all|anon|people|api)'
                     and not exists (select from callers c where c.name = f.name and coalesce(c.attempt, c.why_none) is not null)$$,
                'each security definer function that people or the API may call has an attempt with foreign ids in "callers", or a reason why not');
select is_empty($$select f.name, f.proowner::regrole from functions f where f.prosecdef and f.proowner <> 'hookswitch_pump'::regrole
                     and f.name not in ('public.partitions_make', 'public.partition_close', 'api.schema_version')$$,
                'security definer functions of every schema are owned by hookswitch_pump');
select is_empty($$select f.name from functions f where f.prosecdef and not coalesce(f.proconfig @> array['search_path=""'], false)$$,
                'and have an empty search_path');
select is_empty($$select f.name from functions f where f.callers ~ '(all|anon)' and f.prosecdef and f.name <> 'public.current_organization_id'$$,
                'everybody may call one security definer function, the one that policies ask');

select is_empty($$select f.name from functions f join pg_proc p on p.oid = f.oid where f.name ~ '[.]admin_' and f.prosecdef and p.prosrc !~ 'operator_needed|admin_note'$$,
                'each function for operators that acts with the pump''s rights asks for their role itself');

-- ---- with foreign ids -------------------------------------------------------------

-- All that names an organization or its owner, as one text.
create function pg_temp.all_of(p_organization uuid, p_user uuid) returns text language plpgsql as $$
declare
    t record;
    v_sum text;
    v_all text := '';
begin
    for t in select c.oid::regclass as name from pg_class c
              where c.relnamespace::regnamespace::text in ('public', 'auth', 'hookswitch_auth') and c.relkind in ('r', 'p') and not c.relispartition order by 1 loop
        execute format('select md5(string_agg(x::text, '''' order by x::text)) from %s x where x::text ~ %L', t.name, p_organization || '|' || p_user) into v_sum;
        v_all := v_all || t.name || '=' || coalesce(v_sum, '') || ' ';
    end loop;
    return v_all;
end
$$;

-- What Alice gets as p_label ('people', 'api', 'key': the API for a key of hers), and whether anything of Bob's changed.
create function pg_temp.attempt(p_label text, p_alice uuid, p_mine uuid, p_theirs uuid, p_bob uuid, p_sql text) returns text language plpgsql as $$
declare
    v_answer text;
    v_before text := pg_temp.all_of(p_theirs, p_bob);
begin
    begin
        perform tests.be_nobody();
        perform set_config('request.jwt.claims', (case p_label when 'key' then jsonb_build_object('role', 'hookswitch_key', 'key_id', gen_random_uuid())
                                                   else jsonb_build_object('sub', p_alice, 'role', 'authenticated') end)::text, true);
        if p_label <> 'people' then
            perform set_config('hookswitch.organization_id', p_mine::text, true);
        end if;
        perform set_config('role', case p_label when 'people' then 'authenticated' else 'hookswitch_api' end, true);
        execute p_sql into v_answer;
        perform tests.be_nobody();
        raise exception using errcode = 'TST01',
            message = coalesce(v_answer, '') || case when pg_temp.all_of(p_theirs, p_bob) <> v_before then ' AND SOMETHING OF THE OTHER''S CHANGED' else '' end;
    end;
exception
    when sqlstate 'TST01' then return nullif(sqlerrm, '');
    when others then return sqlstate || ' ' || sqlerrm;
end
$$;

create function pg_temp.fill(p_text text, p_things jsonb) returns text language plpgsql as $$
declare
    t record;
begin
    for t in select key, value from jsonb_each_text(p_things) loop
        p_text := replace(p_text, '$' || t.key, t.value);
    end loop;
    return p_text;
end
$$;

select is(case when wanted.answer = '*' and coalesce(got.answer, '') !~ format('SOMETHING OF|%s|%s|%s', :'theirs', :'bob', :'factor') then '*' else got.answer end, wanted.answer,
          format('%s, with foreign ids, %s: %s', c.name, l.label, regexp_replace(c.attempt, '\s+', ' ', 'g')))
  from callers c
  join (values ('people', '(all|people)'), ('api', '(all|api)'), ('key', '(all|api)')) l(label, pattern) on c.callers ~ l.pattern,
       lateral (select pg_temp.attempt(l.label, :'alice', :'mine', :'theirs', :'bob', pg_temp.fill(c.attempt, jsonb_build_object(
                           'mine', :'mine', 'theirs', :'theirs', 'alice', :'alice', 'bob', :'bob', 'own', :'own', 'template', :'template',
                           'over', :'over', 'waiting', :'waiting', 'session', :'session', 'factor', :'factor', 'invitation', :'invitation',
                           'key', :'key', 'begun', :'begun', 'challenge', :'challenge', 'ticket', :'ticket', 'bare', :'bare',
                           'change', :'change'))) as answer) got,
       lateral (select case when l.label = 'key' then coalesce(c.answer_to_key, c.answer) else c.answer end as answer) wanted
 where c.attempt is not null;

-- That an attempt can succeed, and that a change of Bob's is seen.
select is(pg_temp.attempt('api', :'bob', :'theirs', :'theirs', :'bob', format('select public.call_cancel(%L)', :'waiting')),
          ' AND SOMETHING OF THE OTHER''S CHANGED', 'what is one''s own can be reached, and a change is seen');
select isnt(pg_temp.attempt('people', :'bob', :'theirs', :'mine', :'alice', format('select public.schedule_call(%L, %L, ''x'', ''+15550100001'')', :'bob', :'template')),
            null, 'one''s own call can be scheduled');

select * from finish();
rollback;
