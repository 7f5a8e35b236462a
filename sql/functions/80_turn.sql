-- 80_turn.sql - what each pump turn does beside dialling: upkeep, in small batches.

create or replace function public.turn_upkeep(p_full boolean default true) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_expired integer := public.queue_expire();
    v_swept integer := public.webhook_sweep();
    v_pruned integer := 0;
begin
    if p_full then
        perform public.partitions_make();
        perform public.rate_prune();
        delete from public.call_queue q using (
            select id from public.call_queue
             where status in ('completed', 'failed', 'canceled', 'expired') and updated_at < now() - interval '1 day'
             order by updated_at limit 1000 for update skip locked) d
         where q.id = d.id;
        get diagnostics v_pruned = row_count;
        delete from public.webhook_event_keys k using (
            select provider, key from public.webhook_event_keys where created_at < now() - interval '30 days' limit 1000) d
         where k.provider = d.provider and k.key = d.key;
        delete from public.idempotency_keys k using (
            select owner_id, key from public.idempotency_keys where created_at < now() - interval '24 hours' limit 1000) d
         where k.owner_id = d.owner_id and k.key = d.key;
    end if;
    return jsonb_build_object('expired', v_expired, 'swept', v_swept, 'pruned', v_pruned);
end
$$;

-- Is there anything to do now?  One cheap look, for a waiting pump's poll.
create or replace function public.turn_due() returns boolean
    language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
begin
    return exists (select from public.call_queue where status = 'queued' and ready)
        or exists (select from public.call_queue where status = 'queued' and not ready and due_at <= statement_timestamp())
        or exists (select from public.call_queue where status = 'queued' and expires_at <= statement_timestamp())
        or exists (select from public.call_assignments where next_look_at <= statement_timestamp())
        or exists (select from public.call_assignments where state = 'leased' and lease_until < statement_timestamp())
        or exists (select from public.call_assignments where state = 'sent' and lease_until < statement_timestamp())
        or exists (select from public.call_assignments where hangup_requested_at <= statement_timestamp() and hangup_at is null and state = 'accepted'
                    and control_url is not null and hangup_tries < 10);
end
$$;

-- Keys that were written by hand and are not sealed yet: the pump seals them.
create or replace function public.secrets_plain() returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select coalesce(jsonb_agg(x), '[]') from (
        select jsonb_build_object('table', 'provider', 'id', p.id, 'api_key', p.api_key, 'api_secret', p.api_secret) x
          from public.call_service_providers p
         where (p.api_key is not null and p.api_key !~ '^sealed:') or (p.api_secret is not null and p.api_secret !~ '^sealed:')
        union all
        select jsonb_build_object('table', 'webhook', 'id', s.id, 'secret', s.secret)
          from public.webhook_secrets s where s.secret !~ '^sealed:') y);
end
$$;

-- Guarded: a key that was changed meanwhile is left for the next turn.
create or replace function public.secret_seal(p_table text, p_id uuid, p_field text, p_plain text, p_sealed text) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    if p_table = 'provider' and p_field = 'api_key' then
        update public.call_service_providers p set api_key = p_sealed where p.id = p_id and p.api_key = p_plain;
    elsif p_table = 'provider' and p_field = 'api_secret' then
        update public.call_service_providers p set api_secret = p_sealed where p.id = p_id and p.api_secret = p_plain;
    elsif p_table = 'webhook' and p_field = 'secret' then
        update public.webhook_secrets s set secret = p_sealed where s.id = p_id and s.secret = p_plain;
    end if;
    return found;
end
$$;
