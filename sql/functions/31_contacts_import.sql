-- 31_contacts_import.sql - one row of a file of contacts, and what was wrong with rows.

-- Takes one row, or only says what would become of it (dry_run).  what: created, updated, skipped, or failed for a reason.  A number that the
-- file forbids to call is listed by contact_import_rows, also where its contact is there already.
create or replace function public.contact_import_row(i public.contact_imports, p_row jsonb, out what text, out field text, out detail text)
    language plpgsql set search_path = '' as $$
declare
    v_number text := p_row ->> 'phone_number';
    v_fields jsonb := coalesce(p_row -> 'custom_fields', '{}');
    v_old public.contacts;
    v_seen boolean := false;
begin
    what := 'failed';
    field := 'tags';
    detail := public.contact_tags_wrong(p_row -> 'tags');
    if detail is not null then
        return;
    end if;
    if i.dry_run then
        insert into public.contact_import_numbers (import_id, organization_id, phone_number) values (i.id, i.organization_id, v_number)
        on conflict (import_id, phone_number) do nothing;
        v_seen := not found;
    end if;
    select * into v_old from public.contacts c where c.organization_id = i.organization_id and c.phone_number = v_number for update;
    if v_old.id is not null and i.on_duplicate = 'update' then
        v_fields := v_old.custom_fields || v_fields;
    end if;
    select 'custom_fields' || coalesce('.' || left(w.name, 100), ''), w.detail into field, detail from public.contact_custom_wrong(v_fields) w;
    if detail is not null then
        return;
    end if;
    what := case when v_old.id is null and not v_seen then 'created' when i.on_duplicate = 'skip' then 'skipped' else 'updated' end;
    if i.dry_run then
        return;
    end if;
    if what = 'created' then
        insert into public.contacts (organization_id, phone_number, name, email, company, tags, custom_fields, notes, source, created_by)
        values (i.organization_id, v_number, p_row ->> 'name', p_row ->> 'email', p_row ->> 'company', public.contact_tags(p_row -> 'tags'), v_fields,
                p_row ->> 'notes', 'import', i.created_by)
        on conflict (organization_id, phone_number) do nothing;
        what := case when found then 'created' else 'skipped' end; -- somebody made it just now
    elsif what = 'updated' then
        update public.contacts c
           set name = coalesce(p_row ->> 'name', c.name), email = coalesce(p_row ->> 'email', c.email),
               company = coalesce(p_row ->> 'company', c.company), notes = coalesce(p_row ->> 'notes', c.notes),
               tags = case when p_row ? 'tags' then public.contact_tags(p_row -> 'tags') else c.tags end, custom_fields = v_fields
         where c.id = v_old.id;
    end if;
end
$$;

-- Keeps errors, {"line","field","code","detail"} each, behind those that are there, as far as there is room; answers how many are kept now.
create or replace function public.contact_import_keep(i public.contact_imports, p_errors jsonb) returns integer
    language plpgsql set search_path = '' as $$
declare
    v_n integer;
begin
    insert into public.contact_import_errors (import_id, position, organization_id, line, field, code, detail)
    select i.id, i.errors_kept + row_number() over (order by e.line, e.i), i.organization_id, e.line, e.field, e.code, e.detail
      from (select (x.v ->> 'line')::bigint as line, x.v ->> 'field' as field, x.v ->> 'code' as code, x.v ->> 'detail' as detail, x.i
              from jsonb_array_elements(p_errors) with ordinality x(v, i)
             order by 1, 5 limit 10000 - i.errors_kept) e;
    get diagnostics v_n = row_count;
    return i.errors_kept + v_n;
end
$$;

create or replace function public.contact_import_view(i public.contact_imports) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', i.id, 'name', i.name, 'dry_run', i.dry_run, 'on_duplicate', i.on_duplicate, 'unknown_columns', i.unknown_columns,
        'status', case when i.finished_at is not null then 'done' when i.lease_until > clock_timestamp() then 'running'
                       when i.bytes > 0 then 'interrupted' else 'waiting' end,
        'columns', to_jsonb(i.columns), 'line', i.line, 'bytes', i.bytes, 'rows_read', i.rows_read, 'rows_created', i.rows_created,
        'rows_updated', i.rows_updated, 'rows_skipped', i.rows_skipped, 'rows_failed', i.rows_failed, 'errors_found', i.errors_found,
        'errors_kept', i.errors_kept, 'created_by', i.created_by, 'created_at', public.time_view(i.created_at),
        'updated_at', public.time_view(i.updated_at), 'finished_at', public.time_view(i.finished_at));
end
$$;
