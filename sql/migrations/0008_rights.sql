-- 0008_rights.sql - who may see and do what.  Row security is enabled and forced on every table; our roles bypass nothing.

-- Work across tenants runs as hookswitch_pump; operators look at everything.
do $$
declare
    t text;
begin
    for t in select c.relname from pg_class c
              where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
                and pg_get_userbyid(c.relowner) = current_user
                and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
                and c.relname in (
                    'state_moves', 'organizations', 'organization_members', 'user_profiles', 'user_settings', 'api_keys',
                    'idempotency_keys', 'subscription_plans', 'subscriptions', 'billing_events', 'call_service_providers',
                    'provider_availability', 'voice_options', 'templates', 'assistants', 'phone_numbers', 'phone_provision_logs',
                    'call_templates', 'call_template_targets', 'template_favorites', 'calls', 'call_queue', 'call_assignments',
                    'call_retries', 'call_transcripts', 'call_recordings', 'call_actions', 'call_feedback', 'usage_entries',
                    'do_not_call', 'events', 'end_reasons', 'end_reasons_unlisted', 'retry_policies', 'webhook_events',
                    'webhook_event_keys', 'webhook_counts', 'webhook_secrets') loop
        execute format('alter table public.%I enable row level security', t);
        execute format('alter table public.%I force row level security', t);
        execute format('revoke all on public.%I from public, anon, authenticated', t);
        execute format('create policy %I on public.%I to hookswitch_pump using (true) with check (true)', t || '_pump', t);
        execute format('grant select, insert, update, delete on public.%I to hookswitch_pump', t);
        execute format('create policy %I on public.%I for select to hookswitch_operator using (true)', t || '_operator', t);
        execute format('grant select on public.%I to hookswitch_operator', t);
    end loop;
end
$$;
revoke update, delete on public.billing_events, public.events from hookswitch_pump;
grant usage, select on all sequences in schema public to hookswitch_pump;

-- Tables with an organization_id: the active organization's rows, for the API and for people who come through Supabase's own clients.
do $$
declare
    t text;
begin
    foreach t in array array['organization_members', 'subscriptions', 'assistants', 'phone_numbers', 'calls', 'call_queue',
                             'call_assignments', 'call_retries', 'call_transcripts', 'call_recordings', 'call_actions',
                             'call_feedback', 'usage_entries', 'do_not_call', 'events', 'billing_events', 'phone_provision_logs'] loop
        execute format('create policy %I on public.%I for select to hookswitch_api, authenticated
                            using (organization_id = (select public.current_organization_id()))', t || '_organization', t);
        execute format('grant select on public.%I to hookswitch_api', t);
    end loop;
    foreach t in array array['api_keys', 'idempotency_keys', 'webhook_secrets'] loop
        execute format('create policy %I on public.%I for all to hookswitch_api
                            using (organization_id = (select public.current_organization_id()))
                            with check (organization_id = (select public.current_organization_id()))', t || '_organization', t);
    end loop;
end
$$;
grant select (id, organization_id, created_by, name, prefix, scopes, expires_at, revoked_at, last_used_at, created_at)
    on public.api_keys to hookswitch_api;
grant select, insert, delete on public.idempotency_keys to hookswitch_api;

create policy organizations_organization on public.organizations for select to hookswitch_api, authenticated
    using (id = (select public.current_organization_id()));
grant select on public.organizations to hookswitch_api;

-- Listed columns for people: what the provider charges us, leases, and internals stay hidden.
grant select (id, name, status, settings, created_at, updated_at, personal_of, stripe_customer_id) on public.organizations to authenticated;
grant select (organization_id, user_id, role, created_at) on public.organization_members to authenticated;
grant select (id, created_at, organization_id, user_id, direction, status, progress, from_number, to_number, recipient_name,
              recipient_email, template_id, voice_id, caller_number_id, phone_number_id, assistant_id, provider_id, provider_type,
              provider_call_id, vapi_call_id, priority, scheduled_time, attempts, retry_of, custom_variables, metadata, started_at,
              ended_at, duration_seconds, ended_reason, finished_at, updated_at) on public.calls to authenticated;
grant select (id, organization_id, user_id, recipient_number, recipient_name, recipient_email, scheduled_time, due_at, expires_at,
              status, call_id, provider_id, template_id, voice_id, caller_number_id, custom_variables, metadata, priority, attempts,
              max_attempts, retry_count, admission, last_error, created_at, updated_at) on public.call_queue to authenticated;
grant select (id, call_id, organization_id, provider_id, attempt, state, progress, created_at, accepted_at, ended_at, outcome, reason)
    on public.call_assignments to authenticated;
grant select on public.call_retries, public.call_transcripts, public.call_actions, public.call_feedback, public.usage_entries
    to authenticated;
grant select (call_id, call_created_at, organization_id, recording_url, stereo_recording_url, storage_path, duration_seconds, created_at)
    on public.call_recordings to authenticated;
grant select on public.subscriptions, public.phone_numbers, public.assistants to authenticated;

-- Plans and end reasons are no secret; templates: the organization's own and public ones; voices that are on offer.
create policy subscription_plans_read on public.subscription_plans for select to hookswitch_api, authenticated using (true);
create policy end_reasons_read on public.end_reasons for select to hookswitch_api using (true);
create policy templates_read on public.templates for select to hookswitch_api, authenticated using (true);
create policy voice_options_read on public.voice_options for select to hookswitch_api, authenticated using (is_active);
grant select on public.subscription_plans, public.templates, public.voice_options to hookswitch_api, authenticated;
grant select on public.end_reasons to hookswitch_api;

create policy call_templates_read on public.call_templates for select to hookswitch_api
    using (is_public or organization_id = (select public.current_organization_id()));
create policy call_templates_people on public.call_templates for select to authenticated
    using (is_public or created_by = (select public.current_user_id()));
create policy call_template_targets_read on public.call_template_targets for select to hookswitch_api
    using (exists (select from public.call_templates t where t.id = template_id));
grant select on public.call_templates, public.call_template_targets to hookswitch_api;
grant select on public.call_templates to authenticated;

create policy template_favorites_own on public.template_favorites for select to hookswitch_api, authenticated
    using (user_id = (select public.current_user_id()));
grant select on public.template_favorites to hookswitch_api, authenticated;

-- A person's own profile and settings.
create policy user_profiles_read on public.user_profiles for select to hookswitch_api, authenticated using (id = (select public.current_user_id()));
create policy user_profiles_change on public.user_profiles for update to hookswitch_api, authenticated
    using (id = (select public.current_user_id())) with check (id = (select public.current_user_id()));
create policy user_settings_own on public.user_settings for select to hookswitch_api, authenticated using (user_id = (select public.current_user_id()));
grant select on public.user_profiles, public.user_settings to hookswitch_api, authenticated;
grant update (first_name, last_name, phone_number, address, preferences, city, state) on public.user_profiles to hookswitch_api, authenticated;

-- Views ask as their reader, so reading them is enough.
grant select on public.users, public.profiles, public.user_subscriptions, public.stripe_customers, public.user_phone_numbers,
    public.provider_phone_numbers, public.provider_assistants, public.user_call_history, public.call_history, public.user_call_usage,
    public.daily_usage to hookswitch_api, hookswitch_pump, hookswitch_operator, authenticated;
grant update (first_name, last_name, phone_number, address, preferences, city, state) on public.profiles to hookswitch_api, authenticated;

-- service_role is the trusted back end of an application (Supabase's bypasses row security, ours is given the same by policy).
do $$
declare
    p record;
begin
    for p in select tablename from pg_policies where schemaname = 'public' and policyname = tablename || '_pump' loop
        execute format('create policy %I on public.%I to service_role using (true) with check (true)', p.tablename || '_service', p.tablename);
    end loop;
end
$$;
grant select, insert, update, delete on public.organizations, public.organization_members, public.user_profiles, public.user_settings,
    public.call_service_providers, public.provider_availability, public.voice_options, public.call_templates, public.call_template_targets,
    public.phone_numbers, public.assistants, public.do_not_call to service_role;
grant select, insert on public.call_queue to service_role;
grant select on public.calls, public.call_assignments, public.call_retries, public.call_transcripts, public.call_recordings,
    public.call_actions, public.call_feedback, public.usage_entries, public.events, public.subscriptions, public.subscription_plans,
    public.users, public.profiles, public.user_subscriptions, public.stripe_customers, public.user_phone_numbers,
    public.provider_phone_numbers, public.provider_assistants, public.user_call_history, public.call_history, public.user_call_usage,
    public.daily_usage to service_role;
