-- 74_billing_notes.sql - the book of money events, and the list of what does not fit together.

-- Writes what happened, once for each key, and has it go out.  Null: it was written before.  p_at: when it happened.
create or replace function public.billing_note(p_organization uuid, p_provider text, p_key text, p_type text, p_amount bigint, p_currency text,
                                               p_invoice text, p_subscription text, p_metadata jsonb, p_at timestamptz default null) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    e public.billing_events;
    v_out text;
begin
    insert into public.billing_events (organization_id, provider, key, event_type, amount_cents, currency, stripe_invoice_id,
                                       external_subscription_id, metadata, occurred_at)
    values (p_organization, p_provider, p_key, p_type, p_amount, p_currency, p_invoice, p_subscription, coalesce(p_metadata, '{}'),
            coalesce(p_at, statement_timestamp()))
    on conflict (organization_id, key) where key is not null do nothing
    returning * into e;
    if not found then
        return null;
    end if;
    v_out := public.billing_outgoing(p_type);
    if v_out is not null then
        insert into public.events (organization_id, type, subject_id, data)
        values (p_organization, v_out, e.id, jsonb_build_object('id', e.id, 'type', e.event_type, 'provider', e.provider,
                'amount_cents', e.amount_cents, 'currency', e.currency, 'invoice', e.stripe_invoice_id,
                'subscription', e.external_subscription_id, 'occurred_at', public.time_view(e.occurred_at)) || e.metadata);
    end if;
    return e.id;
end
$$;

-- How an event of the book is called outside; null: it stays inside.
create or replace function public.billing_outgoing(p_type text) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return case p_type
        when 'subscription_created' then 'subscription.created'
        when 'subscription_canceled' then 'subscription.canceled'
        when 'subscription_cancel_scheduled' then 'subscription.cancel_scheduled'
        when 'subscription_resumed' then 'subscription.resumed'
        when 'trial_will_end' then 'subscription.trial_will_end'
        when 'plan_changed' then 'subscription.plan_changed'
        when 'invoice_finalized' then 'invoice.finalized'
        when 'invoice_paid' then 'invoice.paid'
        when 'invoice_voided' then 'invoice.voided'
        when 'invoice_uncollectible' then 'invoice.uncollectible'
        when 'payment_failed' then 'invoice.payment_failed'
        when 'refunded' then 'payment.refunded'
        when 'disputed' then 'payment.disputed'
        when 'payment_method_changed' then 'payment_method.changed'
        when 'period_closed' then 'usage.period_closed' end;
end
$$;

-- Something does not fit: seen, or seen again.
create or replace function public.billing_differ(p_provider text, p_kind text, p_external text, p_organization uuid, p_ours jsonb, p_theirs jsonb)
    returns void language plpgsql security definer set search_path = '' as $$
begin
    insert into public.billing_differences as d (provider, kind, external_id, organization_id, ours, theirs)
    values (p_provider, p_kind, p_external, p_organization, p_ours, p_theirs)
    on conflict (provider, kind, external_id) where resolved_at is null do update
       set seen = d.seen + 1, last_seen_at = now(), ours = excluded.ours, theirs = excluded.theirs,
           organization_id = coalesce(excluded.organization_id, d.organization_id);
end
$$;

-- It fits again.
create or replace function public.billing_agree(p_provider text, p_kinds text[], p_external text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.billing_differences d set resolved_at = now()
     where d.provider = p_provider and d.kind = any (p_kinds) and d.external_id = p_external and d.resolved_at is null;
end
$$;
