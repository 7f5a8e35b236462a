-- 26_organizations.sql - organizations: who may change one, how it looks, making and changing it, the default one.

-- The active organization for a function that acts for everybody: another one does not exist.
create or replace function public.organization_here(p_organization uuid) returns void
    language plpgsql stable security definer set search_path = '' as $$
begin
    if p_organization is distinct from public.current_organization_id() then
        raise exception 'organization_not_found' using errcode = 'PT404';
    end if;
end
$$;

-- The same for a change: its row is locked first, always before the rows that belong to it, and it must not be deleted.
create or replace function public.organization_lock(p_organization uuid) returns public.organizations
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations;
begin
    perform public.organization_here(p_organization);
    select * into o from public.organizations x where x.id = p_organization for no key update;
    if o.deleted_after is not null or o.status = 'disabled' then
        raise exception 'organization_inactive' using errcode = 'PT403', detail = 'The organization is deleted; it can still be restored by an owner.';
    end if;
    return o;
end
$$;

-- What whoever asks may do there, as scopes; {*}: everything.
create or replace function public.actor_scopes(p_organization uuid) returns text[]
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_claims jsonb := coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
begin
    if v_claims ->> 'role' = 'service_role' then
        return '{*}';
    elsif v_claims ? 'key_id' then
        return (select k.scopes from public.api_keys k where k.id = (v_claims ->> 'key_id')::uuid and k.organization_id = p_organization);
    end if;
    return array(select r.scope from public.role_scopes() r join public.organization_members m on m.role = r.role
                  where m.organization_id = p_organization and m.user_id = public.current_user_id());
end
$$;

-- Only owners make owners, and touch them.
create or replace function public.organization_owner_needed(p_organization uuid) returns void
    language plpgsql stable security definer set search_path = '' as $$
begin
    if not public.actor_scopes(p_organization) && '{*,organization:delete}' then
        raise exception 'owner_needed' using errcode = 'PT403';
    end if;
end
$$;

-- Nobody gives more than he may himself; owners are made by owners.  p_old: the role of a member who is given another one.
create or replace function public.organization_role_give(p_organization uuid, p_role text, p_old text default null) returns void
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_own text[] := public.actor_scopes(p_organization);
    v_scope text;
begin
    if p_role = 'owner' then
        perform public.organization_owner_needed(p_organization);
    end if;
    select r.scope into v_scope from public.role_scopes() r
     where r.role = p_role and not v_own && array['*', r.scope]
       and not exists (select from public.role_scopes() old where old.role = p_old and old.scope = r.scope)
     order by r.scope limit 1;
    if found then
        raise exception 'rights_exceeded' using errcode = 'PT403', detail = format('You do not have %s yourself.', v_scope), hint = 'role';
    end if;
end
$$;

create or replace function public.person_needed() returns uuid
    language plpgsql stable set search_path = '' as $$
begin
    if public.current_user_id() is null then
        raise exception 'person_needed' using errcode = 'PT403';
    end if;
    return public.current_user_id();
end
$$;

-- An organization keeps an owner, whoever writes and however: the last one cannot go, and of two who go at once the second waits for the
-- first one's lock and then sees that he is the last.
create or replace function public.organization_owner_keep() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    perform from public.organizations o where o.id = old.organization_id for no key update;
    if found then
        perform from public.organization_members m where m.organization_id = old.organization_id and m.role = 'owner';
        if not found then
            raise exception 'last_owner' using errcode = 'PT409', detail = 'Make somebody else an owner first.';
        end if;
    end if;
    return null;
end
$$;

-- ---- how it looks ----------------------------------------------------------------

create or replace function public.organization_view(o public.organizations, p_role text, p_default boolean) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', o.id, 'name', o.name, 'status', o.status, 'is_personal', o.personal_of is not null, 'role', p_role, 'is_default', coalesce(p_default, false),
        'settings', jsonb_build_object('notifications', o.settings -> 'notifications', 'transfer_numbers', o.settings -> 'transfer_numbers',
                                       'calling_hours', o.settings -> 'calling_hours', 'assistant', o.settings -> 'assistant',
                                       'max_concurrent_calls', o.max_concurrent_calls),
        'deleted_after', public.time_view(o.deleted_after), 'created_at', public.time_view(o.created_at), 'updated_at', public.time_view(o.updated_at));
end
$$;

-- The active organization as whoever asks sees it; role is null for a key.
create or replace function public.organization_view_of(p_organization uuid) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    perform public.organization_here(p_organization);
    return (select public.organization_view(o, m.role, m.is_default)
              from public.organizations o
              left join public.organization_members m on m.organization_id = o.id and m.user_id = public.current_user_id()
             where o.id = p_organization);
end
$$;

-- All organizations of the person who asks, newest first; those of a key or a service are the active one.
create or replace function public.organizations_mine(p_after text, p_limit integer) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_user uuid := public.current_user_id();
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('organizations', p_after);
    if v_user is null then
        return jsonb_build_object('data', jsonb_build_array(public.organization_view_of(public.current_organization_id())), 'next_cursor', null);
    end if;
    with page as (
        select o, m.role, m.is_default, row_number() over (order by o.created_at desc, o.id desc) as i
          from public.organization_members m join public.organizations o on o.id = m.organization_id
         where m.user_id = v_user and o.status <> 'disabled'
           and (v_after.id is null or (o.created_at, o.id) < (v_after.at, v_after.id::uuid))
         order by o.created_at desc, o.id desc limit p_limit + 1)
    select public.page_view('organizations', array_agg(public.organization_view(p.o, p.role, p.is_default) order by p.i), array_agg((p.o).created_at order by p.i),
                            array_agg((p.o).id::text order by p.i), p_limit)
      into v_page from page p;
    return v_page;
end
$$;

-- ---- changes ------------------------------------------------------------------------

-- Each organization that pays for nothing has the calls of the default plan anew, so a person has few of them; a deleted one counts until it is gone.
-- Where that plan has no limits nobody gains anything.
create or replace function public.enough_for_nothing(p_user uuid) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return exists (select from public.subscription_plans p where p.is_default and num_nonnulls(p.call_limit, p.minutes_limit) > 0)
       and (select count(*) >= 5 from public.organization_members m
              join public.subscriptions s on s.organization_id = m.organization_id and s.current
              join public.subscription_plans p on p.id = s.plan_id
             where m.user_id = p_user and m.role = 'owner' and p.is_default);
end
$$;

create or replace function public.organization_create(p_name text, p_settings jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.person_needed();
    v_settings jsonb := public.settings_merge('{}', coalesce(p_settings, '{}'));
    o public.organizations;
    m public.organization_members;
begin
    perform from public.organization_members x where x.user_id = v_user and x.role = 'owner' offset 99;
    if found then
        raise exception 'limit_reached' using errcode = 'PT422', detail = 'One person owns at most 100 organizations.';
    elsif public.enough_for_nothing(v_user) then
        raise exception 'limit_reached' using errcode = 'PT422', detail = 'One person owns at most 5 organizations that pay for nothing.';
    end if;
    perform public.settings_assistant(null, p_name, p_settings);
    insert into public.organizations (name, settings, max_concurrent_calls)
    values (p_name, v_settings, (p_settings ->> 'max_concurrent_calls')::integer) returning * into o;
    insert into public.organization_members (organization_id, user_id, role, is_default)
    values (o.id, v_user, 'owner', not exists (select from public.organization_members x where x.user_id = v_user and x.is_default))
    returning * into m;
    return public.organization_view(o, m.role, m.is_default);
end
$$;

-- p_changes: name, settings (each member is replaced as a whole, null clears it), is_default (of the person who asks).
create or replace function public.organization_update(p_organization uuid, p_changes jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations := public.organization_lock(p_organization);
    v_new jsonb := coalesce(p_changes -> 'settings', '{}');
begin
    if p_changes ? 'name' or v_new <> '{}' then
        perform public.settings_assistant(o.id, coalesce(p_changes ->> 'name', o.name), v_new);
        update public.organizations x
           set name = coalesce(p_changes ->> 'name', x.name), settings = public.settings_merge(x.settings, v_new),
               max_concurrent_calls = case when v_new ? 'max_concurrent_calls' then (v_new ->> 'max_concurrent_calls')::integer
                                           else x.max_concurrent_calls end
         where x.id = o.id;
    end if;
    if p_changes ? 'is_default' then
        perform public.organization_default(o.id, (p_changes ->> 'is_default')::boolean);
    end if;
end
$$;

-- A person has one default at most.  His own rows are locked in one order, so that two wishes at once come one after the other.
create or replace function public.organization_default(p_organization uuid, p_wanted boolean) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.person_needed();
begin
    perform public.organization_here(p_organization);
    perform from public.organization_members m where m.user_id = v_user order by m.organization_id for no key update;
    update public.organization_members m set is_default = false
     where m.user_id = v_user and m.is_default and (m.organization_id <> p_organization) = p_wanted;
    if p_wanted then
        update public.organization_members m set is_default = true
         where m.user_id = v_user and m.organization_id = p_organization and not m.is_default;
    end if;
end
$$;
