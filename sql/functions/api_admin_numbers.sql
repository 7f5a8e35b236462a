-- api_admin_numbers.sql - /api/v1/admin/numbers: the policy, all numbers, the log, differences.  Run as hookswitch_operator.

create or replace function api.admin_number_policy_get() returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.admin_number_policy_view();
end
$$;

create or replace function api.admin_number_policy_update(p_changes jsonb) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_number_policy_write(p_changes);
    return public.admin_number_policy_view();
end
$$;

-- The newest come first.
create or replace function api.admin_number_list(p_status text default null, p_organization_id uuid default null, p_after text default null,
                                                 p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('admin_numbers', p_after);
    with page as (
        select n, row_number() over (order by n.created_at desc, n.id desc) as i from public.phone_numbers n
         where (p_status is null or n.status = p_status)
           and (p_organization_id is null or n.organization_id = p_organization_id)
           and (v_after.id is null or (n.created_at, n.id) < (v_after.at, v_after.id::uuid))
         order by n.created_at desc, n.id desc limit p_limit + 1)
    select public.page_view('admin_numbers', array_agg(public.admin_number_view(g.n) order by g.i), array_agg((g.n).created_at order by g.i),
                            array_agg((g.n).id::text order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function api.admin_number_release(p_number_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_number_release(p_number_id);
    return (select public.admin_number_view(n) from public.phone_numbers n where n.id = p_number_id);
end
$$;

create or replace function api.admin_number_log(p_organization_id uuid default null, p_phone_number_id uuid default null, p_status text default null,
                                                p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('admin_number_log', p_after);
    with page as (
        select l, row_number() over (order by l.created_at desc, l.id desc) as i from public.phone_provision_logs l
         where (p_organization_id is null or l.organization_id = p_organization_id)
           and (p_phone_number_id is null or l.phone_number_id = p_phone_number_id)
           and (p_status is null or l.status = p_status)
           and (v_after.id is null or (l.created_at, l.id) < (v_after.at, v_after.id::uuid))
         order by l.created_at desc, l.id desc limit p_limit + 1)
    select public.page_view('admin_number_log', array_agg(public.admin_number_log_view(g.l) order by g.i), array_agg((g.l).created_at order by g.i),
                            array_agg((g.l).id::text order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

-- Those seen last come first.
create or replace function api.admin_number_difference_list(p_state text default 'open', p_kind text default null, p_organization_id uuid default null,
                                                            p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('admin_number_differences', p_after);
    with page as (
        select d, row_number() over (order by d.last_seen_at desc, d.id desc) as i from public.number_differences d
         where (p_state = 'all' or (d.resolved_at is null) = (p_state = 'open'))
           and (p_kind is null or d.kind = p_kind)
           and (p_organization_id is null or d.organization_id = p_organization_id)
           and (v_after.id is null or (d.last_seen_at, d.id) < (v_after.at, v_after.id::uuid))
         order by d.last_seen_at desc, d.id desc limit p_limit + 1)
    select public.page_view('admin_number_differences', array_agg(public.admin_number_difference_view(g.d) order by g.i),
                            array_agg((g.d).last_seen_at order by g.i), array_agg((g.d).id::text order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;
