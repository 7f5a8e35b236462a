-- 26_organizations_keys.sql - API keys: made, rotated, revoked.  The key itself is never here, only its SHA-256.

create or replace function public.api_key_view(k public.api_keys) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', k.id, 'name', k.name, 'prefix', k.prefix, 'scopes', k.scopes,
        'state', case when k.revoked_at is not null then 'revoked' when k.expires_at <= now() then 'expired' else 'active' end,
        'replaces', k.replaces, 'replaced_by', (select n.id from public.api_keys n where n.replaces = k.id), 'created_by', k.created_by,
        'created_at', public.time_view(k.created_at), 'expires_at', public.time_view(k.expires_at),
        'revoked_at', public.time_view(k.revoked_at), 'last_used_at', public.time_view(k.last_used_at));
end
$$;

create or replace function public.api_keys_page(p_organization uuid, p_after text, p_limit integer) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    perform public.organization_here(p_organization);
    select * into v_after from public.cursor_read('api_keys', p_after);
    with page as (
        select k, row_number() over (order by k.created_at desc, k.id desc) as i from public.api_keys k
         where k.organization_id = p_organization and (v_after.id is null or (k.created_at, k.id) < (v_after.at, v_after.id::uuid))
         order by k.created_at desc, k.id desc limit p_limit + 1)
    select public.page_view('api_keys', array_agg(public.api_key_view(g.k) order by g.i), array_agg((g.k).created_at order by g.i),
                            array_agg((g.k).id::text order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function public.api_key_view_of(p_organization uuid, p_key uuid) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    k public.api_keys;
begin
    perform public.organization_here(p_organization);
    select * into k from public.api_keys x where x.organization_id = p_organization and x.id = p_key;
    if not found then
        raise exception 'api_key_not_found' using errcode = 'PT404';
    end if;
    return public.api_key_view(k);
end
$$;

-- Nobody makes a key that may do more than he may himself.
create or replace function public.api_key_scopes(p_organization uuid, p_scopes jsonb) returns text[]
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_own text[] := public.actor_scopes(p_organization);
    v_all text[] := array(select distinct s.scope from public.role_scopes() s);
    v_scopes text[] := '{}';
    r record;
begin
    for r in select e.value #>> '{}' as scope, e.ordinality - 1 as i from jsonb_array_elements(p_scopes) with ordinality e loop
        if r.scope <> all (v_all || '*'::text) or r.scope is null then
            perform public.refuse_field('scope_unknown', 'scopes.' || r.i, 'One of ' || array_to_string(array(select s from unnest(v_all) s order by s), ', ') || ', or *.');
        end if;
        if not ('*' = any (v_own) or r.scope = any (v_own) or (r.scope = '*' and v_own @> v_all)) then
            raise exception 'rights_exceeded' using errcode = 'PT403', detail = format('You do not have %s yourself.', r.scope), hint = 'scopes.' || r.i;
        end if;
        v_scopes := v_scopes || r.scope;
    end loop;
    return array(select distinct s from unnest(v_scopes) s order by s);
end
$$;

create or replace function public.api_key_expiry(p_expires_at timestamptz) returns timestamptz
    language plpgsql stable set search_path = '' as $$
begin
    if p_expires_at <= now() then
        perform public.refuse_field('expires_in_past', 'expires_at', 'A time to come.');
    end if;
    return p_expires_at;
end
$$;

create or replace function public.api_key_make(p_organization uuid, p_name text, p_scopes jsonb, p_expires_at timestamptz, p_hash text, p_prefix text)
    returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations := public.organization_lock(p_organization);
    k public.api_keys;
begin
    perform from public.api_keys x where x.organization_id = o.id and x.revoked_at is null and (x.expires_at is null or x.expires_at > now()) offset 99;
    if found then
        raise exception 'limit_reached' using errcode = 'PT422', detail = 'An organization has at most 100 keys that work.';
    end if;
    insert into public.api_keys (organization_id, created_by, name, prefix, key_hash, scopes, expires_at)
    values (o.id, public.current_user_id(), p_name, p_prefix, p_hash, public.api_key_scopes(o.id, p_scopes), public.api_key_expiry(p_expires_at))
    returning * into k;
    return public.api_key_view(k);
end
$$;

-- The key for a change; its organization's row is locked.  One that ended cannot be changed any more.
create or replace function public.api_key_lock(p_organization uuid, p_key uuid) returns public.api_keys
    language plpgsql security definer set search_path = '' as $$
declare
    k public.api_keys;
begin
    select * into k from public.api_keys x where x.organization_id = p_organization and x.id = p_key for update;
    if not found then
        raise exception 'api_key_not_found' using errcode = 'PT404';
    end if;
    if k.revoked_at is not null or k.expires_at <= now() then
        raise exception 'api_key_ended' using errcode = 'PT409';
    end if;
    return k;
end
$$;

-- A new key of the same name and rights; the old one lives on for the grace.  Never more than two live: what was rotated before ends now.
create or replace function public.api_key_rotate(p_organization uuid, p_key uuid, p_grace_seconds integer, p_expires_at timestamptz, p_hash text,
                                                 p_prefix text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations := public.organization_lock(p_organization);
    k public.api_keys := public.api_key_lock(o.id, p_key);
    n public.api_keys;
begin
    perform from public.api_keys x where x.replaces = k.id;
    if found then
        raise exception 'api_key_rotated' using errcode = 'PT409', detail = 'Rotate the key that replaced it.';
    end if;
    perform public.api_key_scopes(o.id, to_jsonb(k.scopes));
    insert into public.api_keys (organization_id, created_by, name, prefix, key_hash, scopes, expires_at, replaces)
    values (o.id, public.current_user_id(), k.name, p_prefix, p_hash, k.scopes, coalesce(public.api_key_expiry(p_expires_at), k.expires_at), k.id)
    returning * into n;
    update public.api_keys x set expires_at = least(x.expires_at, now() + make_interval(secs => p_grace_seconds)) where x.id = k.id;
    update public.api_keys x set expires_at = now() where x.id = k.replaces and x.revoked_at is null and (x.expires_at is null or x.expires_at > now());
    return public.api_key_view(n);
end
$$;

create or replace function public.api_key_revoke(p_organization uuid, p_key uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations := public.organization_lock(p_organization);
    k public.api_keys := public.api_key_lock(o.id, p_key);
begin
    update public.api_keys x set revoked_at = now() where x.id = k.id;
end
$$;
