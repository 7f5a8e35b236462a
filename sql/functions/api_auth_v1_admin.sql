-- api_auth_v1_admin.sql - what the program auth-v1 may call for the application.  p_claims are of a token that was verified; only of a
-- service_role token anything comes.

-- The application itself, and nobody else: neither a person, whatever his metadata says, nor an unknown asker.
create or replace function public.auth_v1_need_service(p_claims jsonb) returns void
    language plpgsql stable security definer set search_path = '' as $$
begin
    perform public.auth_need_ours();
    if p_claims ->> 'role' is distinct from 'service_role' then
        raise exception 'not_admin' using errcode = 'PT403';
    end if;
end
$$;

create or replace function public.auth_v1_known(p_user uuid) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform from auth.users u where u.id = p_user for update;
    if not found then
        raise exception 'user_not_found' using errcode = 'PT404';
    end if;
end
$$;

-- An account without a mail: unconfirmed, unless p_confirm.
create or replace function public.auth_v1_user_make(p_email text, p_password_hash text, p_data jsonb, p_confirm boolean) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid;
begin
    insert into auth.users (email, raw_app_meta_data) values (lower(p_email), '{"provider":"email","providers":["email"]}')
    on conflict do nothing returning id into v_id;
    if v_id is null then
        raise exception 'email_exists' using errcode = 'PT422';
    end if;
    insert into public.user_profiles (id, email, status) values (v_id, lower(p_email), 'inactive') on conflict (id) do nothing;
    perform public.organization_personal(v_id, jsonb_build_object('email', lower(p_email)));
    perform public.auth_v1_data_apply(v_id, p_data);
    if p_password_hash is not null then
        perform public.auth_password_put(v_id, p_password_hash);
    end if;
    if p_confirm then
        perform public.auth_confirm(v_id, p_password_hash, '{}');
    end if;
    return v_id;
end
$$;

-- What only the application may say of a person; null takes away.
create or replace function public.auth_v1_app_data_apply(p_user uuid, p_data jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_gone text[] := array(select e.key from jsonb_each(p_data) e where e.value = 'null');
    v_all jsonb;
begin
    update auth.users u set raw_app_meta_data = (u.raw_app_meta_data || p_data) - v_gone, updated_at = now() where u.id = p_user
    returning jsonb_build_array(u.raw_app_meta_data, u.raw_user_meta_data) into v_all;
    perform public.auth_v1_data_check(v_all);
end
$$;

-- p_ban: so many hours ("24h"), or "none".  A banned person is inactive until the ban is lifted; banned_until only tells how long it was
-- meant to last.
create or replace function public.auth_v1_ban(p_user uuid, p_ban text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if p_ban = 'none' then
        update auth.users u set banned_until = null, updated_at = now() where u.id = p_user;
        update public.user_profiles p set status = 'active'
          from auth.users u where p.id = p_user and u.id = p_user and u.email_confirmed_at is not null;
    elsif p_ban ~ '^[0-9]{1,6}h$' then
        update auth.users u
           set banned_until = statement_timestamp() + make_interval(hours => rtrim(p_ban, 'h')::integer), updated_at = now()
         where u.id = p_user;
        update public.user_profiles p set status = 'inactive' where p.id = p_user;
        perform public.auth_sessions_revoke(p_user, 'admin');
    else
        raise exception 'validation_failed' using errcode = 'PT400', detail = 'ban_duration is none, or whole hours such as 24h.';
    end if;
end
$$;

-- ---- what the program calls ----------------------------------------------------------------------------------

create or replace function api.auth_v1_admin_list(p_claims jsonb, p_page integer, p_per_page integer) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_v1_need_service(p_claims);
    return jsonb_build_object('aud', 'authenticated', 'total', (select count(*) from auth.users u), 'users', coalesce((
        select jsonb_agg(public.auth_v1_user(l.id) order by l.created_at desc, l.id)
          from (select u.id, u.created_at from auth.users u order by u.created_at desc, u.id
                 limit p_per_page offset (p_page - 1) * p_per_page) l), '[]'));
end
$$;

create or replace function api.auth_v1_admin_get(p_claims jsonb, p_user uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_v1_need_service(p_claims);
    perform public.auth_v1_known(p_user);
    return public.auth_v1_user(p_user);
end
$$;

-- p_more: user_metadata, app_metadata, email_confirm, ban_duration; all may be missing.
create or replace function api.auth_v1_admin_create(p_claims jsonb, p_email text, p_password_hash text, p_more jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid;
begin
    perform public.auth_v1_need_service(p_claims);
    v_user := public.auth_v1_user_make(p_email, p_password_hash, coalesce(p_more -> 'user_metadata', '{}'),
                                       coalesce((p_more ->> 'email_confirm')::boolean, false));
    perform public.auth_v1_app_data_apply(v_user, coalesce(p_more -> 'app_metadata', '{}'));
    if p_more ? 'ban_duration' then
        perform public.auth_v1_ban(v_user, p_more ->> 'ban_duration');
    end if;
    return public.auth_v1_user(v_user);
end
$$;

-- An address that the application gives is believed.
create or replace function public.auth_v1_email_put(p_user uuid, p_email text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update auth.users u set email = lower(p_email), email_change = null, updated_at = now() where u.id = p_user;
    update public.user_profiles p set email = lower(p_email) where p.id = p_user;
    perform public.auth_tokens_void(p_user);
exception when unique_violation then
    raise exception 'email_exists' using errcode = 'PT422';
end
$$;

create or replace function api.auth_v1_admin_update(p_claims jsonb, p_user uuid, p_email text, p_password_hash text, p_more jsonb)
    returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_v1_need_service(p_claims);
    perform public.auth_v1_known(p_user);
    if p_email is not null then
        perform public.auth_v1_email_put(p_user, p_email);
    end if;
    if p_password_hash is not null then
        perform public.auth_password_put(p_user, p_password_hash);
        perform public.auth_tokens_void(p_user);
        perform public.auth_sessions_revoke(p_user, 'admin');
    end if;
    if (p_more ->> 'email_confirm')::boolean then
        perform public.auth_confirm(p_user, coalesce(p_password_hash,
            (select c.password_hash from hookswitch_auth.credentials c where c.user_id = p_user)), '{}');
    end if;
    perform public.auth_v1_data_apply(p_user, coalesce(p_more -> 'user_metadata', '{}')),
            public.auth_v1_app_data_apply(p_user, coalesce(p_more -> 'app_metadata', '{}'));
    if p_more ? 'ban_duration' then
        perform public.auth_v1_ban(p_user, p_more ->> 'ban_duration');
    end if;
    return public.auth_v1_user(p_user);
end
$$;

-- The account, its sessions and its own organization are gone; memberships elsewhere too.  Whoever is the only owner of an organization of
-- several people has to hand it on first.
create or replace function api.auth_v1_admin_delete(p_claims jsonb, p_user uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.auth_v1_need_service(p_claims);
    perform public.auth_v1_known(p_user);
    perform from public.organization_members m join public.organizations o on o.id = m.organization_id
      where m.user_id = p_user and m.role = 'owner' and o.personal_of is distinct from p_user and o.status <> 'disabled'
        and not exists (select from public.organization_members n
                         where n.organization_id = m.organization_id and n.user_id <> p_user and n.role = 'owner');
    if found then
        raise exception 'user_owns_organization' using errcode = 'PT409';
    end if;
    perform public.auth_sessions_revoke(p_user, 'admin');
    delete from public.organization_members m using public.organizations o
     where m.organization_id = o.id and m.user_id = p_user and o.personal_of is distinct from p_user;
    update public.organizations o set status = 'disabled' where o.personal_of = p_user;
    delete from public.user_profiles p where p.id = p_user;
    delete from auth.users u where u.id = p_user;
    return '{}';
end
$$;

-- A token that is not mailed but given to who asks.  p_type: signup, invite, magiclink, recovery, email_change_new, email_change_current;
-- the first three make the account where it is missing.  {"token_id","kind","type","user"}; kind: what it is a token of.
create or replace function api.auth_v1_admin_link(p_claims jsonb, p_type text, p_email text, p_password_hash text, p_more jsonb)
    returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.auth_user_of(p_email);
    v_type text := p_type;
    v_kind text;
begin
    perform public.auth_v1_need_service(p_claims);
    perform from auth.users u where u.id = v_user and u.email_confirmed_at is not null;
    if found and p_type in ('signup', 'invite') then
        raise exception 'email_exists' using errcode = 'PT422';
    elsif v_user is null and p_type not in ('signup', 'invite', 'magiclink') then
        raise exception 'user_not_found' using errcode = 'PT404';
    elsif v_user is null then
        v_user := public.auth_v1_user_make(p_email, p_password_hash, coalesce(p_more -> 'data', '{}'), false);
        v_type := case p_type when 'invite' then 'invite' else 'signup' end;
    end if;
    v_kind := case when v_type like 'email_change%' then 'email_change' else v_type end;
    if v_type = 'invite' then
        update auth.users u set invited_at = statement_timestamp() where u.id = v_user;
    end if;
    return jsonb_build_object('kind', v_kind, 'type', v_type, 'user', public.auth_v1_user(v_user), 'token_id', public.auth_token_make(
        v_kind, v_user, case when v_kind in ('signup', 'invite', 'email_change') then 86400 else 3600 end,
        p_more || jsonb_build_object('password_hash', p_password_hash, 'new_email', lower(p_more ->> 'new_email'))));
end
$$;
