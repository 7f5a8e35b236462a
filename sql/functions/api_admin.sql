-- api_admin.sql - /api/v1/admin: people, organizations, the operators' log.  Run as hookswitch_operator.

-- Whether a person or an organization is what somebody looks for: by the beginning of its id, or by a part of a name.
create or replace function public.admin_matches(p_q text, p_id uuid, p_names text[]) returns boolean
    language plpgsql immutable set search_path = '' as $$
begin
    return p_q is null or starts_with(p_id::text, lower(p_q))
        or exists (select from unnest(p_names) n where strpos(lower(n), lower(p_q)) > 0);
end
$$;

create or replace function api.admin_person_list(p_q text default null, p_status text default null, p_after text default null, p_limit integer default 20)
    returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('admin_people', p_after);
    with page as (
        select p, row_number() over (order by p.created_at desc, p.id desc) as i from public.user_profiles p
         where (p_status is null or p.status = p_status)
           and public.admin_matches(p_q, p.id, array[p.email, p.first_name, p.last_name, concat_ws(' ', p.first_name, p.last_name)])
           and (v_after.id is null or (p.created_at, p.id) < (v_after.at, v_after.id::uuid))
         order by p.created_at desc, p.id desc limit p_limit + 1)
    select public.page_view('admin_people', array_agg(public.admin_person_line(g.p) order by g.i), array_agg((g.p).created_at order by g.i),
                            array_agg((g.p).id::text order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function api.admin_person_get(p_user_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.admin_person_view(p_user_id);
end
$$;

create or replace function api.admin_person_disable(p_user_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_person_open(p_user_id, false);
    return public.admin_person_view(p_user_id);
end
$$;

create or replace function api.admin_person_enable(p_user_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_person_open(p_user_id, true);
    return public.admin_person_view(p_user_id);
end
$$;

create or replace function api.admin_organization_list(p_q text default null, p_status text default null, p_after text default null,
                                                       p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('admin_organizations', p_after);
    with page as (
        select o, row_number() over (order by o.created_at desc, o.id desc) as i from public.organizations o
         where (p_status is null or o.status = p_status)
           and public.admin_matches(p_q, o.id, array[o.name])
           and (v_after.id is null or (o.created_at, o.id) < (v_after.at, v_after.id::uuid))
         order by o.created_at desc, o.id desc limit p_limit + 1)
    select public.page_view('admin_organizations', array_agg(public.admin_organization_line(g.o) order by g.i), array_agg((g.o).created_at order by g.i),
                            array_agg((g.o).id::text order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function api.admin_organization_get(p_organization_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.admin_organization_view(p_organization_id);
end
$$;

create or replace function api.admin_organization_disable(p_organization_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_organization_open(p_organization_id, false);
    return public.admin_organization_view(p_organization_id);
end
$$;

create or replace function api.admin_organization_enable(p_organization_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_organization_open(p_organization_id, true);
    return public.admin_organization_view(p_organization_id);
end
$$;

-- What operators did, and what was done to what is the installation's; newest first.
create or replace function api.admin_audit_list(
    p_action text default null, p_actor_id uuid default null, p_from timestamptz default null, p_to timestamptz default null,
    p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('admin_audit', p_after);
    with page as (
        select a, row_number() over (order by a.created_at desc, a.id desc) as i from public.audit_log a
         where (a.actor_type = 'operator' or a.organization_id is null)
           and (p_action is null or a.action = p_action)
           and (p_actor_id is null or a.actor_id = p_actor_id)
           and (p_from is null or a.created_at >= p_from)
           and (p_to is null or a.created_at < p_to)
           and (v_after.id is null or (a.created_at, a.id) < (v_after.at, v_after.id::uuid))
         order by a.created_at desc, a.id desc limit p_limit + 1)
    select public.page_view('admin_audit', array_agg(public.audit_view(g.a) || jsonb_build_object('organization_id', (g.a).organization_id) order by g.i), array_agg((g.a).created_at order by g.i),
                            array_agg((g.a).id::text order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;
