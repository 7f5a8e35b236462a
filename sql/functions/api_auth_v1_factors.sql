-- api_auth_v1_factors.sql - what the program auth-v1 may call for second factors.  p_claims are of a token that was verified.

-- A factor is of this person, or there is none.
create or replace function public.auth_v1_factor(p_user uuid, p_factor uuid) returns hookswitch_auth.factors
    language plpgsql security definer set search_path = '' as $$
declare
    f hookswitch_auth.factors;
begin
    select * into f from hookswitch_auth.factors t where t.id = p_factor and t.user_id = p_user;
    if not found then
        raise exception 'mfa_factor_not_found' using errcode = 'PT404';
    end if;
    return f;
end
$$;

-- p_secret: sealed.
create or replace function api.auth_v1_factor_add(p_claims jsonb, p_name text, p_secret text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.auth_v1_enter(p_claims);
begin
    return jsonb_build_object('id', public.auth_totp_add(v_user, p_name, p_secret),
                              'email', (select u.email from auth.users u where u.id = v_user));
end
$$;

create or replace function api.auth_v1_factor_challenge(p_claims jsonb, p_factor uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    f hookswitch_auth.factors := public.auth_v1_factor(public.auth_v1_enter(p_claims), p_factor);
    v_id uuid := public.auth_token_make('totp', f.user_id, 300, jsonb_build_object('data', jsonb_build_object('factor_id', f.id)));
begin
    return jsonb_build_object('id', v_id, 'type', 'totp', 'expires_at', floor(extract(epoch from statement_timestamp())) + 300);
end
$$;

-- One try: {"wait"} or {"secret"} (sealed).  At most five for each challenge.
create or replace function api.auth_v1_factor_ask(p_claims jsonb, p_factor uuid, p_challenge uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    f hookswitch_auth.factors := public.auth_v1_factor(public.auth_v1_enter(p_claims), p_factor);
    v_wait integer;
begin
    update hookswitch_auth.one_time_tokens k
       set attempts = k.attempts + 1
     where k.id = p_challenge and k.kind = 'totp' and k.user_id = f.user_id and k.data ->> 'factor_id' = f.id::text
       and k.used_at is null and k.expires_at > statement_timestamp() and k.attempts < 5;
    if not found then
        raise exception 'mfa_challenge_expired' using errcode = 'PT422';
    end if;
    v_wait := public.auth_throttle_take(public.auth_throttle_key('totp', f.user_id::text), 10, 900);
    return case when v_wait > 0 then jsonb_build_object('wait', v_wait) else jsonb_build_object('secret', f.secret) end;
end
$$;

-- The code of a time step was right: the factor counts from now on, and so does the session.  p_next, p_sealed: as for auth_v1_session_raise.
create or replace function api.auth_v1_factor_verify(p_claims jsonb, p_factor uuid, p_challenge uuid, p_step bigint, p_next jsonb,
                                                     p_sealed text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    f hookswitch_auth.factors := public.auth_v1_factor(public.auth_v1_enter(p_claims), p_factor);
    v_session uuid := public.auth_session_current();
begin
    if v_session is null then
        raise exception 'session_revoked' using errcode = 'PT401';
    end if;
    update hookswitch_auth.one_time_tokens k set used_at = statement_timestamp()
     where k.id = p_challenge and k.kind = 'totp' and k.user_id = f.user_id and k.data ->> 'factor_id' = f.id::text and k.used_at is null;
    if not found then
        raise exception 'mfa_challenge_expired' using errcode = 'PT422';
    end if;
    -- Recovery codes are not of Supabase's world; the person can have some made by the program auth.
    if f.verified_at is null then
        perform public.auth_totp_confirm(f.user_id, f.id, p_step, '{}');
    else
        perform public.auth_totp_use(f.id, p_step);
    end if;
    return public.auth_v1_session_raise(v_session, p_next, p_sealed);
end
$$;

create or replace function api.auth_v1_factor_remove(p_claims jsonb, p_factor uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    f hookswitch_auth.factors := public.auth_v1_factor(public.auth_v1_enter(p_claims), p_factor);
begin
    if f.verified_at is not null then
        perform public.auth_v1_need_aal2(f.user_id);
        perform public.auth_totp_remove(f.user_id);
    else
        delete from hookswitch_auth.factors t where t.id = f.id;
    end if;
    return jsonb_build_object('id', f.id);
end
$$;
