-- 99_rights.sql - who may call which function.  Runs last; everything is taken from public first.

do $$
declare
    f record;
begin
    for f in select p.oid::regprocedure as signature, p.proname, n.nspname, p.prosecdef
               from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname in ('api', 'public') and p.oid in (select oid from hookswitch.functions_new) loop
        execute format('revoke all on function %s from public, anon, authenticated, service_role', f.signature);
        -- What is called admin_... is for operators.
        if f.proname like 'admin\_%' then
            execute format('grant execute on function %s to hookswitch_operator', f.signature);
        end if;
        if f.nspname = 'api' and f.proname not like 'admin\_%' then
            execute format('grant execute on function %s to hookswitch_api, hookswitch_pump', f.signature);
        elsif f.nspname = 'public' then
            execute format('grant execute on function %s to hookswitch_pump', f.signature);
        end if;
        -- Helpers that act for somebody are owned by the pump's role; partitions can only be made by the tables' owner.
        if f.prosecdef and f.proname not in ('partitions_make', 'partition_close', 'schema_version') then
            execute format('alter function %s owner to hookswitch_pump', f.signature);
        end if;
    end loop;
end
$$;

-- Named once more here, so that a reader sees each right.
grant execute on function public.current_user_id(), public.current_organization_id() to public;
grant execute on function public.schedule_call(uuid, uuid, text, text, text, timestamptz, integer, jsonb, jsonb) to authenticated, service_role, hookswitch_api;
grant execute on function public.get_next_call_in_queue(), public.get_best_available_provider(), public.assign_call_to_provider(uuid, uuid),
    public.complete_call(uuid, integer, text, text), public.handle_failed_call(uuid, text) to service_role;
grant execute on function public.provision_phone_transaction(uuid, text, text, text) to service_role;
grant execute on function public.call_view(public.calls), public.call_view_of(uuid), public.time_view(timestamptz),
    public.cursor_bytes(text), public.cursor_make(text, timestamptz, text),
    public.cursor_read(text, text, text), public.call_enter(uuid, uuid, jsonb), public.call_cancel(uuid),
    public.call_reschedule(uuid, timestamptz), public.recording_access(uuid, uuid), public.refuse_field(text, text, text),
    public.idempotency_take(text, text, boolean), public.idempotency_keep(text, text, integer, text, boolean) to hookswitch_api;
grant execute on function public.request_admit(text, text, text, text, boolean, text, text, bigint[], boolean, text), public.request_admitted(),
    public.key_set_read(text, boolean, double precision), public.key_set_store(text, text) to hookswitch_api;
-- Programs that work as hookswitch_api from the start ask who asks themselves.
grant execute on function public.request_identity_token(jsonb, text, text, text), public.request_identity_key(text, text, text, boolean)
    to hookswitch_api;
grant execute on function public.webhook_keep(text, uuid, text, text, text, uuid, text, text, text, text),
    public.webhook_keep_many(text, text[], text[], text[], text[], text[], text[], text[], text[], text[]),
    public.webhook_ask(text, uuid, text, text, text, uuid, text, text, text, text),
    public.money_keep(text, text, text, jsonb, text),
    public.twilio_keep(text, text, jsonb, text),
    public.webhook_count(text, text, bigint), public.webhook_secrets_of(text, uuid) to hookswitch_webhook;
grant execute on function public.touch_updated_at(), public.check_state_move() to public;
grant execute on function public.provider_fill(), public.provider_keep(), public.call_queue_fill(), public.template_targets_fill(), public.template_routes_refresh(),
    public.call_route(uuid, uuid) to service_role, hookswitch_operator;
grant execute on function api.schema_version() to hookswitch_webhook;
-- Every program writes down how long it took.
grant execute on function public.timings_add(jsonb) to hookswitch_api, hookswitch_webhook, hookswitch_operator;

-- Organizations: each says again whose rows they are (organization_here, organization_lock) or takes only the asker's own.
grant execute on function public.organization_here(uuid), public.organization_view(public.organizations, text, boolean),
    public.organization_view_of(uuid), public.organizations_mine(text, integer), public.organization_create(text, jsonb),
    public.organization_update(uuid, jsonb), public.organization_default(uuid, boolean), public.organization_delete(uuid),
    public.organization_restore(uuid), public.person_needed(), public.members_page(uuid, text, integer),
    public.member_view_of(uuid, uuid), public.member_role_set(uuid, uuid, text), public.member_remove(uuid, uuid),
    public.invitation_view(public.organization_invitations), public.invitation_make(uuid, text, text), public.invitation_resend(uuid, uuid),
    public.invitation_revoke(uuid, uuid), public.invitation_accept(uuid), public.api_keys_page(uuid, text, integer),
    public.api_key_view_of(uuid, uuid), public.api_key_make(uuid, text, jsonb, timestamptz, text, text),
    public.api_key_rotate(uuid, uuid, integer, timestamptz, text, text), public.api_key_revoke(uuid, uuid),
    public.audit_filter(text, uuid, text, uuid, timestamptz, timestamptz), public.audit_rows(jsonb, text, integer),
    public.audit_view(public.audit_log), public.audit_csv(public.audit_log), public.csv_field(text) to hookswitch_api;

-- Voices: what is on offer, and a person's own wishes.
grant execute on function public.voice_view(public.voice_options), public.voice_kind(uuid), public.voice_account(uuid),
    public.voice_preferences_view(jsonb), public.voice_preferences_put(uuid, jsonb), public.uuid_or_null(text) to hookswitch_api;
-- Templates: those that write say again whose they are (call_template_lock); the rest sees what the policies show.
grant execute on function public.call_templates_shared() to hookswitch_api, authenticated;
grant execute on function public.call_template_own(public.call_templates, uuid, uuid), public.call_template_view(public.call_templates),
    public.call_template_make(jsonb), public.call_template_update(uuid, jsonb), public.call_template_delete(uuid),
    public.call_template_category_rename(text, text),
    public.call_template_copy(uuid, text, text), public.call_template_shares_of(uuid), public.call_template_share(uuid, uuid, text, uuid),
    public.call_template_unshare(uuid, uuid), public.template_tags(jsonb), public.assistant_template_view(public.templates),
    public.assistant_template_render(text, jsonb) to hookswitch_api;
-- Contacts.  Rows are the active organization's by policy; what acts with the pump's rights takes no other.
grant execute on function public.actor_id(), public.contacts_open(), public.do_not_call_view(public.do_not_call),
    public.do_not_call_add(uuid, text, text), public.do_not_call_add_all(uuid, text[], text), public.contacts_lock(),
    public.contact_import_wait(uuid), public.do_not_call_remove(uuid, text), public.contact_tags_wrong(jsonb), public.contact_tags(jsonb),
    public.contact_custom_wrong(jsonb), public.contact_check(jsonb, jsonb), public.contact_view(public.contacts),
    public.contacts_rows(jsonb, text, integer), public.contact_csv_field(text), public.contact_csv(public.contacts), public.contact_of(uuid),
    public.contact_refuse_double(text, uuid), public.contact_import_row(public.contact_imports, jsonb),
    public.contact_import_keep(public.contact_imports, jsonb), public.contact_import_view(public.contact_imports),
    public.contact_import_of(uuid) to hookswitch_api;
grant execute on function public.do_not_call_lock() to service_role;
-- Operators: what lists and views of theirs are made with.
grant execute on function public.time_view(timestamptz), public.cursor_bytes(text), public.cursor_make(text, timestamptz, text),
    public.cursor_read(text, text, text), public.page_view(text, jsonb[], timestamptz[], text[], integer),
    public.refuse_field(text, text, text), public.operator_needed(),
    public.audit_view(public.audit_log), public.csv_field(text), public.providers_free(), public.work_redrive(text), public.work_cancel(text),
    public.idempotency_take(text, text, boolean), public.idempotency_keep(text, text, integer, text, boolean),
    public.plan_now(uuid), public.usage_totals(uuid, timestamptz, timestamptz) to hookswitch_operator;
grant execute on function api.workflow_run_list(text, text, text, integer), api.workflow_run_get(text) to hookswitch_operator;

-- Runs are looked after on the machine itself (workflow-pump), never by a customer.
revoke execute on function api.workflow_run_list(text, text, text, integer), api.workflow_run_get(text), api.workflow_run_redrive(text),
    api.workflow_run_cancel(text), api.workflow_run_signal(text, text, jsonb, text) from hookswitch_api;

-- Calls: what is looked for, counted, judged and taken along.
grant execute on function public.page_view(text, jsonb[], timestamptz[], text[], integer),
    public.call_rows(text, text, uuid, text, timestamptz, timestamptz, text, integer), public.call_line(public.calls, text, boolean),
    public.call_csv(public.calls), public.csv_number(text), public.search_languages(), public.search_language(text), public.search_fold(text),
    public.search_word(text), public.search_question(text, text), public.search_languages_of(uuid),
    public.search_hits(uuid, text[], tsquery[], text, uuid, timestamptz, timestamptz, timestamptz, real, timestamptz, uuid, integer),
    public.search_marked(text, text, tsquery),
    public.calls_counted(uuid, timestamptz, timestamptz, text), public.calls_group(text, text, timestamptz, text, text),
    public.calls_grouped(timestamptz, timestamptz, text, text), public.zone_needed(text), public.feedback_view(public.call_feedback),
    public.feedback_give(uuid, integer, text), public.feedback_change(uuid, jsonb), public.feedback_withdraw(uuid) to hookswitch_api;
-- Plans and usage: of the active organization.
grant execute on function public.plan_now(uuid), public.usage_totals(uuid, timestamptz, timestamptz), public.usage_sums(uuid, timestamptz) to hookswitch_api;

-- Money: amounts as operators see them, too.
grant execute on function public.currency_digits(text), public.plan_amount(public.subscription_plans) to hookswitch_operator;

-- Money: what is seen is the active organization's by policy or by its own word; what asks Stripe and writes knows no other organization.
grant execute on function public.currency_digits(text), public.plan_amount(public.subscription_plans), public.plan_second_amount(public.subscription_plans),
    public.plan_view(public.subscription_plans), public.plan_view_of(uuid), public.subscription_view(public.subscriptions, timestamptz, timestamptz),
    public.usage_view(timestamptz, timestamptz, public.subscription_plans), public.upcoming_view(public.subscriptions, timestamptz, bigint), public.invoice_view(public.invoices),
    public.invoice_line_view(jsonb), public.billing_event_view(public.billing_events), public.checkout_view(public.checkout_sessions), public.billing_view(),
    public.actor_may(text), public.usage_stretch(timestamptz, timestamptz), public.usage_grouped(timestamptz, timestamptz, text),
    public.usage_call_view(public.usage_entries), public.plan_now(uuid), public.usage_sums(uuid, timestamptz),
    public.stripe_ask(text, text, jsonb, text, text), public.stripe_key(text), public.stripe_need(jsonb), public.billing_make(uuid, boolean, jsonb, jsonb),
    public.plan_price_sold(public.subscription_plans, text),
    public.subscription_here(), public.subscription_look(text, jsonb), public.subscription_ask(text, jsonb, jsonb, text), public.subscription_told(jsonb),
    public.subscription_is_over(jsonb), public.subscription_stands(jsonb), public.plan_change_kind(jsonb, uuid), public.plan_change_form(text, jsonb, uuid, bigint),
    public.plan_wanted(uuid), public.plan_change_begin(uuid, jsonb), public.plan_change_ready(uuid, jsonb, jsonb), public.plan_preview_view(uuid, jsonb, jsonb), public.proration_moment(jsonb, timestamptz),
    public.subscription_cancel_manual(boolean), public.subscription_resume_manual(), public.checkout_plan(uuid),
    public.checkout_form(public.subscription_plans, uuid, text, text), public.checkout_kept(uuid, uuid, jsonb),
    public.checkout_free(jsonb), public.subscription_seen(jsonb, jsonb), public.subscription_ended(jsonb, jsonb), public.plan_change_in_time(text, jsonb),
    public.customer_doubted(jsonb, jsonb), public.customer_look(jsonb), public.customer_looked(jsonb, jsonb) to hookswitch_api;
-- Phone numbers: those that write take the active organization's own alone.
grant execute on function public.number_view(public.phone_numbers), public.number_assistant(public.phone_numbers), public.number_capabilities(jsonb),
    public.number_log_view(public.phone_provision_logs), public.verified_number_view(public.verified_numbers), public.number_of(uuid),
    public.number_rows(text, uuid, text, integer), public.number_search_ask(jsonb), public.number_search_need(jsonb),
    public.number_offers(jsonb, text), public.number_order(jsonb), public.number_change(uuid, jsonb), public.number_give_back(uuid),
    public.number_try(uuid, uuid), public.number_used(uuid, timestamptz, timestamptz), public.number_verify_begin(text, text),
    public.number_verify_try(uuid, boolean), public.verified_number_of(uuid), public.verified_number_remove(uuid) to hookswitch_api;

-- Assistants: what changes them says again whose they are (assistant_lock); what is seen is the active organization's by policy.
grant execute on function public.assistant_view(public.assistants), public.assistant_by_hand(public.assistants), public.assistant_create(jsonb),
    public.assistant_update(uuid, jsonb), public.assistant_delete(uuid, boolean), public.assistant_again(uuid), public.assistant_try(uuid, uuid, uuid) to hookswitch_api;
