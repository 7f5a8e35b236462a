-- 24_auth.sql - accounts: whose they are, how often something may be tried, whether a token still counts, who somebody is.

-- Whether people sign up here; false where schema auth belongs to somebody else (a Supabase project).
create or replace function public.auth_is_ours() returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'auth')
         = (select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'api');
end
$$;

create or replace function public.auth_need_ours() returns void
    language plpgsql stable security definer set search_path = '' as $$
begin
    if not public.auth_is_ours() then
        raise exception 'auth_external' using errcode = 'PT404';
    end if;
end
$$;

-- The person with this address, in any case of letters.
create or replace function public.auth_user_of(p_email text) returns uuid
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select u.id from auth.users u where lower(u.email) = lower(p_email) and u.email is not null);
end
$$;

-- ---- how often something may be tried ------------------------------------------------------------------

-- Where the request comes from; of IPv6 the network, since everybody has 2^64 addresses there.  IPv4 in the clothes of IPv6 is IPv4.
create or replace function public.auth_network() returns text
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_address text := coalesce(nullif(regexp_replace(current_setting('hookswitch.address', true), '^::ffff:(?=[0-9]+\.)', '', 'i'), ''), 'local');
begin
    if position(':' in v_address) = 0 then
        return v_address;
    end if;
    return pg_catalog.network(pg_catalog.set_masklen(v_address::inet, 64))::text;
exception when invalid_text_representation then
    return v_address;
end
$$;

create or replace function public.auth_throttle_key(p_what text, p_whose text) returns text
    language sql immutable set search_path = '' as $$
    select encode(sha256(convert_to(p_what || ' ' || lower(p_whose), 'UTF8')), 'hex')
$$;

-- Seconds until it may be tried again; 0: now.
create or replace function public.auth_throttle_wait(p_key text) returns integer
    language plpgsql security definer set search_path = '' as $$
begin
    return coalesce((select greatest(0, ceil(extract(epoch from t.blocked_until - clock_timestamp())))
                       from hookswitch_auth.throttles t where t.key = p_key), 0);
end
$$;

-- Counts one try before it is made, so that many at once are counted too; 0: go on, else the seconds to wait.  After p_free tries each
-- further one waits twice as long as the one before, p_cap seconds at most.  A day without a try and all is forgotten.
create or replace function public.auth_throttle_take(p_key text, p_free integer, p_cap integer) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_now timestamptz := clock_timestamp();
    v_tries integer;
begin
    insert into hookswitch_auth.throttles as t (key, tries, touched_at) values (p_key, 1, v_now)
    on conflict (key) do update
       set tries = case when t.touched_at < v_now - interval '1 day' then 1 else t.tries + 1 end, touched_at = v_now
     where t.blocked_until is null or t.blocked_until <= v_now
    returning t.tries into v_tries;
    if not found then
        return greatest(1, public.auth_throttle_wait(p_key));
    end if;
    if v_tries >= p_free then
        update hookswitch_auth.throttles t
           set blocked_until = v_now + make_interval(secs => least(p_cap, 2 ^ least(v_tries - p_free, 20)))
         where t.key = p_key;
    end if;
    return 0;
end
$$;

-- It went well: for an account nothing is counted any more; an address only gets its own try back.
create or replace function public.auth_throttle_forget(p_key text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    delete from hookswitch_auth.throttles t where t.key = p_key;
end
$$;

create or replace function public.auth_throttle_back(p_key text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update hookswitch_auth.throttles t set tries = greatest(0, t.tries - 1), blocked_until = null where t.key = p_key;
end
$$;

-- What counts the tries of an account.  From a network where the person signed in within 90 days it is a counter of that network's own:
-- whoever guesses elsewhere cannot lock him out there.
create or replace function public.auth_account_key(p_email text) returns text
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_network text := public.auth_network();
begin
    perform from hookswitch_auth.sessions s
      where s.user_id = public.auth_user_of(p_email) and s.address = v_network
        and s.created_at > statement_timestamp() - interval '90 days';
    if found then
        return public.auth_throttle_key('account ' || v_network, p_email);
    end if;
    return public.auth_throttle_key('account', p_email);
end
$$;

-- One try to prove who one is, counted for the address and for the account; 0: go on, else the seconds to wait.  Addresses that nobody
-- has are counted alike.
create or replace function public.auth_try(p_email text) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_address text := public.auth_throttle_key('address', public.auth_network());
    v_account text := public.auth_account_key(p_email);
    v_wait integer := greatest(public.auth_throttle_wait(v_address), public.auth_throttle_wait(v_account));
begin
    if v_wait = 0 then
        v_wait := public.auth_throttle_take(v_address, 30, 900);
    end if;
    if v_wait = 0 then
        v_wait := public.auth_throttle_take(v_account, 5, 60);
    end if;
    return v_wait;
end
$$;

create or replace function public.auth_try_worked(p_email text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_throttle_back(public.auth_throttle_key('address', public.auth_network()));
    perform public.auth_throttle_forget(public.auth_throttle_key('account', p_email));
    perform public.auth_throttle_forget(public.auth_throttle_key('account ' || public.auth_network(), p_email));
    perform public.auth_throttle_forget(public.auth_throttle_key('code ' || k, p_email)) from unnest('{signup,recovery,magiclink,email_change}'::text[]) k;
end
$$;

-- ---- who somebody is -----------------------------------------------------------------------------------

-- Why a token that was verified does not count (any more): session_revoked, account_inactive, totp_needed (the second factor of the person
-- was not shown in this session); null: it does.  Sessions that are not ours are their maker's business.
create or replace function public.token_refused(p_claims jsonb) returns text
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_session uuid := public.uuid_or_null(p_claims ->> 'session_id');
    v_user uuid := public.uuid_or_null(p_claims ->> 'sub');
    v_status text;
    s hookswitch_auth.sessions;
begin
    if v_user is null then
        return null;
    end if;
    select p.status into v_status from public.user_profiles p where p.id = v_user;
    if v_session is not null then
        select t.* into s from hookswitch_auth.sessions t where t.id = v_session;
        if found and (s.user_id <> v_user or s.revoked_at is not null or s.expires_at <= statement_timestamp() or v_status is null) then
            return 'session_revoked';
        end if;
    end if;
    if v_status = 'inactive' then
        return 'account_inactive';
    elsif v_session is not null and s.aal = 'aal1' and public.auth_totp_enabled(v_user) then
        return 'totp_needed';
    end if;
    return null;
end
$$;

-- A person as the API shows him to himself.
create or replace function public.auth_user_view(p_user uuid) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select jsonb_build_object('id', p.id, 'email', p.email, 'first_name', p.first_name, 'last_name', p.last_name,
                                      'phone_number', p.phone_number, 'address', p.address, 'preferences', p.preferences,
                                      'city', p.city, 'state', p.state, 'status', p.status,
                                      'organization_id', public.organization_of_user(p.id, null),
                                      'totp_enabled', public.auth_totp_enabled(p.id),
                                      'created_at', public.time_view(p.created_at), 'updated_at', public.time_view(p.updated_at))
              from public.user_profiles p where p.id = p_user);
end
$$;

-- What a person tells about himself at sign-up; data that is not his profile's stays in his metadata alone.
create or replace function public.auth_profile_apply(p_user uuid, p_data jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update auth.users u set raw_user_meta_data = u.raw_user_meta_data || p_data, updated_at = now() where u.id = p_user;
    update public.user_profiles p
       set first_name = coalesce(left(p_data ->> 'first_name', 100), p.first_name),
           last_name = coalesce(left(p_data ->> 'last_name', 100), p.last_name),
           phone_number = coalesce(substring(p_data ->> 'phone_number' from '^\+[1-9][0-9]{7,14}$'), p.phone_number)
     where p.id = p_user;
end
$$;

create or replace function public.auth_password_put(p_user uuid, p_hash text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    insert into hookswitch_auth.credentials (user_id, password_hash) values (p_user, p_hash)
    on conflict (user_id) do update set password_hash = excluded.password_hash, changed_at = now();
end
$$;

-- What is over and can be of no use to anybody; the step of the workflow "auth_upkeep", once a day.  p_run.input.days: how long sessions
-- that are over are kept to be looked at.
create or replace function public.auth_upkeep(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_old timestamptz := statement_timestamp() - make_interval(days => coalesce((p_run -> 'input' ->> 'days')::integer, 30));
    v_sessions integer;
    v_tokens integer;
    v_throttles integer;
begin
    delete from hookswitch_auth.sessions s where s.expires_at < v_old or s.revoked_at < v_old;
    get diagnostics v_sessions = row_count;
    delete from hookswitch_auth.one_time_tokens t where t.expires_at < statement_timestamp() - interval '7 days';
    get diagnostics v_tokens = row_count;
    delete from hookswitch_auth.throttles t where t.touched_at < statement_timestamp() - interval '1 day';
    get diagnostics v_throttles = row_count;
    -- A spent token this old that comes back is unknown then, which is refused too.
    delete from hookswitch_auth.refresh_tokens t where t.used_at < statement_timestamp() - interval '90 days';
    return jsonb_build_object('result', jsonb_build_object('sessions', v_sessions, 'tokens', v_tokens, 'throttles', v_throttles));
end
$$;
