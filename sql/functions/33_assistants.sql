-- 33_assistants.sql - assistants: what one is made from, and bringing it to Vapi.  The workflow assistant-sync is common/work/flow_assistant.c.

create or replace function public.assistant_changed() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    return new;
end
$$;

-- The account at Vapi where assistants and numbers are: the first that is active.  As the voice port reads it (voice_account_read), with
-- "provider_id"; null: there is none.
create or replace function public.vapi_account(p_provider uuid default null) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select jsonb_build_object('provider_id', p.id, 'provider_type', p.provider_type, 'base_url', p.base_url, 'api_key', p.api_key,
                                      'timeout_ms', p.timeout_ms)
              from public.call_service_providers p
             where p.provider_type = 'vapi' and (p.id = p_provider or p_provider is null and p.is_active)
             order by p.is_draining, p.priority, p.created_at, p.id limit 1);
end
$$;
