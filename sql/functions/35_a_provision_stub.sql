-- 35_a_provision_stub.sql - what a number's run calls at its end, as long as 36_provision*.sql do not bring it.

create or replace function public.provision_settled(p_number uuid, p_status text, p_reason text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    return;
end
$$;
