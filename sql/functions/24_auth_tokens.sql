-- 24_auth_tokens.sql - what comes by mail: sign-up, confirmation, a forgotten password, another address.
--
-- A one-time token is a row; what the mail carries is made from its id with our key, by the program that sends it (lib/seal).

-- p_more: new_email, redirect_to, code_challenge, code_challenge_method, password_hash, data; all may be missing.
create or replace function public.auth_token_make(p_kind text, p_user uuid, p_seconds integer, p_more jsonb default '{}') returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid;
begin
    insert into hookswitch_auth.one_time_tokens (kind, user_id, expires_at, new_email, redirect_to, code_challenge, code_challenge_method,
                                                 password_hash, data)
    values (p_kind, p_user, statement_timestamp() + make_interval(secs => p_seconds), p_more ->> 'new_email', p_more ->> 'redirect_to',
            p_more ->> 'code_challenge', lower(p_more ->> 'code_challenge_method'), p_more ->> 'password_hash',
            coalesce(p_more -> 'data', '{}'))
    returning id into v_id;
    return v_id;
end
$$;

-- The person of a token, locked: what changes an account comes one after the other, and always in this order: person, tokens, sessions.
create or replace function public.auth_token_lock(p_id uuid) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform from auth.users u where u.id = (select k.user_id from hookswitch_auth.one_time_tokens k where k.id = p_id) for update;
end
$$;

-- Takes a token, once.
create or replace function public.auth_token_take(p_id uuid, p_kind text) returns hookswitch_auth.one_time_tokens
    language plpgsql security definer set search_path = '' as $$
declare
    t hookswitch_auth.one_time_tokens;
begin
    perform public.auth_token_lock(p_id);
    update hookswitch_auth.one_time_tokens k
       set used_at = statement_timestamp()
     where k.id = p_id and k.kind = p_kind and k.used_at is null and k.expires_at > statement_timestamp() and k.user_id is not null
    returning k.* into t;
    if not found then
        raise exception 'code_invalid' using errcode = 'PT422';
    end if;
    return t;
end
$$;

-- The others of that kind are worth nothing any more.
create or replace function public.auth_tokens_close(p_user uuid, p_kinds text[]) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update hookswitch_auth.one_time_tokens k
       set used_at = statement_timestamp()
     where k.user_id = p_user and k.kind = any (p_kinds) and k.used_at is null;
end
$$;

-- Whatever is on its way to the person or in the hands of somebody is worth nothing any more: links, codes, sign-ins that are half done,
-- and the wish for another address, which may be a thief's.
create or replace function public.auth_tokens_void(p_user uuid) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update auth.users u set email_change = null where u.id = p_user and u.email_change is not null;
    update hookswitch_auth.one_time_tokens k set used_at = statement_timestamp() where k.user_id = p_user and k.used_at is null;
end
$$;

-- Which token a typed code must belong to: the newest of that kind of the person with this address, at most five codes each.  {"wait"}
-- or {"token_id"}: null when there is none.  Each asking is counted, whether anybody has the address or not.
create or replace function public.auth_code_ask(p_email text, p_kind text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_wait integer := public.auth_try(p_email);
    v_id uuid;
begin
    if v_wait = 0 then
        v_wait := public.auth_throttle_take(public.auth_throttle_key('code ' || p_kind, p_email), 10, 900);
    end if;
    if v_wait > 0 then
        return jsonb_build_object('wait', v_wait);
    end if;
    update hookswitch_auth.one_time_tokens k
       set attempts = k.attempts + 1
     where k.id = (select n.id from hookswitch_auth.one_time_tokens n
                    where n.kind = p_kind and n.user_id = public.auth_user_of(p_email) order by n.created_at desc, n.id limit 1)
       and k.used_at is null and k.expires_at > statement_timestamp() and k.attempts < 5
    returning k.id into v_id;
    return jsonb_build_object('token_id', v_id);
end
$$;

-- One asker, many addresses: a network or a person has p_free mails sent, then ever fewer.  Said so, whoever the mail is for.
create or replace function public.auth_mails_count(p_asker text, p_free integer) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if public.auth_throttle_take(public.auth_throttle_key('mails', p_asker), p_free, 900) > 0 then
        raise exception 'too_many_tries' using errcode = 'PT429';
    end if;
end
$$;

-- A mail with a link.  p_more: as for auth_token_make.  An address gets three such
-- mails, then ever fewer: null when it gets none now.  p_user null: nobody has it; all is done but the mail.
create or replace function public.auth_mail_token(p_kind text, p_email text, p_user uuid, p_more jsonb default '{}') returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_mails constant jsonb := '{"signup":"verify_email","recovery":"reset_password","email_change":"email_change","magiclink":"magic_link"}';
    v_token uuid;
begin
    -- Whoever wants another address is signed in, and counted as a person.
    if p_kind <> 'email_change' then
        perform public.auth_mails_count(public.auth_network(), 100);
    end if;
    if public.auth_throttle_take(public.auth_throttle_key('mail ' || p_kind, p_email), 3, 900) > 0 then
        return null;
    end if;
    v_token := public.auth_token_make(p_kind, p_user, case when p_kind in ('signup', 'email_change') then 86400 else 3600 end, p_more);
    if p_user is not null then
        -- As it stands in the account, however it was typed.
        perform public.mail_send(v_token::text, v_mails ->> p_kind,
                                 case when p_kind = 'email_change' then p_email else (select u.email from auth.users u where u.id = p_user) end,
                                 jsonb_build_object('token_id', v_token, 'redirect_to', p_more ->> 'redirect_to'));
    end if;
    return v_token;
end
$$;

-- ---- sign-up ---------------------------------------------------------------------------------------------

-- Makes the account, unconfirmed and inactive, with a personal organization, and mails a link.  Again for an address that waits for its
-- confirmation: another link; what was given goes along with its own link.  {"user_id", "state": waits | exists}; the answer to the
-- world must be the same.
create or replace function public.auth_sign_up(p_email text, p_password_hash text, p_data jsonb, p_more jsonb default '{}') returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    u record;
    v_new uuid;
begin
    perform public.auth_need_ours();
    insert into auth.users (email, raw_app_meta_data) values (lower(p_email), '{"provider":"email","providers":["email"]}')
    on conflict do nothing returning id into v_new;
    select a.id, a.email, a.email_confirmed_at into u from auth.users a where a.id = public.auth_user_of(p_email);
    if v_new is not null then
        insert into public.user_profiles (id, email, status) values (u.id, u.email, 'inactive') on conflict (id) do nothing;
        perform public.organization_personal(u.id, jsonb_build_object('email', u.email));
        perform public.auth_profile_apply(u.id, p_data);
        if p_password_hash is not null then
            perform public.auth_password_put(u.id, p_password_hash);
        end if;
    end if;
    if u.email_confirmed_at is not null then
        -- As much is written and counted as for somebody new.
        perform public.auth_mail_token('signup', p_email, null);
        return jsonb_build_object('user_id', u.id, 'state', 'exists');
    end if;
    perform public.auth_mail_token('signup', u.email, u.id,
                                   p_more || jsonb_build_object('password_hash', p_password_hash, 'data', p_data));
    update auth.users a set confirmation_sent_at = statement_timestamp() where a.id = u.id;
    return jsonb_build_object('user_id', u.id, 'state', 'waits');
end
$$;

-- Another link for an address that waits for its confirmation.  It brings the password along only where one sign-up was made: who asks
-- here need not be who signed up, and must not choose for him between two.
create or replace function public.auth_resend(p_email text, p_more jsonb default '{}') returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.auth_user_of(p_email);
    t record;
begin
    perform public.auth_need_ours();
    perform from auth.users u where u.id = v_user and u.email_confirmed_at is null;
    if not found then
        v_user := null;
    end if;
    select min(k.password_hash) as password_hash, coalesce((array_agg(k.data order by k.created_at))[1], '{}') as data into t
      from hookswitch_auth.one_time_tokens k where k.user_id = v_user and k.kind = 'signup'
    having count(distinct k.password_hash) = 1;
    perform public.auth_mail_token('signup', p_email, v_user,
                                   p_more || jsonb_build_object('password_hash', t.password_hash, 'data', coalesce(t.data, '{}')));
end
$$;

-- The person proved that the address is his: whatever others chose for it before is void.
create or replace function public.auth_confirm(p_user uuid, p_password_hash text, p_data jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update auth.users u set email_confirmed_at = statement_timestamp(), updated_at = now()
     where u.id = p_user and u.email_confirmed_at is null;
    if not found then
        return;
    end if;
    if p_password_hash is not null then
        perform public.auth_password_put(p_user, p_password_hash);
    else
        delete from hookswitch_auth.credentials c where c.user_id = p_user;
    end if;
    perform public.auth_profile_apply(p_user, p_data);
    perform public.auth_tokens_close(p_user, '{signup}');
    -- Whoever was banned before is banned still.
    update public.user_profiles p set status = 'active'
      from auth.users u where p.id = p_user and u.id = p_user and u.banned_until is null;
end
$$;

-- A mailed token of sign-up (or another that proves the address) comes back: confirms, and opens a session.
create or replace function public.auth_verify(p_token uuid, p_kind text, p_session jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    t hookswitch_auth.one_time_tokens := public.auth_token_take(p_token, p_kind);
begin
    perform public.auth_confirm(t.user_id, t.password_hash, t.data);
    perform public.auth_need_active(t.user_id);
    perform public.auth_try_worked((select u.email from auth.users u where u.id = t.user_id));
    return public.auth_session_view(public.auth_session_open(t.user_id, '{otp}', p_session));
end
$$;

create or replace function public.auth_need_active(p_user uuid) returns void
    language plpgsql stable security definer set search_path = '' as $$
begin
    perform from public.user_profiles p where p.id = p_user and p.status = 'active';
    if not found then
        raise exception 'account_inactive' using errcode = 'PT403';
    end if;
end
$$;

-- ---- passwords -------------------------------------------------------------------------------------------

create or replace function public.auth_forgot(p_email text, p_more jsonb default '{}') returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid;
begin
    perform public.auth_need_ours();
    v_user := public.auth_user_of(p_email);
    if public.auth_mail_token('recovery', p_email, v_user, p_more) is not null then
        update auth.users u set recovery_sent_at = statement_timestamp() where u.id = v_user;
    end if;
end
$$;

-- The person who holds a link that was mailed to him gets a new password; every session ends.
create or replace function public.auth_reset(p_token uuid, p_password_hash text) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    t hookswitch_auth.one_time_tokens := public.auth_token_take(p_token, 'recovery');
    v_email text := (select u.email from auth.users u where u.id = t.user_id);
begin
    perform public.auth_confirm(t.user_id, p_password_hash, '{}');
    perform public.auth_password_put(t.user_id, p_password_hash);
    perform public.auth_tokens_void(t.user_id);
    perform public.auth_sessions_revoke(t.user_id, 'password');
    perform public.auth_try_worked(v_email);
    perform public.mail_send('password_changed:' || t.id, 'password_changed', v_email, '{}');
    return t.user_id;
end
$$;

-- A new password for somebody who gave the old one (p_old: its hash as it was checked; null: he had none).  His other sessions end.
create or replace function public.auth_password_change(p_user uuid, p_old text, p_new text, p_session uuid) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform from auth.users u where u.id = p_user for update;
    if (select c.password_hash from hookswitch_auth.credentials c where c.user_id = p_user) is distinct from p_old then
        raise exception 'password_wrong' using errcode = 'PT403';
    end if;
    perform public.auth_password_put(p_user, p_new);
    perform public.auth_tokens_void(p_user);
    perform public.auth_sessions_revoke(p_user, 'password', null, p_session);
    perform public.mail_send('password_changed:' || gen_random_uuid(), 'password_changed', u.email, '{}') from auth.users u where u.id = p_user;
end
$$;

-- ---- another address -------------------------------------------------------------------------------------

-- Mails a link to the new address; the old one holds until it comes back.  An address that somebody has gets no mail, and that is not
-- told either.
create or replace function public.auth_email_ask(p_user uuid, p_email text, p_more jsonb default '{}') returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_free boolean := public.auth_user_of(p_email) is null;
begin
    update auth.users u set email_change = lower(p_email), email_change_sent_at = statement_timestamp(), updated_at = now() where u.id = p_user;
    perform public.auth_tokens_close(p_user, '{email_change}');
    perform public.auth_mail_token('email_change', lower(p_email), case when v_free then p_user end,
                                   p_more || jsonb_build_object('new_email', lower(p_email)));
end
$$;

-- The link came back: the address is changed, and the old one is told.  Other sessions go on; whoever did this knew the password.
create or replace function public.auth_email_take(p_token uuid) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    t hookswitch_auth.one_time_tokens := public.auth_token_take(p_token, 'email_change');
    v_old text := (select u.email from auth.users u where u.id = t.user_id);
begin
    perform public.auth_need_active(t.user_id);
    begin
        update auth.users u
           set email = t.new_email, email_confirmed_at = statement_timestamp(), email_change = null, updated_at = now()
         where u.id = t.user_id;
    exception when unique_violation then
        raise exception 'email_taken' using errcode = 'PT409';
    end;
    update public.user_profiles p set email = t.new_email where p.id = t.user_id;
    -- Links that went to the old address open nothing any more.
    perform public.auth_tokens_void(t.user_id);
    perform public.mail_send('email_changed:' || t.id, 'email_changed', v_old, '{}');
    return t.user_id;
end
$$;
