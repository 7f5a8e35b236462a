-- 24_auth_totp.sql - the second factor: codes of an app, and recovery codes for when it is lost.

create or replace function public.auth_totp_enabled(p_user uuid) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return exists (select from hookswitch_auth.factors f where f.user_id = p_user and f.verified_at is not null);
end
$$;

-- A factor that is not worth anything until a first code came; earlier ones that never did are forgotten.
create or replace function public.auth_totp_add(p_user uuid, p_name text, p_secret text) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid;
begin
    if public.auth_totp_enabled(p_user) then
        raise exception 'totp_enrolled' using errcode = 'PT409';
    end if;
    delete from hookswitch_auth.factors f where f.user_id = p_user and f.verified_at is null;
    insert into hookswitch_auth.factors (user_id, name, secret) values (p_user, left(p_name, 100), p_secret) returning id into v_id;
    return v_id;
end
$$;

-- What is needed to check a code in C: {"wait"}, or {"factor_id", "secret" (sealed)}, both null when there is no such factor.
-- Each asking is counted: ten, then ever fewer.
create or replace function public.auth_totp_ask(p_user uuid, p_verified boolean) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_wait integer := public.auth_throttle_take(public.auth_throttle_key('totp', p_user::text), 10, 900);
    f record;
begin
    if v_wait > 0 then
        return jsonb_build_object('wait', v_wait);
    end if;
    select t.id, t.secret into f from hookswitch_auth.factors t
     where t.user_id = p_user and (t.verified_at is not null) = p_verified order by t.created_at desc limit 1;
    return jsonb_build_object('factor_id', f.id, 'secret', f.secret);
end
$$;

-- The code of a time step was right; a step counts once, and none before it ever again.
create or replace function public.auth_totp_use(p_factor uuid, p_step bigint) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid;
begin
    update hookswitch_auth.factors f
       set last_step = p_step
     where f.id = p_factor and f.last_step < p_step
    returning f.user_id into v_user;
    if not found then
        raise exception 'code_invalid' using errcode = 'PT422';
    end if;
    perform public.auth_throttle_forget(public.auth_throttle_key('totp', v_user::text));
    return v_user;
end
$$;

-- The first code came: from now on it is asked for at each sign-in, and sessions that were opened without it end.
create or replace function public.auth_totp_confirm(p_user uuid, p_factor uuid, p_step bigint, p_codes text[]) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_session uuid := public.auth_session_current();
begin
    if public.auth_totp_enabled(p_user) then
        raise exception 'totp_enrolled' using errcode = 'PT409';
    end if;
    if public.auth_totp_use(p_factor, p_step) is distinct from p_user then
        raise exception 'code_invalid' using errcode = 'PT422';
    end if;
    update hookswitch_auth.factors f set verified_at = statement_timestamp() where f.id = p_factor;
    perform public.auth_recovery_put(p_user, p_codes);
    perform public.auth_sessions_revoke(p_user, 'factor', null, v_session);
    update hookswitch_auth.sessions s
       set aal = 'aal2', amr = s.amr || jsonb_build_object('method', 'totp', 'timestamp', floor(extract(epoch from statement_timestamp())))
     where s.id = v_session;
end
$$;

create or replace function public.auth_totp_remove(p_user uuid) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    delete from hookswitch_auth.factors f where f.user_id = p_user;
    if not found then
        raise exception 'totp_not_enrolled' using errcode = 'PT409';
    end if;
    delete from hookswitch_auth.recovery_codes c where c.user_id = p_user;
end
$$;

-- New recovery codes (SHA-256 of each); the old ones are worth nothing any more.
create or replace function public.auth_recovery_put(p_user uuid, p_codes text[]) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    delete from hookswitch_auth.recovery_codes c where c.user_id = p_user;
    insert into hookswitch_auth.recovery_codes (user_id, hash) select p_user, h from unnest(p_codes) h;
end
$$;

create or replace function public.auth_recovery_use(p_user uuid, p_hash text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update hookswitch_auth.recovery_codes c
       set used_at = statement_timestamp()
     where c.user_id = p_user and c.hash = p_hash and c.used_at is null;
    if not found then
        raise exception 'code_invalid' using errcode = 'PT422';
    end if;
end
$$;

-- ---- sign-in in two steps --------------------------------------------------------------------------------

-- The password was right (p_hash: as it was checked).  {"state":"session", ...} or, where a second step is needed,
-- {"state":"totp","challenge"}: what the second step must show.
create or replace function public.auth_signed_in(p_user uuid, p_hash text, p_session jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_email text;
    v_confirmed timestamptz;
begin
    -- In a statement of its own: a password that was changed while we waited here is seen below.
    perform from auth.users u where u.id = p_user for update;
    select u.email, u.email_confirmed_at into v_email, v_confirmed from auth.users u
      join hookswitch_auth.credentials c on c.user_id = u.id
     where u.id = p_user and c.password_hash = p_hash;
    if not found then
        raise exception 'credentials_invalid' using errcode = 'PT401';
    elsif v_confirmed is null then
        raise exception 'email_not_confirmed' using errcode = 'PT403';
    end if;
    perform public.auth_need_active(p_user);
    if public.auth_totp_enabled(p_user) then
        return jsonb_build_object('state', 'totp', 'challenge', public.auth_token_make('totp', p_user, 300));
    end if;
    perform public.auth_try_worked(v_email);
    return public.auth_session_view(public.auth_session_open(p_user, '{password}', p_session)) || '{"state":"session"}';
end
$$;

-- One try at the second step: as auth_totp_ask, and "user_id".  At most five for each challenge.
create or replace function public.auth_challenge_ask(p_challenge uuid, p_code boolean) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid;
begin
    update hookswitch_auth.one_time_tokens k
       set attempts = k.attempts + 1
     where k.id = p_challenge and k.kind = 'totp' and k.used_at is null and k.expires_at > statement_timestamp() and k.attempts < 5
    returning k.user_id into v_user;
    if not found then
        return '{"user_id":null}';
    elsif not p_code then
        return jsonb_build_object('user_id', v_user);
    end if;
    return jsonb_build_object('user_id', v_user) || public.auth_totp_ask(v_user, true);
end
$$;

-- The second step worked: p_step with p_factor, or a recovery code's hash.
create or replace function public.auth_challenge_take(p_challenge uuid, p_factor uuid, p_step bigint, p_recovery text, p_session jsonb)
    returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    t hookswitch_auth.one_time_tokens := public.auth_token_take(p_challenge, 'totp');
begin
    if p_recovery is not null then
        perform public.auth_recovery_use(t.user_id, p_recovery);
    elsif public.auth_totp_use(p_factor, p_step) is distinct from t.user_id then
        raise exception 'code_invalid' using errcode = 'PT422';
    end if;
    perform public.auth_need_active(t.user_id);
    perform public.auth_try_worked((select u.email from auth.users u where u.id = t.user_id));
    return public.auth_session_view(public.auth_session_open(
        t.user_id, array['password', case when p_recovery is null then 'totp' else 'recovery_code' end], p_session));
end
$$;
