-- api_contacts.sql - /api/v1/contacts, its calls, its export, and /api/v1/contacts/do-not-call.  Run as hookswitch_api: what a caller does not see
-- does not exist for him.

create or replace function public.contact_of(p_contact uuid) returns public.contacts
    language plpgsql stable set search_path = '' as $$
declare
    c public.contacts;
begin
    select * into c from public.contacts x where x.id = p_contact;
    if not found then
        raise exception 'contact_not_found' using errcode = 'PT404';
    end if;
    return c;
end
$$;

create or replace function public.contact_refuse_double(p_number text, p_but uuid default null) returns void
    language plpgsql stable set search_path = '' as $$
declare
    v_id uuid;
begin
    select x.id into v_id from public.contacts x
     where x.organization_id = (select public.current_organization_id()) and x.phone_number = p_number and x.id is distinct from p_but;
    if found then
        raise exception 'contact_exists' using errcode = 'PT409', hint = 'phone_number', detail = format('The contact %s has this number.', v_id);
    end if;
end
$$;

create or replace function api.contact_create(
    p_phone_number text, p_name text default null, p_email text default null, p_company text default null, p_tags jsonb default null,
    p_custom_fields jsonb default null, p_notes text default null, p_do_not_call boolean default null, p_do_not_call_reason text default null)
    returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v_organization uuid := case when p_do_not_call then public.contacts_lock() else public.contacts_open() end;
    v_fields jsonb := jsonb_strip_nulls(coalesce(p_custom_fields, '{}'));
    c public.contacts;
begin
    perform public.contact_check(p_tags, v_fields);
    insert into public.contacts (organization_id, phone_number, name, email, company, tags, custom_fields, notes, created_by)
    values (v_organization, p_phone_number, nullif(p_name, ''), p_email, nullif(p_company, ''), public.contact_tags(p_tags), v_fields, nullif(p_notes, ''),
            public.actor_id())
    on conflict (organization_id, phone_number) do nothing
    returning * into c;
    if not found then
        perform public.contact_refuse_double(p_phone_number);
        raise exception 'try again' using errcode = '40001'; -- it went just now
    end if;
    if p_do_not_call then
        perform public.do_not_call_add(v_organization, p_phone_number, p_do_not_call_reason);
    end if;
    return public.contact_view(c);
end
$$;

create or replace function api.contact_list(
    p_q text default null, p_tag text default null, p_do_not_call boolean default null, p_created_from timestamptz default null,
    p_created_to timestamptz default null, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_filter jsonb := jsonb_build_object('q', p_q, 'tag', p_tag, 'do_not_call', p_do_not_call, 'from', p_created_from, 'to', p_created_to);
    v_page jsonb;
begin
    with page as (
        select r as c, row_number() over (order by r.created_at desc, r.id desc) as n from public.contacts_rows(v_filter, p_after, p_limit + 1) r)
    select public.page_view('contacts', array_agg(public.contact_view(g.c) order by g.n), array_agg((g.c).created_at order by g.n),
                            array_agg((g.c).id::text order by g.n), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function api.contact_get(p_contact_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.contact_view(public.contact_of(p_contact_id));
end
$$;

-- Members that are not given stay.  custom_fields: its members are changed one by one, null takes one out; null for all takes all out.
create or replace function api.contact_update(p_contact_id uuid, p_changes jsonb) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v_organization uuid := case when p_changes ? 'do_not_call' then public.contacts_lock() else public.contacts_open() end;
    v_fields jsonb;
    c public.contacts;
begin
    select * into c from public.contacts x where x.id = p_contact_id for update;
    perform public.contact_of(p_contact_id);
    v_fields := case when p_changes -> 'custom_fields' = 'null' then '{}'
                     else jsonb_strip_nulls(c.custom_fields || coalesce(p_changes -> 'custom_fields', '{}')) end;
    perform public.contact_check(p_changes -> 'tags', v_fields);
    perform public.contact_refuse_double(p_changes ->> 'phone_number', p_contact_id);
    begin
        update public.contacts x
           set phone_number = coalesce(p_changes ->> 'phone_number', x.phone_number), custom_fields = v_fields,
               name = case when p_changes ? 'name' then nullif(p_changes ->> 'name', '') else x.name end,
               email = case when p_changes ? 'email' then p_changes ->> 'email' else x.email end,
               company = case when p_changes ? 'company' then nullif(p_changes ->> 'company', '') else x.company end,
               notes = case when p_changes ? 'notes' then nullif(p_changes ->> 'notes', '') else x.notes end,
               tags = case when p_changes ? 'tags' then public.contact_tags(p_changes -> 'tags') else x.tags end
         where x.id = p_contact_id
        returning * into c;
    exception when unique_violation then
        raise exception 'contact_exists' using errcode = 'PT409', hint = 'phone_number', detail = 'Another contact has been given this number just now.';
    end;
    if (p_changes ->> 'do_not_call')::boolean then
        perform public.do_not_call_add(v_organization, c.phone_number, p_changes ->> 'do_not_call_reason');
    elsif p_changes ->> 'do_not_call' = 'false' then
        perform public.do_not_call_remove(v_organization, c.phone_number);
    end if;
    return public.contact_view(c);
end
$$;

-- Its number stays on the do-not-call list: a person who is forgotten has not asked to be called again.
create or replace function api.contact_delete(p_contact_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.contacts_open();
    perform public.contact_of(p_contact_id);
    delete from public.contacts c where c.id = p_contact_id;
    return null;
end
$$;

-- Calls to the contact's number and from it, newest first.
create or replace function api.contact_calls(p_contact_id uuid, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    k public.contacts := public.contact_of(p_contact_id);
    v_at timestamptz;
    v_id uuid;
    v_page jsonb;
begin
    select coalesce(x.at, 'infinity'), coalesce(x.id, 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid into v_at, v_id
      from public.cursor_read('contact_calls', p_after) x;
    with page as (
        select x.c, row_number() over (order by (x.c).created_at desc, (x.c).id desc) as n from (
            (select c from public.calls c
              where c.organization_id = k.organization_id and c.direction = 'outbound' and c.to_number = k.phone_number
                and (c.created_at, c.id) < (v_at, v_id)
              order by c.created_at desc, c.id desc limit p_limit + 1)
            union all
            (select c from public.calls c
              where c.organization_id = k.organization_id and c.direction = 'inbound' and c.from_number = k.phone_number
                and (c.created_at, c.id) < (v_at, v_id)
              order by c.created_at desc, c.id desc limit p_limit + 1)) x
         order by (x.c).created_at desc, (x.c).id desc limit p_limit + 1)
    select public.page_view('contact_calls', array_agg(public.call_view(g.c) order by g.n), array_agg((g.c).created_at order by g.n),
                            array_agg((g.c).id::text order by g.n), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

-- A page of 500 as text: {"text","next_cursor"}.  The import takes it again.
create or replace function api.contact_export(
    p_q text, p_tag text, p_do_not_call boolean, p_created_from timestamptz, p_created_to timestamptz, p_after text) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_filter jsonb := jsonb_build_object('q', p_q, 'tag', p_tag, 'do_not_call', p_do_not_call, 'from', p_created_from, 'to', p_created_to);
    v_text text;
    v_next text;
begin
    with page as (
        select r as c, row_number() over (order by r.created_at desc, r.id desc) as n from public.contacts_rows(v_filter, p_after, 501) r)
    select string_agg(public.contact_csv(g.c), '' order by g.n) filter (where g.n <= 500),
           max(case when g.n = 500 then public.cursor_make('contacts', (g.c).created_at, (g.c).id::text) end) filter (where (select count(*) from page) > 500)
      into v_text, v_next from page g;
    if p_after is null then
        v_text := E'phone_number,name,email,company,tags,notes,do_not_call,custom_fields\r\n' || coalesce(v_text, '');
    end if;
    return jsonb_build_object('text', coalesce(v_text, ''), 'next_cursor', v_next);
end
$$;

-- ---- the do-not-call list -------------------------------------------------------

create or replace function api.do_not_call_list(p_phone_number text default null, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('do_not_call', p_after, '\+[0-9]{7,15}');
    with page as (
        select d, row_number() over (order by d.created_at desc, d.phone_number desc) as n from public.do_not_call d
         where (p_phone_number is null or d.phone_number = p_phone_number)
           and (v_after.id is null or (d.created_at, d.phone_number) < (v_after.at, v_after.id))
           and d.organization_id = (select public.current_organization_id())
         order by d.created_at desc, d.phone_number desc limit p_limit + 1)
    select public.page_view('do_not_call', array_agg(public.do_not_call_view(g.d) order by g.n), array_agg((g.d).created_at order by g.n),
                            array_agg((g.d).phone_number order by g.n), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function api.do_not_call_add(p_phone_number text, p_reason text default null) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.do_not_call_view(public.do_not_call_add(public.contacts_open(), p_phone_number, p_reason));
end
$$;

create or replace function api.do_not_call_remove(p_phone_number text) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    if not public.do_not_call_remove(public.contacts_open(), p_phone_number) then
        raise exception 'number_not_listed' using errcode = 'PT404';
    end if;
    return null;
end
$$;
