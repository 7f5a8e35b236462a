-- api_audit.sql - /api/v1/organizations/{organization_id}/audit-log: newest first, by page or as a whole.

create or replace function api.audit_list(
    p_organization_id uuid, p_action text default null, p_actor_id uuid default null, p_target_type text default null, p_target_id uuid default null,
    p_from timestamptz default null, p_to timestamptz default null, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_page jsonb;
begin
    perform public.organization_here(p_organization_id);
    with page as (
        select r as a, row_number() over (order by r.created_at desc, r.id desc) as n
          from public.audit_rows(public.audit_filter(p_action, p_actor_id, p_target_type, p_target_id, p_from, p_to), p_after, p_limit + 1) r)
    select public.page_view('audit_log', array_agg(public.audit_view(g.a) order by g.n), array_agg((g.a).created_at order by g.n),
                            array_agg((g.a).id::text order by g.n), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

-- The same as text, a page of 500 at a time: {"text","next_cursor"}.  What comes in meanwhile is newer than the first page and not in it.
create or replace function api.audit_export(
    p_organization_id uuid, p_format text, p_action text, p_actor_id uuid, p_target_type text, p_target_id uuid, p_from timestamptz, p_to timestamptz,
    p_after text) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_text text;
    v_next text;
begin
    perform public.organization_here(p_organization_id);
    with page as (
        select r as a, row_number() over (order by r.created_at desc, r.id desc) as n
          from public.audit_rows(public.audit_filter(p_action, p_actor_id, p_target_type, p_target_id, p_from, p_to), p_after, 501) r)
    select string_agg(case when p_format = 'csv' then public.audit_csv(g.a) else public.audit_view(g.a)::text || E'\n' end, '' order by g.n)
             filter (where g.n <= 500),
           max(case when g.n = 500 then public.cursor_make('audit_log', (g.a).created_at, (g.a).id::text) end) filter (where (select count(*) from page) > 500)
      into v_text, v_next from page g;
    if p_format = 'csv' and p_after is null then
        v_text := E'id,created_at,actor_type,actor_id,action,target_type,target_id,details,request_id,address\r\n' || coalesce(v_text, '');
    end if;
    return jsonb_build_object('text', coalesce(v_text, ''), 'next_cursor', v_next);
end
$$;
