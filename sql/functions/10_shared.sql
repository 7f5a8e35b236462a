-- 10_shared.sql - rules that tables, policies and triggers use: who is asking, allowed moves, what a new row is filled with.

-- The person who asks, by his verified claims; null: none.  The same as auth.uid(), but not every role of ours may use a schema auth
-- that belongs to somebody else.
create or replace function public.current_user_id() returns uuid
    language sql stable set search_path = '' as $$
    select nullif(coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb ->> 'sub', '')::uuid
$$;

-- The active organization of this transaction.  The server has checked it already (role hookswitch_api and its setting); everybody else
-- gets the one that the claim or the default names, if he is a member and it is not disabled.
create or replace function public.current_organization_id() returns uuid
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_set text := nullif(current_setting('hookswitch.organization_id', true), '');
    v_claims jsonb;
    v_user uuid;
    v_wish uuid;
begin
    if v_set is not null and current_setting('role', true) = 'hookswitch_api' then
        return v_set::uuid;
    end if;
    v_claims := coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
    v_user := nullif(v_claims ->> 'sub', '')::uuid;
    if v_user is null then
        return null;
    end if;
    v_wish := nullif(v_claims -> 'app_metadata' ->> 'organization_id', '')::uuid;
    return public.organization_of_user(v_user, v_wish);
end
$$;

-- The organization that p_user acts for: the wished one if he is a member, else (without a wish) his default, else his personal one; one
-- that is deleted and could still be restored only where there is no other.
create or replace function public.organization_of_user(p_user uuid, p_wish uuid) returns uuid
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_found uuid;
begin
    select m.organization_id into v_found
      from public.organization_members m
      join public.organizations o on o.id = m.organization_id
     where m.user_id = p_user
       and o.status <> 'disabled'
       and (p_wish is null or m.organization_id = p_wish)
     order by o.deleted_after is not null, m.is_default desc, (o.personal_of = p_user) desc nulls last, m.created_at, m.organization_id
     limit 1;
    return v_found;
end
$$;

-- Whether whoever asks may have something done to what belongs to p_organization: the API for its active organization alone, whatever ids
-- it was given; our other roles, and functions that have checked by themselves, for any.
create or replace function public.may_act_for(p_organization uuid) returns boolean
    language plpgsql stable set search_path = '' as $$
begin
    return current_setting('role', true) is distinct from 'hookswitch_api'
        or coalesce(p_organization = public.current_organization_id(), false);
end
$$;

-- Runs at each step of each call: the look-up stands here and not in a function of its own, whose plan would be made anew each time.
create or replace function public.check_state_move() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    v_from text;
    v_to text;
begin
    if tg_argv[1] = 'status' then
        v_from := old.status;
        v_to := new.status;
    else
        v_from := old.state;
        v_to := new.state;
    end if;
    perform from public.state_moves m where m.machine = tg_argv[0] and m.from_state = v_from and m.to_state = v_to;
    if not found then
        raise exception 'state_move_refused' using errcode = 'PT409',
            detail = format('%s does not go from %s to %s.', tg_argv[0], v_from, v_to);
    end if;
    return new;
end
$$;

create or replace function public.touch_updated_at() returns trigger
    language plpgsql set search_path = '' as $$
begin
    new.updated_at := now();
    return new;
end
$$;

-- Both spellings of a provider's columns say the same; the one that changed wins.
create or replace function public.provider_fill() returns trigger
    language plpgsql set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        new.max_concurrent_calls := case when new.concurrency_limit is not null and new.max_concurrent_calls = 10
                                         then new.concurrency_limit else new.max_concurrent_calls end;
        new.api_key := coalesce(new.api_key, new.api_credentials ->> 'api_key');
        new.api_secret := coalesce(new.api_secret, new.api_credentials ->> 'api_secret');
        if new.provider_type = 'synthflow' and new.starts_per_second is null then
            new.starts_per_second := 1; -- what SynthFlow allows unless agreed otherwise
        end if;
    else
        if new.concurrency_limit is distinct from old.concurrency_limit and new.max_concurrent_calls = old.max_concurrent_calls then
            new.max_concurrent_calls := coalesce(new.concurrency_limit, new.max_concurrent_calls);
        end if;
        if new.api_credentials is distinct from old.api_credentials and new.api_key is not distinct from old.api_key then
            new.api_key := coalesce(new.api_credentials ->> 'api_key', new.api_key);
            new.api_secret := coalesce(new.api_credentials ->> 'api_secret', new.api_secret);
        end if;
        new.updated_at := now();
    end if;
    new.concurrency_limit := new.max_concurrent_calls;
    -- What a key is told by: a plain one's is made here, a sealed one's by who sealed it.  Sealing a key does not make it another one.
    if new.api_key is null then
        new.key_hint := null;
        new.key_fingerprint := null;
    elsif new.api_key !~ '^sealed:' and (tg_op = 'INSERT' or new.api_key is distinct from old.api_key) then
        new.key_hint := case when length(new.api_key) >= 12 then right(new.api_key, 4) end;
        new.key_fingerprint := left(encode(sha256(convert_to(new.api_key, 'UTF8')), 'hex'), 16);
        new.key_changed_at := now();
    end if;
    if tg_op = 'UPDATE' and new.api_key is distinct from old.api_key and new.key_number = old.key_number
       and not coalesce(old.api_key !~ '^sealed:' and new.api_key ~ '^sealed:', false) then
        new.key_number := old.key_number + 1;
    end if;
    if new.api_key is not null or new.api_secret is not null then
        new.api_credentials := coalesce(new.api_credentials, '{}')
            || jsonb_strip_nulls(jsonb_build_object('api_key', new.api_key, 'api_secret', new.api_secret));
    end if;
    return new;
end
$$;

-- A provider that still has attempts under way cannot be taken away from under them; is_active = false lets them end.
create or replace function public.provider_keep() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if exists (select from public.call_assignments a where a.provider_id = old.id and a.finished_at is null) then
        raise exception 'provider_in_use' using errcode = 'PT409', detail = 'Calls are under way there; set is_active to false first.';
    end if;
    return old;
end
$$;

-- A template that names its assistant the older way (assistant_id, or params.assistant_id) can be said at that provider.
create or replace function public.template_targets_fill() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    v_assistant text := coalesce(new.assistant_id, new.params ->> 'assistant_id');
    v_type text;
begin
    if v_assistant is null then
        return new;
    end if;
    select p.provider_type into v_type from public.call_service_providers p where p.id = new.provider_id;
    insert into public.call_template_targets (template_id, provider_type, assistant)
    values (new.id, coalesce(v_type, 'vapi'), v_assistant)
    on conflict (template_id, provider_type) do update set assistant = excluded.assistant
     where call_template_targets.assistant is distinct from excluded.assistant;
    return new;
end
$$;

-- Where a call can be said: the kinds of provider of its template's targets, in order; or the one provider that was asked for.
create or replace function public.call_route(p_template uuid, p_provider uuid) returns text
    language plpgsql stable security definer set search_path = '' as $$
begin
    return case when p_provider is not null then p_provider::text
                else coalesce((select string_agg(t.provider_type, '+' order by t.provider_type)
                                 from public.call_template_targets t where t.template_id = p_template), '') end;
end
$$;

create or replace function public.template_routes_refresh() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    v_template uuid := coalesce(new.template_id, old.template_id);
begin
    update public.call_queue q
       set route = public.call_route(q.template_id, null)
     where q.template_id = v_template
       and q.status = 'queued'
       and q.route !~ '^[0-9a-f]{8}-'
       and q.route is distinct from public.call_route(q.template_id, null);
    return null;
end
$$;

-- A queue row brings its calls row with it, under the same id and in the same transaction, wherever it comes from.
create or replace function public.call_queue_fill() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if new.route = 'inbound' then
        return new; -- inbound_begin has written both
    end if;
    new.id := coalesce(new.id, gen_random_uuid());
    if new.organization_id is null and new.user_id is not null then
        new.organization_id := public.organization_of_user(new.user_id, null);
    end if;
    new.created_at := coalesce(new.created_at, clock_timestamp());
    new.call_created_at := new.created_at;
    new.due_at := greatest(coalesce(new.scheduled_time, new.created_at), new.created_at);
    new.expires_at := coalesce(new.expires_at, new.due_at + interval '1 day');
    new.status := 'queued';
    new.ready := new.due_at <= clock_timestamp();
    new.route := public.call_route(new.template_id, new.provider_id);
    insert into public.calls (id, created_at, organization_id, user_id, to_number, recipient_name, recipient_email, template_id, voice_id,
                              caller_number_id, assistant_id, from_number, priority, scheduled_time, custom_variables, metadata, retry_of)
    values (new.id, new.created_at, new.organization_id, new.user_id, new.recipient_number, new.recipient_name, new.recipient_email,
            new.template_id, new.voice_id, new.caller_number_id, new.assistant_id,
            (select n.phone_number from public.phone_numbers n where n.id = new.caller_number_id),
            new.priority, new.scheduled_time, new.custom_variables, new.metadata,
            nullif(current_setting('hookswitch.retry_of', true), '')::uuid);
    return new;
end
$$;

-- Partitions are made ahead of time, by the owner of the tables, and lie where nobody is granted anything.
create or replace function public.partitions_make(p_months integer default 2) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_made integer := 0;
    v_from date;
    v_table text;
    v_name text;
begin
    foreach v_table in array array['calls', 'webhook_events'] loop
        if to_regclass(format('parts.%I', v_table || '_default')) is null then
            execute format('create table parts.%I partition of public.%I default', v_table || '_default', v_table);
            perform public.partition_close(v_table || '_default');
            v_made := v_made + 1;
        end if;
        for i in 0..p_months loop
            v_from := (date_trunc('month', now(), 'UTC') at time zone 'UTC')::date + make_interval(months => i);
            v_name := v_table || to_char(v_from, '_YYYY_MM');
            continue when to_regclass(format('parts.%I', v_name)) is not null;
            begin
                execute format('create table parts.%I partition of public.%I for values from (%L) to (%L) with (fillfactor = 80)', v_name, v_table,
                               v_from::text || ' 00:00:00+00', (v_from + interval '1 month')::date::text || ' 00:00:00+00');
                perform public.partition_close(v_name);
                v_made := v_made + 1;
            exception when check_violation then
                raise warning 'rows of % lie in the default partition; it stays there', v_name;
            end;
        end loop;
    end loop;
    return v_made;
end
$$;

create or replace function public.partition_close(p_name text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    execute format('alter table parts.%I enable row level security', p_name);
    execute format('alter table parts.%I force row level security', p_name);
    execute format('revoke all on parts.%I from public, anon, authenticated, service_role', p_name);
end
$$;
