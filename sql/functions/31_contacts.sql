-- 31_contacts.sql - contacts: what may stand in one, how it looks, finding them; and the do-not-call list, which is the one place that says who is
-- not called.

-- The person or key that asks.
create or replace function public.actor_id() returns uuid
    language sql stable set search_path = '' as $$
    select nullif(coalesce(c.claims ->> 'key_id', c.claims ->> 'sub'), '')::uuid
      from (select coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb as claims) c
$$;

-- Nothing is changed in an organization that is deleted.
create or replace function public.contacts_open() returns uuid
    language plpgsql stable set search_path = '' as $$
declare
    v_organization uuid := public.current_organization_id();
begin
    perform from public.organizations o where o.id = v_organization and o.deleted_after is null;
    if not found then
        raise exception 'organization_inactive' using errcode = 'PT403', detail = 'The organization is deleted.';
    end if;
    return v_organization;
end
$$;

-- The same for a change that puts numbers on the do-not-call list, or takes them off: the organization's row is locked before its contacts' are.
create or replace function public.contacts_lock() returns uuid
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.contacts_open();
    return (public.organization_lock(public.current_organization_id())).id;
end
$$;

-- ---- the do-not-call list -------------------------------------------------------

-- A claim holds its organizations' rows (calls_claim).  So a number is put on the list before a claim, which then sees it, or after it.
create or replace function public.do_not_call_lock() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    perform from public.organizations o where o.id = new.organization_id for no key update;
    return new;
end
$$;

-- Refuses a number that the organization must not call.
create or replace function public.number_may_be_called(p_organization uuid, p_number text) returns void
    language plpgsql stable security definer set search_path = '' as $$
begin
    perform from public.do_not_call d
      where d.organization_id = p_organization and d.phone_number = p_number and public.may_act_for(p_organization);
    if found then
        perform public.refuse_field('number_do_not_call', 'recipient_number', 'The number is on the organization''s do-not-call list.');
    end if;
end
$$;

create or replace function public.do_not_call_view(d public.do_not_call) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object('phone_number', d.phone_number, 'reason', d.reason, 'created_by', d.created_by,
                              'created_at', public.time_view(d.created_at));
end
$$;

-- Twice is once; a reason that is given anew is the one that stays.
create or replace function public.do_not_call_add(p_organization uuid, p_number text, p_reason text) returns public.do_not_call
    language plpgsql security definer set search_path = '' as $$
declare
    d public.do_not_call;
begin
    if not public.may_act_for(p_organization) then
        raise exception 'organization_not_found' using errcode = 'PT404';
    end if;
    insert into public.do_not_call as x (organization_id, phone_number, reason, created_by)
    values (p_organization, p_number, p_reason, public.actor_id())
    on conflict (organization_id, phone_number) do update set reason = coalesce(excluded.reason, x.reason)
    returning * into d;
    return d;
end
$$;

-- All at once, those of a file.  One that is listed already keeps its reason.
create or replace function public.do_not_call_add_all(p_organization uuid, p_numbers text[], p_reason text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if not public.may_act_for(p_organization) then
        raise exception 'organization_not_found' using errcode = 'PT404';
    end if;
    insert into public.do_not_call (organization_id, phone_number, reason, created_by)
    select p_organization, x.phone_number, p_reason, public.actor_id() from (select distinct unnest(p_numbers) as phone_number) x order by 2
    on conflict (organization_id, phone_number) do nothing;
end
$$;

-- Whether it was there.
create or replace function public.do_not_call_remove(p_organization uuid, p_number text) returns boolean
    language plpgsql security definer set search_path = '' as $$
begin
    delete from public.do_not_call d
     where d.organization_id = p_organization and d.phone_number = p_number and public.may_act_for(p_organization);
    return found;
end
$$;

-- ---- what may stand in a contact --------------------------------------------------

-- What is wrong with tags; null: nothing.  A semicolon parts them in files.
create or replace function public.contact_tags_wrong(p_tags jsonb) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    if p_tags is null or p_tags = 'null' then
        return null;
    elsif jsonb_typeof(p_tags) <> 'array' or jsonb_array_length(p_tags) > 20 then
        return 'at most 20 tags';
    elsif exists (select from jsonb_array_elements(p_tags) t(v)
                   where jsonb_typeof(t.v) <> 'string' or length(t.v #>> '{}') not between 1 and 50 or t.v #>> '{}' ~ '[;[:cntrl:]]') then
        return 'each tag is a text of 1 to 50 characters without a semicolon';
    end if;
    return null;
end
$$;

-- Each once, in the order given.
create or replace function public.contact_tags(p_tags jsonb) returns text[]
    language plpgsql immutable set search_path = '' as $$
begin
    return (select coalesce(array_agg(x.v order by x.i), '{}')
              from (select t.v, min(t.i) as i from jsonb_array_elements_text(nullif(p_tags, 'null')) with ordinality t(v, i) group by t.v) x);
end
$$;

-- What is wrong with custom fields: which one, and why; null: nothing.
create or replace function public.contact_custom_wrong(p_fields jsonb, out name text, out detail text)
    language plpgsql immutable set search_path = '' as $$
begin
    if (select count(*) from jsonb_object_keys(p_fields)) > 50 then
        detail := 'at most 50 custom fields';
        return;
    end if;
    select f.key, case when length(f.key) not between 1 and 100 or f.key ~ '[[:cntrl:]]' then 'a name has 1 to 100 characters'
                       when jsonb_typeof(f.value) in ('object', 'array') then 'a value is a text, a number, true or false'
                       when length(f.value #>> '{}') > 1000 then 'a text has at most 1000 characters' end
      into name, detail
      from jsonb_each(p_fields) f
     where length(f.key) not between 1 and 100 or f.key ~ '[[:cntrl:]]' or jsonb_typeof(f.value) in ('object', 'array')
        or length(f.value #>> '{}') > 1000
     order by f.key limit 1;
    if detail is null and octet_length(p_fields::text) > 16000 then
        detail := 'all custom fields together have at most 16000 bytes';
    end if;
end
$$;

create or replace function public.contact_check(p_tags jsonb, p_fields jsonb) returns void
    language plpgsql immutable set search_path = '' as $$
declare
    v_wrong record;
begin
    if public.contact_tags_wrong(p_tags) is not null then
        perform public.refuse_field('tags_invalid', 'tags', public.contact_tags_wrong(p_tags));
    end if;
    select * into v_wrong from public.contact_custom_wrong(coalesce(p_fields, '{}'));
    if v_wrong.detail is not null then
        perform public.refuse_field('custom_fields_invalid', 'custom_fields' || coalesce('.' || left(v_wrong.name, 100), ''), v_wrong.detail);
    end if;
end
$$;

-- ---- how it looks -------------------------------------------------------------------

-- The calls are counted when somebody looks, in their own index: nothing has to be kept up to date when a call ends.
create or replace function public.contact_view(c public.contacts) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_calls bigint;
    v_last timestamptz;
begin
    select count(*), max(x.created_at) into v_calls, v_last
      from (select o.created_at from public.calls o
             where o.organization_id = c.organization_id and o.direction = 'outbound' and o.to_number = c.phone_number
            union all
            select i.created_at from public.calls i
             where i.organization_id = c.organization_id and i.direction = 'inbound' and i.from_number = c.phone_number) x;
    return jsonb_build_object(
        'id', c.id, 'phone_number', c.phone_number, 'name', c.name, 'email', c.email, 'company', c.company, 'tags', to_jsonb(c.tags),
        'custom_fields', c.custom_fields, 'notes', c.notes, 'source', c.source, 'created_by', c.created_by,
        'do_not_call', exists (select from public.do_not_call d where d.organization_id = c.organization_id and d.phone_number = c.phone_number),
        'call_count', v_calls, 'last_call_at', public.time_view(v_last),
        'created_at', public.time_view(c.created_at), 'updated_at', public.time_view(c.updated_at));
end
$$;

-- A page of the active organization's contacts, newest first.  p_filter: q, tag, do_not_call, from, to.  It acts with the pump's rights and says
-- whose rows they are itself: under row security no index on an expression or an array would be used.
create or replace function public.contacts_rows(p_filter jsonb, p_after text, p_limit integer) returns setof public.contacts
    language plpgsql stable security definer set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
    v_organization uuid := public.current_organization_id();
    v_after record;
    v_q text := lower(nullif(p_filter ->> 'q', ''));
    v_end text := lower(nullif(p_filter ->> 'q', '')) || chr(1114111);
    v_number text := '+' || (regexp_match(p_filter ->> 'q', '^\+?([0-9]+)$'))[1];
    v_tag text := p_filter ->> 'tag';
    v_listed boolean := (p_filter ->> 'do_not_call')::boolean;
    v_from timestamptz := (p_filter ->> 'from')::timestamptz;
    v_to timestamptz := (p_filter ->> 'to')::timestamptz;
begin
    select * into v_after from public.cursor_read('contacts', p_after);
    return query
    select c.* from public.contacts c
     where c.organization_id = v_organization
       and (v_q is null or (lower(c.name) operator(pg_catalog.~>=~) v_q and lower(c.name) operator(pg_catalog.~<~) v_end)
            or (lower(c.email) operator(pg_catalog.~>=~) v_q and lower(c.email) operator(pg_catalog.~<~) v_end)
            or (c.phone_number operator(pg_catalog.~>=~) v_number and c.phone_number operator(pg_catalog.~<~) (v_number || chr(1114111))))
       and (v_tag is null or (c.tags @> array[v_tag] and c.tags <> '{}'))
       and (v_listed is null or v_listed = exists (select from public.do_not_call d
                                                    where d.organization_id = v_organization and d.phone_number = c.phone_number))
       and (v_from is null or c.created_at >= v_from)
       and (v_to is null or c.created_at < v_to)
       and (v_after.id is null or (c.created_at, c.id) < (v_after.at, v_after.id::uuid))
     -- What is looked for is few: its own indexes find it, where that of the order would be walked to its end.
     order by case when v_q is null then c.created_at else c.created_at + interval '0' end desc, c.id desc
     limit p_limit;
end
$$;

-- ---- as a file ------------------------------------------------------------------------

-- A text as a field of CSV that no spreadsheet takes for a formula.  Unlike csv_field it can be undone without loss: an import takes one leading
-- apostrophe away where what follows, behind further ones, could begin a formula.
create or replace function public.contact_csv_field(p_text text) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return '"' || replace(case when p_text ~ '^''*[=+@\t\r-]' then '''' || p_text else coalesce(p_text, '') end, '"', '""') || '"';
end
$$;

-- A number is a plus and digits, which is no formula that could do anything: it stays as it is.
create or replace function public.contact_csv(c public.contacts) returns text
    language plpgsql stable set search_path = '' as $$
begin
    return c.phone_number || ',' || (
        select string_agg(public.contact_csv_field(x.v), ',' order by x.i) || E'\r\n'
          from unnest(array[c.name, c.email, c.company, array_to_string(c.tags, ';'), c.notes,
                            case when exists (select from public.do_not_call d where d.organization_id = c.organization_id
                                                 and d.phone_number = c.phone_number) then 'true' else 'false' end,
                            case when c.custom_fields <> '{}' then c.custom_fields::text end]) with ordinality x(v, i));
end
$$;
