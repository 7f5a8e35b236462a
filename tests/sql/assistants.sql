-- assistants.sql - assistants: what one may be, who may change it, what new numbers get, and how one is brought to Vapi.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Elm Street Dental', :'alice') as org \gset
select tests.organization('Other', :'bob') as other \gset
update public.call_service_providers set is_active = false;

-- The error as "state code field".
create function tests.refusal(p_sql text) returns text language plpgsql as $$
declare
    v_hint text;
begin
    execute p_sql;
    return null;
exception when others then
    get stacked diagnostics v_hint = pg_exception_hint;
    return sqlstate || ' ' || sqlerrm || ' ' || v_hint;
end
$$;
-- What a step of the assistant's run is told; p_more: its step, its result.
create function tests.told(a public.assistants, p_more jsonb default '{}') returns jsonb language sql as $$
    select jsonb_build_object('id', a.run_id, 'input', jsonb_build_object('assistant_id', a.id), 'generation', 1) || p_more
$$;
create function tests.assistant(p_id uuid) returns public.assistants language sql security definer as $$
    select a from public.assistants a where a.id = p_id
$$;
create function tests.apply(p_id uuid, p_step text, p_result jsonb) returns text language sql as $$
    select public.assistant_sync_apply(tests.told(tests.assistant(p_id), jsonb_build_object('step', p_step, 'result', p_result))) ->> 'next'
$$;
create function tests.decide(p_id uuid) returns text language sql as $$
    select public.assistant_sync_decide(tests.told(tests.assistant(p_id))) ->> 'next'
$$;
grant execute on all functions in schema tests to public;

-- ---- what one may be ---------------------------------------------------------------

select tests.be(:'alice');
select api.assistant_create(p_name => 'Riley', p_system_prompt => 'Be brief.', p_first_message => 'Hello {{customer.number}}') as made \gset
select :'made'::jsonb ->> 'id' as riley \gset
select is(:'made'::jsonb ->> 'status', 'pending', 'a new one is on its way');
select ok(not :'made'::jsonb ?| '{run_id,runs,version,synced_version,provider_id,deleted_at}', 'what is the engine''s is not shown');
select is(:'made'::jsonb - '{id,created_at,updated_at}'::text[], api.assistant_get(:'riley') - '{id,created_at,updated_at}'::text[], 'it is shown as it was made');
select is(tests.refusal(format('select api.assistant_create(p_name => ''x'', %s => %s)', f, v)), 'PT422 ' || r, f || ' ' || left(v, 30))
  from (values ('p_background_sound', '''beach''', 'assistant_invalid background_sound'), ('p_end_call_phrases', '''["x"]''', 'assistant_invalid end_call_phrases'),
               ('p_end_call_phrases', '''[{}]''', 'assistant_invalid end_call_phrases'), ('p_model_temperature', '2.1', 'assistant_invalid model_temperature'),
               ('p_end_call_message', format('%L', repeat('x', 1001)), 'assistant_invalid end_call_message'), ('p_max_duration_seconds', '9', 'assistant_invalid max_duration_seconds'),
               ('p_first_message', 'E''x\x07''', 'assistant_invalid first_message'), ('p_language', '''english!''', 'assistant_invalid language'),
               ('p_voice_settings', '''{"stability":2}''', 'assistant_invalid voice_settings.stability'), ('p_voice_settings', '''{"stability":"1"}''', 'assistant_invalid voice_settings.stability'),
               ('p_voice_settings', '''{"similarity_boost":1}''', 'assistant_invalid voice_settings.similarity_boost'), ('p_voice_settings', '''{"provider":"vapi"}''', 'assistant_invalid voice_settings'),
               ('p_variable_values', '''{}''', 'variable_unknown variable_values')) x(f, v, r);
select is(tests.refusal('select api.assistant_create()'), 'PT422 assistant_invalid name', 'one without a name and without a template is none');
select is(tests.refusal('select api.assistant_create(p_name => ''x'', p_voice_provider => ''vapi'', p_voice_id => ''Nobody'')'), 'PT422 voice_not_found voice_id', 'Vapi''s own voices are known');
select lives_ok('select api.assistant_create(p_name => ''V'', p_voice_provider => ''vapi'', p_voice_id => ''Elliot'', p_voice_settings => ''{"speed":1.1}'')', 'one of them may be chosen');
select lives_ok('select api.assistant_create(p_name => ''C'', p_voice_provider => ''cartesia'', p_voice_id => ''whatever'', p_voice_settings => ''{"odd":{"x":1}}'')',
                'another maker''s is taken as it is');

-- From a template.
select is(tests.refusal('select api.assistant_create(p_template => ''nothing'')'), 'PT404 assistant_template_not_found ', 'only from a template that there is');
select is(tests.refusal('select api.assistant_create(p_template => ''receptionist'')'), 'PT422 variable_missing variable_values.business_name', 'which has its variables');
select api.assistant_create(p_template => 'receptionist', p_first_message => 'Elm Street.', p_variable_values =>
    '{"business_name":"Elm Street Dental","business_description":"Dentists.","opening_hours":"nine to five"}') as made \gset
select is((:'made'::jsonb ->> 'first_message'), 'Elm Street.', 'what is given stands in place of the template''s');
select ok(:'made'::jsonb ->> 'system_prompt' ~ 'Elm Street Dental' and :'made'::jsonb ->> 'system_prompt' !~ '\{\{', 'and the rest is filled in');
select is(:'made'::jsonb -> 'variable_values' ->> 'opening_hours', 'nine to five', 'the values are kept');
select isnt(:'made'::jsonb ->> 'template_id', null::text::text, 'and where it came from');

-- Changes.
select is(api.assistant_update(:'riley', '{"end_call_message":"Bye","voice_settings":{"stability":0.4},"max_duration_seconds":900}') ->> 'end_call_message', 'Bye', 'it is changed');
select is(api.assistant_update(:'riley', '{"end_call_message":null,"max_duration_seconds":null,"voice_settings":null}') - '{updated_at,synced_at}'::text[] @>
          '{"end_call_message":null,"max_duration_seconds":600,"voice_settings":{},"system_prompt":"Be brief."}', true, 'null clears, or sets what a new one has');
select is(tests.refusal(format('select api.assistant_update(%L, ''{"voice_id":"x","voice_provider":"vapi"}'')', :'riley')), 'PT422 voice_not_found voice_id', 'a change is checked, too');

-- Whose.
select tests.be(:'bob');
select is(tests.refusal(format(q, :'riley')), 'PT404 assistant_not_found ', q) from unnest(array[
    'select api.assistant_get(%L)', 'select api.assistant_update(%L, ''{}'')', 'select api.assistant_delete(%L)', 'select api.assistant_sync(%L)']) q;
select is(api.assistant_list() -> 'data', '[]', 'a stranger sees none');
select tests.be(:'alice');
select is(jsonb_array_length(api.assistant_list() -> 'data'), 4, 'her own are all there');
select is((select array_agg(x -> 'id' order by x ->> 'id' desc) from jsonb_array_elements(p.one -> 'data' || (api.assistant_list(p_after => p.one ->> 'next_cursor', p_limit => 3) -> 'data')) x),
          (select array_agg(x -> 'id') from jsonb_array_elements(api.assistant_list() -> 'data') x), 'and in pages') from (select api.assistant_list(p_limit => 3) as one) p;
select is(jsonb_array_length(api.assistant_list('failed') -> 'data'), 0, 'or those that are so');
select tests.be_nobody();

-- ---- brought to Vapi -------------------------------------------------------------------

select is(tests.decide(:'riley'), 'decide', 'without an account at Vapi it waits');
select is((tests.assistant(:'riley')).last_error, 'provider_missing', 'and says so');
select tests.provider('Vapi') as vapi \gset
select is(tests.decide(:'riley'), 'create', 'then it is made');
select public.assistant_sync_create(tests.told(tests.assistant(:'riley'), '{"step":"create"}')) -> 'prepared' as prepared \gset
select is(:'prepared'::jsonb -> 'account' ->> 'provider_id', :'vapi', 'with the account');
select is(:'prepared'::jsonb -> 'assistant' ->> 'system_prompt', 'Be brief.', 'and its texts');
select is(public.assistant_sync_prepare(tests.told(tests.assistant(:'riley'), '{"step":"update"}')), '{"next":"decide"}', 'what is not wanted is not asked for');
select is(tests.apply(:'riley', 'create', jsonb_build_object('id', 'vapi-1', 'version', 1, 'provider_id', :'vapi')), 'decide', 'what was made is looked at again');
select is(tests.decide(:'riley'), 'update', 'it was changed meanwhile: that is brought, too');
select tests.apply(:'riley', 'update', jsonb_build_object('id', 'vapi-1', 'version', (tests.assistant(:'riley')).version, 'provider_id', :'vapi')) \g /dev/null
select tests.told(tests.assistant(:'riley')) as told \gset
select is(tests.decide(:'riley'), 'settle', 'then nothing is missing');
select is(a.status || ' ' || (a.run_id is null), 'active true', 'the row and its run let go of each other') from tests.assistant(:'riley') a;
select is(public.assistant_sync_decide(:'told'), '{"done":true}'::jsonb, 'a run that is not the row''s any more does nothing');
select is(public.assistant_ready(:'riley'), 'vapi-1', 'it can answer');

update public.assistants set name = 'Riley II', updated_at = now() where id = :'riley';
select is(a.status || ' ' || a.run_id, 'pending assistant-sync:' || a.id || ':2', 'a change by SQL is brought, too') from tests.assistant(:'riley') a;
update public.assistants set description = 'only ours' where id = :'riley' returning version as version \gset
select is(tests.apply(:'riley', 'update', jsonb_build_object('refused', 'vapi_400', 'version', :version - 1)), 'decide', 'a refusal of what is not wanted any more is none');
select is(tests.apply(:'riley', 'update', jsonb_build_object('refused', 'vapi_400', 'version', :version)), 'settle', 'one of what is wanted ends it');
select is(a.status || ' ' || a.last_error || ' ' || a.vapi_assistant_id, 'failed vapi_400 vapi-1', 'as failed; what was there is there still') from tests.assistant(:'riley') a;
select tests.be(:'alice');
select is(api.assistant_sync(:'riley') ->> 'status', 'pending', 'it can be brought once more');
select tests.be_nobody();
select is(tests.decide(:'riley'), 'update', 'and is');
select is(tests.apply(:'riley', 'update', '{"absent":true}'), 'decide', 'where Vapi has it no more');
select is(tests.decide(:'riley'), 'create', 'it is made anew');

-- One that may have been made is looked for first, and a run that was given up leaves that to the next one.
insert into public.workflow_steps (run_id, generation, step, state, attempts, tries, looks, sent_at)
select run_id, 1, 'create', 'unknown', 1, 1, 0, now() - interval '10 seconds' from tests.assistant(:'riley');
select is(public.assistant_sync_create(tests.told(tests.assistant(:'riley'), '{"step":"create"}')), '{"next":"find"}', 'it is looked for');
select is((public.assistant_sync_find(tests.told(tests.assistant(:'riley'))) -> 'prepared' ->> 'sent_s')::integer between 10 and 60, true, 'with how long ago it was sent');
update public.workflow_runs set state = 'working', worker = 'tests' where id = (tests.assistant(:'riley')).run_id;
update public.workflow_runs set state = 'failed', due_at = null, finished_at = now() where id = (tests.assistant(:'riley')).run_id;
select public.assistant_start(tests.assistant(:'riley')) \g /dev/null
select is(tests.decide(:'riley'), 'find', 'the run after one that was given up looks first');
select is(tests.apply(:'riley', 'find', jsonb_build_object('id', 'vapi-2', 'version', 0, 'provider_id', :'vapi')), 'decide', 'what is found is taken');
select is(tests.decide(:'riley'), 'update', 'and told what it shall be');

-- ---- numbers that have one ---------------------------------------------------------------

select tests.be(:'alice');
select is(tests.refusal(format('select api.assistant_delete(%L)', :'riley')), null::text, 'one that no number has may go');
select is(tests.refusal(format('select api.assistant_get(%L)', :'riley')), 'PT404 assistant_not_found ', 'and is out of sight at once');
select tests.be_nobody();
select is((tests.assistant(:'riley')).status, 'deleting', 'it is still at Vapi');
select is(tests.decide(:'riley'), 'remove', 'from where it is removed');
select tests.apply(:'riley', 'remove', '{"absent":true}') \g /dev/null
select is(tests.decide(:'riley'), 'settle', 'then that is all');
select is(a.status || ' ' || (a.vapi_assistant_id is null), 'deleted true', 'it is gone') from tests.assistant(:'riley') a;

insert into public.assistants (organization_id, name, vapi_assistant_id) values (:'org', 'By hand', 'hand-1') returning id as hand, status as hand_status \gset
select is(:'hand_status'::text, 'active', 'one that was written by hand is there');
insert into public.phone_numbers (organization_id, phone_number, assistant_id) values (:'org', '+15550100050', :'hand') returning id as number \gset
select tests.be(:'alice');
select is(tests.refusal(format(q, :'hand')), 'PT409 assistant_by_hand ', q) from unnest(array['select api.assistant_update(%L, ''{"name":"x"}'')', 'select api.assistant_sync(%L)']) q;
select is(tests.refusal(format('select api.assistant_delete(%L)', :'hand')), 'PT409 assistant_in_use ', 'one that a number has does not go');
select is(tests.refusal(format('select api.assistant_delete(%L, true)', :'hand')), null::text, 'unless it must');
select tests.be_nobody();
select is((select assistant_id from public.phone_numbers where id = :'number'), null::uuid, 'then the number has none');
select is(a.status || ' ' || (a.run_id is null), 'deleted true', 'at Vapi nothing is done with it') from tests.assistant(:'hand') a;

-- ---- what new numbers get ------------------------------------------------------------------

select is(public.assistant_default(:'org'), (select id from public.assistants where organization_id = :'org' and deleted_at is null order by created_at, id limit 1), 'the oldest');
select id as newest from public.assistants where organization_id = :'org' and deleted_at is null order by created_at desc, id desc limit 1 \gset
update public.organizations set settings = jsonb_build_object('assistant', jsonb_build_object('default_id', :'newest')) where id = :'org';
select is(public.assistant_default(:'org'), :'newest'::uuid, 'or the one that was chosen');
update public.organizations set settings = jsonb_build_object('assistant', jsonb_build_object('default_id', :'newest')) where id = :'other';
select public.assistant_default(:'other', :'bob') as plain \gset
select is(a.organization_id || ' ' || a.status, :'other' || ' pending', 'another organization''s is none: one of its own is made') from tests.assistant(:'plain') a;
select isnt((tests.assistant(:'plain')).run_id, null::text, 'and brought');
select is(public.assistant_default(:'other'), :'plain'::uuid, 'once');
select tests.organization('Blue {{River}} Plumbing') as blue \gset
insert into public.templates (slug, name, system_prompt, variables) values ('just-a-name', 'Just a name', 'You are at {{business_name}}.', '[{"name":"business_name","required":true}]');
select is((tests.assistant(public.assistant_default(:'blue'))).system_prompt, 'You are at Blue River Plumbing.', 'from the first template that needs nothing but a name');
select tests.organization('Green') as green \gset
update public.organizations set settings = '{"assistant":{"template":"receptionist","variable_values":{"business_description":"We grow.","opening_hours":"always"}}}' where id = :'green';
select is((tests.assistant(public.assistant_default(:'green'))).name, 'Receptionist', 'or from the one that was chosen');
select tests.organization('Red') as red \gset
update public.organizations set settings = '{"assistant":{"template":"receptionist","variable_values":{"nonsense":"x"}}}' where id = :'red';
select isnt(public.assistant_default(:'red'), null::uuid, 'nonsense there does not leave a number without one');
select tests.organization(repeat('Long ', 30)) as long \gset
update public.templates set is_active = false;
select is(length((tests.assistant(public.assistant_default(:'long'))).name), 40, 'without any template there is a plain one');

-- ---- an organization that goes ----------------------------------------------------------------

select is(public.assistants_left(o), true, 'what is on its way to Vapi is waited for') from public.organizations o where o.id = :'blue';
select id as of_blue from public.assistants where organization_id = :'blue' \gset
select is((tests.assistant(:'of_blue')).status, 'deleting', 'and removed');
select is(tests.decide(:'of_blue'), 'settle', 'it never got there');
select is(public.assistants_left(o), false, 'then nothing is left') from public.organizations o where o.id = :'blue';

-- ---- there is an end to them --------------------------------------------------------------------

insert into public.assistants (organization_id, name) select :'org', 'x' from generate_series(1, 100);
select tests.be(:'alice');
select is(tests.refusal('select api.assistant_create(p_name => ''one more'')'), 'PT409 assistants_full ', 'an organization has 100 at most');
select * from finish();
rollback;
