-- 33_assistant_stub.sql - what bringing numbers needs of assistants, as long as 33_assistants*.sql do not bring it.

create or replace function public.assistant_default(p_organization uuid, p_user uuid default null) returns uuid
    language plpgsql security definer set search_path = '' as $$
begin
    return (select a.id from public.assistants a where a.organization_id = p_organization and a.deleted_at is null order by a.created_at, a.id limit 1);
end
$$;

create or replace function public.assistant_ready(p_assistant uuid) returns text
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select a.vapi_assistant_id from public.assistants a where a.id = p_assistant and a.deleted_at is null);
end
$$;

create or replace function public.assistant_start(a public.assistants) returns text
    language plpgsql security definer set search_path = '' as $$
begin
    return null;
end
$$;
