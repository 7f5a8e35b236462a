-- api_contacts_import.sql - /api/v1/contacts/imports: a file of contacts that is sent as a stream, taken in batches, and gone on with where it broke.
-- One request reads it at a time: it holds a short lease, renewed with each batch, and a fence, without which nobody writes.

create or replace function public.contact_import_of(p_import uuid) returns public.contact_imports
    language plpgsql stable set search_path = '' as $$
declare
    i public.contact_imports;
begin
    select * into i from public.contact_imports x where x.id = p_import;
    if not found then
        raise exception 'import_not_found' using errcode = 'PT404';
    end if;
    return i;
end
$$;

create or replace function api.contact_import_create(
    p_name text default null, p_dry_run boolean default null, p_on_duplicate text default null, p_unknown_columns text default null) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    i public.contact_imports;
begin
    insert into public.contact_imports (organization_id, name, dry_run, on_duplicate, unknown_columns, created_by)
    values (public.contacts_open(), nullif(p_name, ''), coalesce(p_dry_run, false), coalesce(p_on_duplicate, 'skip'),
            coalesce(p_unknown_columns, 'custom_fields'), public.actor_id())
    returning * into i;
    -- The newest hundred are kept: each may have ten thousand errors.
    delete from public.contact_imports x
     where x.organization_id = i.organization_id
       and x.id in (select y.id from public.contact_imports y where y.organization_id = i.organization_id
                     order by y.created_at desc, y.id desc offset 100)
       and (x.lease_until is null or x.lease_until < clock_timestamp());
    return public.contact_import_view(i);
end
$$;

create or replace function api.contact_import_get(p_import_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.contact_import_view(public.contact_import_of(p_import_id));
end
$$;

create or replace function api.contact_import_list(p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('contact_imports', p_after);
    with page as (
        select i, row_number() over (order by i.created_at desc, i.id desc) as n from public.contact_imports i
         where (v_after.id is null or (i.created_at, i.id) < (v_after.at, v_after.id::uuid))
           and i.organization_id = (select public.current_organization_id())
         order by i.created_at desc, i.id desc limit p_limit + 1)
    select public.page_view('contact_imports', array_agg(public.contact_import_view(g.i) order by g.n), array_agg((g.i).created_at order by g.n),
                            array_agg((g.i).id::text order by g.n), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

-- In the order of the file.
create or replace function api.contact_import_errors(p_import_id uuid, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    perform public.contact_import_of(p_import_id);
    select * into v_after from public.cursor_read('contact_import_errors', p_after, '[0-9]{1,9}');
    with page as (
        select e, row_number() over (order by e.position) as n from public.contact_import_errors e
         where e.import_id = p_import_id and e.position > coalesce(v_after.id::integer, 0)
         order by e.position limit p_limit + 1)
    select public.page_view('contact_import_errors', array_agg(jsonb_build_object('line', (g.e).line, 'field', (g.e).field, 'code', (g.e).code, 'detail', (g.e).detail) order by g.n), array_agg(timestamptz 'epoch' order by g.n),
                            array_agg((g.e).position::text order by g.n), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

-- The contacts that it made stay.
create or replace function api.contact_import_delete(p_import_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.contacts_open();
    perform public.contact_import_of(p_import_id);
    delete from public.contact_imports i where i.id = p_import_id;
    return null;
end
$$;

-- ---- reading it ---------------------------------------------------------------

-- How many seconds an organization that sends two files already has to wait before a third one; 0: it need not.
create or replace function public.contact_import_wait(p_organization uuid) returns integer
    language plpgsql set search_path = '' as $$
declare
    v_wait integer;
begin
    -- Two that begin at once are counted one after the other.
    perform pg_advisory_xact_lock(hashtextextended('contact_import_begin:' || p_organization, 0));
    select case when count(*) >= 2 then least(ceil(extract(epoch from min(x.lease_until) - clock_timestamp())), 5) end into v_wait
      from public.contact_imports x
     where x.organization_id = p_organization and x.lease_until > clock_timestamp() and x.finished_at is null;
    return case when v_wait is null then 0 else greatest(v_wait, 1) end;
end
$$;

-- A request begins to send the file.  Answers {"state","fence",...} with all that is needed to go on; state: open, running (by another request,
-- for retry_after seconds more), busy (with other files), done.
create or replace function api.contact_import_begin(p_import_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    i public.contact_imports;
    v_state text := 'open';
    v_left integer := 0;
    v_wait integer := public.contact_import_wait(public.contacts_open());
begin
    select * into i from public.contact_imports x where x.id = p_import_id for update;
    perform public.contact_import_of(p_import_id);
    if i.finished_at is not null then
        v_state := 'done';
    elsif i.lease_until > clock_timestamp() then
        v_state := 'running';
        v_left := ceil(extract(epoch from i.lease_until - clock_timestamp()));
    elsif v_wait > 0 then
        v_state := 'busy';
        v_left := v_wait;
    else
        update public.contact_imports x set fence = x.fence + 1, lease_until = clock_timestamp() + interval '30 seconds' where x.id = i.id
        returning * into i;
    end if;
    return jsonb_build_object('state', v_state, 'retry_after', v_left, 'fence', i.fence, 'bytes', i.bytes, 'line', i.line, 'digest', i.digest,
                              'columns', to_jsonb(i.columns), 'refuse_unknown', i.unknown_columns = 'refuse', 'view', public.contact_import_view(i));
end
$$;

-- The next rows of the file, which stand behind its first p_from bytes.  p_batch: {"rows":[{"line","phone_number",...}],"errors":[...],"columns",
-- "read","failed","line","bytes","digest","last"}.  All of it is taken, or nothing is; answers how the import looks.
create or replace function api.contact_import_rows(p_import_id uuid, p_fence bigint, p_from bigint, p_batch jsonb) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    i public.contact_imports;
    r record;
    t record;
    v_errors jsonb := coalesce(p_batch -> 'errors', '[]');
    v_counts bigint[] := array[0, 0, 0, coalesce((p_batch ->> 'failed')::bigint, 0)];
    v_at integer;
    v_listed text[] := '{}';
begin
    if exists (select from jsonb_array_elements(p_batch -> 'rows') e where (e ->> 'do_not_call')::boolean) then
        perform public.contacts_lock();
    end if;
    perform public.contacts_open();
    select * into i from public.contact_imports x where x.id = p_import_id for update;
    if i.id is null or i.fence <> p_fence or i.bytes <> p_from or i.finished_at is not null then
        raise exception 'import_taken_over' using errcode = 'PT409', detail = 'Another request sends the file now, or the import was deleted.';
    end if;
    -- Two imports with the same numbers in another order would wait for each other.
    perform pg_advisory_xact_lock(hashtextextended('contact_imports:' || i.organization_id, 0));
    for r in select e.v from jsonb_array_elements(p_batch -> 'rows') e(v) loop
        select * into t from public.contact_import_row(i, r.v);
        v_at := array_position(array['created', 'updated', 'skipped', 'failed'], t.what);
        v_counts[v_at] := v_counts[v_at] + 1;
        if (r.v ->> 'do_not_call')::boolean and t.what <> 'failed' and not i.dry_run then
            v_listed := v_listed || (r.v ->> 'phone_number');
        end if;
        if t.what = 'failed' then
            v_errors := v_errors || jsonb_build_object('line', r.v -> 'line', 'field', t.field,
                                                       'code', split_part(t.field, '.', 1) || '_invalid', 'detail', t.detail);
        end if;
    end loop;
    if v_listed <> '{}' then
        perform public.do_not_call_add_all(i.organization_id, v_listed, 'import ' || i.id);
    end if;
    update public.contact_imports x
       set columns = case when p_batch ? 'columns' then array(select jsonb_array_elements_text(p_batch -> 'columns')) else x.columns end,
           line = (p_batch ->> 'line')::bigint, bytes = (p_batch ->> 'bytes')::bigint, digest = p_batch ->> 'digest',
           rows_read = x.rows_read + (p_batch ->> 'read')::bigint, rows_created = x.rows_created + v_counts[1],
           rows_updated = x.rows_updated + v_counts[2], rows_skipped = x.rows_skipped + v_counts[3], rows_failed = x.rows_failed + v_counts[4],
           errors_found = x.errors_found + jsonb_array_length(v_errors), errors_kept = public.contact_import_keep(i, v_errors),
           lease_until = case when (p_batch ->> 'last')::boolean then null else clock_timestamp() + interval '30 seconds' end,
           finished_at = case when (p_batch ->> 'last')::boolean then clock_timestamp() end, updated_at = now()
     where x.id = i.id
    returning * into i;
    if i.finished_at is not null then
        delete from public.contact_import_numbers n where n.import_id = i.id;
    end if;
    return public.contact_import_view(i);
end
$$;

-- The request is over before the file was: whoever comes next need not wait for the lease.
create or replace function api.contact_import_release(p_import_id uuid, p_fence bigint) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    update public.contact_imports x set lease_until = null where x.id = p_import_id and x.fence = p_fence;
    return null;
end
$$;
