-- 25_auth_v1.sql - accounts in the words of Supabase Auth: what a user looks like, who holds a token, what comes of a sign-in.

-- Volatile: it must see what the same statement changed.
create or replace function public.auth_v1_user(p_user uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    u record;
    v_ours jsonb;
begin
    select * into u from auth.users a where a.id = p_user;
    if not found then
        return null;
    end if;
    v_ours := jsonb_build_object(
        'id', u.id, 'aud', u.aud, 'role', u.role, 'email', coalesce(u.email, ''), 'phone', coalesce(u.phone, ''),
        'app_metadata', u.raw_app_meta_data, 'user_metadata', u.raw_user_meta_data, 'identities', public.auth_v1_identities(u.id),
        'created_at', public.time_view(u.created_at), 'updated_at', public.time_view(u.updated_at), 'is_anonymous', u.is_anonymous);
    -- What is not set is left out.
    return v_ours || jsonb_strip_nulls(jsonb_build_object(
        'email_confirmed_at', public.time_view(u.email_confirmed_at), 'phone_confirmed_at', public.time_view(u.phone_confirmed_at),
        'confirmed_at', public.time_view(coalesce(u.email_confirmed_at, u.phone_confirmed_at)),
        'confirmation_sent_at', public.time_view(u.confirmation_sent_at), 'recovery_sent_at', public.time_view(u.recovery_sent_at),
        'invited_at', public.time_view(u.invited_at), 'new_email', u.email_change,
        'email_change_sent_at', public.time_view(case when u.email_change is not null then u.email_change_sent_at end),
        'last_sign_in_at', public.time_view(u.last_sign_in_at), 'banned_until', public.time_view(u.banned_until),
        'factors', public.auth_v1_factors(u.id)));
end
$$;

-- Everybody has one identity: his address.
create or replace function public.auth_v1_identities(p_user uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    return (select jsonb_build_array(jsonb_build_object(
        'identity_id', md5('email ' || u.id)::uuid, 'id', u.id, 'user_id', u.id, 'provider', 'email', 'email', u.email,
        'identity_data', jsonb_build_object('email', u.email, 'email_verified', u.email_confirmed_at is not null,
                                            'phone_verified', false, 'sub', u.id),
        'last_sign_in_at', public.time_view(coalesce(u.last_sign_in_at, u.created_at)),
        'created_at', public.time_view(u.created_at), 'updated_at', public.time_view(u.updated_at)))
              from auth.users u where u.id = p_user);
end
$$;

create or replace function public.auth_v1_factors(p_user uuid) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select jsonb_agg(jsonb_build_object(
                       'id', f.id, 'friendly_name', coalesce(f.name, ''), 'factor_type', 'totp',
                       'status', case when f.verified_at is null then 'unverified' else 'verified' end,
                       'created_at', public.time_view(f.created_at),
                       'updated_at', public.time_view(coalesce(f.verified_at, f.created_at))) order by f.created_at, f.id)
              from hookswitch_auth.factors f where f.user_id = p_user);
end
$$;

-- Somebody who signs up with an address that an account has is shown this: an invented person.
create or replace function public.auth_v1_nobody(p_email text, p_data jsonb) returns jsonb
    language plpgsql volatile set search_path = '' as $$
declare
    v_now text := public.time_view(statement_timestamp());
begin
    return jsonb_build_object(
        'id', gen_random_uuid(), 'aud', 'authenticated', 'role', 'authenticated', 'email', lower(p_email), 'phone', '',
        'confirmation_sent_at', v_now, 'app_metadata', '{"provider":"email","providers":["email"]}'::jsonb, 'user_metadata', p_data,
        'identities', '[]'::jsonb, 'created_at', v_now, 'updated_at', v_now, 'is_anonymous', false);
end
$$;

-- A session that was opened: its claims and its user.
create or replace function public.auth_v1_view(p_session uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    return public.auth_session_view(p_session)
        || jsonb_build_object('user', public.auth_v1_user((select s.user_id from hookswitch_auth.sessions s where s.id = p_session)));
end
$$;

-- ---- who holds a token -----------------------------------------------------------------------------------

-- The person of claims that were verified; from here on the transaction is his.  A session of one factor may do here what leads to the
-- second; all other programs refuse it (token_refused).
create or replace function public.auth_v1_enter(p_claims jsonb) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.uuid_or_null(p_claims ->> 'sub');
begin
    perform public.auth_need_ours();
    perform from auth.users u where u.id = v_user;
    if not found then
        raise exception 'user_not_found' using errcode = 'PT404';
    end if;
    if p_claims ->> 'session_id' is not null then
        perform from hookswitch_auth.sessions s
          where s.id = public.uuid_or_null(p_claims ->> 'session_id') and s.user_id = v_user
            and s.revoked_at is null and s.expires_at > statement_timestamp();
        if not found then
            raise exception 'session_revoked' using errcode = 'PT401';
        end if;
    end if;
    perform public.auth_need_active(v_user);
    perform set_config('request.jwt.claims', p_claims::text, true);
    return v_user;
end
$$;

-- What is more than a look, or the way to the second factor, is done with both where there are two.
create or replace function public.auth_session_whole() returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return exists (select from hookswitch_auth.sessions s where s.id = public.auth_session_current() and s.aal = 'aal2');
end
$$;

create or replace function public.auth_v1_need_aal2(p_user uuid) returns void
    language plpgsql stable security definer set search_path = '' as $$
begin
    if public.auth_totp_enabled(p_user) and not public.auth_session_whole() then
        raise exception 'insufficient_aal' using errcode = 'PT401';
    end if;
end
$$;

-- ---- mails ------------------------------------------------------------------------------------------------

-- An address that had enough mails of a kind: said so, whether anybody has it or not.
create or replace function public.auth_v1_mail_wait(p_kind text, p_email text) returns void
    language plpgsql stable security definer set search_path = '' as $$
begin
    if public.auth_throttle_wait(public.auth_throttle_key('mail ' || p_kind, p_email)) > 0 then
        raise exception 'over_email_send_rate_limit' using errcode = 'PT429';
    end if;
end
$$;

-- ---- metadata ---------------------------------------------------------------------------------------------

-- All of it stands in each access token, which must fit into a header.
create or replace function public.auth_v1_data_check(p_data jsonb) returns void
    language plpgsql immutable set search_path = '' as $$
begin
    if octet_length(p_data::text) > 4096 then
        raise exception 'validation_failed' using errcode = 'PT400', detail = 'The metadata of a user is at most 4096 bytes.';
    end if;
end
$$;

-- What was given replaces what was there; null takes it away.
create or replace function public.auth_v1_data_apply(p_user uuid, p_data jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_gone text[] := array(select e.key from jsonb_each(p_data) e where e.value = 'null');
    v_all jsonb;
begin
    perform public.auth_profile_apply(p_user, p_data - v_gone);
    update auth.users u set raw_user_meta_data = u.raw_user_meta_data - v_gone, updated_at = now() where u.id = p_user
    returning jsonb_build_array(u.raw_user_meta_data, u.raw_app_meta_data) into v_all;
    perform public.auth_v1_data_check(v_all);
end
$$;

-- ---- sign-up, where addresses need not be confirmed ---------------------------------------------------------

-- The account, made and confirmed at once.  Somebody who never confirmed his address has not proved that it is his: whoever comes now
-- counts as much.
create or replace function public.auth_v1_sign_up_now(p_email text, p_password_hash text, p_data jsonb) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    u record;
begin
    insert into auth.users (email, raw_app_meta_data) values (lower(p_email), '{"provider":"email","providers":["email"]}')
    on conflict do nothing;
    select a.id, a.email, a.email_confirmed_at into u from auth.users a where a.id = public.auth_user_of(p_email) for update;
    if u.email_confirmed_at is not null then
        raise exception 'user_already_exists' using errcode = 'PT422';
    end if;
    insert into public.user_profiles (id, email, status) values (u.id, u.email, 'inactive') on conflict (id) do nothing;
    perform public.organization_personal(u.id, jsonb_build_object('email', u.email));
    perform public.auth_confirm(u.id, p_password_hash, p_data);
    perform public.auth_need_active(u.id);
    return u.id;
end
$$;

-- ---- proofs -------------------------------------------------------------------------------------------------

-- A mailed token is taken: whose it was.  Challenges and codes that were never mailed are none.
create or replace function public.auth_v1_take(p_token uuid, p_kind text) returns hookswitch_auth.one_time_tokens
    language plpgsql security definer set search_path = '' as $$
declare
    t hookswitch_auth.one_time_tokens;
begin
    if p_kind = 'email_change' then
        perform public.auth_email_take(p_token);
        select * into t from hookswitch_auth.one_time_tokens k where k.id = p_token;
        return t;
    elsif p_kind in ('signup', 'recovery', 'magiclink', 'invite') is not true then
        raise exception 'code_invalid' using errcode = 'PT422';
    end if;
    t := public.auth_token_take(p_token, p_kind);
    perform public.auth_confirm(t.user_id, t.password_hash, t.data);
    perform public.auth_need_active(t.user_id);
    perform public.auth_try_worked((select u.email from auth.users u where u.id = t.user_id));
    return t;
end
$$;

-- As auth_code_ask, for an address that is to become somebody's.
create or replace function public.auth_v1_change_ask(p_email text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_wait integer := public.auth_try(p_email);
    v_id uuid;
begin
    if v_wait = 0 then
        v_wait := public.auth_throttle_take(public.auth_throttle_key('code email_change', p_email), 10, 900);
    end if;
    if v_wait > 0 then
        return jsonb_build_object('wait', v_wait);
    end if;
    update hookswitch_auth.one_time_tokens k
       set attempts = k.attempts + 1
     where k.id = (select n.id from hookswitch_auth.one_time_tokens n
                    where n.kind = 'email_change' and n.new_email = lower(p_email) and n.user_id is not null
                    order by n.created_at desc, n.id limit 1)
       and k.used_at is null and k.expires_at > statement_timestamp() and k.attempts < 5
    returning k.id into v_id;
    return jsonb_build_object('token_id', v_id, 'kind', 'email_change');
end
$$;

-- What a link opens where the application asked with a challenge (RFC 7636): not a session, but a code that is worth one to whoever
-- asked.  Its id; the code is made from it with our key.
create or replace function public.auth_v1_pkce_make(t hookswitch_auth.one_time_tokens) returns uuid
    language plpgsql security definer set search_path = '' as $$
begin
    return public.auth_token_make('pkce', t.user_id, 300, jsonb_build_object(
        'code_challenge', t.code_challenge, 'code_challenge_method', coalesce(t.code_challenge_method, 'plain')));
end
$$;

create or replace function public.auth_v1_pkce_fits(p_verifier text, p_challenge text, p_method text) returns boolean
    language plpgsql immutable set search_path = '' as $$
begin
    if p_method = 'plain' then
        return p_verifier = p_challenge;
    end if;
    return translate(encode(sha256(convert_to(p_verifier, 'UTF8')), 'base64'), '+/=', '-_') = p_challenge;
end
$$;

-- A second factor was shown in an open session: it is worth both from now on, and gets new tokens.  p_next: as for auth_session_open,
-- p_sealed: its refresh token for a second tab.
create or replace function public.auth_v1_session_raise(p_session uuid, p_next jsonb, p_sealed text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_live text;
begin
    -- As a refresh does, so that the two come one after the other.
    perform from hookswitch_auth.sessions s where s.id = p_session for update;
    update hookswitch_auth.sessions s
       set aal = 'aal2', amr = s.amr || jsonb_build_object('method', 'totp', 'timestamp', floor(extract(epoch from statement_timestamp())))
     where s.id = p_session and s.aal <> 'aal2';
    select k.hash into v_live from hookswitch_auth.refresh_tokens k where k.session_id = p_session and k.used_at is null for update;
    perform public.auth_refresh_rotate(p_session, v_live, jsonb_build_object('hash', p_next ->> 'refresh_hash', 'sealed', p_sealed),
                                       (p_next ->> 'seconds')::integer);
    return public.auth_v1_view(p_session);
end
$$;
