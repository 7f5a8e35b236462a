-- 76_cycle_reports.sql - what is told to the provider's meter: one report for each call that lies beyond its plan (usage_fold makes them), told
-- at the call's end, or, where that period was closed before we learnt of it, at the beginning of the next one.  The workflow is
-- common/work/flow_usage_report.c.

-- From when on the subscription's usage can still be charged: the end of the last period whose invoice is out.
create or replace function public.usage_chargeable_from(p_subscription uuid) returns timestamptz
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select max(i.period_end) from public.subscriptions s
              join public.invoices i on i.provider = s.origin and i.external_subscription_id = s.external_id and i.organization_id = s.organization_id
             where s.id = p_subscription and i.billing_reason = 'subscription_cycle' and i.status <> 'draft');
end
$$;

-- Whether the meter may have heard of a report: its run has sent it, and does not know that it did not arrive.
create or replace function public.usage_report_heard(p_run text) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return exists (select from public.workflow_steps s where s.run_id = p_run and s.step = 'tell' and not s.undo and s.state <> 'done' and (s.state in ('sent', 'unknown') or s.unsure));
end
$$;

-- Step "tell": what the meter is to be told.  The moment is chosen anew only while nobody can have heard it.  A run that is to take a report
-- back goes on to that.
create or replace function public.usage_report_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    r public.usage_reports;
    s public.subscriptions;
begin
    if (p_run -> 'input' ->> 'cancel')::boolean then
        return '{"next": "cancel"}';
    end if;
    select * into r from public.usage_reports x where x.identifier = p_run -> 'input' ->> 'identifier' for update;
    perform pg_advisory_xact_lock_shared(public.usage_lock_key('told', r.organization_id));
    select * into s from public.subscriptions x where x.id = r.subscription_id;
    if public.usage_report_heard(p_run ->> 'id') then
        null; -- again, as it was
    elsif r.state is distinct from 'pending' then
        return '{"done": true}';
    elsif public.overage_held(s) then
        return '{"sleep_seconds": 2, "next": "tell"}';
    elsif s.origin = 'stripe' and s.overage_item_id is null then
        return public.usage_report_late(r);
    else
        r := public.usage_report_moment(r, s);
    end if;
    return jsonb_build_object('prepared', jsonb_build_object('event_name', r.event_name, 'customer', r.customer_id, 'value', r.quantity,
                                                             'timestamp', extract(epoch from r.told_at)::bigint));
end
$$;

-- The moment that the meter is told: the call's end, unless that would be billed nowhere.  Meters take 35 days back, and whole seconds.
create or replace function public.usage_report_moment(r public.usage_reports, s public.subscriptions) returns public.usage_reports
    language plpgsql security definer set search_path = '' as $$
declare
    v_since timestamptz := date_trunc('second', s.overage_since + interval '999 milliseconds');
begin
    r.told_at := date_trunc('second', greatest((select coalesce(max(e.billed_at), r.occurred_at) from public.usage_entries e where e.id = r.entry_id),
                                               public.usage_chargeable_from(r.subscription_id), clock_timestamp() - interval '34 days'));
    if r.told_at < v_since then
        r.told_at := v_since;
        r.reason := 'price_changed';
    end if;
    update public.usage_reports x set told_at = r.told_at, reason = r.reason where x.identifier = r.identifier;
    return r;
end
$$;

-- The item that it was for is gone: nobody would bill it.
create or replace function public.usage_report_late(r public.usage_reports) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    update public.usage_reports x set state = 'unbilled', reason = 'item_gone' where x.identifier = r.identifier;
    perform public.billing_differ('stripe', 'usage_untold', r.identifier, r.organization_id, jsonb_build_object('seconds', r.quantity), null);
    return '{"done": true}';
end
$$;

-- One that was taken back meanwhile has arrived, too: sent_at says so to whoever takes it back.
create or replace function public.usage_report_told(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_refused text := p_run -> 'result' ->> 'refused';
    r public.usage_reports;
begin
    update public.usage_reports x
       set state = case when x.state <> 'pending' then x.state when v_refused is null then 'sent' else 'refused' end,
           reason = coalesce(v_refused, x.reason), sent_at = case when v_refused is null then clock_timestamp() end
     where x.identifier = p_run -> 'input' ->> 'identifier'
    returning * into r;
    if r.state = 'refused' then
        perform public.billing_differ('stripe', 'usage_refused', r.identifier, r.organization_id, jsonb_build_object('seconds', r.quantity),
                                      jsonb_build_object('reason', v_refused));
    end if;
    return '{"done": true}';
end
$$;

-- Step "cancel": a report that is just being told is taken back when that is settled; one that never was needs nothing.
create or replace function public.usage_cancel_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    r public.usage_reports;
    v_tell text := 'usage-report:' || (p_run -> 'input' ->> 'identifier');
begin
    select * into r from public.usage_reports x where x.identifier = p_run -> 'input' ->> 'identifier';
    if r.sent_at is null and exists (select from public.workflow_runs w where w.id = v_tell and w.state in ('ready', 'working', 'waiting')) then
        return '{"sleep_seconds": 2, "next": "cancel"}';
    elsif r.sent_at is null and not public.usage_report_heard(v_tell) then
        return '{"done": true}';
    end if;
    return jsonb_build_object('prepared', jsonb_build_object('event_name', r.event_name));
end
$$;

-- What the meter does not give back any more (it does for a day) was told, and stays so.
create or replace function public.usage_canceled(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_refused text := p_run -> 'result' ->> 'refused';
    r public.usage_reports;
begin
    update public.usage_reports x
       set state = case when v_refused is null then 'canceled' else 'sent' end, reason = coalesce('not taken back: ' || v_refused, 'taken_back')
     where x.identifier = p_run -> 'input' ->> 'identifier'
    returning * into r;
    if v_refused is not null then
        perform public.billing_differ('stripe', 'usage_overtold', r.identifier, r.organization_id, jsonb_build_object('seconds', 0),
                                      jsonb_build_object('seconds', r.quantity, 'reason', v_refused));
    end if;
    return null;
end
$$;
