-- callers.sql - who may call which function, and what is tried with it (isolation_functions.sql).
--
-- callers: labels as in isolation.sql (people: authenticated; all: everybody).  attempt: what Alice tries with Bob's things, once for each of
-- anon, people and api that may call it; a security definer function that one of them may call needs one, or a reason why not.  $mine $theirs $alice $bob $own
-- $template $over $waiting $session $factor $invitation $key $assistant $begun $challenge $ticket $bare $change stand for the ids above.  answer: the error, or the value; *: any (answer_to_key: another one for an API key); whatever it is,
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
    ('public.plan_now', 'api', 'select count(*) from public.plan_now(''$theirs'')', '0'),
    ('public.usage_sums', 'api', 'select count(*) from public.usage_sums(''$theirs'', ''2020-01-01'')', '0'),
    ('public.usage_totals', 'api', 'select count(*) from public.usage_totals(''$theirs'', ''2020-01-01'', ''2099-01-01'')', '0'),
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
    ('public.do_not_call_add_all', 'api', 'select public.do_not_call_add_all(''$theirs'', ''{+15550100001}'', ''x'')', 'PT404 organization_not_found'),
    ('public.contacts_lock', 'api', 'select public.contacts_lock() <> ''$mine''', 'false'),
    ('public.contact_import_wait', 'api', null, null),
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
    ('public.provision_phone_transaction', 'service', null, null),
    ('public.get_best_available_provider', 'service', null, null),
    ('public.get_next_call_in_queue', 'service', null, null),
    ('public.handle_failed_call', 'service', null, null),
    ('public.call_route', 'service operator', null, null),
    -- Whose event it is was proved by its signature.
    ('public.money_keep', 'webhook', null, null),
    ('public.twilio_keep', 'webhook', null, null),
    ('public.webhook_count', 'webhook', null, null),
    ('public.webhook_ask', 'webhook', null, null),
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
    -- Assistants.
    ('public.assistant_view', 'api', null, null),
    ('public.assistant_by_hand', 'api', null, null),
    ('public.assistant_create', 'api', 'select public.assistant_create(''{"name":"x"}'') ->> ''organization_id'' = ''$mine''', 'true'),
    ('public.assistant_update', 'api', 'select public.assistant_update(''$assistant'', ''{"name":"x"}'')', 'PT404 assistant_not_found'),
    ('public.assistant_delete', 'api', 'select public.assistant_delete(''$assistant'', true)', 'PT404 assistant_not_found'),
    ('public.assistant_again', 'api', 'select public.assistant_again(''$assistant'')', 'PT404 assistant_not_found'),
    ('public.assistant_try', 'api', 'select public.assistant_try(''$assistant'', ''$verified'', null)', 'PT404 assistant_not_found'),
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
    ('public.page_view', 'api operator', null, null),
    -- Calls: what is looked for, counted, judged.
    ('public.call_rows', 'api', 'select count(*) from public.call_rows(null, null, null, null, null, null, null, 1000)', '0'),
    ('public.calls_counted', 'api', 'select count(*) from public.calls_counted(''$theirs'', ''2000-01-01'', ''2100-01-01'', ''day'')', '0'),
    ('public.calls_grouped', 'api', 'select total from public.calls_grouped(''2000-01-01'', ''2100-01-01'', ''day'', ''UTC'') where whole', '0'),
    ('public.search_languages_of', 'api', 'select cardinality(public.search_languages_of(''$theirs''))', '0'),
    ('public.search_hits', 'api', 'select count(*) from public.search_hits(''$theirs'', ''{simple,english}'', ''{secret,secret}'', null, null, null, null, now(), null, null,
        null, 10)', 'PT404 organization_not_found'),
    ('public.search_hits', 'api', 'select count(*) from public.search_hits(''$mine'', ''{simple,english}'', ''{secret,secret}'', null, null, null, null, now(), null, null,
        null, 10)', '0'),
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
    'audit_view', 'csv_field', 'providers_free', 'work_redrive', 'work_cancel', 'idempotency_take', 'idempotency_keep', 'plan_now', 'usage_totals',
    'currency_digits', 'plan_amount']) f;
insert into callers (name, callers) values ('api.workflow_run_list', 'operator'), ('api.workflow_run_get', 'operator');

-- Money: what these see and change is the active organization's, whatever they are given.
insert into callers (name, callers)
select 'public.' || f, 'api' from unnest(array['currency_digits', 'plan_amount', 'plan_second_amount', 'plan_view', 'plan_view_of', 'subscription_view', 'usage_view',
    'upcoming_view', 'invoice_view', 'invoice_line_view', 'billing_event_view', 'checkout_view', 'billing_view', 'usage_stretch', 'usage_grouped', 'usage_call_view',
    'stripe_key', 'stripe_need', 'subscription_here', 'subscription_look', 'subscription_ask', 'subscription_is_over', 'plan_change_kind', 'plan_wanted',
    'plan_change_begin', 'plan_change_ready', 'checkout_plan', 'proration_moment', 'checkout_free', 'subscription_seen', 'subscription_ended',
    'plan_change_in_time', 'customer_doubted', 'customer_look']) f;
insert into callers (name, callers, why_none)
select 'public.' || f, 'api', 'reads plans and their prices alone, which are on sale to everybody'
  from unnest(array['plan_price_sold', 'subscription_stands', 'plan_change_form', 'plan_preview_view']) f;
insert into callers (name, callers, why_none) values ('public.stripe_ask', 'api', 'writes a question down, with a number that is everybody''s');
insert into callers (name, callers, attempt, answer) values
    ('public.actor_may', 'api', 'select public.actor_may(''nobody:may'')', '*'),
    ('public.billing_make', 'api', 'select public.billing_make(null, true, ''{}'', null) -> ''ask'' -> ''form'' ->> ''metadata[organization_id]'' = ''$theirs''', 'false'),
    ('public.billing_make', 'api', 'select public.billing_make(null, true, ''{"making":"customer","stage":"again"}'', ''{"result":"ok","body":{"id":"cus_x"}}'')', '*'),
    ('public.customer_looked', 'api', 'select public.customer_looked(''{"at":"customer","doubted":"cus_theirs"}'', ''{"result":"absent"}'') ->> ''at'' is null', 'true'),
    ('public.subscription_told', 'api', 'select public.subscription_told(''{"result":"ok","body":{"id":"sub_isolation","provider":"stripe","status":"canceled"}}'')',
        'PT409 subscription_over'),
    ('public.subscription_cancel_manual', 'api', 'select public.subscription_cancel_manual(false)', 'PT409 subscription_free'),
    ('public.subscription_resume_manual', 'api', 'select public.subscription_resume_manual() is not null', 'true'),
    ('public.checkout_form', 'api', 'select public.checkout_form(p, ''$theirs'', ''x'', ''y'') ->> ''metadata[organization_id]'' = ''$theirs'' from public.subscription_plans p limit 1',
        'false'),
    ('public.timings_add', 'api operator webhook', 'select public.timings_add(''[]'')', null),
    ('public.checkout_kept', 'api', 'select public.checkout_kept(gen_random_uuid(), p.id, ''{"id":"cs_isolation"}'') ->> ''id'' from public.subscription_plans p limit 1', '*');

-- Phone numbers: those that read see the active organization's by policy, those that write look whose it is.
insert into callers (name, callers)
select 'public.' || f, 'api' from unnest(array['number_view', 'number_assistant', 'number_capabilities', 'number_log_view', 'verified_number_view',
    'number_search_need', 'number_rows', 'number_of', 'number_used', 'verified_number_of']) f;
insert into callers (name, callers, why_none) values
    ('public.number_search_ask', 'api', 'writes down what a phone provider is asked, and knows no organization'),
    ('public.number_offers', 'api', 'tells which of the numbers given nobody has, and of none who has it');
insert into callers (name, callers, attempt, answer) values
    ('public.number_order', 'api', 'select (public.number_order(''{"assistant_id":"$assistant"}'')).id', 'PT404 assistant_not_found'),
    ('public.number_change', 'api', 'select (public.number_change(''$number'', ''{"name":"x"}'')).id', 'PT404 number_not_found'),
    ('public.number_give_back', 'api', 'select (public.number_give_back(''$number'')).id', 'PT404 number_not_found'),
    ('public.number_try', 'api', 'select public.number_try(''$number'', ''$verified'')', 'PT404 number_not_found'),
    ('public.number_verify_begin', 'api', 'select (public.number_verify_begin(''+15550107001'', ''sms'')).organization_id = ''$theirs''', '*'),
    ('public.number_verify_try', 'api', 'select (public.number_verify_try(''$verified'', true)).id', 'PT404 verified_number_not_found'),
    ('public.verified_number_remove', 'api', 'select public.verified_number_remove(''$verified'')', 'PT404 verified_number_not_found');
