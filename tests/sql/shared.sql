-- shared.sql - rules that tables, policies and triggers use: the active organization, allowed moves, what a new row is filled with.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as home \gset
select tests.organization('Work', :'alice') as work \gset
select tests.organization('Bob', :'bob') as bobs \gset

-- ---- the active organization ------------------------------------------------

select is(public.current_organization_id(), null, 'who is nobody has no organization');
select tests.be_person(:'alice');
select is(public.current_organization_id(), :'home'::uuid, 'a person''s organization is the default one');
select is(public.current_user_id(), :'alice'::uuid, 'and he is known by his claims');
select tests.be_person(:'alice', jsonb_build_object('app_metadata', jsonb_build_object('organization_id', :'work')));
select is(public.current_organization_id(), :'work'::uuid, 'or the one that the token names');
select tests.be_person(:'alice', jsonb_build_object('app_metadata', jsonb_build_object('organization_id', :'bobs')));
select is(public.current_organization_id(), null, 'but only where he is a member');
select tests.be_person(:'alice', jsonb_build_object('user_metadata', jsonb_build_object('organization_id', :'work')));
select is(public.current_organization_id(), :'home'::uuid, 'what a person writes into his own metadata is never believed');
select set_config('hookswitch.organization_id', :'work', true) \g /dev/null
select is(public.current_organization_id(), :'home'::uuid, 'nor a setting of his own');
select set_config('role', 'hookswitch_api', true) \g /dev/null
select is(public.current_organization_id(), :'work'::uuid, 'the server''s setting is the server''s word');
select tests.be_nobody();
update public.organizations set status = 'disabled' where id = :'home';
select tests.be_person(:'alice');
select is(public.current_organization_id(), :'work'::uuid, 'a disabled organization is nobody''s');
select tests.be_nobody();
update public.organizations set status = 'active' where id = :'home';
select is(public.organization_of_user(gen_random_uuid(), null), null, 'a person without an organization has none');
select is(public.organization_of_user(:'bob', :'home'), null, 'a stranger does not get the one that he wishes');

-- ---- state machines: every pair of states ---------------------------------------

select results_eq($$select machine, string_agg(from_state || '>' || to_state, ' ' order by from_state, to_state) from public.state_moves group by 1 order by 1$$,
    $$values ('call_assignments', 'absent>accepted accepted>ended leased>absent leased>refused leased>sent refused>accepted sent>accepted sent>ended sent>refused sent>unknown unknown>absent unknown>accepted unknown>ended unknown>refused'),
             ('call_queue', 'in-progress>canceled in-progress>completed in-progress>expired in-progress>failed in-progress>queued queued>canceled queued>expired queued>failed queued>in-progress'),
             ('calls', 'in-progress>canceled in-progress>completed in-progress>expired in-progress>failed in-progress>queued queued>canceled queued>completed queued>expired queued>failed queued>in-progress'),
             ('organization_invitations', 'pending>accepted pending>expired pending>revoked'),
             ('workflow_runs', 'failed>canceled failed>ready ready>canceled ready>working waiting>canceled waiting>ready waiting>working working>canceled working>done working>failed working>ready working>waiting'),
             ('workflow_steps', 'answered>done answered>failed done>retry failed>answered failed>retry failed>unknown retry>answered retry>done retry>failed retry>sent sent>answered sent>done sent>failed sent>retry sent>unknown unknown>answered unknown>done unknown>failed unknown>retry unknown>sent')$$,
    'the allowed moves are these');

select tests.template(:'home') as template \gset
select tests.provider('Shared Vapi') as vapi \gset
select tests.call(:'home', :'template') as call \gset
select tests.sent(:'call') as attempt \gset

-- Puts the row into p_from, whatever the triggers say, and tries the move.
create function tests.move(p_machine text, p_id uuid, p_from text, p_to text) returns text language plpgsql as $$
declare
    v_column text := case p_machine when 'call_assignments' then 'state' else 'status' end;
begin
    set local session_replication_role = replica;
    execute format('update public.%I set %I = %L where id = %L', p_machine, v_column, p_from, p_id);
    set local session_replication_role = origin;
    execute format('update public.%I set %I = %L where id = %L', p_machine, v_column, p_to, p_id);
    return 'allowed';
exception when sqlstate 'PT409' then
    return case sqlerrm when 'state_move_refused' then 'refused' else sqlerrm end;
end
$$;
create temporary table states as
    select * from (values ('call_assignments', :'attempt'::uuid, '{leased,sent,accepted,ended,refused,absent,unknown}'::text[]),
        ('call_queue', :'call', '{queued,in-progress,completed,failed,canceled,expired}'),
        ('calls', :'call', '{queued,in-progress,completed,failed,canceled,expired}')) m(machine, id, names);
select is(tests.move(m.machine, m.id, f.s, t.s),
          case when exists (select from public.state_moves x where x.machine = m.machine and x.from_state = f.s and x.to_state = t.s) then 'allowed' else 'refused' end,
          format('%s: from %s to %s', m.machine, f.s, t.s))
  from states m, unnest(m.names) f(s), unnest(m.names) t(s) where f.s <> t.s order by 1;
select is_empty($$select machine, s from states m, unnest(m.names) s
                   where machine <> 'call_assignments' and s in ('completed', 'failed', 'canceled', 'expired')
                     and exists (select from public.state_moves x where x.machine = m.machine and x.from_state = s)$$, 'nothing leaves a final state');
select is(tests.move('calls', :'call', 'completed', 'completed'), 'allowed', 'to stay is no move');
select tests.clear_road();

-- ---- what rows are filled with ----------------------------------------------------

insert into public.call_queue (user_id, template_id, recipient_number, custom_variables) values (:'alice', :'template', '+15550100001', '{"a":1}') returning id as call \gset
select is((tests.queue(:'call')).organization_id, :'home'::uuid, 'a queue row without an organization gets its person''s');
select is((tests.record(:'call')).to_number || ' ' || (tests.record(:'call')).custom_variables, '+15550100001 {"a": 1}', 'and brings its calls row with it, under the same id');
select is((tests.queue(:'call')).expires_at, (tests.queue(:'call')).due_at + interval '1 day', 'it expires a day after it is due');
select ok((tests.queue(:'call')).ready, 'it is ready at once');
insert into public.call_queue (user_id, template_id, recipient_number, scheduled_time, status) values (:'alice', :'template', '+15550100001', now() - interval '1 hour', 'completed') returning id as call \gset
select is((tests.queue(:'call')).status, 'queued', 'a new row is queued, whatever it says');
select ok((tests.queue(:'call')).due_at >= (tests.queue(:'call')).created_at, 'and never due before it was there: nobody jumps the line');
select throws_ok(format('insert into public.call_queue (user_id, template_id, recipient_number) values (%L, %L, ''5551234'')', :'alice', :'template'), '23514', null,
                 'a number that is not E.164 does not get in');
select throws_ok(format('insert into public.call_queue (user_id, template_id, recipient_number) values (%L, %L, ''+15550100001'')', gen_random_uuid(), :'template'), '23502', null,
                 'nor a call of nobody''s organization');

-- Providers: both spellings.
insert into public.call_service_providers (name, provider_type, api_key, api_secret, max_concurrent_calls) values ('x', 'vapi', 'k', 's', 7) returning id as one \gset
insert into public.call_service_providers (name, provider_type, api_credentials, concurrency_limit) values ('y', 'vapi', '{"api_key":"k2","api_secret":"s2"}', 4) returning id as two \gset
select results_eq(format('select concurrency_limit, api_credentials from public.call_service_providers where id = %L', :'one'),
                  $$values (7, '{"api_key":"k","api_secret":"s"}'::jsonb)$$, 'a provider written one way reads the other way too');
select results_eq(format('select max_concurrent_calls, api_key, api_secret from public.call_service_providers where id = %L', :'two'),
                  $$values (4, 'k2', 's2')$$, 'and the other way round');
update public.call_service_providers set concurrency_limit = 9 where id = :'one';
update public.call_service_providers set max_concurrent_calls = 3 where id = :'two';
select results_eq(format('select max_concurrent_calls, concurrency_limit from public.call_service_providers where id in (%L, %L) order by 1', :'one', :'two'),
                  $$values (3, 3), (9, 9)$$, 'whichever is changed, both follow');
update public.call_service_providers set api_credentials = '{"api_key":"new"}' where id = :'one';
select is((select api_key from public.call_service_providers where id = :'one'), 'new', 'keys too');
update public.call_service_providers set api_key = 'sealed:1' where id = :'one';
select is((select api_credentials ->> 'api_key' from public.call_service_providers where id = :'one'), 'sealed:1', 'and a sealed key leaves no plain one behind');

-- Templates: the older way to name an assistant, and the route of what waits.
insert into public.call_templates (organization_id, name, params) values (:'home', 't', '{"assistant_id":"as-1"}') returning id as t \gset
select results_eq(format('select provider_type, assistant from public.call_template_targets where template_id = %L', :'t'), $$values ('vapi', 'as-1')$$,
                  'a template whose params name an assistant can be said at Vapi');
update public.call_templates set assistant_id = 'as-2' where id = :'t';
select is((select assistant from public.call_template_targets where template_id = :'t'), 'as-2', 'a change follows');
insert into public.call_templates (organization_id, name, assistant_id, provider_id)
select :'home', 't2', 'model-1', tests.provider('Shared Flow', 'synthflow') returning id as t2 \gset
select is((select provider_type from public.call_template_targets where template_id = :'t2'), 'synthflow', 'where it names a provider, at that one');
select tests.call(:'home', :'t') as call \gset
select is((tests.queue(:'call')).route, 'vapi', 'a call''s route is where its template can be said');
insert into public.call_template_targets values (:'t', 'synthflow', 'model-2');
select is((tests.queue(:'call')).route, 'synthflow+vapi', 'a new target opens a way for calls that wait');
delete from public.call_template_targets where template_id = :'t';
select is((tests.queue(:'call')).route, '', 'without any there is none');
insert into public.call_queue (organization_id, template_id, recipient_number, provider_id) values (:'home', :'template', '+15550100001', :'one') returning id as call \gset
insert into public.call_template_targets values (:'template', 'synthflow', 'model-3');
select is((tests.queue(:'call')).route, :'one'::text, 'a call that asks for one provider keeps to it');

-- ---- small things ----------------------------------------------------------------

select is(public.partitions_make(), 0, 'partitions are made ahead of time already');
select is(public.partitions_make(3), 2, 'one month more is one more of each');
select is(public.partitions_make(3), 0, 'once');
select is_empty($$select relname from pg_class where relnamespace = 'parts'::regnamespace and relkind = 'r' and not (relrowsecurity and relforcerowsecurity)$$,
                'new partitions are closed too');
insert into public.calls (organization_id, created_at) values (:'home', now() + interval '2 years') returning tableoid::regclass::text as part \gset
select is(:'part'::text, 'parts.calls_default', 'a row that no month fits is not lost');
set local session_replication_role = replica;
update public.organizations set updated_at = '2020-01-01' where id = :'home';
set local session_replication_role = origin;
update public.organizations set name = 'Alice and friends' where id = :'home';
select is((select updated_at from public.organizations where id = :'home'), now(), 'a change is dated');

select * from finish();
rollback;
