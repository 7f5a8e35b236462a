-- isolation_tricks.sql - what a customer with a grudge would try, by SQL as PostgREST lets him in, and as the server makes him.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as mine \gset
select tests.organization('Bob', :'bob') as theirs \gset
select tests.provider('Isolation Vapi') as provider \gset
select tests.template(:'mine') as own \gset
select tests.template(:'theirs') as template \gset
select tests.call(:'theirs', :'template') as over \gset
select tests.accepted(:'over', 'isolation-1') as attempt \gset
select tests.report(:'attempt', tests.ended('customer-ended-call') || '{"transcript":"AI: secret","recording_url":"https://r.test/secret"}') \g /dev/null
select tests.call(:'theirs', :'template') as waiting \gset
select tests.call(:'mine', :'own') as call \gset
insert into public.user_profiles (id, first_name, status) values (:'alice', 'Alice', 'active'), (:'bob', 'Bob', 'active')
    on conflict (id) do update set first_name = excluded.first_name, status = 'active';
insert into public.phone_numbers (organization_id, phone_number) values (:'theirs', '+15550107777') returning id as number \gset
insert into public.idempotency_keys (organization_id, key, fingerprint, status, body) values (:'theirs', 'taken', 'f', 200, '{"secret":1}');

-- ---- the setting, the role and the claims -----------------------------------------

-- The session of PostgREST: it can become what it is a member of, and nothing else.
create role isolation_authenticator noinherit login;
grant anon, authenticated to isolation_authenticator;
set session authorization isolation_authenticator;
set local role authenticated;
select set_config('request.jwt.claims', jsonb_build_object('sub', :'alice', 'role', 'authenticated')::text, true) \g /dev/null
select throws_ok(format('set local role %I', r), '42501', null, 'who comes through PostgREST cannot become ' || r)
  from unnest(array['hookswitch_api', 'hookswitch_webhook', 'hookswitch_pump', 'hookswitch_operator', 'service_role', 'hookswitch_owner', 'hookswitch_app']) r;
select throws_ok(format('select set_config(''role'', %L, true)', r), '42501', null, 'nor by set_config ' || r)
  from unnest(array['hookswitch_api', 'hookswitch_pump', 'service_role']) r;
select throws_ok('set local row_security = off; select count(*) from public.calls', '42501', null, 'row security cannot be put off');
select throws_ok('set local session_replication_role = replica', '42501', null, 'nor can triggers');
select is((select count(*)::integer from public.calls), 1, 'she sees her own call');

-- Each way to say that she acts for Bob's organization.
create function pg_temp.calls_with(p_claims jsonb, p_setting text) returns text language plpgsql as $$
begin
    perform set_config('request.jwt.claims', coalesce(p_claims::text, ''), true), set_config('hookswitch.organization_id', p_setting, true);
    return (select count(*) || ' ' || count(*) filter (where organization_id::text = current_setting('isolation.theirs')) from public.calls);
end
$$;
select set_config('isolation.theirs', :'theirs', true) \g /dev/null
select is(pg_temp.calls_with(t.claims || jsonb_build_object('sub', :'alice'), t.setting), t.sees, 'with ' || t.what || ' she sees nothing of Bob''s')
  from (values ('the setting', '{}'::jsonb, :'theirs', '1 0'),
               ('app_metadata', jsonb_build_object('app_metadata', jsonb_build_object('organization_id', :'theirs')), '', '0 0'),
               ('both', jsonb_build_object('app_metadata', jsonb_build_object('organization_id', :'theirs')), :'theirs', '0 0'),
               ('user_metadata', jsonb_build_object('user_metadata', jsonb_build_object('organization_id', :'theirs')), '', '1 0'),
               ('a claim of her own', jsonb_build_object('organization_id', :'theirs'), '', '1 0'),
               ('a role in the claims', '{"role":"service_role"}', :'theirs', '1 0'),
               ('our role in the claims', '{"role":"hookswitch_api"}', :'theirs', '1 0'),
               ('a setting that is no id', '{}', 'x'' or 1=1', '1 0')) t(what, claims, setting, sees);
select is(pg_temp.calls_with(jsonb_build_object('role', 'hookswitch_key', 'key_id', gen_random_uuid()), :'theirs'), '0 0', 'nor as a key');
select is(pg_temp.calls_with(null, :'theirs'), '0 0', 'nor as nobody');
select set_config('request.jwt.claims', jsonb_build_object('sub', :'alice', 'role', 'authenticated')::text, true),
       set_config('hookswitch.organization_id', '', true) \g /dev/null

-- ---- looking around the wall ------------------------------------------------------

-- A condition that tells what it was asked about is asked about visible rows only, however cheap it says it is.
create temporary table told (what text);
create function pg_temp.tell(p_what text) returns boolean language plpgsql cost 0.0000001 as $$
begin
    insert into told values (p_what);
    return true;
end
$$;
select count(*) from public.calls where pg_temp.tell(id::text) \g /dev/null
select count(*) from public.call_history where pg_temp.tell(id::text) and transcript <> 'x' \g /dev/null
select count(*) from public.user_call_history where pg_temp.tell(call_queue_id::text) \g /dev/null
select count(*) from public.organizations where pg_temp.tell(name) \g /dev/null
select count(*) from public.user_profiles where pg_temp.tell(id::text) \g /dev/null
select is_empty(format('select what from told where what not in (%L, ''Alice'', %L)', :'call', :'alice'), 'a condition of hers is asked about no row of Bob''s');
select isnt_empty('select 1 from told', 'but about hers');
-- Names that look like ours, in a schema of hers, are not what our functions use.
create temporary table organization_members as select :'theirs'::uuid as organization_id, :'alice'::uuid as user_id, 'owner' as role, true as is_default, now() as created_at;
create temporary table organizations as select :'theirs'::uuid as id, 'active' as status, :'alice'::uuid as personal_of;
set local search_path = pg_temp, public;
select is(public.current_organization_id(), :'mine'::uuid, 'a table of hers with the name of ours fools nobody');
select is((select count(*)::integer from public.calls where organization_id = :'theirs'), 0, 'neither does it fool policies');
reset search_path;
set local search_path = public;
select is_empty($$select tablename from pg_stats where schemaname in ('public', 'parts') and tablename ~ '^call'$$, 'the planner''s samples are hidden');
select throws_ok('select count(*) from hookswitch.functions', '42501', null, 'nor can she look at the migrations');
select throws_ok('lock table public.calls in access exclusive mode', '42501', null, 'nor lock others out');
select throws_ok('create table public.mine (a integer)', '42501', null, 'nor make a table');
select throws_ok('create policy mine on public.calls using (true)', '42501', null, 'nor a policy');
select throws_ok('alter table public.calls disable row level security', '42501', null, 'nor take row security away');
select throws_ok('select * from auth.users', '42501', null, 'nor see who can sign in');

-- ---- changing what is not hers ------------------------------------------------------

select is_empty(format('update public.user_profiles set first_name = ''x'' where id = %L returning id', :'bob'), 'she changes no other profile');
select is_empty(format('update public.profiles set first_name = ''x'' where id = %L returning id', :'bob'), 'nor by the view');
select throws_ok(format('update public.user_profiles set id = %L', :'bob'), '42501', null, 'nor becomes Bob');
select throws_ok(format('select public.schedule_call(%L, %L, ''x'', ''+15550100001'')', :'bob', :'own'), 'PT403', 'user_mismatch', 'nor orders calls for Bob');
select throws_ok(format('select public.schedule_call(%L, %L, ''x'', ''+15550100001'')', :'alice', :'template'), 'PT422', 'template_not_found', 'nor with his template');
select throws_ok(format('select public.schedule_call(%L, %L, ''x'', ''+15550100001'')', :'alice', gen_random_uuid()), 'PT422', 'template_not_found',
                 'and one that does not exist is refused in the same words');
select throws_ok(format('select public.schedule_call(%L, %L, ''x'', ''+15550100001'', p_metadata => %L)', :'alice', :'own', jsonb_build_object('organization_id', :'theirs')),
                 'PT404', 'organization_not_found', 'nor for his organization');
select throws_ok(format('select public.schedule_call(null, %L, ''x'', ''+15550100001'', p_metadata => %L)', :'own', jsonb_build_object('organization_id', :'theirs')),
                 'PT403', 'user_mismatch', 'nor for nobody');
select set_config('request.jwt.claims', '', true) \g /dev/null
select throws_ok(format('select public.schedule_call(%L, %L, ''x'', ''+15550100001'')', p, :'own'), 'PT403', 'user_mismatch', 'nor without claims')
  from unnest(array[:'bob', :'alice']) p;
select throws_ok(format('select public.schedule_call(null, %L, ''x'', ''+15550100001'')', :'own'), 'PT404', 'organization_not_found', 'nor for nobody without claims');
reset session authorization;

-- ---- as the server makes her ---------------------------------------------------------

select tests.be(:'alice');
select throws_ok(format('insert into public.idempotency_keys (organization_id, key, fingerprint, status, body) values (%L, ''taken'', ''f'', 200, ''{}'')', :'theirs'),
                 '42501', null, 'a key of Bob''s that is taken');
select throws_ok(format('insert into public.idempotency_keys (organization_id, key, fingerprint, status, body) values (%L, ''free'', ''f'', 200, ''{}'')', :'theirs'),
                 '42501', null, 'and one that is free are refused in the same words');
select throws_ok(format('insert into public.idempotency_keys (user_id, key, fingerprint, status, body) values (%L, ''free'', ''f'', 200, ''{}'')', :'bob'),
                 '42501', null, 'so is one for Bob himself');
select results_eq($$select state from public.idempotency_take('taken', 'f')$$, $$values ('new')$$, 'what Bob has used is new for her');
select throws_ok(format('select api.call_create(''+15550100001'', %L, p_caller_number_id => %L)', :'own', x.id), 'PT422', 'caller_number_not_found',
                 'a number of Bob''s and one that does not exist are refused in the same words') from (values (:'number'), (gen_random_uuid()::text)) x(id);
select throws_ok(format('select api.%s(%L%s)', f.name, x.id, f.more), 'PT404', 'call_not_found', f.name || ': a call of Bob''s does not exist')
  from (values ('call_get', ''), ('call_cancel', ''), ('call_retry', ''), ('call_transcript', ''), ('call_recording', ''), ('call_actions', ''),
               ('call_reschedule', ', ''2099-01-01''')) f(name, more),
       (values (:'over'), (:'waiting'), (gen_random_uuid()::text)) x(id);
select throws_ok('select api.metrics()', '42501', null, 'the numbers of the whole installation are not for customers');
select set_config('hookswitch.retry_of', :'over', true) \g /dev/null
select is(api.call_create('+15550100001', :'own') ->> 'organization_id', :'mine', 'what she orders is hers, whatever it names');
select is((api.call_list() -> 'data') @> '[{"organization_id":"x"}]' or api.call_list()::text ~ :'theirs', false, 'and nothing in her list is Bob''s');

-- ---- who has left ---------------------------------------------------------------------

-- She was a member of Bob's organization, worked there, and was taken out.
select tests.be_nobody();
insert into public.organization_members (organization_id, user_id, role) values (:'theirs', :'alice', 'member');
update public.call_templates set created_by = :'alice' where id in (:'template', :'own');
update public.calls set user_id = :'alice' where id = :'over';
select tests.be_person(:'alice', jsonb_build_object('app_metadata', jsonb_build_object('organization_id', :'theirs')));
select isnt_empty(format('select 1 from public.calls where id = %L', :'over'), 'a member sees the organization''s calls');
select isnt_empty(format('select 1 from public.call_templates where id = %L', :'template'), 'and the template that she made there');
select tests.be_nobody();
delete from public.organization_members where organization_id = :'theirs' and user_id = :'alice';
select tests.be_person(:'alice');
select is_empty(format('select 1 from public.calls where id = %L', :'over'), 'who has left sees no call of it, also not one that she ordered');
select is_empty(format('select 1 from public.call_templates where id = %L', :'template'), 'nor the template that she made there');
select isnt_empty(format('select 1 from public.call_templates where id = %L', :'own'), 'but her own organization''s');
select tests.be(:'alice');
select throws_ok(format('select api.call_get(%L)', :'over'), 'PT404', 'call_not_found', 'nor by the API');

-- ---- events that name another's call ------------------------------------------------

-- Alice's organization signs an event about a call that the provider will give to Bob: it waits, and does nothing to Bob's call when that comes.
select tests.be_nobody();
select is(public.webhook_keep('vapi', :'mine', 'organization', 'k1', 'status-update', null, 'isolation-2', '{}',
          (tests.ended('customer-ended-call'))::text, 'moves'), 'waiting', 'an event about a call that is not known yet waits');
select tests.accepted(:'waiting', 'isolation-2') as second \gset
select is((tests.queue(:'waiting')).status, 'in-progress', 'when the call comes it is not moved by it');
update public.webhook_events set try_at = now() - interval '1 minute' where key = 'k1';
select public.webhook_sweep() \g /dev/null
select is((select state::text from public.webhook_events where key = 'k1'), 'foreign_call', 'and the event is kept as what it is');
select is((tests.queue(:'waiting')).status, 'in-progress', 'and does nothing');
select is(public.webhook_keep('vapi', :'mine', 'organization', 'k2', 'status-update', :'second', 'isolation-2', '{}',
          (tests.ended('customer-ended-call'))::text, 'moves'), 'foreign_call', 'nor does one that names the attempt');
select is(public.webhook_keep('vapi', :'mine', 'call', 'k3', 'status-update', :'second', 'isolation-2', '{}',
          (tests.ended('customer-ended-call'))::text, 'moves'), 'foreign_call', 'nor one with a call''s token, in another''s name');
select is((tests.queue(:'waiting')).status, 'in-progress', 'Bob''s call goes on');

select * from finish();
rollback;
