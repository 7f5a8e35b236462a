-- enter.sql - a call is wanted: what is checked, and schedule_call.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as org \gset
select tests.organization('Alice too', :'alice') as second \gset
select tests.organization('Bob', :'bob') as other \gset
select tests.provider('Enter Vapi') as vapi \gset
select tests.template(:'org') as template \gset
select tests.template(:'other') as others_template \gset
select tests.template(:'org', '{vapi}', '{"required":["name"]}') as demanding \gset
select tests.template(:'org', '{synthflow}') as unsayable \gset

create function tests.enter(p_organization uuid, p_template uuid, p_more jsonb default '{}') returns uuid language sql as $$
    select public.call_enter(p_organization, null, jsonb_build_object('recipient_number', '+15550100001', 'template_id', p_template) || p_more)
$$;
-- The error as "state code field".
create function tests.refusal(p_organization uuid, p_template uuid, p_more jsonb default '{}') returns text language plpgsql as $$
declare
    v_hint text;
begin
    perform tests.enter(p_organization, p_template, p_more);
    return null;
exception when others then
    get stacked diagnostics v_hint = pg_exception_hint;
    return sqlstate || ' ' || sqlerrm || ' ' || v_hint;
end
$$;

select tests.enter(:'org', :'template') as call \gset
select is((tests.queue(:'call')).status || ' ' || (tests.record(:'call')).status, 'queued queued', 'a call enters queue and calls at once');
select results_eq(format('select priority, max_attempts, custom_variables, metadata from public.call_queue where id = %L', :'call'),
                  $$values (5, 3, '{}'::jsonb, '{}'::jsonb)$$, 'with the defaults');
select tests.enter(:'org', :'template', '{"priority":1,"max_attempts":7,"custom_variables":{"a":1},"metadata":{"b":2},"recipient_name":"John","recipient_email":"j@x.test",
    "scheduled_time":"2099-01-02T03:04:05Z","expires_at":"2099-01-03T00:00:00Z"}') as call \gset
select results_eq(format('select priority, max_attempts, custom_variables, metadata, recipient_name, recipient_email, scheduled_time, due_at, expires_at, ready from public.call_queue where id = %L', :'call'),
    $$values (1, 7, '{"a":1}'::jsonb, '{"b":2}'::jsonb, 'John', 'j@x.test', '2099-01-02T03:04:05Z'::timestamptz, '2099-01-02T03:04:05Z'::timestamptz, '2099-01-03T00:00:00Z'::timestamptz, false)$$,
    'and everything that was said, to the second');
select is(tests.refusal(:'org', :'template', jsonb_build_object('recipient_number', n)), 'PT422 number_invalid recipient_number', format('%s is no number to dial', coalesce(n, 'nothing')))
  from unnest('{5551234,+0555,+1-555-0100,+123456,+1234567890123456,null}'::text[]) n;
select is(tests.refusal(:'org', gen_random_uuid()), 'PT422 template_not_found template_id', 'a template that does not exist');
select is(tests.refusal(:'org', :'others_template'), 'PT422 template_not_found template_id', 'or is private to another organization');
update public.call_templates set is_public = true where id = :'others_template';
select is(tests.refusal(:'org', :'others_template'), null, 'a public one is everybody''s');
select is(tests.refusal(:'org', :'unsayable'), 'PT422 template_no_target template_id', 'a template that no active provider can say is refused at the door');
select is(tests.refusal(:'org', :'demanding'), 'PT422 variable_missing custom_variables.name', 'a variable that the template needs');
select is(tests.refusal(:'org', :'demanding', '{"custom_variables":{"name":""}}'), 'PT422 variable_missing custom_variables.name', 'must not be empty');
select is(tests.refusal(:'org', :'demanding', '{"custom_variables":{"name":"John"}}'), null, 'and then it is enough');
select is(tests.refusal(:'org', :'template', jsonb_build_object('voice_id', gen_random_uuid())), 'PT422 voice_not_found voice_id', 'a voice that does not exist');
insert into public.voice_options (voice_id, name, is_active) values ('v', 'V', false) returning id as silent \gset
select is(tests.refusal(:'org', :'template', jsonb_build_object('voice_id', :'silent')), 'PT422 voice_not_found voice_id', 'or is not on offer');
insert into public.phone_numbers (organization_id, phone_number) values (:'other', '+15550109998') returning id as number \gset
select is(tests.refusal(:'org', :'template', jsonb_build_object('caller_number_id', :'number')), 'PT422 caller_number_not_found caller_number_id', 'a stranger''s number cannot be the caller');
insert into public.phone_numbers (organization_id, phone_number) values (:'org', '+15550109997') returning id as number \gset
select tests.enter(:'org', :'template', jsonb_build_object('caller_number_id', :'number')) as call \gset
select is((tests.record(:'call')).from_number, '+15550109997', 'one''s own can');
select is(tests.refusal(:'org', :'template', '{"expires_at":"2020-01-01T00:00:00Z"}'), 'PT422 expires_before_due expires_at', 'a call that would expire before it is due');

-- ---- schedule_call ---------------------------------------------------------------

select tests.be_person(:'alice');
select public.schedule_call(:'alice', :'template', 'John Doe', '+15551234567', 'john@example.com', current_timestamp + interval '1 hour', 3,
                            '{"company_name": "Acme Inc"}', '{"source": "web_app"}') as call \gset
select results_eq(format('select organization_id::text, user_id::text, recipient_name, priority, status from public.call_queue where id = %L', :'call'),
                  format('values (%L, %L, ''John Doe'', 3, ''queued'')', :'org', :'alice'), 'a person schedules a call by SQL and sees it in his queue');
select throws_ok(format('select public.schedule_call(%L, %L, ''n'', ''+15551234567'')', :'bob', :'template'), 'PT403', 'user_mismatch', 'nobody schedules in another person''s name');
select throws_ok(format('select public.schedule_call(null, %L, ''n'', ''+15551234567'')', :'template'), 'PT403', 'user_mismatch', 'nor in nobody''s');
select throws_ok(format('select public.schedule_call(%L, %L, ''n'', ''+15551234567'', p_metadata => %L)', :'alice', :'template', jsonb_build_object('organization_id', :'other')),
                 'PT404', 'organization_not_found', 'nor for an organization of others');
select tests.be_nobody();
update public.call_templates set is_public = true where id = :'template';
select tests.be_person(:'alice');
select public.schedule_call(:'alice', :'template', 'n', '+15551234567', p_metadata => jsonb_build_object('organization_id', :'second')) as call \gset
select tests.be_nobody();
select is((tests.queue(:'call')).organization_id, :'second'::uuid, 'metadata may name another organization of his');
select tests.be_person(:'alice', jsonb_build_object('app_metadata', jsonb_build_object('organization_id', :'second')));
select public.schedule_call(:'alice', :'template', 'n', '+15551234567') as call \gset
select tests.be_nobody();
select is((tests.queue(:'call')).organization_id, :'second'::uuid, 'else it is the active one');
select tests.be_role('service_role');
select public.schedule_call(:'bob', :'template', 'n', '+15551234567') as call \gset
select tests.be_nobody();
select is((tests.queue(:'call')).organization_id, :'other'::uuid, 'a back end schedules for a person: his default organization');
select gen_random_uuid() as dave \gset
select public.schedule_call(:'dave', :'template', 'n', '+15551234567') as call \gset
select is((select personal_of from public.organizations where id = (tests.queue(:'call')).organization_id), :'dave'::uuid, 'who has none gets his personal one');

select * from finish();
rollback;
