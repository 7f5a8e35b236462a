-- sms.sql - asking for a text message, and whether its number may be texted.
begin;
select no_plan();

select tests.organization('Texts') as org, tests.organization('Others') as other \gset
create function pg_temp.prepare(p_organization uuid) returns jsonb language sql as $$
    select public.sms_prepare(jsonb_build_object('organization_id', p_organization, 'input', '{"to":"+15550100077","text":"x"}'::jsonb)) $$;

select is(public.sms_send('a', '+15550100077', 'Hello', :'org'), true, 'a text is asked for');
select is(public.sms_send('a', '+15550100078', 'Other', null), false, 'the same id is the same text');
select is((select jsonb_build_object('workflow', r.workflow, 'organization_id', r.organization_id, 'state', r.state, 'input', r.input)
             from public.workflow_runs r where r.id = 'sms:a'),
    jsonb_build_object('workflow', 'sms', 'organization_id', :'org'::uuid, 'state', 'ready', 'input', '{"to":"+15550100077","text":"Hello"}'::jsonb),
    'it is a run of the workflow sms with what was given first');
select is(public.sms_send('b', n, 'Hello'), false, format('%L is no number', n))
  from unnest(array[null, '', '15550100077', '+0555010007', '+1555', '+15550100077x', '+1555010007700001']) n;
select is(public.sms_send('b', '+15550100077', w), false, 'without words there is no text') from unnest(array[null, '', '  ']) w;
select is_empty($$select 1 from public.workflow_runs where id = 'sms:b'$$, 'and no run');
select is(public.sms_send('c', '+15550100077', repeat('é', 2000)), true, 'a long text is asked for');
select is((select length(r.input ->> 'text') from public.workflow_runs r where r.id = 'sms:c'), 1600, 'and is as long as one may be');

select is(pg_temp.prepare(:'org'), null, 'a number that is not listed may be texted');
insert into public.do_not_call (organization_id, phone_number) values (:'org', '+15550100077');
select is(pg_temp.prepare(:'org'), '{"done":true,"result":{"skipped":"do_not_call"}}', 'one that is listed may not');
select is(pg_temp.prepare(:'other'), null, 'the list is the organization''s own');
select is(pg_temp.prepare(null), null, 'a text of nobody''s is kept back by nobody''s list');

select function_privs_are('public', 'sms_send', '{text,text,text,uuid,text}', 'hookswitch_api', '{}', 'no request sends a text by itself');
select function_privs_are('public', 'sms_send', '{text,text,text,uuid,text}', 'authenticated', '{}', 'no person does');
select function_privs_are('public', 'sms_send', '{text,text,text,uuid,text}', 'hookswitch_pump', '{EXECUTE}', 'functions that act for others do');

select * from finish();
rollback;
