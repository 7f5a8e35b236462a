-- isolation_rights.sql - which columns people and the API may read, and what a thing that is made tomorrow is granted.
begin;
select no_plan();

-- ---- columns ----------------------------------------------------------------------

-- All that the role authenticated may read, tables and views.  A new column of a table that is granted as a whole fails here too, until it is
-- written down: then somebody has thought about whether customers may read it.
create temporary table readable (relation text primary key, columns text);
insert into readable values
    ('assistants', 'id organization_id template_id name system_prompt variable_values vapi_assistant_id status description language first_message
        end_call_message end_call_phrases voicemail_message model_provider model_name model_temperature voice_provider voice_id voice_settings
        transcriber_provider transcriber_model background_sound silence_timeout_seconds max_duration_seconds functions user_id synced_at created_at
        updated_at'),
    ('call_actions', 'id call_id call_created_at organization_id action_type action_data status triggered_at'),
    ('call_assignments', 'id call_id organization_id provider_id attempt state created_at accepted_at ended_at progress outcome reason'),
    ('call_feedback', 'id call_id call_created_at organization_id user_id key_id rating comments created_at updated_at'),
    ('call_history', 'id user_id organization_id template_id provider_id call_id recipient_name recipient_number recipient_email status
        ended_reason started_at ended_at duration_seconds duration recording_url transcript summary custom_variables metadata created_at updated_at'),
    ('call_queue', 'id organization_id user_id recipient_number recipient_name recipient_email scheduled_time due_at expires_at status call_id
        provider_id template_id voice_id caller_number_id custom_variables metadata priority attempts max_attempts retry_count admission last_error
        created_at updated_at'),
    ('call_recordings', 'call_id call_created_at organization_id recording_url stereo_recording_url storage_path duration_seconds created_at'),
    ('call_retries', 'id call_id call_created_at organization_id assignment_id attempt reason end_class delay_seconds retry_at created_at'),
    ('call_templates', 'id organization_id name description category tags is_public created_by provider_id assistant_id params params_order
        visibility first_message system_prompt model_provider model_name deleted_at created_at updated_at'),
    ('call_transcripts', 'call_id call_created_at organization_id transcript_text transcript_segments summary extracted_data created_at'),
    ('calls', 'id created_at organization_id user_id direction status progress from_number to_number recipient_name recipient_email template_id
        voice_id caller_number_id phone_number_id assistant_id provider_id provider_type provider_call_id vapi_call_id priority scheduled_time
        attempts retry_of custom_variables metadata started_at ended_at duration_seconds ended_reason finished_at updated_at'),
    ('contacts', 'id organization_id phone_number name email company tags custom_fields notes source created_by created_at updated_at'),
    ('daily_usage', 'organization_id date calls seconds minutes'),
    ('organization_members', 'organization_id user_id role created_at'),
    ('organizations', 'id name personal_of status settings stripe_customer_id created_at updated_at'),
    ('phone_numbers', 'id organization_id user_id assistant_id provider_id phone_number provider provider_sid provider_number_id e164_number
        voice_number_id country_code area_code capabilities status name number_type locality region origin wanted forward_to forward_when sms_mode
        sms_forward_to purchased_at linked_at paused_at pause_reason release_after released_at release_reason created_at updated_at'),
    ('profiles', 'id first_name last_name phone_number email address preferences city state paddle_customer_id status created_at updated_at'),
    ('provider_assistants', 'id organization_id name provider_assistant_id status created_at updated_at'),
    ('provider_phone_numbers', 'id provider_id phone_id country_code area_code phone_number full_number is_active capabilities created_at updated_at'),
    ('stripe_customers', 'user_id customer_id organization_id'),
    ('subscription_plans', 'id name tier rank description price currency interval features call_limit minutes_limit limit_mode overage_cents increment_seconds
        number_limit trial_days is_default on_sale stripe_price_id created_at updated_at'),
    ('subscriptions', 'id organization_id user_id plan_id tier_type status current origin external_id current_period_start current_period_end
        cancel_at_period_end payment_method next_plan_id trial_end cancel_at canceled_at ended_at created_at updated_at'),
    ('template_favorites', 'user_id template_id created_at'),
    ('templates', 'id slug name description category tags language system_prompt first_message end_call_message end_call_phrases model_provider
        model_name model_temperature voice_provider voice_id voice_settings transcriber_provider transcriber_model background_sound
        silence_timeout_seconds max_duration_seconds variables functions is_active created_at updated_at'),
    ('usage_entries', 'id organization_id user_id call_id call_created_at kind quantity billable overage occurred_at billed_at carried counted summed
        created_at'),
    ('usage_days', 'organization_id date calls seconds billable_seconds overage_seconds'),
    ('usage_periods', 'organization_id period_start period_end calls seconds billable_seconds overage_seconds state'),
    ('user_call_history', 'id user_id call_queue_id call_id provider_id assistant_id phone_number_id caller_number_id voice_id transcript status
        duration recording_url call_data organization_id created_at'),
    ('user_call_usage', 'id user_id organization_id subscription_id billing_period_start billing_period_end calls_used minutes_used
        calls_remaining minutes_remaining last_updated'),
    ('user_phone_numbers', 'id user_id organization_id full_number phone_number status capabilities created_at'),
    ('user_profiles', 'id first_name last_name phone_number email address preferences city state paddle_customer_id status created_at updated_at'),
    ('user_settings', 'user_id vapi_assistant_id assistant_provisioning_status voice_preferences created_at updated_at'),
    ('user_subscriptions', 'id user_id plan_id status stripe_sub_id current_period_start current_period_end cancel_at_period_end payment_method
        subscription_id organization_id tier_type current created_at updated_at'),
    ('users', 'id email first_name last_name phone_number address preferences status created_at updated_at'),
    ('voice_options', 'id voice_id provider_id voice_provider language name preview_url is_active created_at');

create temporary view our_relations as
    select c.*, n.nspname, case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname as name
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't' and n.nspname !~ '^pg_|^information_schema$|^tests$'
       and (n.nspname <> 'auth' or pg_get_userbyid(c.relowner) = 'hookswitch_owner')
       and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e');

select is(
    (select string_agg(a.attname, ' ' order by a.attname) from pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and has_column_privilege('authenticated', c.oid, a.attnum, 'select')),
    (select string_agg(x, ' ' order by x collate "C") from regexp_split_to_table((select columns from readable where relation = c.name), '\s+') x),
    c.name || ': people read the columns that "readable" of tests/sql/isolation_rights.sql names, no other')
  from our_relations c
 where exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and has_column_privilege('authenticated', c.oid, a.attnum, 'select'))
    or c.name in (select relation from readable)
 order by c.name;
select is_empty($$select relation from readable where relation not in (select name from our_relations)$$, 'no row of "readable" is about a relation that is gone');

-- What a secret is called.  Whoever acts for customers reads none; the back end of an application keeps the providers' accounts.
select is_empty($$select c.name, a.attname, r.role from our_relations c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped,
                         unnest(array['anon', 'authenticated', 'hookswitch_api', 'hookswitch_webhook', 'service_role']) r(role)
                   where a.attname ~ '(secret|hash|password|token|credential|api_key|totp|otp_|recovery|sealed)'
                     and has_column_privilege(r.role, c.oid, a.attnum, 'select')
                     and not (c.name = 'call_service_providers' and r.role = 'service_role')$$,
                'no column that is called like a secret can be read by people, the API, webhooks, or the back end of an application');
select is_empty($$select c.name, p.polname, p.polroles::regrole[] from our_relations c join pg_policy p on p.polrelid = c.oid where 0 = any (p.polroles)$$,
                'no policy is for everybody');
select is_empty($$select c.name from our_relations c where c.relkind = 'v' and not coalesce(c.reloptions @> '{security_invoker=true}', false)$$,
                'views of every schema ask as their reader');
select is_empty($$select c.name from our_relations c where c.relkind in ('m', 'f')$$, 'there is no materialized view and no foreign table, which know no row security');
select is_empty($$select c.name from our_relations c where c.relkind in ('r', 'p') and c.nspname <> 'hookswitch' and not (c.relrowsecurity and c.relforcerowsecurity)$$,
                'row security is enabled and forced on every table of every schema');
select is_empty($$select c.name, a.grantee::regrole, a.privilege_type from our_relations c, aclexplode(c.relacl) a
                   where a.grantee <> c.relowner and a.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER')$$,
                'nobody but the owner may empty a table, point at it, or put a trigger on it');
select is_empty($$select c.name, a.grantee::regrole from our_relations c, aclexplode(c.relacl) a where a.is_grantable and a.grantee <> c.relowner$$,
                'and nobody may pass a right on');
select is_empty($$select c.name, pg_get_userbyid(c.relowner) from our_relations c where c.relowner <> 'hookswitch_owner'::regrole$$,
                'one role owns all tables and views');
select is_empty($$select r.rolname, m.rolname from pg_auth_members x join pg_roles r on r.oid = x.roleid join pg_roles m on m.oid = x.member
                   where (m.rolname in ('anon', 'authenticated', 'service_role') or m.rolname like 'hookswitch\_%')
                     and m.rolname not in ('hookswitch_owner', 'hookswitch_app')$$,
                'no role of ours is a member of another, but for the two that log in');
select is_empty($$select pg_get_userbyid(m.member) from pg_auth_members m where m.roleid in ('hookswitch_pump'::regrole, 'hookswitch_api'::regrole,
                         'hookswitch_operator'::regrole, 'hookswitch_webhook'::regrole) and m.admin_option and m.member in ('anon'::regrole, 'authenticated'::regrole)$$,
                'and customers can give themselves none');
select is_empty($$select n.nspname, a.grantee::regrole from pg_namespace n, aclexplode(n.nspacl) a
                   where n.nspname in ('hookswitch', 'hookswitch_auth', 'parts') and a.grantee in (0, 'anon'::regrole, 'authenticated'::regrole)$$,
                'customers cannot even name what lies in the inner schemas');

-- ---- what is made tomorrow ----------------------------------------------------------

select is_empty($$select d.defaclrole::regrole, d.defaclnamespace::regnamespace, a.privilege_type from pg_default_acl d, aclexplode(d.defaclacl) a
                   where a.grantee in (0, 'anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)$$,
                'nothing is granted to customers by default');
set local role hookswitch_owner;
create table public.isolation_new (id bigint generated always as identity, organization_id uuid);
create view public.isolation_new_view as select * from public.isolation_new;
create function public.isolation_new_function() returns integer language sql as 'select 1';
create function api.isolation_new_function() returns integer language sql as 'select 1';
reset role;
select is_empty($$select r.role, v.verb from unnest(array['anon', 'authenticated', 'service_role', 'hookswitch_api', 'hookswitch_webhook', 'hookswitch_pump']) r(role),
                         unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) v(verb)
                   where has_table_privilege(r.role, 'public.isolation_new', v.verb) or has_table_privilege(r.role, 'public.isolation_new_view', v.verb)$$,
                'a new table and a new view are nobody''s until they are granted');
select is_empty($$select r.role from unnest(array['anon', 'authenticated', 'service_role', 'hookswitch_api', 'hookswitch_webhook']) r(role)
                   where has_function_privilege(r.role, 'public.isolation_new_function()', 'execute') or has_function_privilege(r.role, 'api.isolation_new_function()', 'execute')
                      or has_sequence_privilege(r.role, 'public.isolation_new_id_seq', 'usage,select,update')$$, 'and so are a new function and a new sequence');

select * from finish();
rollback;
