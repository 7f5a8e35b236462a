-- 76_cycle_align.sql - while the price of further minutes is changed (cycle_align in 76_cycle.sql).
--
-- Stripe bills what the meter was told of a price up to the moment that it goes; what is told afterwards of a time before that is billed nowhere.
-- So while the price is changed the meter is told nothing, and afterwards nothing as of a time before (subscriptions.overage_since).

-- From now on the meter is told nothing of this subscription until overage_release.  True: and nothing is under way to it, nor was told in the last
-- minute: the meter counts by itself, a little later.  p_goes: the item goes, and nothing can be told afterwards: what waits is told first, for a day.
create or replace function public.overage_hold(s public.subscriptions, p_run jsonb, p_goes boolean) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    v_long constant boolean := coalesce((p_run -> 'results' -> 'close' ->> 'at')::timestamptz < clock_timestamp() - interval '1 day', false);
begin
    if not pg_try_advisory_xact_lock(public.usage_lock_key('told', s.organization_id)) then
        return false;
    elsif p_goes and not v_long and exists (select from public.usage_reports r where r.subscription_id = s.id and r.state = 'pending') then
        return false;
    end if;
    update public.subscriptions x set overage_held_by = p_run ->> 'id' where x.id = s.id and x.overage_held_by is distinct from p_run ->> 'id';
    return v_long or not exists (
        select from public.usage_reports r
         where r.organization_id = s.organization_id and r.subscription_id = s.id and r.occurred_at > clock_timestamp() - interval '35 days'
           and (r.sent_at > clock_timestamp() - interval '1 minute' or r.state = 'pending' and public.usage_report_heard('usage-report:' || r.identifier)));
end
$$;

create or replace function public.overage_release(p_run jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.subscriptions x set overage_held_by = null where x.overage_held_by = p_run ->> 'id';
end
$$;

-- Whether the run that changes the price is still about it.
create or replace function public.overage_held(s public.subscriptions) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return s.overage_held_by is not null
       and exists (select from public.workflow_runs w where w.id = s.overage_held_by and w.state in ('ready', 'working', 'waiting'));
end
$$;
