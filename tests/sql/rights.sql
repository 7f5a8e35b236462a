-- rights.sql - who may see and do what, proved from the catalogue: what is added later is checked too.
begin;
select no_plan();

create function tests.extension_owned(p_class regclass, p_oid oid) returns boolean language sql stable as $$
    select exists (select from pg_depend d where d.classid = p_class and d.objid = p_oid and d.deptype = 'e')
$$;
create temporary view our_tables as
    select c.* from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not tests.extension_owned('pg_class', c.oid);
create temporary view our_views as
    select c.* from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm') and not tests.extension_owned('pg_class', c.oid);
create temporary view our_functions as
    select p.*, n.nspname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname in ('api', 'public') and not tests.extension_owned('pg_proc', p.oid);
create temporary view our_roles as
    select r.* from pg_roles r where r.rolname like 'hookswitch\_%' or r.rolname in ('anon', 'authenticated', 'service_role');

select cmp_ok((select count(*)::integer from our_tables), '>', 30, 'there are tables to check');
select cmp_ok((select count(*)::integer from our_functions), '>', 80, 'there are functions to check');

-- ---- tables --------------------------------------------------------------------

select is_empty($$select relname from our_tables where not relrowsecurity or not relforcerowsecurity$$,
                'row security is enabled and forced on every table');
select is_empty($$select relname from our_tables t where not exists (select from pg_policy p where p.polrelid = t.oid)$$,
                'every table has a policy');
select is_empty($$select relname from our_tables where obj_description(oid, 'pg_class') is null
                   union all select relname from our_views where obj_description(oid, 'pg_class') is null$$,
                'every table and view has a comment');
select is_empty($$select c.relname from pg_class c where c.relnamespace = 'parts'::regnamespace and c.relkind in ('r', 'p')
                     and (not relrowsecurity or not relforcerowsecurity)$$, 'row security is enabled and forced on every partition');
select is_empty($$select c.relname, a.grantee::regrole from pg_class c, aclexplode(c.relacl) a
                   where c.relnamespace = 'parts'::regnamespace and a.grantee <> c.relowner$$, 'partitions grant nobody anything');
select is_empty($$select a.grantee from pg_namespace n, aclexplode(n.nspacl) a where n.nspname = 'parts' and a.grantee <> n.nspowner$$,
                'nor does their schema');
select isnt_empty($$select 1 from pg_class where relnamespace = 'parts'::regnamespace and relkind = 'r'$$, 'and there are some');
select is_empty($$select c.relname from pg_class c where c.relispartition and c.relkind in ('r', 'p')
                     and c.relnamespace <> 'parts'::regnamespace
                     and exists (select from pg_inherits i join our_tables t on t.oid = i.inhparent where i.inhrelid = c.oid)$$,
                'no partition lies elsewhere');
select is_empty($$select t.relname, a.privilege_type from our_tables t, aclexplode(t.relacl) a where a.grantee = 0 or a.grantee = 'anon'::regrole
                   union all select v.relname, a.privilege_type from our_views v, aclexplode(v.relacl) a where a.grantee = 0 or a.grantee = 'anon'::regrole$$,
                'public and anon are granted nothing');
select is_empty($$select t.relname, a.privilege_type from our_tables t, aclexplode(t.relacl) a
                   where a.grantee = 'authenticated'::regrole and a.privilege_type <> 'SELECT'$$, 'authenticated changes no table as a whole');
select is(array(select t.relname || '.' || c.attname
                  from our_tables t join pg_attribute c on c.attrelid = t.oid, aclexplode(c.attacl) a
                 where a.grantee = 'authenticated'::regrole and a.privilege_type <> 'SELECT' order by 1),
          '{user_profiles.address,user_profiles.city,user_profiles.first_name,user_profiles.last_name,user_profiles.phone_number,user_profiles.preferences,user_profiles.state}',
                  'and no column but those of the own profile');
select is_empty($$select c.relname from pg_class c, aclexplode(c.relacl) a where c.relnamespace = 'public'::regnamespace and c.relkind = 'S'
                     and a.grantee in (0, 'anon'::regrole, 'authenticated'::regrole)
                     and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')$$,
                'nor any sequence');
select is_empty($$select t.relname from our_tables t join pg_attribute c on c.attrelid = t.oid and c.attname = 'organization_id'
                   where t.relname not in (select tablename from pg_policies where schemaname = 'public'
                                             and qual like '%organization_id%current_organization_id%')
                     and exists (select from aclexplode(t.relacl) a where a.grantee in ('authenticated'::regrole, 'hookswitch_api'::regrole)
                                 union all select from pg_attribute x, aclexplode(x.attacl) a where x.attrelid = t.oid and a.grantee in ('authenticated'::regrole, 'hookswitch_api'::regrole))$$,
                'a table with an organization_id that people may read is bound to the active organization');
select is_empty($$select tablename, policyname from pg_policies where schemaname = 'public' and qual = 'true'
                     and roles && '{public,anon,authenticated,hookswitch_api,hookswitch_webhook}'
                     and tablename not in ('subscription_plans', 'subscription_standings', 'templates', 'end_reasons')$$,
                'only plans, what statuses mean, assistant templates and end reasons are open to every organization');
select is_empty($$select relname from our_views where not coalesce(reloptions @> '{security_invoker=true}', false)$$,
                'every view asks as its reader');

-- ---- functions ------------------------------------------------------------------

select is(array(select distinct f.proname::text from our_functions f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
                     where a.grantee in (0, 'anon'::regrole) order by 1),
          '{check_state_move,current_organization_id,current_user_id,touch_updated_at}',
                  'everybody may call only what policies and triggers need');
select is(array(select distinct f.proname::text from our_functions f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
                     where a.grantee = 'authenticated'::regrole order by 1),
          '{call_templates_shared,schedule_call}', 'authenticated may call schedule_call, what its policies ask, and nothing else');
select is_empty($$select f.proname from our_functions f, aclexplode(f.proacl) a
                   where f.nspname = 'api' and a.grantee not in (f.proowner, 'hookswitch_api'::regrole, 'hookswitch_pump'::regrole, 'hookswitch_webhook'::regrole,
                                                                  'hookswitch_operator'::regrole)$$,
                'schema api is for the programs alone');
select is_empty($$select proname from our_functions where prosecdef and not coalesce(array_to_string(proconfig, ' ') ~ 'search_path=""', false)$$,
                'every security definer function has an empty search_path');
select is_empty($$select proname from our_functions where not coalesce(array_to_string(proconfig, ' ') ~ 'search_path=""', false)
                     and prosqlbody is null
                     and not (proname like 'work\_%' and not prosecdef)
                     and prolang in (select oid from pg_language where lanname in ('sql', 'plpgsql'))$$,
                'and every other one too, but for those whose names were resolved when they were made, and the inner ones of the engine');
select is_empty($$select f.proname, a.grantee::regrole from our_functions f, aclexplode(f.proacl) a
                   where f.proname like 'work\_%' and not f.prosecdef and a.grantee not in (f.proowner, 'hookswitch_pump'::regrole)$$,
                'which only functions of hookswitch_pump call, whose search_path is theirs');
select is(array(select proname::text from our_functions where prosecdef and proowner <> 'hookswitch_pump'::regrole order by 1),
          '{partition_close,partitions_make,schema_version}',
                  'security definer functions are owned by hookswitch_pump, but for the three that the tables'' owner must run');
select is_empty($$select proname from our_functions where nspname = 'api' group by proname having count(*) > 1$$, 'no function of api has two meanings');
select is_empty($$select r.ev_class::regclass from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
                    join our_functions f on d.refclassid = 'pg_proc'::regclass and d.refobjid = f.oid and f.nspname = 'api'
                   union all select p.polrelid::regclass from pg_policy p join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid
                    join our_functions f on d.refclassid = 'pg_proc'::regclass and d.refobjid = f.oid and f.nspname = 'api'
                   union all select t.tgrelid::regclass from pg_trigger t join our_functions f on f.oid = t.tgfoid and f.nspname = 'api'$$,
                'no table, policy, trigger or view uses schema api');
select set_eq($$select signature from hookswitch.functions where signature like 'api.%'$$,
              $$select nspname || '.' || proname || '(' || coalesce((select string_agg(format_type(t, null), ', ' order by i)
                       from unnest(proargtypes) with ordinality a(t, i)), '') || ')' from our_functions where nspname = 'api'$$,
              'the list of functions that were applied is the list of those that are there');

-- ---- roles and schemas ------------------------------------------------------------

select is_empty($$select rolname from our_roles where rolsuper or (rolbypassrls and rolname <> 'service_role')$$, 'no role of ours is superuser or passes row security by');
select is_empty($$select rolname from our_roles where rolname in ('hookswitch_api', 'hookswitch_webhook', 'hookswitch_pump', 'hookswitch_operator') and rolcanlogin$$,
                'the roles of the programs cannot log in');
select is_empty($$select n.nspname, a.grantee::regrole from pg_namespace n, aclexplode(n.nspacl) a where a.privilege_type = 'CREATE'
                     and n.nspname in ('api', 'public', 'parts', 'hookswitch') and a.grantee <> n.nspowner
                     and a.grantee in (select oid from our_roles where rolname <> 'hookswitch_owner' union all select 0)$$,
                'nobody but the owner can make anything in our schemas');
select is_empty($$select a.grantee::regrole from pg_namespace n, aclexplode(n.nspacl) a where n.nspname = 'hookswitch'
                     and a.grantee <> n.nspowner$$, 'the migrations'' own schema is nobody else''s');

-- ---- names ------------------------------------------------------------------------

select is_empty($$select conrelid::regclass, conname from pg_constraint where conname ~ '[0-9]$' and connamespace = 'public'::regnamespace and conparentid = 0
                     and not tests.extension_owned('pg_class', conrelid)$$, 'constraints have names of our own');
select is_empty($$select c.conrelid::regclass, c.conname from pg_constraint c join our_tables t on t.oid = c.conrelid
                   where c.conparentid = 0 and c.conname not like t.relname || '\_%'$$, 'that begin with their table''s');
select is_empty($$select i.indexrelid::regclass from pg_index i join our_tables t on t.oid = i.indrelid join pg_class c on c.oid = i.indexrelid
                   where c.relname not like t.relname || '\_%' or c.relname !~ '_(pkey|key|idx)$'$$, 'and indexes too, and say what they are');
select is_empty($$select t.relname, p.polname from our_tables t join pg_policy p on p.polrelid = t.oid where p.polname not like t.relname || '\_%'$$, 'and policies');
select is_empty($$select t.relname, c.conname from pg_constraint c join our_tables t on t.oid = c.conrelid
                   where c.contype = 'f' and not exists (select from pg_index i where i.indrelid = c.conrelid
                         and (i.indkey::smallint[])[0] = any (c.conkey))
                     and c.confdeltype <> 'n' and t.relname not in ('usage_entries')
                     and c.confrelid in ('public.calls'::regclass, 'public.call_templates'::regclass)$$,
                'what hangs on a call or a template is found by an index when that is deleted');

-- ---- what people can do: tried ------------------------------------------------------

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as org \gset
select tests.organization('Bob', :'bob') as other \gset
select tests.provider('Rights Vapi') as vapi \gset
select tests.template(:'org') as template \gset
update public.call_templates set created_by = :'alice' where id = :'template';
select tests.call(:'org', :'template') as call \gset
select tests.accepted(:'call', 'rights-1') as attempt \gset
select tests.report(:'attempt', tests.ended('customer-ended-call') || '{"transcript":"AI: secret","recording_url":"https://r.test/secret"}') \g /dev/null
select tests.call(:'org', :'template') as waiting \gset
select tier_type as first_tier from public.subscriptions where organization_id = :'org' and current \gset
insert into public.subscriptions (organization_id, user_id, plan_id) select :'org', :'alice', id from public.subscription_plans where name = 'free';
insert into public.user_profiles (id, first_name, status) values (:'alice', 'Alice', 'active') on conflict (id) do nothing;
insert into public.user_profiles (id, first_name, status) values (:'bob', 'Bob', 'active') on conflict (id) do nothing;
select tableoid::regclass as part from public.calls where id = :'call' \gset

-- How many rows one sees of a relation; -1: he may not look.
create function tests.sees(p_relation text) returns bigint language plpgsql as $$
declare
    v_n bigint;
begin
    execute format('select count(*) from public.%I', p_relation) into v_n;
    return v_n;
exception when insufficient_privilege then
    return -1;
end
$$;
create temporary table relations as select relname::text from our_tables union all select relname::text from our_views;
grant select on relations to public;
grant execute on all functions in schema tests to public;

select tests.be_person(:'alice');
select is((select count(*)::integer from public.calls), 2, 'a person sees the calls of his organization');
select is((select count(*)::integer from public.call_queue), 2, 'and its queue');
select is((select transcript from public.call_history where id = :'call'), 'AI: secret', 'with transcripts');
select is((select recording_url from public.user_call_history where id = :'call'), 'https://r.test/secret', 'and recordings');
select is((select calls_used || ' ' || minutes_used || ' ' || calls_remaining from public.user_call_usage), '1 2 24', 'and the usage, in whole minutes for each call');
select is((select string_agg(tier_type, ' ' order by current desc) from public.subscriptions), 'free ' || :'first_tier', 'and the subscriptions, the one before too');
select is((select first_name from public.users), 'Alice', 'and himself alone');
select throws_ok('select control_url from public.call_assignments', '42501', null, 'what lets one hang up or listen in stays hidden');
select throws_ok('select vapi_cost_cents from public.calls', '42501', null, 'and what a provider charges');
select throws_ok('select 1 from public.call_service_providers', '42501', null, 'providers stay hidden');
select throws_ok('select 1 from public.' || t, '42501', null, 'a person cannot read ' || t)
  from unnest('{call_service_providers,provider_availability,webhook_events,webhook_event_keys,webhook_secrets,webhook_counts,api_keys,idempotency_keys,state_moves,retry_policies,end_reasons,end_reasons_unlisted,do_not_call,contact_imports,contact_import_errors,contact_import_numbers,call_template_targets,billing_events,billing_accounts,billing_differences,billing_meters,checkout_sessions,invoices,plan_prices,usage_alerts,usage_reports,events,phone_provision_logs}'::text[]) t;
select throws_ok(format('select 1 from %s', :'part'), '42501', null, 'nor a partition by its name');
select throws_ok(format('insert into public.usage_entries (organization_id, call_id, call_created_at, kind, quantity, occurred_at) values (%L, %L, now(), ''seconds'', 1, now())', :'org', :'call'),
                 '42501', null, 'a person cannot write usage');
select throws_ok(format('select public.complete_call(%L)', :'waiting'), '42501', null, 'nor complete a call');
select throws_ok(format('select public.handle_failed_call(%L)', :'waiting'), '42501', null, 'nor fail one');
select throws_ok('select public.get_next_call_in_queue()', '42501', null, 'nor look at the head of everybody''s queue');
select throws_ok(format('select public.call_enter(%L, %L, ''{}'')', :'other', :'alice'), '42501', null, 'nor enter a call past schedule_call');
select throws_ok(format('select api.call_get(%L)', :'call'), '42501', null, 'nor use schema api');
select throws_ok('update public.subscriptions set tier_type = ''enterprise''', '42501', null, 'nor change his plan');
select throws_ok('update public.user_subscriptions set status = ''active''', '42501', null, 'not through the view either');
select throws_ok('insert into public.subscriptions (organization_id) values (gen_random_uuid())', '42501', null, 'nor give himself one');
select throws_ok('update public.subscription_plans set call_limit = null', '42501', null, 'nor change what a plan holds');
select throws_ok('update public.organizations set max_concurrent_calls = null', '42501', null, 'nor his cap');
select throws_ok(format('insert into public.organization_members (organization_id, user_id) values (%L, %L)', :'other', :'alice'), '42501', null, 'nor join another organization');
select throws_ok(format('insert into public.call_queue (organization_id, recipient_number, expires_at) values (%L, ''+15550100001'', now())', :'org'), '42501', null, 'nor write into the queue directly');
select throws_ok('update public.user_profiles set status = ''active''', '42501', null, 'nor switch himself on');
select lives_ok('update public.user_profiles set first_name = ''Alicia''', 'he changes his own name');
select tests.be_nobody();
select results_eq(format('select first_name from public.user_profiles where id in (%L, %L) order by 1', :'alice', :'bob'), $$values ('Alicia'), ('Bob')$$, 'and nobody else''s');

select tests.be_person(:'bob');
select is((select array_agg(relname || '=' || tests.sees(relname) order by relname) from relations
            where tests.sees(relname) > 0 and relname not in ('subscription_plans', 'user_profiles', 'profiles', 'users', 'templates', 'voice_options', 'organization_members', 'organizations',
                                                                     'subscriptions', 'user_subscriptions')), null,
          'a stranger sees nothing of it in any table or view');
select is((select count(*)::integer from public.subscriptions where organization_id <> :'other'), 0, 'no subscription but his own organization''s');
select is((select count(*)::integer from public.calls), 0, 'no call');
select is((select count(*)::integer from public.call_templates), 0, 'no private template');
select is((select count(id)::integer from public.organizations), 1, 'no organization but his own');
select tests.be_person(:'bob', jsonb_build_object('app_metadata', jsonb_build_object('organization_id', :'org')));
select is((select count(*)::integer from public.calls), 0, 'also with a token that names it');
select tests.be_person(:'bob', jsonb_build_object('user_metadata', jsonb_build_object('organization_id', :'org')));
select set_config('hookswitch.organization_id', :'org', true) \g /dev/null
select is((select count(*)::integer from public.calls), 0, 'also when he sets our setting by himself');
select tests.be_role('anon');
select throws_ok('select 1 from public.calls', '42501', null, 'who is not signed in sees nothing');
select throws_ok('select public.schedule_call(null, null, null, null)', '42501', null, 'and schedules nothing');

-- As the server makes him.
select tests.be(:'bob');
select is((select count(*)::integer from public.calls), 0, 'the API shows a stranger nothing');
select throws_ok(format('select api.call_get(%L)', :'call'), 'PT404', 'call_not_found', 'a call of another organization does not exist');
select throws_ok('select api_key from public.call_service_providers', '42501', null, 'the API cannot read providers');
select throws_ok('select body from public.webhook_events', '42501', null, 'nor raw events');
select throws_ok('select key_hash from public.api_keys', '42501', null, 'nor hashes of keys');
select throws_ok(format('select 1 from %s', :'part'), '42501', null, 'nor a partition by its name');
select tests.be_role('hookswitch_webhook');
select throws_ok('select 1 from public.calls', '42501', null, 'what takes webhooks in reads no table');
select tests.be_role('hookswitch_operator');
select is((select count(*)::integer from public.calls), 2, 'an operator sees all');
select throws_ok('update public.calls set status = ''failed''', '42501', null, 'and changes nothing');
select tests.be_role('hookswitch_pump');
delete from public.events;
select tests.be_nobody();
select isnt_empty(format('select 1 from public.events where organization_id = %L', :'org'), 'outgoing events are never taken back');
select tests.be_role('hookswitch_pump');
select throws_ok('update public.billing_events set amount_cents = 0', '42501', null, 'nor money events changed');

select * from finish();
rollback;
