-- isolation.sql - every table and partition x every role x every verb x a row of another organization, from the catalogue.
--
-- A new table fails here until it has its row in `expected` below: how a row of Bob's is made, how it is found, and who may do what with it.
-- Alice asks; Bob's rows are what she must not reach.  Rights are written as label:verbs (s i u d), joined by blanks, in this order of labels:
-- anon, people (role authenticated), api, webhook, service, operator, pump.  A label is several actors (see `actors`); what one of them can, it can.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as mine \gset
select tests.organization('Bob', :'bob') as theirs \gset
select tests.provider('Isolation Vapi') as provider \gset
select tests.template(:'theirs') as template \gset
select tests.call(:'theirs', :'template') as over \gset
select tests.accepted(:'over', 'isolation-1') as attempt \gset
select tests.report(:'attempt', tests.ended('customer-ended-call') || '{"transcript":"AI: secret","recording_url":"https://r.test/secret"}') \g /dev/null
select tests.call(:'theirs', :'template') as waiting \gset
insert into public.user_profiles (id, first_name) values (:'alice', 'Alice') on conflict (id) do nothing;

-- ---- what is expected of each table ---------------------------------------------

-- In whose and make: $org, $user, $call, $call_at, $provider, $template, $name (something unique) stand for things of Bob's.
-- whose: finds one row of Bob's; null: organization_id = '$org'.  make: makes it; null: it is there already.
create temporary table expected (
    place integer generated always as identity,
    relation text primary key,
    rights text not null default 'operator:s pump:siud',
    whose text,
    make text
);
insert into expected (relation, rights, whose, make) values
    ('auth.users', 'pump:siud', 'id = ''$user''', 'insert into auth.users (id, email) values (''$user'', ''$name@example.com'')'),
    ('hookswitch_auth.credentials', 'pump:siud', 'user_id = ''$user''',
        'insert into hookswitch_auth.credentials (user_id, password_hash) values (''$user'', ''x'')'),
    ('hookswitch_auth.sessions', 'pump:siud', 'user_id = ''$user''',
        'insert into hookswitch_auth.sessions (user_id, expires_at) values (''$user'', now() + interval ''1 day'')'),
    ('hookswitch_auth.refresh_tokens', 'pump:siud', 'hash = encode(sha256(''$name''), ''hex'')',
        'insert into hookswitch_auth.sessions (user_id, expires_at) values (''$user'', now() + interval ''1 day'');
         insert into hookswitch_auth.refresh_tokens (hash, session_id)
         select encode(sha256(''$name''), ''hex''), id from hookswitch_auth.sessions where user_id = ''$user'' limit 1'),
    ('hookswitch_auth.one_time_tokens', 'pump:siud', 'user_id = ''$user''',
        'insert into hookswitch_auth.one_time_tokens (kind, user_id, expires_at) values (''recovery'', ''$user'', now())'),
    ('hookswitch_auth.factors', 'pump:siud', 'user_id = ''$user''', 'insert into hookswitch_auth.factors (user_id, secret) values (''$user'', ''sealed:x'')'),
    ('hookswitch_auth.recovery_codes', 'pump:siud', 'user_id = ''$user''',
        'insert into hookswitch_auth.recovery_codes (user_id, hash) values (''$user'', encode(sha256(''$name''), ''hex''))'),
    ('hookswitch_auth.throttles', 'pump:siud', 'true',
        'insert into hookswitch_auth.throttles (key, tries, touched_at) values (encode(sha256(''$name''), ''hex''), 1, now())'),
    ('hookswitch.migrations', '', 'true', null),
    ('hookswitch.functions', '', 'true', null),
    ('hookswitch.functions_new', '', 'true', null),
    -- Of nobody in particular.
    ('public.state_moves', default, 'true', null),
    ('public.subscription_plans', 'people:s api:s service:s operator:s pump:siud', 'true', null),
    ('public.subscription_standings', 'api:s service:s operator:s pump:siud', 'true', null),
    ('public.subscription_statuses', 'service:s operator:s pump:siud', 'true', null),
    ('public.dunning_steps', 'service:s operator:s pump:siud', 'true', null),
    ('public.plan_prices', 'service:s operator:s pump:siud', 'true',
        'insert into public.plan_prices (provider, price_id, plan_id) select ''paddle'', ''$name'', id from public.subscription_plans limit 1'),
    ('public.billing_meters', 'service:s operator:s pump:siud', 'true',
        'insert into public.billing_meters (provider, event_name, meter_id) values (''stripe'', ''$name'', ''mtr_1'')'),
    ('public.end_reasons', 'api:s operator:s pump:siud', 'true', null),
    ('public.end_reasons_unlisted', default, 'true', 'insert into public.end_reasons_unlisted (provider_type, reason) values (''vapi'', ''$name'')'),
    ('public.retry_policies', default, 'true', null),
    ('public.templates', 'people:s api:s operator:s pump:siud', 'true', 'insert into public.templates (name) values (''$name'')'),
    ('public.voice_options', 'people:s api:s service:siud operator:s pump:siud', 'true',
        'insert into public.voice_options (voice_id, name) values (''v'', ''$name'')'),
    ('public.call_service_providers', 'service:siud operator:s pump:siud', 'id = ''$provider''', null),
    ('public.provider_availability', 'service:siud operator:s pump:siud', 'true',
        'insert into public.provider_availability (provider_id) values (''$provider'')'),
    ('public.rate_buckets', default, 'true', 'insert into public.rate_buckets (key, full_at) values (''organization:$org'', 0)'),
    ('public.key_sets', default, 'true', 'insert into public.key_sets (url, state) values (''https://$name'', ''trying'')'),
    ('public.workflows', 'service:s operator:s pump:siud', 'true', 'insert into public.workflows (name, steps) values (''$name'', ''{}'')'),
    ('public.webhook_event_keys', default, 'true', 'insert into public.webhook_event_keys (provider, key) values (''vapi'', ''$org:$name'')'),
    ('public.webhook_counts', default, 'true', 'insert into public.webhook_counts (provider, type) values (''vapi'', ''$name'')'),
    -- A person's.
    ('public.user_profiles', 'service:siud operator:s pump:siud', 'id = ''$user''',
        'insert into public.user_profiles (id, first_name) values (''$user'', ''Bob'') on conflict (id) do nothing'),
    ('public.user_settings', 'service:siud operator:s pump:siud', 'user_id = ''$user''', 'insert into public.user_settings (user_id) values (''$user'')'),
    ('public.template_favorites', default, 'user_id = ''$user''',
        'insert into public.template_favorites (user_id, template_id) values (''$user'', ''$template'')'),
    -- An organization's.
    ('public.organizations', 'service:siud operator:s pump:siud', 'id = ''$org''', null),
    ('public.organization_members', 'service:siud operator:s pump:siud', null, null),
    ('public.api_keys', default, null,
        'insert into public.api_keys (organization_id, name, prefix, key_hash) values (''$org'', ''k'', ''hsk_x'', encode(sha256(''$name''), ''hex''))'),
    ('public.idempotency_keys', default, null,
        'insert into public.idempotency_keys (organization_id, key, fingerprint, status, body) values (''$org'', ''$name'', ''f'', 200, ''{}'')'),
    ('public.subscriptions', 'service:s operator:s pump:siud', null, 'insert into public.subscriptions (organization_id) values (''$org'')'),
    ('public.billing_events', 'operator:s pump:si', null,
        'insert into public.billing_events (organization_id, event_type) values (''$org'', ''paid'')'),
    ('public.billing_accounts', 'service:s operator:s pump:siud', null, null),
    ('public.billing_differences', 'service:s operator:s pump:siud', null,
        'insert into public.billing_differences (provider, kind, external_id, organization_id) values (''stripe'', ''invoice'', ''$name'', ''$org'')'),
    ('public.checkout_sessions', 'service:s operator:s pump:siud', null,
        'insert into public.checkout_sessions (organization_id, plan_id) select ''$org'', id from public.subscription_plans limit 1'),
    ('public.invoices', 'service:s operator:s pump:siud', null,
        'insert into public.invoices (organization_id, provider, external_id, status, currency, issued_at) values (''$org'', ''stripe'', ''$name'', ''open'', ''usd'', now())'),
    ('public.usage_periods', 'service:s operator:s pump:siud', null,
        'insert into public.usage_periods (organization_id, period_start, period_end) values (''$org'', now() - interval ''1 hour'' * random(), now() + interval ''1 day'')'),
    ('public.usage_days', 'service:s operator:s pump:siud', null,
        'insert into public.usage_days (organization_id, date) values (''$org'', ''2026-01-01''::date + floor(random() * 9999)::integer)'),
    ('public.usage_alerts', 'service:s operator:s pump:siud', null,
        'insert into public.usage_alerts (organization_id, period_start, kind, percent) values (''$org'', now(), ''calls'', floor(random() * 99999999)::integer)'),
    ('public.usage_reports', 'service:s operator:s pump:siud', null,
        'insert into public.usage_reports (identifier, organization_id, entry_id, call_id, quantity, occurred_at)
         values (''$name'', ''$org'', gen_random_uuid(), ''$call'', 60, now())'),
    ('public.assistants', 'service:siud operator:s pump:siud', null, 'insert into public.assistants (organization_id, name) values (''$org'', ''$name'')'),
    ('public.phone_numbers', 'service:siud operator:s pump:siud', null,
        'insert into public.phone_numbers (organization_id, phone_number) values (''$org'', ''+15550107777'')'),
    ('public.phone_provision_logs', default, null, 'insert into public.phone_provision_logs (organization_id) values (''$org'')'),
    ('public.number_policy', 'service:s operator:s pump:siud', 'true', null),
    ('public.number_differences', 'service:s operator:s pump:siud', null,
        'insert into public.number_differences (provider, kind, external_id, organization_id) values (''twilio'', ''drift'', ''$name'', ''$org'')'),
    ('public.number_sweep_items', 'pump:siud', 'run_id = ''$name''',
        'insert into public.number_sweep_items (run_id, list, external_id, item) values (''$name'', ''twilio'', ''PN1'', ''{}'')'),
    ('public.timings', 'service:s operator:s pump:siud', 'true', 'insert into public.timings (kind, name) values (''step'', ''$name'')'),
    ('public.verified_numbers', 'service:s operator:s pump:siud', null,
        'insert into public.verified_numbers (organization_id, phone_number) values (''$org'', ''+1555'' || (1000000 + floor(random() * 8999999)::integer))'),
    ('public.text_messages', 'service:s operator:s pump:siud', null,
        'insert into public.text_messages (organization_id, direction) values (''$org'', ''inbound'')'),
    ('public.call_templates', 'service:siud operator:s pump:siud', null, null),
    ('public.call_template_targets', 'service:siud operator:s pump:siud', 'template_id = ''$template''', null),
    ('public.call_template_shares', 'service:siud operator:s pump:siud', 'template_id = ''$template''',
        'insert into public.call_template_shares (template_id, email) values (''$template'', ''$name@example.com'')'),
    ('public.calls', 'service:s operator:s pump:siud', null, null),
    ('public.call_queue', 'service:si operator:s pump:siud', null, null),
    ('public.call_assignments', 'service:s operator:s pump:siud', null, null),
    ('public.call_retries', 'service:s operator:s pump:siud', null,
        'insert into public.call_retries (call_id, call_created_at, organization_id, attempt, delay_seconds, retry_at)
         values (''$call'', ''$call_at'', ''$org'', 1, 1, now())'),
    ('public.call_transcripts', 'service:s operator:s pump:siud', null, null),
    ('public.call_recordings', 'service:s operator:s pump:siud', null, null),
    ('public.call_actions', 'service:s operator:s pump:siud', null,
        'insert into public.call_actions (call_id, call_created_at, organization_id, action_type) values (''$call'', ''$call_at'', ''$org'', ''note'')'),
    ('public.call_feedback', 'service:s operator:s pump:siud', null,
        'insert into public.call_feedback (call_id, call_created_at, organization_id, rating) values (''$call'', ''$call_at'', ''$org'', 5)'),
    ('public.usage_entries', 'service:s operator:s pump:siud', null, null),
    ('public.do_not_call', 'service:siud operator:s pump:siud', null,
        'insert into public.do_not_call (organization_id, phone_number) values (''$org'', ''+15550107777'')'),
    ('public.contacts', 'service:siud operator:s pump:siud', null,
        'insert into public.contacts (organization_id, phone_number) values (''$org'', ''+15550107777'')'),
    ('public.contact_imports', 'service:s operator:s pump:siud', null, 'insert into public.contact_imports (organization_id) values (''$org'')'),
    ('public.contact_import_errors', 'service:s operator:s pump:siud', null,
        'insert into public.contact_imports (organization_id) values (''$org'');
         insert into public.contact_import_errors (import_id, position, organization_id, line, code, detail)
         select id, 1, organization_id, 2, ''x'', ''x'' from public.contact_imports where organization_id = ''$org'' limit 1'),
    ('public.contact_import_numbers', 'service:s operator:s pump:siud', null,
        'insert into public.contact_imports (organization_id) values (''$org'');
         insert into public.contact_import_numbers (import_id, organization_id, phone_number)
         select id, organization_id, ''+15550107777'' from public.contact_imports where organization_id = ''$org'' limit 1'),
    ('public.events', 'service:s operator:s pump:si', null, null),
    ('public.webhook_events', default, null,
        'insert into public.webhook_events (provider, organization_id, signer, type, key, state, body)
         values (''vapi'', ''$org'', ''call'', ''x'', ''$name'', ''kept'', ''{}'')'),
    ('public.organization_invitations', 'service:s operator:s pump:siud', null,
        'insert into public.organization_invitations (organization_id, email, role, expires_at) values (''$org'', ''$name@example.com'', ''member'', now())'),
    -- Append-only: a trigger refuses even the pump.
    ('public.audit_log', 'service:s operator:s pump:si', null,
        'insert into public.audit_log (organization_id, actor_type, action, target_type, target_id) values (''$org'', ''user'', ''member.added'', ''member'', ''$user'')'),
    ('public.workflow_runs', 'service:s operator:s pump:siud', null,
        'insert into public.workflow_runs (id, workflow, organization_id) values (''$name'', ''mail'', ''$org'')'),
    ('public.workflow_steps', 'service:s operator:s pump:siud', 'run_id = ''$name''',
        'insert into public.workflow_steps (run_id, generation, step, state) values (''$name'', 1, ''send'', ''sent'')'),
    ('public.workflow_signals', 'service:s operator:s pump:siud', 'run_id = ''$name''',
        'insert into public.workflow_signals (run_id, id, name) values (''$name'', ''1'', ''go'')'),
    ('public.workflow_schedules', 'service:s operator:s pump:siud', null,
        'insert into public.workflow_schedules (id, workflow, cron, organization_id) values (''$name'', ''mail'', ''0 0 * * *'', ''$org'')'),
    ('public.webhook_secrets', default, null,
        'insert into public.webhook_secrets (organization_id, provider, kind, secret) values (''$org'', ''vapi'', ''bearer'', ''sealed:x'')');

-- ---- who asks ---------------------------------------------------------------------

create temporary table actors (place integer generated always as identity, label text, role text, claims jsonb, setting text);
insert into actors (label, role, claims, setting) values
    ('anon', 'anon', null, ''),
    ('anon', 'anon', jsonb_build_object('sub', :'bob', 'role', 'anon'), :'theirs'),
    ('people', 'authenticated', jsonb_build_object('sub', :'alice'), ''),
    ('people', 'authenticated', jsonb_build_object('sub', :'alice', 'app_metadata', jsonb_build_object('organization_id', :'theirs')), ''),
    ('people', 'authenticated', jsonb_build_object('sub', :'alice', 'user_metadata', jsonb_build_object('organization_id', :'theirs', 'role', 'service_role')), ''),
    ('people', 'authenticated', jsonb_build_object('sub', :'alice', 'organization_id', :'theirs', 'role', 'hookswitch_api'), :'theirs'),
    ('people', 'authenticated', null, :'theirs'),
    ('api', 'hookswitch_api', jsonb_build_object('sub', :'alice'), :'mine'),
    ('api', 'hookswitch_api', jsonb_build_object('sub', :'alice', 'app_metadata', jsonb_build_object('organization_id', :'theirs')), :'mine'),
    ('api', 'hookswitch_api', jsonb_build_object('sub', :'alice', 'app_metadata', jsonb_build_object('organization_id', :'theirs')), ''),
    ('api', 'hookswitch_api', jsonb_build_object('role', 'hookswitch_key', 'key_id', gen_random_uuid()), :'mine'),
    ('api', 'hookswitch_api', null, ''),
    ('webhook', 'hookswitch_webhook', jsonb_build_object('sub', :'bob'), :'theirs'),
    ('service', 'service_role', jsonb_build_object('role', 'service_role'), ''),
    ('operator', 'hookswitch_operator', null, ''),
    ('pump', 'hookswitch_pump', null, '');

-- ---- the attempts -------------------------------------------------------------------

-- Whether p_sql does its work for the actor: p_proof tells it afterwards; null: p_sql itself counts what was seen.  Nothing stays.
-- Any other refusal than one of rights (a constraint, a trigger) comes from behind the wall, so the wall has let it through.
create function pg_temp.through(a actors, p_sql text, p_proof text default null) returns boolean language plpgsql as $$
declare
    v_n bigint;
begin
    perform set_config('request.jwt.claims', coalesce(a.claims::text, ''), true), set_config('hookswitch.organization_id', a.setting, true);
    perform set_config('role', a.role, true);
    if p_proof is null then
        execute p_sql into v_n;
    else
        execute p_sql;
        perform tests.be_nobody();
        execute p_proof into v_n;
    end if;
    raise exception using errcode = 'TST01', message = v_n;
exception
    when sqlstate 'TST01' then return sqlerrm::bigint > 0;
    when insufficient_privilege then return false;
    when others then return true;
end
$$;

-- The columns of a table that a role may use a verb on; without those that nobody can write, unless it is about reading.
create function pg_temp.columns(p_table regclass, p_role text, p_verb text) returns text[] language sql as $$
    select coalesce(array_agg(quote_ident(attname) order by attnum), '{}') from pg_attribute
     where attrelid = p_table and attnum > 0 and not attisdropped
       and (p_verb = 'select' or attgenerated = '' and (p_verb = 'insert' or attidentity <> 'a'))
       and has_column_privilege(p_role, p_table, attname, p_verb)
$$;

-- The verbs of s i u d that an actor can use on the row p_row, which p_key finds.
create function pg_temp.verbs(a actors, p_table regclass, p_row jsonb, p_key text) returns text language plpgsql as $$
declare
    v_read text[] := pg_temp.columns(p_table, a.role, 'select');
    v_write text[] := pg_temp.columns(p_table, a.role, 'insert');
    v_change text := coalesce((pg_temp.columns(p_table, a.role, 'update'))[1], (pg_temp.columns(p_table, 'hookswitch_owner', 'update'))[1], 'ctid');
    v_done text := '';
    v_gone text := format('select count(*) from (select 1 where not exists (select from %s where %s)) x', p_table, p_key);
    v_ctid text;
begin
    execute format('select ctid from %s where %s', p_table, p_key) into v_ctid;
    if pg_temp.through(a, format('select count(*) from %s where %s', p_table, p_key))
       or cardinality(v_read) > 0 and pg_temp.through(a, format('select count(*) from %1$s x, jsonb_populate_record(null::%1$s, %2$L) r where %3$s',
              p_table, p_row, (select string_agg(format('x.%1$s::text is not distinct from r.%1$s::text', c), ' and ') from unnest(v_read) c))) then
        v_done := v_done || 's';
    end if;
    if cardinality(v_write) = 0 then
        v_write := pg_temp.columns(p_table, 'hookswitch_owner', 'insert');
    end if;
    if pg_temp.through(a, format('insert into %1$s (%2$s) overriding system value select %2$s from jsonb_populate_record(null::%1$s, %3$L)',
                                 p_table, array_to_string(v_write, ', '), p_row), 'select 1') then
        v_done := v_done || 'i';
    end if;
    if (select bool_or(pg_temp.through(a, format('update %s set %s = %L%s', p_table, v_change, p_row ->> trim('"' from v_change), w),
                                       format('select count(*) from (select 1 where not exists (select from %s where %s and ctid = %L)) x', p_table, p_key, v_ctid)))
          from unnest(array['', ' where ' || p_key]) w) then
        v_done := v_done || 'u';
    end if;
    if (select bool_or(pg_temp.through(a, format('delete from %s%s', p_table, w), v_gone)) from unnest(array['', ' where ' || p_key]) w) then
        v_done := v_done || 'd';
    end if;
    return v_done;
end
$$;

-- What all actors together can do: 'people:s pump:siud'.
create function pg_temp.rights(p_table regclass, p_row jsonb, p_key text) returns text language sql as $$
    select coalesce(string_agg(l.label || ':' || l.verbs, ' ' order by l.place), '')
      from (select a.label, min(a.place) as place,
                   (select string_agg(v, '' order by i) from unnest(array['s', 'i', 'u', 'd']) with ordinality u(v, i)
                     where position(v in string_agg(pg_temp.verbs(a, p_table, p_row, p_key), '')) > 0) as verbs
              from actors a group by a.label) l
     where l.verbs <> ''
$$;

create function pg_temp.fill(p_text text, p_things jsonb) returns text language plpgsql as $$
declare
    t record;
begin
    for t in select key, value from jsonb_each_text(p_things) order by length(key) desc loop
        p_text := replace(p_text, '$' || t.key, t.value);
    end loop;
    return p_text;
end
$$;

-- A predicate that finds exactly this row: by its primary key, else by all of it.
create function pg_temp.key_of(p_table regclass, p_row jsonb) returns text language sql as $$
    select coalesce(string_agg(format('%I = %L', a.attname, p_row ->> a.attname), ' and '),
                    (select string_agg(format('%I is not distinct from %L', k, p_row ->> k), ' and ') from jsonb_object_keys(p_row) k))
      from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
     where i.indrelid = p_table and i.indisprimary
$$;

-- One line for each table of ours, and for each partition, for which the rights are none.
create function pg_temp.check_all(p_things jsonb) returns setof text language plpgsql as $$
declare
    t record;
    e expected;
    v_row jsonb;
begin
    for e in select * from expected x where x.make is not null and to_regclass(x.relation) is not null order by x.place loop
        execute pg_temp.fill(e.make, p_things);
    end loop;
    for t in select c.oid::regclass as oid, n.nspname || '.' || c.relname as name, p.inhparent,
                    (select pn.nspname || '.' || pc.relname from pg_class pc join pg_namespace pn on pn.oid = pc.relnamespace where pc.oid = p.inhparent) as parent
               from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_inherits p on p.inhrelid = c.oid and c.relispartition
              where c.relkind in ('r', 'p', 'f') and c.relpersistence <> 't' and n.nspname !~ '^pg_|^information_schema$|^tests$'
                and (n.nspname <> 'auth' or pg_get_userbyid(c.relowner) = 'hookswitch_owner')
                and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
              order by p.inhparent is not null, name loop
        select * into e from expected x where x.relation = coalesce(t.parent, t.name);
        if not found then
            return next fail(format('%s has its row in "expected" of tests/sql/isolation.sql: who may do what with a row of another organization, how one is found and made', t.name));
            continue;
        end if;
        execute format('select to_jsonb(x) from %s x where %s limit 1', t.oid, pg_temp.fill(coalesce(e.whose, 'organization_id = ''$org'''), p_things)) into v_row;
        if v_row is not null then
            return next is(pg_temp.rights(t.oid, v_row, pg_temp.key_of(t.oid, v_row)), case when t.parent is null then e.rights else '' end,
                           format('%s: what can be done with a row of another organization', t.name));
        elsif t.parent is null then
            return next fail(format('%s: a row of another organization was made and found (see "expected" of tests/sql/isolation.sql)', t.name));
        end if;
    end loop;
end
$$;

select * from pg_temp.check_all(jsonb_build_object('org', :'theirs', 'user', :'bob', 'call', :'over', 'call_at', (select created_at from public.calls where id = :'over'),
                                                  'provider', :'provider', 'template', :'template', 'name', 'isolation-' || gen_random_uuid()));

select is_empty($$select e.relation from expected e where to_regclass(e.relation) is null$$, 'no row of "expected" is about a table that is gone');

-- That the attempts can get through at all: a person and the API reach what is their own.
select is((select pg_temp.verbs(a, 'public.organizations', to_jsonb(o), format('id = %L', o.id)) from actors a, public.organizations o where a.place = 3 and o.id = :'mine'),
          's', 'a person sees her own organization');
select is((select pg_temp.verbs(a, 'public.user_profiles', to_jsonb(p), format('id = %L', p.id)) from actors a, public.user_profiles p where a.place = 3 and p.id = :'alice'),
          'su', 'and changes her own profile');
insert into public.idempotency_keys (organization_id, key, fingerprint, status, body) values (:'mine', 'isolation', 'f', 200, '{}');
select is((select pg_temp.verbs(a, 'public.idempotency_keys', to_jsonb(k), format('key = %L and organization_id = %L', k.key, k.organization_id))
             from actors a, public.idempotency_keys k where a.place = 8 and k.organization_id = :'mine'),
          'sid', 'and the API her organization''s keys of idempotency');

-- And that a hole would be seen: what the rights to Bob's call are once p_break was done.
create function pg_temp.broken(p_table regclass, p_org uuid, p_break text) returns text language plpgsql as $$
declare
    v_row jsonb;
begin
    execute p_break;
    execute format('select to_jsonb(x) from %s x where organization_id = %L limit 1', p_table, p_org) into v_row;
    raise exception using errcode = 'TST02', message = pg_temp.rights(p_table, v_row, pg_temp.key_of(p_table, v_row));
exception when sqlstate 'TST02' then
    return replace(sqlerrm, ' operator:s pump:siud', '');
end
$$;

select is(pg_temp.broken(b.relation, :'theirs', b.break), b.seen, 'it would be seen: ' || regexp_replace(b.break, '\s+', ' ', 'g')) from (values
    ('public.calls'::regclass, 'create policy calls_hole on public.calls to authenticated using (true)', 'people:s service:s'),
    ('public.calls', 'create policy calls_hole on public.calls for update to authenticated using (true); grant update (metadata) on public.calls to authenticated', 'people:u service:s'),
    ('public.calls', 'grant insert on public.calls to authenticated; create policy calls_hole on public.calls for insert to authenticated with check (true)', 'people:i service:s'),
    ('public.calls', 'alter table public.calls disable row level security', 'people:s api:s service:s'),
    ('public.do_not_call', 'drop policy do_not_call_organization on public.do_not_call;
        create policy do_not_call_organization on public.do_not_call to hookswitch_api using (true); grant delete on public.do_not_call to hookswitch_api',
        'api:sd service:siud'),
    ('public.webhook_secrets', 'grant select (secret) on public.webhook_secrets to hookswitch_api; drop policy webhook_secrets_organization on public.webhook_secrets;
        create policy webhook_secrets_organization on public.webhook_secrets to hookswitch_api using (true)', 'api:s'),
    ('public.calls', 'create or replace function public.current_organization_id() returns uuid language sql stable as
        $f$ select nullif(current_setting(''hookswitch.organization_id'', true), '''')::uuid $f$', 'people:s service:s'),
    ('public.calls', 'create or replace function public.organization_of_user(p_user uuid, p_wish uuid) returns uuid language sql stable as $f$ select p_wish $f$',
        'people:s api:s service:s'),
    ('public.idempotency_keys', 'grant insert (organization_id, key, fingerprint, status, body) on public.idempotency_keys to hookswitch_webhook;
        create policy idempotency_keys_hole on public.idempotency_keys to hookswitch_webhook with check (true)', 'webhook:i')) b(relation, break, seen);

select * from finish();
rollback;
