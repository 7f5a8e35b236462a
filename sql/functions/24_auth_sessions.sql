-- 24_auth_sessions.sql - a session: opened, refreshed, ended; and what its access token says.

-- p_session: {"refresh_hash", "user_agent", "seconds"}: SHA-256 of the first refresh token, who asks, and how long it lasts unused.
-- p_methods: how the person proved who he is: password, otp, totp, recovery_code.
create or replace function public.auth_session_open(p_user uuid, p_methods text[], p_session jsonb) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid;
    v_now timestamptz := statement_timestamp();
begin
    insert into hookswitch_auth.sessions (user_id, aal, amr, user_agent, address, created_at, refreshed_at, expires_at)
    select p_user, case when p_methods && array['totp', 'recovery_code'] then 'aal2' else 'aal1' end,
           (select jsonb_agg(jsonb_build_object('method', m, 'timestamp', floor(extract(epoch from v_now)))) from unnest(p_methods) m),
           left(p_session ->> 'user_agent', 400), public.auth_network(), v_now, v_now,
           v_now + make_interval(secs => (p_session ->> 'seconds')::integer)
    returning id into v_id;
    insert into hookswitch_auth.refresh_tokens (hash, session_id) values (p_session ->> 'refresh_hash', v_id);
    update auth.users u set last_sign_in_at = v_now, updated_at = v_now where u.id = p_user;
    return v_id;
end
$$;

-- {"claims": what its access token says but for iss, iat and exp (Supabase's claims), "user": ...}  Not stable: it must see the session
-- that the same statement opened.
create or replace function public.auth_session_view(p_session uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    return (select jsonb_build_object('claims',
                jsonb_build_object('aud', u.aud, 'role', u.role, 'sub', u.id, 'email', coalesce(u.email, ''), 'phone', coalesce(u.phone, ''),
                                   'session_id', s.id, 'aal', s.aal, 'amr', s.amr, 'app_metadata', u.raw_app_meta_data,
                                   'user_metadata', u.raw_user_meta_data, 'is_anonymous', u.is_anonymous),
                'user', public.auth_user_view(u.id))
              from hookswitch_auth.sessions s join auth.users u on u.id = s.user_id where s.id = p_session);
end
$$;

-- Ends sessions of a person: p_only that one, else all but p_but; how many.
create or replace function public.auth_sessions_revoke(p_user uuid, p_because text, p_only uuid default null, p_but uuid default null)
    returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_count integer;
begin
    update hookswitch_auth.sessions s
       set revoked_at = statement_timestamp(), revoked_because = p_because
     where s.user_id = p_user and s.revoked_at is null
       and (p_only is null or s.id = p_only) and (p_but is null or s.id <> p_but);
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

-- The session of the request in hand; null: its token was made by somebody else.
create or replace function public.auth_session_current() returns uuid
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select s.id from hookswitch_auth.sessions s
             where s.id = public.uuid_or_null(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'session_id')
               and s.user_id = public.current_user_id());
end
$$;

-- Trades a refresh token for the next one.  p_next: {"hash", "sealed"} of the one that was made for this, p_grace and p_seconds: the
-- settings.  state: rotated; again: a second tab was as quick, sealed is what the first one got; reused: somebody holds a token that was
-- spent, the session has ended; unknown: no such token, or its session is over.
create or replace function public.auth_refresh(p_hash text, p_next jsonb, p_grace integer, p_seconds integer) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    s record;
    t record;
begin
    select r.id, r.user_id, r.revoked_at, r.expires_at into s
      from hookswitch_auth.sessions r join hookswitch_auth.refresh_tokens k on k.session_id = r.id
     where k.hash = p_hash for update of r;
    if not found or s.revoked_at is not null or s.expires_at <= statement_timestamp() then
        return '{"state":"unknown"}';
    end if;
    perform from public.user_profiles p where p.id = s.user_id and p.status = 'active';
    if not found then
        raise exception 'account_inactive' using errcode = 'PT403';
    end if;
    -- In a statement of its own: what others did while we waited for the session's row is seen here.
    select k.used_at into t from hookswitch_auth.refresh_tokens k where k.hash = p_hash;
    if t.used_at is null then
        return public.auth_refresh_rotate(s.id, p_hash, p_next, p_seconds);
    elsif t.used_at > clock_timestamp() - make_interval(secs => p_grace) then
        return public.auth_session_view(s.id) || jsonb_build_object('state', 'again', 'sealed',
            (select k.successor from hookswitch_auth.refresh_tokens n join hookswitch_auth.refresh_tokens k on k.hash = n.parent
              where n.session_id = s.id and n.used_at is null));
    end if;
    perform public.auth_sessions_revoke(s.user_id, 'reuse', s.id);
    return jsonb_build_object('state', 'reused', 'user_id', s.user_id, 'session_id', s.id);
end
$$;

create or replace function public.auth_refresh_rotate(p_session uuid, p_hash text, p_next jsonb, p_seconds integer) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    update hookswitch_auth.refresh_tokens k set successor = null where k.session_id = p_session and k.successor is not null;
    update hookswitch_auth.refresh_tokens k set used_at = v_now, successor = p_next ->> 'sealed' where k.hash = p_hash;
    insert into hookswitch_auth.refresh_tokens (hash, session_id, parent) values (p_next ->> 'hash', p_session, p_hash);
    update hookswitch_auth.sessions s
       set refreshed_at = v_now, expires_at = v_now + make_interval(secs => p_seconds)
     where s.id = p_session;
    return public.auth_session_view(p_session) || '{"state":"rotated"}';
end
$$;
