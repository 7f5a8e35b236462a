-- 22_limits.sql - how many requests somebody may make; the first small transaction of a request; key sets.

-- Takes one from the bucket that holds p_burst and gets one more every p_interval microseconds: never more than burst + time / interval are
-- taken in any stretch of time.  Returns the microseconds until it will be full again; below 0 (the same, negative): none was left.
-- A clock that was set back, or a smaller burst, would empty it for long: what stands too far ahead begins anew.
create or replace function public.rate_take(p_key text, p_interval bigint, p_burst bigint) returns bigint
    language plpgsql set search_path = '' as $$
declare
    v_now constant bigint := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
    v_last constant bigint := v_now + (p_burst - 1) * p_interval;
    v_odd constant bigint := v_now + p_burst * p_interval + 60000000;
    v_full bigint;
begin
    for i in 1 .. 3 loop
        update public.rate_buckets b
           set full_at = case when b.full_at > v_odd then v_now else greatest(b.full_at, v_now) end + p_interval
         where b.key = p_key and (b.full_at <= v_last or b.full_at > v_odd)
        returning b.full_at into v_full;
        if found then
            return v_full - v_now;
        end if;
        select b.full_at into v_full from public.rate_buckets b where b.key = p_key;
        if v_full > v_last and v_full <= v_odd then
            return v_now - v_full;
        end if;
        -- There is something left, in a bucket that somebody has just made: once more.
        continue when found;
        insert into public.rate_buckets (key, full_at) values (p_key, v_now + p_interval) on conflict (key) do nothing;
        if found then
            return p_interval;
        end if;
    end loop;
    return -p_interval;
end
$$;

-- Takes one from each bucket, or from none.  What it tells is the tightest bucket's: the one that refuses, else the one with the fewest left.
create or replace function public.rate_take_all(p_keys text[], p_intervals bigint[], p_bursts bigint[])
    returns table (refused boolean, bucket_size integer, remaining integer, reset_seconds integer, retry_seconds integer)
    language plpgsql set search_path = '' as $$
declare
    v_full bigint;
    v_left bigint;
begin
    refused := false;
    retry_seconds := 0;
    for i in 1 .. cardinality(p_keys) loop
        v_full := public.rate_take(p_keys[i], p_intervals[i], p_bursts[i]);
        if v_full < 0 then
            refused := true;
            bucket_size := p_bursts[i];
            remaining := 0;
            reset_seconds := ceil(-v_full / 1000000.0);
            retry_seconds := greatest(1, ceil((-v_full - (p_bursts[i] - 1) * p_intervals[i]) / 1000000.0));
            for k in 1 .. i - 1 loop
                update public.rate_buckets b set full_at = b.full_at - p_intervals[k] where b.key = p_keys[k];
            end loop;
            exit;
        end if;
        v_left := (p_bursts[i] * p_intervals[i] - v_full) / p_intervals[i];
        if remaining is null or v_left < remaining then
            bucket_size := p_bursts[i];
            remaining := v_left;
            reset_seconds := ceil(v_full / 1000000.0);
        end if;
    end loop;
    return next;
end
$$;

-- The first transaction of a request: who asks (p_kind: token, key, none), and whether that one may ask now.  p_bucket: of a key or person, p_address:
-- of an address; p_limits: interval and burst of a key or person, of an organization, of an address; an interval of 0: no limit;
-- p_operators: see request_identity_token.  Whatever is wrong is told by the second transaction, so
-- that the request stays counted: with p_pass the verdict waits in the session.
-- Who sends a key that nobody has is counted by address: made-up keys get no buckets.
create or replace function public.request_admit(p_kind text, p_who text, p_organization text, p_scope text, p_in_path boolean,
                                                p_bucket text, p_address text, p_limits bigint[], p_pass boolean,
                                                p_operators text default null)
    returns table (refused boolean, bucket_size integer, remaining integer, reset_seconds integer, retry_seconds integer,
                   organization_id uuid, user_id uuid)
    language plpgsql security definer set search_path = '' as $$
declare
    i record;
    v_error jsonb;
    v_state text;
    v_code text;
    v_detail text;
    v_hint text;
    v_keys text[] := '{}';
    v_intervals bigint[] := '{}';
    v_bursts bigint[] := '{}';
begin
    begin
        if p_kind = 'key' then
            select * into i from public.request_identity_key(p_who, p_organization, p_scope, p_in_path);
        elsif p_kind = 'token' then
            select * into i from public.request_identity_token(p_who::jsonb, p_organization, p_scope, p_operators);
        else
            select null::text as claims, null::uuid as organization_id, null::uuid as user_id into i;
        end if;
    exception when others then
        get stacked diagnostics v_state = returned_sqlstate, v_code = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
        if v_state !~ '^PT[0-9]{3}$' then
            raise;
        end if;
        v_error := jsonb_build_object('state', v_state, 'code', v_code, 'detail', v_detail, 'hint', v_hint);
        select null::text as claims, null::uuid as organization_id, null::uuid as user_id into i;
    end;
    -- Buckets may be lost in a crash; what was written for somebody's identity may not.
    if pg_current_xact_id_if_assigned() is null then
        perform set_config('synchronous_commit', 'off', true);
    end if;

    if (p_kind = 'none' or v_code = 'api_key_invalid') and p_limits[5] > 0 then
        v_keys := array[p_address];
        v_intervals := p_limits[5:5];
        v_bursts := p_limits[6:6];
    elsif p_kind <> 'none' and v_code is distinct from 'api_key_invalid' and p_limits[1] > 0 then
        v_keys := array[p_bucket];
        v_intervals := p_limits[1:1];
        v_bursts := p_limits[2:2];
    end if;
    if i.organization_id is not null and p_limits[3] > 0 then
        v_keys := v_keys || ('organization:' || i.organization_id::text);
        v_intervals := v_intervals || p_limits[3:3];
        v_bursts := v_bursts || p_limits[4:4];
    end if;
    select t.refused, t.bucket_size, t.remaining, t.reset_seconds, t.retry_seconds
      into refused, bucket_size, remaining, reset_seconds, retry_seconds from public.rate_take_all(v_keys, v_intervals, v_bursts) t;
    organization_id := i.organization_id;
    user_id := i.user_id;
    if p_pass then
        perform set_config('hookswitch.admitted_error', case when refused then '{"state":"PT429","code":"rate_limited"}' else coalesce(v_error::text, '') end, false),
                set_config('hookswitch.admitted_claims', coalesce(i.claims, ''), false),
                set_config('hookswitch.admitted_as', coalesce(i.organization_id::text, '') || ' ' || coalesce(i.user_id::text, ''), false);
    end if;
    return next;
end
$$;

-- The second transaction's first question: what the first one found.
create or replace function public.request_admitted() returns table (claims text, organization_id uuid, user_id uuid)
    language plpgsql set search_path = '' as $$
declare
    v_error constant text := current_setting('hookswitch.admitted_error');
    v_as constant text := current_setting('hookswitch.admitted_as');
begin
    if v_error <> '' then
        raise exception using errcode = v_error::jsonb ->> 'state', message = v_error::jsonb ->> 'code',
            detail = coalesce(v_error::jsonb ->> 'detail', ''), hint = coalesce(v_error::jsonb ->> 'hint', '');
    end if;
    claims := current_setting('hookswitch.admitted_claims');
    organization_id := nullif(split_part(v_as, ' ', 1), '')::uuid;
    user_id := nullif(split_part(v_as, ' ', 2), '')::uuid;
    return next;
end
$$;

-- A bucket that is full again says no more than one that is not there.
create or replace function public.rate_prune() returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_pruned integer;
begin
    delete from public.rate_buckets b where b.full_at < (extract(epoch from clock_timestamp()) * 1000000)::bigint;
    get diagnostics v_pruned = row_count;
    return v_pruned;
end
$$;

-- A key set as it was last fetched.  mine: the caller is to fetch it now, and tells by key_set_store.  Nobody does within p_gap seconds of
-- the last try, whoever asks: names of keys that somebody makes up do not reach the other side.
create or replace function public.key_set_read(p_url text, p_want boolean, p_gap double precision)
    returns table (body text, age_seconds double precision, tried_seconds double precision, state text, mine boolean)
    language plpgsql security definer set search_path = '' as $$
declare
    k public.key_sets;
begin
    mine := false;
    select * into k from public.key_sets s where s.url = p_url;
    if p_want and k.url is null then
        insert into public.key_sets (url, state) values (p_url, 'trying') on conflict (url) do nothing;
        mine := found;
    elsif p_want and k.tried_at < clock_timestamp() - make_interval(secs => p_gap) then
        update public.key_sets s set tried_at = clock_timestamp(), state = 'trying'
         where s.url = p_url and s.tried_at < clock_timestamp() - make_interval(secs => p_gap);
        mine := found;
    end if;
    -- Who came second looks again: what the first one does is newer than what was read.
    if p_want then
        select * into k from public.key_sets s where s.url = p_url;
    end if;
    if k.url is not null then
        body := k.body;
        age_seconds := extract(epoch from clock_timestamp() - k.fetched_at);
        tried_seconds := extract(epoch from clock_timestamp() - k.tried_at);
        state := k.state;
        return next;
    end if;
end
$$;

-- What came of it; p_body null: nothing that could be used.
create or replace function public.key_set_store(p_url text, p_body text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.key_sets s
       set body = coalesce(p_body, s.body), fetched_at = case when p_body is null then s.fetched_at else clock_timestamp() end,
           state = case when p_body is null then 'failed' else 'fetched' end
     where s.url = p_url;
end
$$;
