-- api_auth.sql - what the program auth may call.  Passwords and codes are checked in C; here is what follows from it.

-- ---- without a session -------------------------------------------------------------------------------------

-- The same answer whether somebody has the address or not.
create or replace function api.auth_signup(p_email text, p_password_hash text, p_first_name text, p_last_name text, p_phone_number text)
    returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_sign_up(p_email, p_password_hash, jsonb_strip_nulls(jsonb_build_object(
        'first_name', p_first_name, 'last_name', p_last_name, 'phone_number', p_phone_number)));
    return jsonb_build_object('email', lower(p_email), 'status', 'confirmation_sent');
end
$$;

create or replace function api.auth_resend(p_email text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_resend(p_email);
    return '{"status":"accepted"}';
end
$$;

create or replace function api.auth_forgot(p_email text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_forgot(p_email);
    return '{"status":"accepted"}';
end
$$;

create or replace function api.auth_code(p_email text, p_kind text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_need_ours();
    return public.auth_code_ask(p_email, p_kind);
end
$$;

create or replace function api.auth_verify(p_token uuid, p_kind text, p_session jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_need_ours();
    return public.auth_verify(p_token, p_kind, p_session);
end
$$;

create or replace function api.auth_email_take(p_token uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid;
begin
    perform public.auth_need_ours();
    v_user := public.auth_email_take(p_token);
    return jsonb_build_object('status', 'email_changed', 'email', (select p.email from public.user_profiles p where p.id = v_user));
end
$$;

create or replace function api.auth_reset(p_token uuid, p_password_hash text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_need_ours();
    perform public.auth_reset(p_token, p_password_hash);
    return '{"status":"password_changed"}';
end
$$;

-- {"wait"}, or {"user_id","password_hash"}: null where nobody has the address or there is no password.
create or replace function api.auth_signin_ask(p_email text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_wait integer;
begin
    perform public.auth_need_ours();
    v_wait := public.auth_try(p_email);
    if v_wait > 0 then
        return jsonb_build_object('wait', v_wait);
    end if;
    return coalesce((select jsonb_build_object('user_id', c.user_id, 'password_hash', c.password_hash)
                       from hookswitch_auth.credentials c where c.user_id = public.auth_user_of(p_email)), '{}');
end
$$;

create or replace function api.auth_signin(p_user uuid, p_password_hash text, p_session jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    return public.auth_signed_in(p_user, p_password_hash, p_session);
end
$$;

create or replace function api.auth_challenge_ask(p_challenge uuid, p_code boolean) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_need_ours();
    return public.auth_challenge_ask(p_challenge, p_code);
end
$$;

create or replace function api.auth_challenge_take(p_challenge uuid, p_factor uuid, p_step bigint, p_recovery text, p_session jsonb)
    returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    return public.auth_challenge_take(p_challenge, p_factor, p_step, p_recovery, p_session);
end
$$;

create or replace function api.auth_refresh(p_hash text, p_next jsonb, p_grace integer, p_seconds integer) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_need_ours();
    return public.auth_refresh(p_hash, p_next, p_grace, p_seconds);
end
$$;

-- ---- with a session ------------------------------------------------------------------------------------------

create or replace function api.auth_me() returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return public.auth_user_view(public.current_user_id());
end
$$;

-- Row security lets a person change his own profile, and the columns named here only.
create or replace function api.auth_me_update(p_changes jsonb) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    update public.user_profiles p
       set first_name = case when p_changes ? 'first_name' then p_changes ->> 'first_name' else p.first_name end,
           last_name = case when p_changes ? 'last_name' then p_changes ->> 'last_name' else p.last_name end,
           phone_number = case when p_changes ? 'phone_number' then p_changes ->> 'phone_number' else p.phone_number end,
           address = case when p_changes ? 'address' then nullif(p_changes -> 'address', 'null') else p.address end,
           preferences = case when p_changes ? 'preferences' then nullif(p_changes -> 'preferences', 'null') else p.preferences end,
           city = case when p_changes ? 'city' then p_changes ->> 'city' else p.city end,
           state = case when p_changes ? 'state' then p_changes ->> 'state' else p.state end
     where p.id = public.current_user_id();
    return api.auth_me();
end
$$;

-- p_scope: this session, all of the person's, or the others.
create or replace function api.auth_signout(p_scope text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_session uuid := public.auth_session_current();
begin
    if p_scope = 'all' then
        perform public.auth_sessions_revoke(public.current_user_id(), 'signout');
    elsif p_scope = 'others' then
        perform public.auth_sessions_revoke(public.current_user_id(), 'signout', null, v_session);
    elsif v_session is not null then
        perform public.auth_sessions_revoke(public.current_user_id(), 'signout', v_session);
    end if;
    return '{}';
end
$$;

create or replace function api.session_list() returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return jsonb_build_object('data', coalesce((
        select jsonb_agg(jsonb_build_object(
                   'id', s.id, 'current', s.id is not distinct from public.auth_session_current(), 'aal', s.aal,
                   'user_agent', s.user_agent, 'address', s.address, 'created_at', public.time_view(s.created_at),
                   'refreshed_at', public.time_view(s.refreshed_at), 'expires_at', public.time_view(s.expires_at))
                   order by s.refreshed_at desc, s.id)
          from hookswitch_auth.sessions s
         where s.user_id = public.current_user_id() and s.revoked_at is null and s.expires_at > statement_timestamp()), '[]'),
        'next_cursor', null);
end
$$;

create or replace function api.session_revoke(p_session_id uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    if public.auth_sessions_revoke(public.current_user_id(), 'revoked', p_session_id) = 0 then
        raise exception 'session_not_found' using errcode = 'PT404';
    end if;
    return '{}';
end
$$;

-- What a person must know again before something of weight: {"wait"}, or {"password_hash"}.  Somebody without a password must have
-- signed in within the last 15 minutes.
create or replace function api.auth_prove_ask() returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.current_user_id();
    v_hash text := (select c.password_hash from hookswitch_auth.credentials c where c.user_id = public.current_user_id());
    v_wait integer;
begin
    perform public.auth_need_ours();
    if v_hash is null then
        perform from hookswitch_auth.sessions s
          where s.id = public.auth_session_current() and s.created_at > statement_timestamp() - interval '15 minutes';
        if not found then
            raise exception 'signin_needed' using errcode = 'PT403';
        end if;
        return '{}';
    end if;
    v_wait := public.auth_throttle_take(public.auth_throttle_key('prove', v_user::text), 5, 900);
    return case when v_wait > 0 then jsonb_build_object('wait', v_wait) else jsonb_build_object('password_hash', v_hash) end;
end
$$;

create or replace function api.auth_proved() returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_throttle_forget(public.auth_throttle_key('prove', public.current_user_id()::text));
    return '{}';
end
$$;

create or replace function api.auth_password_change(p_old text, p_new text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_password_change(public.current_user_id(), p_old, p_new, public.auth_session_current());
    return '{"status":"password_changed"}';
end
$$;

create or replace function api.auth_email_change(p_email text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_mails_count(public.current_user_id()::text, 10);
    perform public.auth_email_ask(public.current_user_id(), p_email);
    return '{"status":"accepted"}';
end
$$;

create or replace function api.totp_enrol(p_secret text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.current_user_id();
begin
    return jsonb_build_object('factor_id', public.auth_totp_add(v_user, null, p_secret),
                              'email', (select u.email from auth.users u where u.id = v_user));
end
$$;

create or replace function api.totp_ask() returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_need_ours();
    return public.auth_totp_ask(public.current_user_id(), false);
end
$$;

create or replace function api.totp_confirm(p_factor uuid, p_step bigint, p_codes jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_totp_confirm(public.current_user_id(), p_factor, p_step, array(select jsonb_array_elements_text(p_codes)));
    return '{}';
end
$$;

create or replace function api.totp_disable() returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_totp_remove(public.current_user_id());
    return '{}';
end
$$;

create or replace function api.recovery_codes_renew(p_codes jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    if not public.auth_totp_enabled(public.current_user_id()) then
        raise exception 'totp_not_enrolled' using errcode = 'PT409';
    end if;
    perform public.auth_recovery_put(public.current_user_id(), array(select jsonb_array_elements_text(p_codes)));
    return '{}';
end
$$;
