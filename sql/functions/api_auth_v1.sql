-- api_auth_v1.sql - what the program auth-v1 may call for people.  Tokens, passwords and codes are checked in C; p_claims are of a token that
-- was.  p_more: redirect_to, code_challenge, code_challenge_method; all may be missing.

-- ---- without a session -------------------------------------------------------------------------------------

-- p_session: null where the address must be confirmed first: then {"user"}, else a session.
create or replace function api.auth_v1_signup(p_email text, p_password_hash text, p_data jsonb, p_more jsonb, p_session jsonb)
    returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_made jsonb;
begin
    perform public.auth_need_ours();
    perform public.auth_v1_data_check(p_data);
    if p_session is not null then
        return public.auth_v1_view(public.auth_session_open(
            public.auth_v1_sign_up_now(p_email, p_password_hash, p_data), '{password}', p_session));
    end if;
    perform public.auth_v1_mail_wait('signup', p_email);
    v_made := public.auth_sign_up(p_email, p_password_hash, p_data, p_more);
    return jsonb_build_object('user', case when v_made ->> 'state' = 'exists' then public.auth_v1_nobody(p_email, p_data)
                                           else public.auth_v1_user((v_made ->> 'user_id')::uuid) end);
end
$$;

-- A link to sign in with; for an address that nobody has an account is made, if p_create.  The answer is the same.  Where the address is not
-- confirmed the link does that, and brings no password: whoever chose one before need not be who asks for links.
create or replace function api.auth_v1_otp(p_email text, p_create boolean, p_data jsonb, p_more jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid;
    v_confirmed timestamptz;
    v_other text := 'magiclink';
begin
    perform public.auth_need_ours();
    perform public.auth_v1_data_check(p_data);
    select u.id, u.email_confirmed_at into v_user, v_confirmed from auth.users u where u.id = public.auth_user_of(p_email);
    perform public.auth_v1_mail_wait('signup', p_email), public.auth_v1_mail_wait('magiclink', p_email);
    if v_user is null and p_create then
        perform public.auth_sign_up(p_email, null, p_data, p_more);
    elsif v_user is not null and v_confirmed is null then
        perform public.auth_mail_token('signup', p_email, v_user, p_more);
    else
        perform public.auth_mail_token('magiclink', p_email, v_user, p_more);
        v_other := 'signup';
    end if;
    -- Which of the two was sent must not be told by when there are no more of it.
    perform public.auth_throttle_take(public.auth_throttle_key('mail ' || v_other, p_email), 3, 900);
    return '{}';
end
$$;

create or replace function api.auth_v1_recover(p_email text, p_more jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_need_ours();
    perform public.auth_v1_mail_wait('recovery', p_email);
    perform public.auth_forgot(p_email, p_more);
    return '{}';
end
$$;

-- p_type: signup or email_change.
create or replace function api.auth_v1_resend(p_email text, p_type text, p_more jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.auth_user_of(p_email);
begin
    perform public.auth_need_ours();
    if p_type = 'signup' then
        perform public.auth_v1_mail_wait('signup', p_email);
        perform public.auth_resend(p_email, p_more);
    else
        perform public.auth_mails_count(public.auth_network(), 100);
        -- Where no mail can be sent now the link that was sent stays good: anybody may ask here.
        perform public.auth_email_ask(u.id, u.email_change, p_more) from auth.users u
          where u.id = v_user and u.email_change is not null
            and public.auth_throttle_wait(public.auth_throttle_key('mail email_change', u.email_change)) = 0;
    end if;
    return '{}';
end
$$;

-- Which token six digits must belong to, of several kinds: as auth_code_ask, and "kind".  An address that changes is looked for under its
-- new name.
create or replace function api.auth_v1_code(p_email text, p_kinds jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_kinds text[] := array(select jsonb_array_elements_text(p_kinds));
    v_kind text;
begin
    perform public.auth_need_ours();
    if 'email_change' = any (v_kinds) then
        return public.auth_v1_change_ask(p_email);
    end if;
    select k.kind into v_kind from hookswitch_auth.one_time_tokens k
     where k.user_id = public.auth_user_of(p_email) and k.kind = any (v_kinds) and k.used_at is null
     order by k.created_at desc, k.id limit 1;
    v_kind := coalesce(v_kind, v_kinds[1]);
    return public.auth_code_ask(p_email, v_kind) || jsonb_build_object('kind', v_kind);
end
$$;

-- p_link: the token came back by a link that somebody followed.  A session; or {"code_id"} for whoever asked with a challenge.  Both with
-- "redirect_to".
create or replace function api.auth_v1_verify(p_token uuid, p_kind text, p_session jsonb, p_link boolean) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    t hookswitch_auth.one_time_tokens;
begin
    perform public.auth_need_ours();
    t := public.auth_v1_take(p_token, p_kind);
    if p_link and t.code_challenge is not null then
        return jsonb_build_object('code_id', public.auth_v1_pkce_make(t), 'redirect_to', t.redirect_to);
    end if;
    return public.auth_v1_view(public.auth_session_open(t.user_id, '{otp}', p_session)) || jsonb_build_object('redirect_to', t.redirect_to);
end
$$;

-- Where somebody is sent whose link is worth nothing any more.
create or replace function api.auth_v1_redirect(p_token uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_need_ours();
    return jsonb_build_object('redirect_to', (select k.redirect_to from hookswitch_auth.one_time_tokens k where k.id = p_token));
end
$$;

create or replace function api.auth_v1_pkce(p_code uuid, p_verifier text, p_session jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    t hookswitch_auth.one_time_tokens;
begin
    perform public.auth_need_ours();
    perform public.auth_token_lock(p_code);
    update hookswitch_auth.one_time_tokens k set used_at = statement_timestamp()
     where k.id = p_code and k.kind = 'pkce' and k.used_at is null and k.expires_at > statement_timestamp()
    returning k.* into t;
    if not found then
        raise exception 'flow_state_not_found' using errcode = 'PT404';
    elsif public.auth_v1_pkce_fits(p_verifier, t.code_challenge, t.code_challenge_method) is not true then
        raise exception 'bad_code_verifier' using errcode = 'PT400';
    end if;
    perform public.auth_need_active(t.user_id);
    return public.auth_v1_view(public.auth_session_open(t.user_id, '{otp}', p_session));
end
$$;

-- The password was right (p_hash: as it was checked).  With a second factor the session is worth one of two: it can show the other.
create or replace function api.auth_v1_signin(p_user uuid, p_hash text, p_session jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_email text;
    v_confirmed timestamptz;
begin
    perform public.auth_need_ours();
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
    perform public.auth_try_worked(v_email);
    return public.auth_v1_view(public.auth_session_open(p_user, '{password}', p_session));
end
$$;

-- The person of a session that was refreshed a moment ago.  p_hash: of the refresh token that he was given.
create or replace function api.auth_v1_person(p_hash text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    return (select public.auth_v1_user(s.user_id)
              from hookswitch_auth.refresh_tokens k join hookswitch_auth.sessions s on s.id = k.session_id
             where k.hash = p_hash);
end
$$;

-- Whether anybody can sign up here; {} if so.
create or replace function api.auth_v1_ready() returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    perform public.auth_need_ours();
    return '{}';
end
$$;

-- Tokens are signed with a secret, which is published nowhere.
create or replace function api.auth_v1_keys() returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    perform public.auth_need_ours();
    return '{"keys":[]}';
end
$$;

-- ---- with a session ------------------------------------------------------------------------------------------

create or replace function api.auth_v1_user(p_claims jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    return public.auth_v1_user(public.auth_v1_enter(p_claims));
end
$$;

-- Before a password is changed: the hash of the one there is, which must not be the new one.  A session older than a day has to be
-- opened anew first.
create or replace function api.auth_v1_password_ask(p_claims jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.auth_v1_enter(p_claims);
begin
    perform public.auth_v1_need_aal2(v_user);
    perform from hookswitch_auth.sessions s
      where s.id = public.auth_session_current() and s.created_at > statement_timestamp() - interval '24 hours';
    if not found then
        raise exception 'reauthentication_needed' using errcode = 'PT400';
    end if;
    return jsonb_build_object('password_hash',
        (select c.password_hash from hookswitch_auth.credentials c where c.user_id = v_user));
end
$$;

-- p_old, p_new: hashes, null where the password stays (p_old also where there is none).
create or replace function api.auth_v1_user_update(p_claims jsonb, p_email text, p_old text, p_new text, p_data jsonb, p_more jsonb)
    returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.auth_v1_enter(p_claims);
    v_email text := (select u.email from auth.users u where u.id = v_user);
begin
    perform public.auth_v1_need_aal2(v_user);
    if p_new is not null then
        perform public.auth_password_change(v_user, p_old, p_new, public.auth_session_current());
    end if;
    if p_email is not null and lower(p_email) <> lower(v_email) then
        perform public.auth_v1_mail_wait('email_change', p_email), public.auth_mails_count(v_user::text, 10);
        perform public.auth_email_ask(v_user, p_email, p_more);
    end if;
    if p_data is not null then
        perform public.auth_v1_data_apply(v_user, p_data);
    end if;
    return public.auth_v1_user(v_user);
end
$$;

-- p_scope: global, local or others.  Without the second factor, where there is one, only this session is ended: whoever knows the password
-- alone must not end those of the person.
create or replace function api.auth_v1_logout(p_claims jsonb, p_scope text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.auth_v1_enter(p_claims);
    v_session uuid := public.auth_session_current();
begin
    if p_scope = 'others' then
        perform public.auth_v1_need_aal2(v_user);
        perform public.auth_sessions_revoke(v_user, 'signout', null, v_session);
    elsif p_scope = 'global' and (not public.auth_totp_enabled(v_user) or public.auth_session_whole()) then
        perform public.auth_sessions_revoke(v_user, 'signout');
    elsif v_session is not null then
        perform public.auth_sessions_revoke(v_user, 'signout', v_session);
    end if;
    return '{}';
end
$$;
