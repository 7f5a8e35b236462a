-- 75_paddle.sql - what an event of Paddle does.  It holds the whole object as it was at a microsecond, which is its read number: what is
-- older than what is known is passed over, so neither order nor copies matter.

-- The organization that an object belongs to; null while nobody knows.
create or replace function public.paddle_whose(p_kind text, p_data jsonb) returns uuid
    language plpgsql stable security definer set search_path = '' as $$
begin
    return case p_kind when 'subscription' then public.subscription_owner(p_data)
                       when 'invoice' then public.invoice_owner(p_data)
                       else public.customer_owner('paddle', p_data ->> 'id') end;
end
$$;

-- What is nobody's: a subscription, and what belongs to one, may become somebody's; the first time it is put on the list of strangers.  What
-- people do at Paddle who never subscribe is nobody's business.
create or replace function public.paddle_stranger(p_kind text, p_data jsonb) returns text
    language plpgsql security definer set search_path = '' as $$
begin
    if p_kind = 'subscription' and not exists (
        select from public.billing_differences d
         where d.provider = 'paddle' and d.kind = 'stranger' and d.external_id = p_data ->> 'id' and d.resolved_at is null) then
        perform public.subscription_apply(p_data);
    end if;
    return case when p_kind = 'subscription' or p_kind = 'invoice' and p_data ->> 'subscription' is not null then 'waiting' else 'ignored' end;
end
$$;

-- Answers applied; ignored: something newer is known, or it is nobody's; waiting: nobody knows yet whose it is.
create or replace function public.paddle_apply(p_object jsonb, out state text, out organization uuid)
    language plpgsql security definer set search_path = '' as $$
declare
    v_kind text := p_object ->> 'kind';
    v_data jsonb := p_object -> 'data';
    v_read bigint;
begin
    organization := public.paddle_whose(v_kind, v_data);
    if organization is null then
        state := public.paddle_stranger(v_kind, v_data);
        return;
    end if;
    if v_kind = 'subscription' then
        perform public.subscription_apply(v_data);
        select s.read_number into v_read from public.subscriptions s where s.origin = 'paddle' and s.external_id = v_data ->> 'id';
    elsif v_kind = 'invoice' then
        perform public.invoice_apply(v_data);
        select i.read_number into v_read from public.invoices i where i.provider = 'paddle' and i.external_id = v_data ->> 'id';
    else
        perform public.customer_apply(v_data);
        select b.customer_read into v_read from public.billing_accounts b where b.organization_id = organization;
    end if;
    state := case when v_read > (v_data ->> 'read')::bigint then 'ignored' else 'applied' end;
end
$$;

-- The same, and what it fails with.
create or replace function public.paddle_try(p_object jsonb, out state text, out organization uuid, out error text)
    language plpgsql security definer set search_path = '' as $$
begin
    select a.state, a.organization into state, organization from public.paddle_apply(p_object) a;
exception when others then
    state := 'failed';
    error := left(sqlstate || ' ' || sqlerrm, 500);
end
$$;
