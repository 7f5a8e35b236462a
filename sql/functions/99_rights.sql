-- 99_rights.sql - who may call which function.  Runs last; everything is taken from public first.

do $$
declare
    f record;
begin
    for f in select p.oid::regprocedure as signature, p.proname, n.nspname, p.prosecdef
               from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname in ('api', 'public') and p.oid in (select oid from hookswitch.functions_new) loop
        execute format('revoke all on function %s from public, anon, authenticated, service_role', f.signature);
        if f.nspname = 'api' then
            execute format('grant execute on function %s to hookswitch_api, hookswitch_pump', f.signature);
        else
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
grant execute on function public.call_view(public.calls), public.call_view_of(uuid), public.time_view(timestamptz),
    public.cursor_of(timestamptz, uuid), public.cursor_bytes(text), public.cursor_make(text, timestamptz, text),
    public.cursor_read(text, text, text), public.call_enter(uuid, uuid, jsonb), public.call_cancel(uuid),
    public.call_reschedule(uuid, timestamptz), public.recording_access(uuid, uuid), public.refuse_field(text, text, text),
    public.idempotency_take(text, text), public.idempotency_keep(text, text, integer, text) to hookswitch_api;
grant execute on function public.request_admit(text, text, text, text, boolean, text, text, bigint[], boolean), public.request_admitted(),
    public.key_set_read(text, boolean, double precision), public.key_set_store(text, text) to hookswitch_api;
grant execute on function public.webhook_keep(text, uuid, text, text, text, uuid, text, text, text, text),
    public.webhook_keep_many(text, text[], text[], text[], text[], text[], text[], text[], text[], text[]),
    public.webhook_count(text, text, bigint), public.webhook_secrets_of(text, uuid) to hookswitch_webhook;
grant execute on function public.touch_updated_at(), public.check_state_move() to public;
grant execute on function public.provider_fill(), public.provider_keep(), public.call_queue_fill(), public.template_targets_fill(), public.template_routes_refresh(),
    public.call_route(uuid, uuid) to service_role, hookswitch_operator;
grant execute on function api.schema_version() to hookswitch_webhook;
