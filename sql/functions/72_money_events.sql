-- 72_money_events.sql - events of payment providers: kept once, and followed.  They come signed for the installation, and belong to no
-- organization before somebody has looked whose their object is.

-- p_object: {"kind", "id", "customer", ...}: what follows; {}: nothing; null: a shape that we do not understand.
-- Stripe's is followed by a run that reads the object anew, so the row waits until that is done.  Paddle's brings its object along.
-- Answers waiting|applied|ignored|failed|kept|unknown|duplicate.
create or replace function public.money_keep(p_provider text, p_event text, p_type text, p_object jsonb, p_body text) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    v_state text := case when p_object is null then 'unknown' else 'kept' end;
    v_organization uuid;
    v_error text;
begin
    insert into public.webhook_event_keys (provider, key) values (p_provider, p_event) on conflict do nothing;
    if not found then
        return 'duplicate';
    end if;
    if p_object ->> 'kind' is not null and p_provider = 'paddle' then
        select t.state, t.organization, t.error into v_state, v_organization, v_error from public.paddle_try(p_object) t;
    elsif p_object ->> 'kind' is not null then
        v_state := 'waiting';
        perform public.work_start(p_provider || ':' || p_event, p_provider || '-sync',
                                  jsonb_build_object('event', p_event, 'type', p_type) || p_object);
    end if;
    insert into public.webhook_events (provider, organization_id, signer, type, key, provider_call_id, state, apply_error, try_at, report, body)
    values (p_provider, v_organization, 'installation', p_type, p_event, p_object ->> 'id', v_state, v_error,
            case when p_provider = 'paddle' and v_state in ('waiting', 'failed') then clock_timestamp() + interval '1 second' end,
            case when p_provider = 'paddle' and v_state in ('waiting', 'failed') then p_object::text end, p_body);
    return v_state;
end
$$;

-- Called by the run of an event when its work is done, in the same transaction.  p_id: what the event named; p_state: applied, or ignored
-- where it is nobody's.
create or replace function public.money_followed(p_provider text, p_event text, p_id text, p_organization uuid default null,
                                                 p_state text default 'applied') returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.webhook_events e set state = p_state, organization_id = coalesce(p_organization, e.organization_id)
     where e.provider = p_provider and e.provider_call_id = p_id and e.key = p_event and e.state = 'waiting';
end
$$;
