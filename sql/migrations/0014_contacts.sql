-- 0014_contacts.sql - the people that an organization calls, their import from files, and who put a number on the do-not-call list.

create table public.contacts (
    id uuid constraint contacts_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint contacts_organization_fkey references public.organizations on delete cascade,
    phone_number text not null constraint contacts_number_check check (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
    name text constraint contacts_name_check check (length(name) between 1 and 200),
    email text constraint contacts_email_check check (length(email) between 3 and 254),
    company text constraint contacts_company_check check (length(company) between 1 and 200),
    tags text[] not null default '{}' constraint contacts_tags_check check (cardinality(tags) <= 20),
    custom_fields jsonb not null default '{}'
        constraint contacts_custom_fields_check check (jsonb_typeof(custom_fields) = 'object' and octet_length(custom_fields::text) <= 40000),
    notes text constraint contacts_notes_check check (length(notes) between 1 and 4000),
    source text not null default 'api' constraint contacts_source_check check (source in ('api', 'import', 'sql')),
    created_by uuid,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default now(),
    constraint contacts_number_key unique (organization_id, phone_number)
);
comment on table public.contacts is 'The people that an organization calls, one row for each number.  Whether one may be called stands in do_not_call, and nowhere else.';
comment on column public.contacts.custom_fields is 'Names of the organization''s own with texts, numbers, true or false.';
comment on column public.contacts.source is 'Where it came from: the API, a file, or SQL.';
create index contacts_list_idx on public.contacts (organization_id, created_at desc, id desc);
create index contacts_name_idx on public.contacts (organization_id, lower(name) text_pattern_ops) where name is not null;
create index contacts_email_idx on public.contacts (organization_id, lower(email) text_pattern_ops) where email is not null;
create index contacts_prefix_idx on public.contacts (organization_id, phone_number text_pattern_ops);
create index contacts_tags_idx on public.contacts using gin (tags) where tags <> '{}';

-- A contact's calls, newest first; the last one and how many there were are found by the same indexes.
create index calls_to_idx on public.calls (organization_id, to_number, created_at desc, id desc) where direction = 'outbound';
create index calls_from_idx on public.calls (organization_id, from_number, created_at desc, id desc) where direction = 'inbound';

alter table public.do_not_call add column created_by uuid;
comment on column public.do_not_call.created_by is 'The person or API key that put it there; null: SQL.';
create index do_not_call_list_idx on public.do_not_call (organization_id, created_at desc, phone_number desc);

create table public.contact_imports (
    id uuid constraint contact_imports_pkey primary key default gen_random_uuid(),
    organization_id uuid not null constraint contact_imports_organization_fkey references public.organizations on delete cascade,
    name text constraint contact_imports_name_check check (length(name) between 1 and 200),
    dry_run boolean not null default false,
    on_duplicate text not null default 'skip' constraint contact_imports_on_duplicate_check check (on_duplicate in ('skip', 'update')),
    unknown_columns text not null default 'custom_fields'
        constraint contact_imports_unknown_columns_check check (unknown_columns in ('custom_fields', 'refuse')),
    created_by uuid,
    columns text[],
    line bigint not null default 1,
    bytes bigint not null default 0,
    digest text,
    rows_read bigint not null default 0,
    rows_created bigint not null default 0,
    rows_updated bigint not null default 0,
    rows_skipped bigint not null default 0,
    rows_failed bigint not null default 0,
    errors_found bigint not null default 0,
    errors_kept integer not null default 0,
    fence bigint not null default 0,
    lease_until timestamptz,
    finished_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default now()
);
comment on table public.contact_imports is 'A file of contacts that is being read, or was.  All up to bytes is committed; the same file, sent again, goes on behind it.';
comment on column public.contact_imports.columns is 'The names of the file''s columns; null: its head was not read yet.';
comment on column public.contact_imports.line is 'The line of the file that is read next; its head is line 1.';
comment on column public.contact_imports.digest is 'SHA-256 of the first bytes bytes of the file: another file cannot go on.';
comment on column public.contact_imports.fence is 'Grows with each request that sends the file; only the newest may write.';
comment on column public.contact_imports.lease_until is 'A request is reading the file until then at least; null: none is.';
create index contact_imports_running_idx on public.contact_imports (organization_id) where lease_until is not null;
create index contact_imports_list_idx on public.contact_imports (organization_id, created_at desc, id desc);

create table public.contact_import_errors (
    import_id uuid not null constraint contact_import_errors_import_fkey references public.contact_imports on delete cascade,
    position integer not null,
    organization_id uuid not null constraint contact_import_errors_organization_fkey references public.organizations on delete cascade,
    line bigint not null,
    field text,
    code text not null,
    detail text not null,
    constraint contact_import_errors_pkey primary key (import_id, position)
);
comment on table public.contact_import_errors is 'What was wrong with rows of an import, by line.  The first 10000 are kept, all are counted.';
create index contact_import_errors_organization_idx on public.contact_import_errors (organization_id);

create table public.contact_import_numbers (
    import_id uuid not null constraint contact_import_numbers_import_fkey references public.contact_imports on delete cascade,
    phone_number text not null,
    organization_id uuid not null constraint contact_import_numbers_organization_fkey references public.organizations on delete cascade,
    constraint contact_import_numbers_pkey primary key (import_id, phone_number)
);
comment on table public.contact_import_numbers is 'Numbers that a dry run has met so far, so that it tells of doubles as a real one would; gone when it ends.';
create index contact_import_numbers_organization_idx on public.contact_import_numbers (organization_id);

-- Declared here so that triggers can name them; their bodies are in sql/functions.
create function public.do_not_call_lock() returns trigger language plpgsql as 'begin return new; end';
create function public.audit_do_not_call() returns trigger language plpgsql as 'begin return null; end';

create trigger contacts_touch before update on public.contacts
    for each row execute function public.touch_updated_at();
create trigger do_not_call_lock before insert on public.do_not_call
    for each row execute function public.do_not_call_lock();
create trigger do_not_call_added after insert on public.do_not_call
    referencing new table as changed for each statement execute function public.audit_do_not_call();
create trigger do_not_call_removed after delete on public.do_not_call
    referencing old table as was for each statement execute function public.audit_do_not_call();
create trigger do_not_call_changed after update on public.do_not_call
    referencing old table as was new table as changed for each statement execute function public.audit_do_not_call();

-- Rights, as in 0008_rights.sql.
do $$
declare
    t text;
begin
    foreach t in array array['contacts', 'contact_imports', 'contact_import_errors', 'contact_import_numbers'] loop
        execute format('alter table public.%I enable row level security', t);
        execute format('alter table public.%I force row level security', t);
        execute format('revoke all on public.%I from public, anon, authenticated', t);
        execute format('create policy %I on public.%I to hookswitch_pump using (true) with check (true)', t || '_pump', t);
        execute format('grant select, insert, update, delete on public.%I to hookswitch_pump', t);
        execute format('create policy %I on public.%I for select to hookswitch_operator using (true)', t || '_operator', t);
        execute format('grant select on public.%I to hookswitch_operator', t);
        execute format('create policy %I on public.%I to hookswitch_api
                            using (organization_id = (select public.current_organization_id()))
                            with check (organization_id = (select public.current_organization_id()))', t || '_organization', t);
        execute format('grant select, insert, update, delete on public.%I to hookswitch_api', t);
        execute format('create policy %I on public.%I to service_role using (true) with check (true)', t || '_service', t);
        execute format('grant select on public.%I to service_role', t);
    end loop;
end
$$;
create policy contacts_people on public.contacts for select to authenticated
    using (organization_id = (select public.current_organization_id()));
grant select on public.contacts to authenticated;
grant insert, update, delete on public.contacts to service_role;
