-- api_templates.sql - /api/v1/call-templates and /api/v1/templates.  Run as hookswitch_api: what a caller does not see does not exist for him.

-- ---- call templates ---------------------------------------------------------------

-- How one looks to whoever asks.  To others than its owners it is nobody's, and the number that it calls from is hidden.
create or replace function public.call_template_view(t public.call_templates) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_own boolean := public.call_template_own(t, public.current_organization_id(), public.current_user_id());
    v_home boolean := coalesce(t.organization_id = public.current_organization_id(), false);
begin
    return jsonb_build_object(
        'id', t.id, 'organization_id', case when v_home then t.organization_id end, 'created_by', case when v_home then t.created_by end,
        'name', t.name, 'description', t.description, 'category', t.category, 'tags', public.template_tags(t.tags), 'visibility', t.visibility, 'is_public', t.is_public,
        'editable', v_own,
        'favorite', exists (select from public.template_favorites f where f.template_id = t.id and f.user_id = public.current_user_id()),
        'params', t.params, 'params_order', public.template_tags(t.params_order), 'first_message', t.first_message, 'system_prompt', t.system_prompt,
        'model_provider', t.model_provider, 'model_name', t.model_name,
        'targets', (select coalesce(jsonb_agg(jsonb_build_object('provider_type', g.provider_type, 'assistant', g.assistant,
                           'caller_number', case when v_home then g.caller_number end) order by g.provider_type), '[]')
                      from public.call_template_targets g where g.template_id = t.id),
        'created_at', public.time_view(t.created_at), 'updated_at', public.time_view(t.updated_at));
end
$$;

create or replace function api.call_template_get(p_call_template_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    t public.call_templates;
begin
    select * into t from public.call_templates x where x.id = p_call_template_id;
    if not found then
        raise exception 'call_template_not_found' using errcode = 'PT404';
    end if;
    return public.call_template_view(t);
end
$$;

-- Newest first.
create or replace function api.call_template_list(
    p_category text default null, p_tag text default null, p_visibility text default null, p_search text default null,
    p_favorite boolean default null, p_editable boolean default null, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_organization uuid := public.current_organization_id();
    v_user uuid := public.current_user_id();
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('call_templates', p_after);
    with page as (
        select t from public.call_templates t
         where (p_category is null or t.category = p_category)
           and (p_tag is null or t.tags @> jsonb_build_array(p_tag))
           and (p_visibility is null or t.visibility = p_visibility)
           and (p_search is null or strpos(lower(t.name), lower(p_search)) > 0)
           and (p_favorite is null or p_favorite = exists (select from public.template_favorites f where f.template_id = t.id and f.user_id = v_user))
           and (p_editable is null or p_editable = public.call_template_own(t, v_organization, v_user))
           and (v_after.id is null or (t.created_at, t.id) < (v_after.at, v_after.id::uuid))
         order by t.created_at desc, t.id desc
         limit p_limit + 1),
    numbered as (select page.t, row_number() over (order by (page.t).created_at desc, (page.t).id desc) as n from page)
    select public.page_view('call_templates', array_agg(public.call_template_view(g.t) order by g.n), array_agg((g.t).created_at order by g.n),
                            array_agg((g.t).id::text order by g.n), p_limit)
      into v_page from numbered g;
    return v_page;
end
$$;

-- Those in use, among all that one sees.
create or replace function api.call_template_categories() returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object('data', (
        select coalesce(jsonb_agg(jsonb_build_object('category', c.category, 'templates', c.n) order by c.category), '[]')
          from (select t.category, count(*) as n from public.call_templates t where t.category is not null group by 1) c), 'next_cursor', null);
end
$$;

create or replace function api.call_template_category_rename(p_from text, p_to text) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return jsonb_build_object('category', btrim(p_to), 'templates', public.call_template_category_rename(p_from, p_to));
end
$$;

create or replace function api.call_template_create(
    p_name text, p_description text default null, p_category text default null, p_tags jsonb default null, p_visibility text default null,
    p_params jsonb default null, p_params_order jsonb default null, p_first_message text default null, p_system_prompt text default null,
    p_model_provider text default null, p_model_name text default null, p_targets jsonb default null) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v_id uuid;
begin
    v_id := public.call_template_make(jsonb_build_object(
        'name', p_name, 'description', p_description, 'category', p_category, 'tags', p_tags, 'visibility', p_visibility, 'params', p_params,
        'params_order', p_params_order, 'first_message', p_first_message, 'system_prompt', p_system_prompt, 'model_provider', p_model_provider,
        'model_name', p_model_name, 'targets', p_targets));
    return api.call_template_get(v_id);
end
$$;

create or replace function api.call_template_update(p_call_template_id uuid, p_changes jsonb) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.call_template_update(p_call_template_id, p_changes);
    return api.call_template_get(p_call_template_id);
end
$$;

create or replace function api.call_template_delete(p_call_template_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.call_template_delete(p_call_template_id);
    return '{}';
end
$$;

create or replace function api.call_template_copy(p_call_template_id uuid, p_name text default null, p_visibility text default null) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v_id uuid := public.call_template_copy(p_call_template_id, p_name, p_visibility);
begin
    return api.call_template_get(v_id);
end
$$;

-- ---- favourites: a person's -----------------------------------------------------------

create or replace function api.call_template_favorite_add(p_call_template_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v_user uuid := public.person_needed();
begin
    perform api.call_template_get(p_call_template_id);
    insert into public.template_favorites (user_id, template_id) values (v_user, p_call_template_id) on conflict do nothing;
    return '{}';
end
$$;

create or replace function api.call_template_favorite_remove(p_call_template_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v_user uuid := public.person_needed();
begin
    perform api.call_template_get(p_call_template_id);
    delete from public.template_favorites f where f.user_id = v_user and f.template_id = p_call_template_id;
    return '{}';
end
$$;

-- ---- shares -----------------------------------------------------------------------

create or replace function api.call_template_share_list(p_call_template_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return jsonb_build_object('data', public.call_template_shares_of(p_call_template_id), 'next_cursor', null);
end
$$;

create or replace function api.call_template_share_add(
    p_call_template_id uuid, p_user_id uuid default null, p_email text default null, p_with_organization_id uuid default null) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.call_template_share(p_call_template_id, p_user_id, p_email, p_with_organization_id);
end
$$;

create or replace function api.call_template_share_remove(p_call_template_id uuid, p_share_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.call_template_unshare(p_call_template_id, p_share_id);
    return '{}';
end
$$;

-- ---- what assistants are made from ----------------------------------------------------

-- By slug.
create or replace function api.template_list(p_category text default null, p_tag text default null, p_language text default null,
                                             p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('templates', p_after, '[a-z0-9]+(?:-[a-z0-9]+)*');
    with page as (
        select t from public.templates t
         where t.slug is not null
           and (p_category is null or t.category = p_category)
           and (p_tag is null or t.tags @> jsonb_build_array(p_tag))
           and (p_language is null or t.language = p_language)
           and (v_after.id is null or t.slug > v_after.id)
         order by t.slug
         limit p_limit + 1),
    numbered as (select page.t, row_number() over (order by (page.t).slug) as n from page)
    select public.page_view('templates', array_agg(public.assistant_template_view(g.t) order by g.n), array_agg((g.t).created_at order by g.n),
                            array_agg((g.t).slug order by g.n), p_limit)
      into v_page from numbered g;
    return v_page;
end
$$;

create or replace function api.template_get(p_slug text) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    t public.templates;
begin
    select * into t from public.templates x where x.slug = p_slug;
    if not found then
        raise exception 'assistant_template_not_found' using errcode = 'PT404';
    end if;
    return public.assistant_template_view(t);
end
$$;

create or replace function api.template_render(p_slug text, p_variable_values jsonb default '{}') returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.assistant_template_render(p_slug, coalesce(p_variable_values, '{}'));
end
$$;
