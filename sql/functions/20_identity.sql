-- 20_identity.sql - who is asking, established once for each request; Idempotency-Key.

-- From verified claims.  p_organization: the path's or the header's wish; p_scope: what the route asks of a member's role; null: it asks for
-- a person only, and then the organization that no path names is whichever there is.  p_operators: the route is for operators, and these are
-- named in the settings; null: it is not.
create or replace function public.request_identity_token(p_claims jsonb, p_organization text, p_scope text, p_operators text default null)
    returns table (claims text, organization_id uuid, user_id uuid)
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := nullif(p_claims ->> 'sub', '')::uuid;
    v_wish uuid := public.uuid_or_null(coalesce(nullif(p_organization, ''), nullif(p_claims -> 'app_metadata' ->> 'organization_id', '')));
    v_service boolean := coalesce(p_claims ->> 'role' = 'service_role', false);
    v_person boolean := p_scope is null;
    v_found uuid;
begin
    perform public.token_accept(p_claims, v_person and p_operators is null);
    if p_operators is not null then
        perform public.operator_check(p_claims, p_operators);
    end if;
    if nullif(p_organization, '') is not null and v_wish is null then
        raise exception 'organization_not_found' using errcode = 'PT404';
    end if;
    if v_service then
        if v_wish is null then
            raise exception 'bad_request' using errcode = 'PT400', detail = 'A service key must name the organization: X-Organization-Id.';
        end if;
        select o.id into v_found from public.organizations o where o.id = v_wish and o.status <> 'disabled';
    else
        v_found := public.organization_of_user(v_user, v_wish);
        if v_found is null and v_person and nullif(p_organization, '') is null then
            v_wish := null;
            v_found := public.organization_of_user(v_user, null);
        end if;
        if v_found is null and v_wish is null then
            v_found := public.organization_personal(v_user, p_claims);
        end if;
    end if;
    if v_found is null and (not v_person or v_wish is not null) then
        perform from public.organizations o
          where (o.id = v_wish or (v_wish is null and o.personal_of = v_user)) and o.status = 'disabled'
            and (v_service or exists (select from public.organization_members m where m.organization_id = o.id and m.user_id = v_user));
        if found then
            raise exception 'organization_inactive' using errcode = 'PT403';
        end if;
        raise exception 'organization_not_found' using errcode = 'PT404';
    end if;
    if not v_person and not v_service then
        perform public.role_check(v_found, v_user, p_scope);
    end if;
    return query select p_claims::text, v_found, v_user;
end
$$;

-- p_person: the route is for people.  The service key of an application is nobody.
create or replace function public.token_accept(p_claims jsonb, p_person boolean) returns void
    language plpgsql stable set search_path = '' as $$
declare
    v_why text := public.token_refused(p_claims);
begin
    if v_why = 'account_inactive' then
        raise exception 'account_inactive' using errcode = 'PT403';
    elsif v_why = 'totp_needed' then
        raise exception 'totp_needed' using errcode = 'PT403';
    elsif v_why is not null then
        raise exception 'session_revoked' using errcode = 'PT401';
    end if;
    if p_person and (p_claims ->> 'role' = 'service_role' or nullif(p_claims ->> 'sub', '') is null) then
        raise exception 'person_needed' using errcode = 'PT403';
    end if;
end
$$;

-- Operators are people whose application says so (app_metadata.hookswitch_operator is true), or who are named by id or by an address of theirs
-- that their account, which must be at hand, says is confirmed.  What an account of ours says today counts, not what its token said yesterday.
-- Letters are alike in ASCII alone: no other sign becomes one of them.
create or replace function public.operator_check(p_claims jsonb, p_operators text) returns void
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_user uuid := public.uuid_or_null(p_claims ->> 'sub');
    v_named text[] := regexp_split_to_array(lower(p_operators collate "C"), '[\s,]+');
    v_claim boolean := coalesce(p_claims -> 'app_metadata' -> 'hookswitch_operator' = 'true', false);
    v_account jsonb;
    v_email text;
begin
    begin
        select to_jsonb(u) into v_account from auth.users u where u.id = v_user;
    exception when insufficient_privilege then
        v_account := null; -- another's schema auth, which we may not read: a token alone proves no address
    end;
    if v_account ->> 'email_confirmed_at' is not null and not coalesce((p_claims ->> 'is_anonymous')::boolean, false) then
        v_email := nullif(lower(v_account ->> 'email' collate "C"), '');
    end if;
    if v_claim and exists (select from hookswitch_auth.sessions s where s.id = public.uuid_or_null(p_claims ->> 'session_id')) then
        v_claim := coalesce(v_account -> 'raw_app_meta_data' -> 'hookswitch_operator' = 'true', false);
    end if;
    if v_user is null or p_claims ->> 'role' = 'service_role'
       or not (v_claim or v_user::text = any (v_named) or coalesce(v_email = any (v_named), false)) then
        raise exception 'operator_needed' using errcode = 'PT403';
    end if;
end
$$;

-- The address of whoever holds a token, in lower case; null where his account does not say that it is confirmed.
create or replace function public.email_proved_of(p_claims jsonb) returns text
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_account jsonb;
begin
    if coalesce((p_claims ->> 'is_anonymous')::boolean, false) then
        return null;
    end if;
    begin
        select to_jsonb(u) into v_account from auth.users u where u.id = public.uuid_or_null(p_claims ->> 'sub');
    exception when insufficient_privilege then
        v_account := null; -- another's schema auth, which we may not read: the token alone is believed
    end;
    if v_account ? 'email_confirmed_at' and v_account -> 'email_confirmed_at' = 'null' then
        return null;
    end if;
    return lower(nullif(coalesce(v_account, p_claims) ->> 'email', ''));
end
$$;

-- From the SHA-256 of an API key.  p_in_path: the path names the organization: then another one than the key's does not exist; a header that
-- names another is a contradiction.  last_used_at is written at most once a minute.
create or replace function public.request_identity_key(p_hash text, p_organization text, p_scope text, p_in_path boolean default false)
    returns table (claims text, organization_id uuid, user_id uuid)
    language plpgsql security definer set search_path = '' as $$
declare
    k public.api_keys;
begin
    select * into k from public.api_keys a
     where a.key_hash = p_hash and a.revoked_at is null and (a.expires_at is null or a.expires_at > now());
    if not found then
        raise exception 'api_key_invalid' using errcode = 'PT401';
    end if;
    if nullif(p_organization, '') is not null and public.uuid_or_null(p_organization) is distinct from k.organization_id then
        if p_in_path then
            raise exception 'organization_not_found' using errcode = 'PT404';
        end if;
        raise exception 'organization_mismatch' using errcode = 'PT403';
    end if;
    if not ('*' = any(k.scopes) or p_scope = any(k.scopes)) then
        raise exception 'scope_missing' using errcode = 'PT403', detail = format('The key needs the scope %s.', p_scope);
    end if;
    perform from public.organizations o where o.id = k.organization_id and o.status <> 'disabled';
    if not found then
        raise exception 'organization_inactive' using errcode = 'PT403';
    end if;
    if k.last_used_at is null or k.last_used_at < now() - interval '1 minute' then
        update public.api_keys set last_used_at = now() where id = k.id;
    end if;
    return query select jsonb_build_object('role', 'hookswitch_key', 'key_id', k.id)::text, k.organization_id, k.created_by;
end
$$;

create or replace function public.uuid_or_null(p_text text) returns uuid
    language plpgsql immutable set search_path = '' as $$
begin
    return case when p_text ~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$' then p_text::uuid end;
end
$$;

-- A person's own organization, made at the first valid token.  Two first requests at once make one.
create or replace function public.organization_personal(p_user uuid, p_claims jsonb) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid;
begin
    if p_user is null then
        return null;
    end if;
    insert into public.organizations (name, personal_of)
    values (left(coalesce(nullif(p_claims ->> 'email', ''), 'Personal'), 200), p_user)
    on conflict (personal_of) do nothing;
    select o.id into v_id from public.organizations o where o.personal_of = p_user and o.status <> 'disabled';
    insert into public.organization_members (organization_id, user_id, role, is_default)
    select v_id, p_user, 'owner', not exists (select from public.organization_members m where m.user_id = p_user and m.is_default)
     where v_id is not null
    on conflict do nothing;
    insert into public.user_profiles (id, email, status) values (p_user, p_claims ->> 'email', 'active') on conflict (id) do nothing;
    return v_id;
end
$$;

-- Idempotency-Key: 'new' go on; 'replay' the stored answer; 'reused' for another request; 'in_use' by one that still runs.  p_person: of a
-- route for people: the key is the person's, not the organization's that happens to be active.
create or replace function public.idempotency_take(p_key text, p_fingerprint text, p_person boolean default false)
    returns table (state text, status integer, body text)
    language plpgsql set search_path = '' as $$
declare
    v_owner uuid := case when p_person then public.current_user_id() else public.current_organization_id() end;
    k public.idempotency_keys;
begin
    if not pg_try_advisory_xact_lock(hashtextextended(v_owner::text || ' ' || p_key, 7)) then
        return query select 'in_use', null::integer, null::text;
        return;
    end if;
    select * into k from public.idempotency_keys i where i.owner_id = v_owner and i.key = p_key;
    if not found then
        return query select 'new', null::integer, null::text;
    elsif k.created_at < now() - interval '24 hours' then
        delete from public.idempotency_keys i where i.owner_id = v_owner and i.key = p_key;
        return query select 'new', null::integer, null::text;
    elsif k.fingerprint <> p_fingerprint then
        return query select 'reused', null::integer, null::text;
    else
        return query select 'replay', k.status, k.body;
    end if;
end
$$;

create or replace function public.idempotency_keep(p_key text, p_fingerprint text, p_status integer, p_body text, p_person boolean default false)
    returns void
    language sql set search_path = '' as $$
    insert into public.idempotency_keys (organization_id, user_id, key, fingerprint, status, body)
    select case when not p_person then public.current_organization_id() end, case when p_person then public.current_user_id() end,
           p_key, p_fingerprint, p_status, p_body
$$;
