-- numbers.sql - phone numbers: who gets one, what is wanted of it, and how each step leads to the next.
begin;
select no_plan();

select gen_random_uuid() as owner, gen_random_uuid() as other_owner \gset
select tests.organization('Acme', :'owner') as org, tests.organization('Others', :'other_owner') as other, tests.provider('voice') as account \gset
insert into public.user_profiles (id, email) values (:'owner', 'owner@example.com');
insert into public.number_policy (enabled) values (false) on conflict (id) do update set enabled = false, rest_days = 30;
insert into public.assistants (organization_id, name, vapi_assistant_id, status) values (:'org', 'Desk', 'a-1', 'active') returning id as assistant \gset

create function pg_temp.on_plan(p_organization uuid, p_plan text) returns void language sql as $$
    update public.subscriptions s set plan_id = p.id, tier_type = p.name, status = 'active'
      from public.subscription_plans p where p.name = p_plan and s.organization_id = p_organization and s.current $$;
create function pg_temp.make(p_organization uuid, p jsonb default '{}') returns uuid language sql as $$ select (public.number_make(p_organization, p)).id $$;
create function pg_temp.row_of(p_number uuid) returns public.phone_numbers language sql as $$ select * from public.phone_numbers where id = p_number $$;
-- A step's function, as the engine calls it for the number's present run.
create function pg_temp.told(p_number uuid, p_step text, p_result jsonb default '{}', p_results jsonb default '{}') returns jsonb language sql as $$
    select jsonb_build_object('id', n.run_id, 'generation', 1, 'input', jsonb_build_object('number_id', n.id), 'step', p_step, 'result', p_result,
                              'results', p_results) from public.phone_numbers n where n.id = p_number $$;
-- That step was sent, so often; its outcome is in that state.
create function pg_temp.sent(p_number uuid, p_step text, p_state text default 'sent', p_visit integer default 1) returns void language sql as $$
    insert into public.workflow_steps (run_id, generation, step, undo, state, visit, attempts, tries, sent_at)
    select n.run_id, 1, p_step, false, p_state, p_visit, 1, 1, now() from public.phone_numbers n where n.id = p_number
    on conflict (run_id, generation, step, undo) do update set state = excluded.state, visit = excluded.visit $$;
create function pg_temp.found(p_numbers text[]) returns jsonb language sql as $$
    select jsonb_build_object('full', false, 'candidates', (select coalesce(jsonb_agg(jsonb_build_object('phone_number', x, 'locality', 'Austin',
        'country_code', 'US', 'capabilities', '{"voice":true}'::jsonb)), '[]') from unnest(p_numbers) x)) $$;
-- One that was bought, imported and is active.
create function pg_temp.active(p_organization uuid, p_phone text) returns uuid language plpgsql as $$
declare
    v uuid := pg_temp.make(p_organization, jsonb_build_object('phone_number', p_phone,
        'assistant_id', (select a.id from public.assistants a where a.organization_id = p_organization)));
begin
    perform public.number_bought(pg_temp.told(v, 'buy', jsonb_build_object('sid', 'PN' || p_phone, 'account', 'AC1')));
    perform public.number_imported(pg_temp.told(v, 'import', jsonb_build_object('id', 'v' || p_phone, 'assistant', 'a-1', 'version', 1)));
    perform public.number_committed(pg_temp.told(v, 'commit', '{}', '{"assistant":{}}')), public.number_decide(pg_temp.told(v, 'decide', '{}', '{"assistant":{}}'));
    return v;
end $$;

-- ---- who gets one ---------------------------------------------------------------

select pg_temp.on_plan(:'org', 'free');
select throws_ok(format('select public.number_make(%L, %L)', :'org', '{}'), 'PT402', 'number_limit_reached', 'a plan without numbers gives none');
select pg_temp.on_plan(:'org', 'basic');
select pg_temp.make(:'org', '{"area_code":"512","name":"Desk","origin":"automatic"}') as n \gset
select is((select jsonb_build_array(x.status, x.phone_number, x.wanted, x.origin, x.country_code, x.number_type, x.want, x.user_id, x.run_id)
             from public.phone_numbers x where x.id = :'n'),
    jsonb_build_array('searching', null, 'active', 'automatic', 'US', 'local', '{"area_code":"512"}'::jsonb, :'owner', 'phone-number:' || :'n' || ':1'),
    'one that is not named is searched, by a run of its own');
select is((select r.workflow || ' ' || r.organization_id from public.workflow_runs r where r.id = 'phone-number:' || :'n' || ':1'),
    'phone-number ' || :'org', 'the run is there');
select throws_ok(format('select public.number_make(%L, %L)', :'org', '{}'), 'PT402', 'number_limit_reached', 'a plan with one gives one');
select pg_temp.on_plan(:'org', 'business'), pg_temp.on_plan(:'other', 'enterprise');
update public.subscriptions set status = 'unpaid' where organization_id = :'org' and current;
select throws_ok(format('select public.number_make(%L, %L)', :'org', '{}'), 'PT402', 'subscription_inactive', 'who does not pay gets none');
update public.subscriptions set status = 'active' where organization_id = :'org' and current;
update public.organizations set status = 'suspended' where id = :'org';
select throws_ok(format('select public.number_make(%L, %L)', :'org', '{}'), 'PT403', 'organization_inactive', 'who is suspended gets none');
update public.organizations set status = 'active' where id = :'org';
select throws_ok(format('select public.number_make(%L, %L)', :'other', jsonb_build_object('assistant_id', :'assistant')), 'PT404', 'assistant_not_found',
    'another organization''s assistant answers nobody');
select throws_ok(format('select public.number_make(%L, %L)', gen_random_uuid(), '{}'), 'PT403', 'organization_inactive', 'nobody gets none');

-- ---- search and reserve -----------------------------------------------------------

select is(public.number_decide(pg_temp.told(:'n', 'decide')), '{"next":"search"}', 'first it is searched');
select is(public.number_prepare(pg_temp.told(:'n', 'search')) -> 'prepared' -> 'want',
    '{"area_code":"512","country_code":"US","number_type":"local","page_size":20}', 'for what was asked');
select pg_temp.make(:'other', '{"phone_number":"+15550100001"}') as taken \gset
select is((pg_temp.row_of(:'taken')).status, 'buying', 'one that is named is bought at once');
select throws_ok(format('select public.number_make(%L, %L)', :'org', '{"phone_number":"+15550100001"}'), 'PT409', 'number_taken', 'and nobody else''s');
insert into public.phone_numbers (organization_id, phone_number, status, origin, wanted, rests_until)
values (:'other', '+15550100002', 'released', 'chosen', 'released', now() + interval '1 day'),
       (:'other', '+15550100003', 'released', 'chosen', 'released', now() - interval '1 day'),
       (:'other', '+15550100004', 'active', 'manual', 'active', null);
select throws_ok(format('select public.number_make(%L, %L)', :'org', '{"phone_number":"+15550100002"}'), 'PT409', 'number_resting', 'one that rests is left alone');
select throws_ok(format('select public.number_make(%L, %L)', :'org', '{"phone_number":"+15550100004"}'), 'PT409', 'number_taken', 'so is one that was written by hand');
update public.phone_numbers set tried = '{+15550100005}' where id = :'n';
select is(public.number_searched(pg_temp.told(:'n', 'search', pg_temp.found('{+15550100001,+15550100002,+15550100004,+15550100005,+15550100003}'))),
    '{"next":"buy"}', 'of what was found one is bought');
select is((select x.phone_number || ' ' || x.status || ' ' || x.locality from public.phone_numbers x where x.id = :'n'), '+15550100003 buying Austin',
    'that nobody has, that does not rest, and that was not tried');
select throws_ok(format('insert into public.phone_numbers (organization_id, phone_number, status, origin) values (%L, %L, %L, %L)',
    :'other', '+15550100003', 'buying', 'chosen'), '23505', null, 'from then on it is nobody else''s');

-- ---- buying ---------------------------------------------------------------------

select is(public.number_prepare(pg_temp.told(:'n', 'buy')) -> 'prepared' ->> 'number', '+15550100003', 'it is asked for');
select pg_temp.sent(:'n', 'buy');
select is(public.number_prepare(pg_temp.told(:'n', 'buy')), '{"next":"check"}', 'what may have been bought is looked up before it is bought again');
update public.phone_numbers set wanted = 'released' where id = :'n';
select is(public.number_prepare(pg_temp.told(:'n', 'buy')), '{"next":"check"}', 'also when it is not wanted any more');
update public.phone_numbers set wanted = 'active' where id = :'n';
select pg_temp.sent(:'n', 'check');
select is(public.number_bought(pg_temp.told(:'n', 'check', '{"absent":true}', '{"buy":{}}')), '{"next":"buy","sleep_seconds":0.5}', 'what is not there is bought after all');
select is(public.number_bought(pg_temp.told(:'n', 'check', '{"absent":true}', '{"buy":{"refused":"twilio_21422"}}')), '{"next":"check","sleep_seconds":0.5}',
    'unless it was refused: then it may be ours, and be listed later');
update public.phone_numbers set wanted = 'released' where id = :'n';
select is(public.number_bought(pg_temp.told(:'n', 'check', '{"absent":true}', '{"buy":{}}')), '{"next":"check","sleep_seconds":0.5}',
    'also when it is not wanted any more');
select is(public.number_decide(pg_temp.told(:'n', 'decide')), '{"next":"check"}', 'whatever run comes by');
update public.phone_numbers set wanted = 'active', asked_at = now() - interval '1 minute' where id = :'n';
select is(public.number_bought(pg_temp.told(:'n', 'check', '{"absent":true}', '{"buy":{"refused":"twilio_21422"}}')), '{"next":"search"}',
    'in the end it is somebody else''s, and another one is searched');
select is((select jsonb_build_array(x.phone_number, x.tried, x.last_error, x.status) from public.phone_numbers x where x.id = :'n'),
    '[null, ["+15550100005", "+15550100003"], "twilio_21422", "searching"]', 'and that one is remembered');
select public.number_searched(pg_temp.told(:'n', 'search', pg_temp.found('{+15550100006}')));
update public.phone_numbers set asked = 2, asked_at = now() where id = :'n';
select is(public.number_bought(pg_temp.told(:'n', 'buy', '{"refused":"twilio_21422"}')), '{"next":"check"}', 'a refusal of what was asked for twice is looked into');
select is(public.number_bought(pg_temp.told(:'n', 'check', '{"refused":"number_not_ours"}')), '{"next":"search"}', 'somebody else''s is left to him');
select public.number_searched(pg_temp.told(:'n', 'search', pg_temp.found('{+15550100007}')));
select is(public.number_bought(pg_temp.told(:'n', 'buy', '{"sid":"PN7","account":"AC1","capabilities":{"voice":true}}')), '{"next":"assistant"}', 'one is bought');
select is((select x.provider_sid || ' ' || x.status || ' ' || (x.purchased_at is not null) from public.phone_numbers x where x.id = :'n'), 'PN7 linking true', 'and ours');
select is((select count(*)::integer from public.events e where e.organization_id = :'org' and e.type = 'number.purchased'), 1, 'which is announced');

select is(public.number_bought(pg_temp.told(:'taken', 'buy', '{"refused":"twilio_21422"}')), '{"done":true}', 'one that was named is not replaced by another');
select is((select x.status || ' ' || x.release_reason || ' ' || (x.run_id is null) from public.phone_numbers x where x.id = :'taken'),
    'failed number_not_available true', 'it failed');
select isnt(pg_temp.make(:'org', '{"phone_number":"+15550100001"}'), null, 'and anybody may try it again');

-- ---- nothing is found -------------------------------------------------------------

select pg_temp.make(:'org', '{"locality":"Nowhere","region":"TX","origin":"automatic"}') as wide, pg_temp.make(:'org', '{"locality":"Nowhere"}') as narrow \gset
select is(public.number_searched(pg_temp.told(:'wide', 'search', '{"candidates":[],"full":false}')), '{"next":"search"}', 'who wants any is given one from elsewhere');
select is((pg_temp.row_of(:'wide')).want, '{"widened":true}', 'in the whole country');
select is(public.number_searched(pg_temp.told(:'wide', 'search', '{"candidates":[],"full":false}')), '{"done":true}', 'once');
select is(public.number_searched(pg_temp.told(:'narrow', 'search', '{"refused":"twilio_21451"}')), '{"done":true}', 'who chose the place is not');
select is((select x.status || ' ' || x.release_reason || ' ' || x.last_error from public.phone_numbers x where x.id = :'narrow'), 'failed no_number_found twilio_21451',
    'that is said');
select is((select l.status || ' ' || l.reason from public.phone_provision_logs l where l.phone_number_id = :'narrow' and l.trigger_action = 'provision'),
    'failed no_number_found', 'also in the log');
select is((select r.input -> 'data' ->> 'reason' from public.workflow_runs r where r.id like 'mail:number-failed:' || :'narrow' || ':%'),
    'There was no such number to be had.', 'and by mail');
select pg_temp.make(:'other', '{}') as long \gset
select is(public.number_searched(pg_temp.told(:'long', 'search', pg_temp.found('{+15550100007}') || '{"full":true}')), '{"next":"search"}',
    'where all that was found is taken a longer list is asked for');
select is(public.number_prepare(pg_temp.told(:'long', 'search')) -> 'prepared' -> 'want' ->> 'page_size', '100', 'five times as long');

-- ---- linking -----------------------------------------------------------------------

update public.assistants set vapi_assistant_id = null, status = 'pending' where id = :'assistant';
select is(public.number_assistant_wait(pg_temp.told(:'n', 'assistant')), '{"wait":"assistant","wait_seconds":60,"next":"assistant"}', 'an assistant that is on its way is waited for');
select is((pg_temp.row_of(:'n')).assistant_wanted_id, :'assistant'::uuid, 'it is the organization''s own');
select pg_temp.sent(:'n', 'assistant', 'retry', 10);
select is(public.number_assistant_wait(pg_temp.told(:'n', 'assistant')), '{"next":"import"}', 'not for ever');
update public.assistants set vapi_assistant_id = 'a-1', status = 'active' where id = :'assistant';
select is(public.number_assistant_wait(pg_temp.told(:'n', 'assistant')), '{"next":"import"}', 'one that is there is not waited for');
select is((public.number_prepare(pg_temp.told(:'n', 'import')) -> 'prepared') - '{account,number_id}'::text[],
    jsonb_build_object('number', '+15550100007', 'sid', 'PN7', 'twilio_account', 'AC1', 'version', 1, 'assistant', 'a-1', 'assistant_id', :'assistant'), 'the number is imported with it');
update public.call_service_providers set is_active = false;
select is(public.number_prepare(pg_temp.told(:'n', 'import')), '{"next":"decide","sleep_seconds":300}', 'without an account at Vapi it waits');
update public.call_service_providers set is_active = true;
select is(public.number_imported(pg_temp.told(:'n', 'import', '{"refused":"vapi_400"}')), '{"next":"find"}', 'a refusal is looked into: it may be there');
select is(public.number_imported(pg_temp.told(:'n', 'find', jsonb_build_object('id', 'v-7', 'found', true, 'version', 1, 'provider_id', :'account'), '{"assistant":{}}')),
    '{"next":"configure"}', 'one that is there is set as it shall be');
select is(public.number_configured(pg_temp.told(:'n', 'configure', '{"version":1}')), '{"next":"link"}', 'at Twilio and at Vapi');
select public.number_prepare(pg_temp.told(:'n', 'link', '{}', '{"configure":{"version":1}}'));
select is((select x.linked_assistant || ' ' || x.link_version from public.phone_numbers x where x.id = :'n'), 'a-1 0', 'what Vapi may know is written before it is told');
select is(public.number_linked(pg_temp.told(:'n', 'link', jsonb_build_object('assistant', 'a-1', 'assistant_id', :'assistant', 'version', 1))), '{"next":"commit"}', 'told');
select is(public.number_committed(pg_temp.told(:'n', 'commit')), '{"next":"decide"}', 'it works');
select is(public.number_decide(pg_temp.told(:'n', 'decide')), '{"done":true}', 'and nothing is missing');
select is((select jsonb_build_array(x.status, x.run_id, x.linked_at is not null, x.assistant_id) from public.phone_numbers x where x.id = :'n'),
    jsonb_build_array('active', null, true, :'assistant'), 'the run is over');
select is((select s.assistant_provisioning_status || ' ' || s.vapi_assistant_id from public.user_settings s where s.user_id = :'owner'), 'phone_provisioned a-1',
    'people''s own programs see it');
select is((select count(*)::integer from public.workflow_runs r where r.id like 'mail:number-ready:' || :'n' || ':%'), 1, 'its owner is told');

-- ---- wanted otherwise -----------------------------------------------------------------

select is(public.number_want(:'n', 'active', 'x'), false, 'what it is already is nothing new');
select is(public.number_want(:'n', 'paused', 'plan_changed', '2099-01-01'), true, 'it is paused');
select is((pg_temp.row_of(:'n')).run_id, 'phone-number:' || :'n' || ':2', 'by another run');
select public.number_want(:'n', 'active', 'x'), public.number_want(:'n', 'paused', 'plan_changed', '2099-01-01');
select is((pg_temp.row_of(:'n')).run_id, 'phone-number:' || :'n' || ':2', 'one at a time');
select is(public.number_decide(pg_temp.told(:'n', 'decide')), '{"next":"unlink"}', 'Vapi is told');
select is(public.number_prepare(pg_temp.told(:'n', 'unlink')) -> 'prepared' -> 'assistant', null, 'of nobody');
select is(public.number_unlinked(pg_temp.told(:'n', 'unlink', '{"refused":"vapi_400"}')), '{"next":"unlink","sleep_seconds":300}', 'until it takes it');
select is((pg_temp.row_of(:'n')).link_version, 0::bigint, 'what Vapi may know is not relied on');
select is(public.number_unlinked(pg_temp.told(:'n', 'unlink', '{"version":1}')), '{"next":"decide"}', 'done');
select is(public.number_decide(pg_temp.told(:'n', 'decide')), '{"done":true}', 'no more than that');
select is((select jsonb_build_array(x.status, x.pause_reason, x.release_after, x.provider_sid) from public.phone_numbers x where x.id = :'n'),
    jsonb_build_array('paused', 'plan_changed', '2099-01-01'::timestamptz, 'PN7'), 'it is kept');
select is(public.number_want(:'n', 'active', 'resumed'), true, 'it is wanted again');
select is(public.number_decide(pg_temp.told(:'n', 'decide')), '{"next":"link"}', 'and Vapi is told');
update public.workflow_runs set state = 'working' where id = 'phone-number:' || :'n' || ':3';
update public.workflow_runs set state = 'failed', due_at = null, finished_at = now() where id = 'phone-number:' || :'n' || ':3';
select public.number_sync(:'n');
select is((select x.run_id || ' ' || x.config_version from public.phone_numbers x where x.id = :'n'), 'phone-number:' || :'n' || ':4 2', 'a run that failed is followed by another');
select is(public.number_decide(jsonb_build_object('id', 'phone-number:' || :'n' || ':3', 'input', jsonb_build_object('number_id', :'n'), 'results', '{}'::jsonb)),
    '{"done":true}', 'and does nothing any more');

-- ---- given back ------------------------------------------------------------------------

select is(public.number_want(:'n', 'released', 'canceled'), true, 'it is not wanted any more');
select is(public.number_decide(pg_temp.told(:'n', 'decide')), '{"next":"remove"}', 'first Vapi lets it go');
select is(public.number_removed(pg_temp.told(:'n', 'remove', '{"gone":true}')), '{"next":"release"}', 'then Twilio');
select pg_temp.sent(:'n', 'release', 'unknown');
select public.number_want(:'n', 'active', 'resumed');
select is(public.number_prepare(pg_temp.told(:'n', 'release')) -> 'prepared' ->> 'sid', 'PN7', 'what may be gone is not taken back');
select is(public.number_given_back(pg_temp.told(:'n', 'release')), '{"done":true}', 'it is gone');
select is((select jsonb_build_array(x.status, x.wanted, x.run_id, x.voice_number_id, x.rests_until > now() + interval '29 days') from public.phone_numbers x where x.id = :'n'),
    '["released", "released", null, null, true]', 'and rests');
select is(public.number_want(:'n', 'active', 'x'), false, 'what is gone is wanted in vain');
select is(public.number_start(pg_temp.row_of(:'n')), null, 'nothing is done with it');

select pg_temp.make(:'org', '{}') as early \gset
select public.number_want(:'early', 'released', 'requested');
select is(public.number_decide(pg_temp.told(:'early', 'decide')), '{"done":true}', 'one that was not bought yet is not bought');
select is((select jsonb_build_array(x.status, x.rests_until) from public.phone_numbers x where x.id = :'early'), '["released", null]', 'and need not rest');
select is_empty(format($$select 1 from public.workflow_runs where id like 'mail:number-%%:%s:%%'$$, :'early'), 'nobody gets a mail about it');

-- ---- what cannot be linked -----------------------------------------------------------------

select pg_temp.make(:'org', '{"phone_number":"+15550100020"}') as bad \gset
select public.number_bought(pg_temp.told(:'bad', 'buy', '{"sid":"PN20"}'));
select is(public.number_imported(pg_temp.told(:'bad', 'find', '{"absent":true}', '{"import":{"refused":"vapi_400"}}')), '{"next":"release"}', 'what Vapi refuses is given back');
select is(public.number_want(:'bad', 'active', 'resumed'), false, 'whatever is wanted');
select public.number_given_back(pg_temp.told(:'bad', 'release'));
select is((select x.status || ' ' || x.release_reason || ' ' || x.last_error from public.phone_numbers x where x.id = :'bad'), 'failed link_failed vapi_400', 'and failed');
select pg_temp.active(:'org', '+15550100021') as works \gset
select is((pg_temp.row_of(:'works')).status, 'active', 'one that works');
select public.number_sync(:'works');
select is(public.number_linked(pg_temp.told(:'works', 'link', '{"refused":"vapi_400"}')), '{"done":true}', 'stays when it is refused another assistant');
select is((select x.status || ' ' || x.last_error || ' ' || (x.run_id is null) from public.phone_numbers x where x.id = :'works'), 'active vapi_400 true', 'as it was');
select public.number_sync(:'works');
select is(public.number_linked(pg_temp.told(:'works', 'link', '{"refused":"vapi_404"}', '{"assistant":{}}')), '{"next":"import"}', 'where Vapi has it no more it is imported anew');
select is(public.number_configured(pg_temp.told(:'works', 'configure', '{"version":1,"refused":"twilio_20404"}')), '{"done":true}', 'where Twilio has it no more');
select is((pg_temp.row_of(:'works')).status, 'lost', 'it is lost');

-- ---- by hand, and by foreign programs --------------------------------------------------------

insert into public.phone_numbers (organization_id, phone_number, origin) values (:'org', '+15550100030', 'manual') returning id as hand \gset
select is(public.number_want(:'hand', 'paused', 'x'), true, 'one that was written by hand is paused');
select is((select x.status || ' ' || (x.run_id is null) from public.phone_numbers x where x.id = :'hand'), 'paused true', 'here alone');
select lives_ok(format('select public.number_sync(%L)', :'hand'), 'nobody is told of it');
select is((pg_temp.row_of(:'hand')).run_id, null, 'by no run');

select is(public.provision_phone_transaction(:'owner', '+15550100031', 'PN31', 'basic')::jsonb, '{"success":true,"phone_number":"+15550100031"}', 'a foreign program brings a number');
select is((select x.status || ' ' || x.origin || ' ' || x.organization_id from public.phone_numbers x where x.provider_sid = 'PN31'), 'active manual ' || :'org', 'it is its person''s');
select is(public.provision_phone_transaction(:'owner', '+15550100031', 'PN31', 'basic')::jsonb ->> 'success', 'true', 'twice is once');
create function pg_temp.deadlock() returns trigger language plpgsql as $$ begin raise exception 'deadlock detected' using errcode = '40P01'; end $$;
select pg_temp.active(:'org', '+15550100034') as kept \gset
update public.phone_numbers set linked_at = null, status = 'linking', run_id = 'phone-number:' || id || ':1' where id = :'kept';
create trigger deadlock before insert or update on public.user_settings for each row execute function pg_temp.deadlock();
select throws_ok(format('select public.number_committed(%L)', pg_temp.told(:'kept', 'commit', '{}', '{"assistant":{}}')), '40P01', null,
    'what need only be tried again gives no number back');
drop trigger deadlock on public.user_settings;
select is((pg_temp.row_of(:'kept')).wanted, 'active', 'it is wanted as before');
select is(public.number_committed(pg_temp.told(:'kept', 'commit', '{}', '{"assistant":{}}')), '{"next":"decide"}', 'and works the next time');
update public.phone_numbers set wanted = 'paused', status = 'paused', run_id = null where id = :'kept';
select is(public.provision_phone_transaction(:'owner', '+15550100034', 'PN+15550100034', 'basic')::jsonb, '{"success":false,"error":"number_paused"}',
    'one that is paused is not said to work');
select is((pg_temp.row_of(:'kept')).status, 'paused', 'and stays so');
select is(public.provision_phone_transaction(:'other_owner', '+15550100031', 'PN31', 'basic')::jsonb, '{"success":false,"error":"user_mismatch"}', 'it is nobody else''s');
select is(public.provision_phone_transaction(:'other_owner', '+15550100031', 'PN32', 'basic')::jsonb, '{"success":false,"error":"number_taken"}', 'under no other name');
select is(public.provision_phone_transaction(gen_random_uuid(), '+15550100033', 'PN33', 'basic')::jsonb, '{"success":false,"error":"organization_not_found"}', 'nobody has none');
select is(public.provision_phone_transaction(:'owner', '5550100033', 'PN33', 'basic')::jsonb ->> 'success', 'false', 'what is no number is an answer, too');
select function_privs_are('public', 'provision_phone_transaction', '{uuid,text,text,text}', 'service_role', '{EXECUTE}', 'programs of the service may call it');
select function_privs_are('public', 'provision_phone_transaction', '{uuid,text,text,text}', 'authenticated', '{}', 'people may not');
select function_privs_are('public', 'number_make', '{uuid,jsonb}', 'hookswitch_api', '{}', 'nobody makes numbers past what asks for them');

-- ---- whether there are any to be had ------------------------------------------------------------

select is(public.numbers_ready(), false, 'without a program that knows how there are no numbers');
select public.work_known('[{"name":"phone-number","steps":["decide"],"doc":"x","ready":false}]');
select is(public.numbers_ready(), false, 'nor without its settings');
select public.work_known('[{"name":"phone-number","steps":["decide"],"doc":"x","ready":true}]');
select is(public.numbers_ready(), true, 'with both there are');
update public.call_service_providers set is_active = false;
select is(public.numbers_ready(), false, 'but not without an account at Vapi');

select * from finish();
rollback;
