-- mail.sql - asking for a mail, and whether it is still worth sending.
begin;
select no_plan();

select tests.organization('Mail') as org \gset
create function pg_temp.prepare(p_kind text, p_token uuid) returns jsonb language sql as $$
    select public.mail_prepare(jsonb_build_object('input', jsonb_build_object('kind', p_kind, 'to', 'pat@example.org',
        'data', case when p_token is null then '{}' else jsonb_build_object('token_id', p_token) end))) $$;
create function pg_temp.skipped(p_kind text, p_token uuid) returns text language sql as $$
    select case when (pg_temp.prepare(p_kind, p_token) ->> 'done')::boolean then pg_temp.prepare(p_kind, p_token) -> 'result' ->> 'skipped' end $$;

-- ---- asking -------------------------------------------------------------------

select is(public.mail_send('a', 'password_changed', 'pat@example.org', '{"x":1}', :'org'), true, 'a mail is asked for');
select is(public.mail_send('a', 'email_changed', 'other@example.org', '{}'), false, 'the same id is the same mail');
select is((select jsonb_build_object('workflow', r.workflow, 'organization_id', r.organization_id, 'state', r.state, 'input', r.input)
             from public.workflow_runs r where r.id = 'mail:a'),
    jsonb_build_object('workflow', 'mail', 'organization_id', :'org'::uuid, 'state', 'ready',
        'input', '{"kind":"password_changed","to":"pat@example.org","data":{"x":1}}'::jsonb),
    'it is a run of the workflow mail with what was given first');
select is(public.mail_send('b', 'password_changed', 'pat@example.org', null), true, 'it needs no data');
select is(public.mail_send('c', 'password_changed', null, '{}'), false, 'nobody is no address');
select is_empty($$select 1 from public.workflow_runs where id = 'mail:c'$$, 'and no run');

-- ---- still worth sending ------------------------------------------------------

select is(pg_temp.prepare('password_changed', null), null, 'a mail without a token always is');
select is(pg_temp.skipped('verify_email', gen_random_uuid()), 'token_gone', 'a token that is gone is not');

insert into auth.users (id, email) values (gen_random_uuid(), 'mail-sql@example.org') returning id as person \gset
insert into hookswitch_auth.one_time_tokens (kind, user_id, expires_at) values ('signup', :'person', '2999-12-31 23:30+00') returning id as token \gset
select is(pg_temp.prepare('verify_email', :'token'), '{"prepared":{"until":"31 Dec 2999 23:30 UTC"}}', 'a good token is, until its end');
update hookswitch_auth.one_time_tokens set expires_at = statement_timestamp() where id = :'token';
select is(pg_temp.skipped('verify_email', :'token'), 'token_expired', 'one that has run out is not');
update hookswitch_auth.one_time_tokens set expires_at = '2999-12-31 23:30+00', used_at = now() where id = :'token';
select is(pg_temp.skipped('verify_email', :'token'), 'token_used', 'a used one is not');
update hookswitch_auth.one_time_tokens set used_at = null, user_id = null where id = :'token';
select is(pg_temp.skipped('verify_email', :'token'), 'nobody', 'one that is nobody''s is not');

insert into public.organization_invitations (organization_id, email, role, expires_at) values (:'org', 'pat@example.org', 'member', '2999-01-02 03:04+00') returning id as invitation \gset
select is(pg_temp.prepare('invitation', :'invitation'), '{"prepared":{"until":"2 Jan 2999 03:04 UTC"}}', 'an open invitation is');
select is(pg_temp.skipped('verify_email', :'invitation'), 'token_gone', 'and is no token of another kind');
update public.organization_invitations set expires_at = statement_timestamp() where id = :'invitation';
select is(pg_temp.skipped('invitation', :'invitation'), 'token_expired', 'one that has run out is not');
update public.organization_invitations set state = 'revoked' where id = :'invitation';
select is(pg_temp.skipped('invitation', :'invitation'), 'invitation_revoked', 'one that was taken back is not');

-- ---- who may ------------------------------------------------------------------

select function_privs_are('public', 'mail_send', '{text,text,text,jsonb,uuid}', 'hookswitch_api', '{}', 'no request sends a mail by itself');
select function_privs_are('public', 'mail_send', '{text,text,text,jsonb,uuid}', 'authenticated', '{}', 'no person does');
select function_privs_are('public', 'mail_send', '{text,text,text,jsonb,uuid}', 'hookswitch_pump', '{EXECUTE}', 'functions that act for others do');

select * from finish();
rollback;
