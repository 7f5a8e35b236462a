-- Calls that come in: their rows at the first event, who takes them, their end.
begin;
select no_plan();

update public.call_service_providers set is_active = false;
select tests.organization('Inbound', '00000000-0000-4000-8000-00000000d001') as org \gset
select tests.organization('Inbound stranger', '00000000-0000-4000-8000-00000000d002') as other \gset
select tests.provider('Inbound Vapi', 'vapi', 10) as vapi \gset
insert into public.assistants (organization_id, name, vapi_assistant_id, status) values (:'org', 'Front desk', 'vapi-front', 'active') returning id as front \gset
insert into public.assistants (organization_id, name, vapi_assistant_id, status) values (:'org', 'Night desk', 'vapi-night', 'active') returning id as night \gset
insert into public.phone_numbers (organization_id, phone_number, voice_number_id, provider_id, assistant_id)
values (:'org', '+15550101000', 'pn-1', :'vapi', :'front') returning id as number \gset
insert into public.phone_numbers (organization_id, phone_number, voice_number_id, provider_id)
values (:'other', '+15550102000', 'pn-2', :'vapi') returning id as others \gset

create function tests.in_report(p_status text, p_more jsonb default '{}', p_number text default 'pn-1', p_digits text default '+15550101000') returns jsonb
    language sql immutable as $$
    select jsonb_build_object('status', p_status, 'inbound', jsonb_build_object('number_id', p_number, 'number', p_digits, 'caller', '+15550100077')) || p_more
$$;
create function tests.hear(p_organization uuid, p_call text, p_kind text, p_report jsonb, p_signer text default 'inbound') returns text language sql as $$
    select public.webhook_keep('vapi', p_organization, p_signer, p_call || ':' || p_kind, p_kind, null, p_call, '{}', p_report::text, 'moves')
$$;
create function tests.asked(p_organization uuid, p_call text, p_more jsonb default '{}', p_signer text default 'inbound') returns jsonb language sql as $$
    select jsonb_build_object('state', w.state, 'reply', w.reply::jsonb)
      from public.webhook_ask('vapi', p_organization, p_signer, p_call || ':assistant-request', 'assistant-request', null, p_call, '{}',
                              (tests.in_report('ringing') || p_more)::text, 'ask') w
$$;
create function tests.came(p_call text) returns public.calls language sql as $$
    select c from public.calls c where c.provider_call_id = p_call
$$;
-- All that is known of a call that came in, but for what is its own and when it was.
create function tests.about(p_call text) returns jsonb language sql as $$
    select to_jsonb(c) - '{id,created_at,updated_at,provider_call_id,vapi_call_id,finished_at}'::text[]
           || jsonb_build_object('queue', (select jsonb_agg(array[q.status, q.route, q.attempts::text, q.ready::text]) from public.call_queue q where q.id = c.id),
                  'attempts', (select jsonb_agg(to_jsonb(a) - '{id,call_id,call_created_at,created_at,updated_at,accepted_at,finished_at,lease_until,next_look_at,provider_call_id}'::text[])
                                 from public.call_assignments a where a.call_id = c.id),
                  'said', (select jsonb_agg(t.transcript_text) from public.call_transcripts t where t.call_id = c.id),
                  'ledger', (select jsonb_agg(array[u.kind, u.quantity::text] order by u.kind) from public.usage_entries u where u.call_id = c.id),
                  'events', (select jsonb_agg(e.type) from public.events e where e.subject_id = c.id))
      from public.calls c where c.provider_call_id = p_call
$$;

-- ---- the first event makes the rows ------------------------------------------------

select is(tests.hear(:'org', 'in-1', 'status-update:ringing', tests.in_report('ringing', '{"at":"2026-01-05T12:00:00Z"}')), 'applied', 'the first event of a call that comes in is applied');
select results_eq($$select direction, status, progress, from_number, to_number, provider_type, vapi_call_id, attempts from tests.came('in-1')$$,
                  $$values ('inbound', 'in-progress', 'ringing', '+15550100077', '+15550101000', 'vapi', 'in-1', 1)$$, 'it has its row');
select is(array[(tests.came('in-1')).phone_number_id, (tests.came('in-1')).assistant_id, (tests.came('in-1')).provider_id, (tests.came('in-1')).organization_id],
          array[:'number', :'front', :'vapi', :'org']::uuid[], 'with the number, its assistant, the account and whose it is');
select is(public.call_view(tests.came('in-1')) ->> 'phone_number_id', :'number', 'which is seen from outside');
select is(public.call_view(tests.came('in-1')) ->> 'assistant_id', :'front', 'as is the assistant');
select is((select f.free from public.providers_free() f where f.id = :'vapi'), 9, 'it holds a line at the provider');
select is((select count(*)::integer from public.call_queue q where q.organization_id = :'org' and q.status = 'in-progress'), 1, 'and counts as a call under way');
select is(tests.hear(:'org', 'in-1', 'status-update:in-progress', tests.in_report('in-progress', '{"at":"2026-01-05T12:00:02Z"}')), 'applied', 'the next event finds it');
select is(tests.hear(:'org', 'in-1', 'status-update:ringing', tests.in_report('ringing')), 'duplicate', 'a repeated one is a duplicate');
select is((select count(*)::integer from public.calls where provider_call_id = 'in-1'), 1, 'it is one call');
select is(public.calls_claim(100, 'tests', 30) ->> 'claimed', '0', 'nobody dials it');
select is((select count(*)::integer from public.call_assignments a where a.organization_id = :'org' and a.state <> 'accepted'), 0, 'nor is its attempt touched');
update public.call_assignments set lease_until = now() - interval '1 hour', next_look_at = now() where provider_call_id = 'in-1';
select is(public.calls_claim(100, 'tests', 30) ->> 'renewed', '0', 'also when its lease is long over');
select is(public.looks_claim(10, 30) -> 0 ->> 'provider_call_id', 'in-1', 'a silent one is looked up by its id');
select is((select a.state from public.call_assignments a where a.provider_call_id = 'in-1'), 'accepted', 'and is not unknown for that');
select is(tests.hear(:'org', 'in-1', 'end-of-call-report', tests.in_report('ended', '{"final":true,"reason":"customer-ended-call","started_at":"2026-01-05T12:00:02Z",
          "ended_at":"2026-01-05T12:01:04Z","transcript":"AI: Hello.","cost_cents":7}')), 'applied', 'its report ends it');
select results_eq($$select status, ended_reason, duration_seconds, total_cost_cents from tests.came('in-1')$$, $$values ('completed', 'customer-ended-call', 62, 7::numeric)$$, 'as completed');
select results_eq($$select kind, quantity, billable from public.usage_entries where call_id = (tests.came('in-1')).id order by kind$$,
                  $$values ('calls', 1::numeric, 1::numeric), ('seconds', 62, 120)$$, 'it is in the ledger like any other');
select is((select array_agg(type) from public.events where subject_id = (tests.came('in-1')).id), '{call.completed}', 'and announced');
select is((select f.free from public.providers_free() f where f.id = :'vapi'), 10, 'its line is free');

-- ---- in any order -----------------------------------------------------------------------

-- The events of one call; each order of them, all repeated, ends in the same row.
create temporary table life (i integer, kind text, report jsonb);
insert into life values
    (1, 'status-update:ringing', tests.in_report('ringing', '{"at":"2026-01-05T13:00:00Z"}')),
    (2, 'status-update:in-progress', tests.in_report('in-progress', '{"at":"2026-01-05T13:00:02Z"}')),
    (3, 'status-update:ended', tests.in_report('ended', '{"reason":"assistant-ended-call","at":"2026-01-05T13:01:00Z"}')),
    (4, 'end-of-call-report', tests.in_report('ended', '{"final":true,"reason":"assistant-ended-call","started_at":"2026-01-05T13:00:02Z","ended_at":"2026-01-05T13:01:00Z",
                               "transcript":"AI: Hello.","cost_cents":7,"at":"2026-01-05T13:01:04Z"}')),
    (5, 'assistant-request', null);
create function tests.live(p_org uuid, p_order integer[], p_call text) returns jsonb language plpgsql as $$
declare
    n integer;
    l record;
begin
    for round in 1..2 loop
        foreach n in array p_order loop
            select * into l from life where i = n;
            if l.report is null then
                perform tests.asked(p_org, p_call);
            else
                perform tests.hear(p_org, p_call, l.kind, l.report);
            end if;
        end loop;
    end loop;
    return tests.about(p_call);
end
$$;
create temporary table orders as
select array[a, b, c, d, e] as o from generate_series(1, 5) a, generate_series(1, 5) b, generate_series(1, 5) c, generate_series(1, 5) d, generate_series(1, 5) e
 where (select count(distinct x) from unnest(array[a, b, c, d, e]) x) = 5;
create temporary table ends as select o, tests.live(:'org', o, 'order-' || array_to_string(o, '')) as about from orders;
select is((select count(*)::integer from ends), 120, 'of a life of five events');
select results_eq('select distinct about from ends', $$select tests.live((tests.came('in-1')).organization_id, '{5,1,2,3,4}', 'order')$$,
                  'every order makes the same call, attempt, transcript, ledger and event');
select is((select count(*)::integer from public.calls where provider_call_id like 'order-%'), 120, 'each of them once');
select is((select about -> 'ledger' from ends limit 1), '[["calls", "1"], ["seconds", "58"]]', 'which is in the ledger');
select is(tests.live(:'org', '{4}', 'alone') ->> 'status', 'completed', 'the report alone is enough');
select is(tests.live(:'org', '{3}', 'end-only') -> 'attempts' -> 0 ->> 'state', 'ended', 'of an end alone the report is waited for');
select ok((select a.next_look_at is not null from public.call_assignments a where a.provider_call_id = 'end-only'), 'and then asked for');

-- ---- how it ends ---------------------------------------------------------------------------

create function tests.over(p_org uuid, p_call text, p_reason text, p_more jsonb default '{}') returns text language sql as $$
    select tests.hear(p_org, p_call, 'end-of-call-report', tests.in_report('ended', jsonb_build_object('final', true, 'reason', p_reason, 'ended_at', '2026-01-05T12:01:05Z') || p_more));
    select (tests.came(p_call)).status
$$;
select is(tests.over(:'org', 'end-1', 'customer-ended-call'), 'failed', 'a caller who was gone before somebody answered');
select is((tests.about('end-1')) -> 'ledger', 'null', 'costs nothing');
select is(tests.over(:'org', 'end-2', 'customer-did-not-answer'), 'failed', 'what would be dialled again if we had called');
select is((select count(*)::integer from public.call_retries r where r.call_id = (tests.came('end-2')).id), 0, 'is not');
select is(tests.over(:'org', 'end-3', 'call.start.error-vapifault-database-error'), 'failed', 'nor is a fault');
select is(tests.over(:'org', 'end-4', 'voicemail', '{"started_at":"2026-01-05T12:00:05Z"}'), 'completed', 'a talk is a talk');
select is(tests.over(:'org', 'end-5', 'nobody-knows-this', '{"started_at":"2026-01-05T12:00:05Z"}'), 'completed', 'whatever its end is called');
select is(tests.over(:'org', 'end-6', 'worker-shutdown', '{"started_at":"2026-01-05T12:00:05Z"}'), 'failed', 'one that broke has failed');
select is((tests.about('end-6')) -> 'ledger', '[["calls", "1"], ["seconds", "60"]]', 'and counts');
select is(tests.over(:'org', 'end-7', 'assistant-request-returned-forwarding-phone-number'), 'completed', 'one that was put through is completed');
select is(tests.over(:'org', 'end-8', 'assistant-request-returned-error'), 'failed', 'one that nobody took has failed');
select is((tests.about('end-8')) -> 'ledger', 'null', 'and costs nothing');
select is((select count(*)::integer from public.call_queue q where q.organization_id = :'org' and q.status = 'queued'), 0, 'nothing waits to be dialled');
select tests.hear(:'org', 'end-9', 'status-update:ringing', tests.in_report('ringing')) \g /dev/null
select is(public.handle_failed_call((tests.came('end-9')).id, 'by hand'), true, 'also by hand it ends');
select is((tests.came('end-9')).status, 'failed', 'for good');

-- ---- canceled --------------------------------------------------------------------------------

select tests.hear(:'org', 'cut-1', 'status-update:in-progress', tests.in_report('in-progress')) \g /dev/null
select tests.be('00000000-0000-4000-8000-00000000d001') \g /dev/null
select is(api.call_list(p_direction => 'inbound') -> 'data' -> 0 ->> 'id', (tests.came('cut-1')).id::text, 'it is in the list of its organization');
select is(api.call_cancel((tests.came('cut-1')).id) ->> 'status', 'in-progress', 'a call that came in can be canceled');
select is(api.call_get((tests.came('cut-1')).id) ->> 'expires_at', null, 'it does not expire');
select throws_ok(format('select api.call_reschedule(%L, now())', (tests.came('cut-1')).id), 'PT409', 'call_not_queued', 'nor is it put off');
select throws_ok(format('select api.call_retry(%L)', (tests.came('end-4')).id), 'PT409', 'call_not_ended', 'or ordered again');
select tests.be('00000000-0000-4000-8000-00000000d002') \g /dev/null
select throws_ok(format('select api.call_cancel(%L)', (select id from tests.came('cut-1'))), 'PT404', 'call_not_found', 'a stranger does not see it');
select tests.be_nobody() \g /dev/null
select ok((select a.hangup_requested_at is not null and a.next_look_at <= clock_timestamp() from public.call_assignments a where a.provider_call_id = 'cut-1'),
          'where to hang up is asked at once');
select is(tests.over(:'org', 'cut-1', 'manually-canceled', '{"started_at":"2026-01-05T12:00:05Z"}'), 'canceled', 'then it is canceled');

-- ---- whose it is --------------------------------------------------------------------------------

select is(tests.hear(:'other', 'who-1', 'k', tests.in_report('ringing')), 'foreign_call', 'a number of somebody else makes no call');
select is(tests.hear(:'org', 'who-2', 'k', tests.in_report('ringing', '{}', 'pn-9', '+15550109999')), 'waiting', 'nor does one that nobody has');
select is(tests.hear(:'org', 'who-3', 'k', tests.in_report('ringing'), 'organization'), 'waiting', 'nor what an organization signs by itself');
select is(tests.hear(:'org', 'who-4', 'k', tests.in_report('ringing'), 'call'), 'waiting', 'nor the token of an outbound call');
select is(tests.hear(:'org', 'who-5', 'k', '{"status":"ringing"}'), 'waiting', 'nor an event that tells of no number');
select is((select count(*)::integer from public.calls where provider_call_id like 'who-%'), 0, 'really none');
select is(tests.hear(:'other', 'in-1', 'k', tests.in_report('ended', '{"final":true}')), 'foreign_call', 'a call that is there is its own organization''s');
select is(tests.hear(:'org', 'who-6', 'k', tests.in_report('ringing'), 'installation'), 'applied', 'the installation''s own secret is as good');
select is(tests.hear(:'org', 'who-7', 'k', tests.in_report('ringing', '{}', 'unknown', '+15550101000')), 'applied', 'a number is known by its digits, too');
select is(tests.hear(:'org', 'who-8', 'k', tests.in_report('ringing', '{}', 'pn-2', '+15550101000')), 'foreign_call', 'but its id at the provider comes first');
select is(tests.hear(:'org', 'who-9', 'k', tests.in_report('ringing', '{"inbound":{"number_id":"pn-1","caller":"anonymous"}}')), 'applied', 'who hides his number');
select is((tests.came('who-9')).from_number, null, 'has none');
update public.webhook_events set try_at = clock_timestamp() - interval '1 second' where provider_call_id = 'who-2';
insert into public.phone_numbers (organization_id, phone_number, voice_number_id, assistant_id) values (:'org', '+15550109999', 'pn-9', :'front') returning id as late \gset
select is(public.webhook_sweep(), 1, 'a number whose row comes later gets its call then');
select is((tests.came('who-2')).phone_number_id, :'late', 'with all of it');
select tests.template(:'org') as template \gset
select tests.call(:'org', :'template') as outbound \gset
select tests.accepted(:'outbound', 'out-1') as attempt \gset
select is(tests.hear(:'org', 'out-1', 'k', '{"status":"ringing"}'), 'foreign_call', 'the token of inbound calls moves no outbound one');
select is(tests.asked(:'org', 'out-1') -> 'reply', 'null', 'nor does asking about it answer anything');
select is((select a.answer from public.call_assignments a where a.id = :'attempt'), null, 'or write anything');
update public.call_service_providers set provider_type = 'synthflow' where provider_type = 'vapi' and id <> :'vapi';
select is((select count(*)::integer from public.calls c where c.direction = 'inbound' and c.provider_id <> :'vapi'), 0, 'all are at the number''s account');

-- ---- who takes it ----------------------------------------------------------------------------------

select is(tests.asked(:'org', 'ask-1'), '{"state":"applied","reply":{"assistantId":"vapi-front"}}', 'the number''s assistant takes it');
select is((tests.came('ask-1')).progress, 'ringing', 'and the call is there');
update public.phone_numbers set assistant_id = :'night' where id = :'number';
select is(tests.asked(:'org', 'ask-1'), '{"state":"duplicate","reply":{"assistantId":"vapi-front"}}', 'who asks again hears the same');
select is(tests.asked(:'org', 'ask-2') -> 'reply', '{"assistantId":"vapi-night"}', 'the next caller gets the new one');
select is((select a.assistant from public.call_assignments a where a.provider_call_id = 'ask-2'), 'vapi-night', 'which is remembered');
select tests.hear(:'org', 'ask-3', 'status-update:ringing', tests.in_report('ringing')) \g /dev/null
select is(tests.asked(:'org', 'ask-3') -> 'reply', '{"assistantId":"vapi-night"}', 'whatever comes first');
select is(tests.asked(:'org', 'ask-4', '{}', 'organization'), '{"state":"waiting","reply":null}', 'an organization''s own secret is answered nothing');
select is(tests.asked(:'other', 'ask-5'), '{"state":"foreign_call","reply":null}', 'a stranger neither');
select is(tests.asked(:'org', 'ask-6', '{"inbound":{"number_id":"pn-0"}}'), '{"state":"waiting","reply":null}', 'nor is there an answer for a number that nobody has');
select is(tests.asked(:'org', 'ask-6', '{"inbound":{"number_id":"pn-0"}}'), '{"state":"duplicate","reply":null}', 'when it is asked again either');
create function tests.taken(p_org uuid, p_change text) returns jsonb language plpgsql as $$
declare
    v_reply jsonb;
begin
    begin
        execute 'update public.phone_numbers set ' || p_change || ' where voice_number_id = ''pn-1''';
        v_reply := tests.asked(p_org, 'taken-' || md5(p_change)) -> 'reply';
        raise exception 'undone' using errcode = 'ZZ000';
    exception when sqlstate 'ZZ000' then
        return nullif(v_reply, 'null');
    end;
end
$$;
\set person '{"destination":{"type":"number","number":"+15550100009"}}'
select is(tests.taken(:'org', 'name = ''x'''), '{"assistantId":"vapi-night"}', 'a number in order has its assistant');
select is(tests.taken(:'org', 'forward_to = ''+15550100009'''), '{"assistantId":"vapi-night"}', 'also where callers are put through when it is down');
select is(tests.taken(:'org', 'forward_to = ''+15550100009'', forward_when = ''always'''), :'person', 'or a person always takes it');
select is(tests.taken(:'org', 'forward_when = ''always'''), '{"assistantId":"vapi-night"}', 'if there is one');
select is(tests.taken(:'org', 'wanted = ''paused'''), null, 'a number that is to be paused takes no calls');
select is(tests.taken(:'org', 'status = ''paused'''), null, 'nor does a paused one');
select is(tests.taken(:'org', 'status = ''paused'', forward_to = ''+15550100009'''), :'person', 'but a person does');
select is(tests.taken(:'org', 'status = ''paused'', forward_to = ''+15550100009'', forward_when = ''never'''), null, 'unless he never wants to');
select is(tests.taken(:'org', 'assistant_id = null'), null, 'without an assistant nobody does');
select is(tests.taken(:'org', 'assistant_id = null, forward_to = ''+15550100009'''), :'person', 'but a person');
select is(tests.taken(:'org', 'status = ''linking'', assistant_id = null, assistant_wanted_id = ''' || :'front' || ''''), '{"assistantId":"vapi-front"}',
          'while it is linked the assistant that it shall have does');
update public.assistants set vapi_assistant_id = null where id = :'night';
select is(tests.taken(:'org', 'name = ''x'''), null, 'one that Vapi does not have yet cannot');
update public.assistants set vapi_assistant_id = 'vapi-night' where id = :'night';
update public.organizations set status = 'suspended' where id = :'org';
select is(tests.taken(:'org', 'name = ''x'''), null, 'an organization that is suspended takes no calls');
update public.organizations set status = 'active' where id = :'org';
select is(tests.taken(:'org', 'name = ''x'''), '{"assistantId":"vapi-night"}', 'until it is not any more');

-- ---- as its plan allows --------------------------------------------------------------------------------

insert into public.subscription_plans (name, price, call_limit, limit_mode) values ('inbound-three', 10, 3, 'hard') returning id as three \gset
select tests.organization('Inbound few', '00000000-0000-4000-8000-00000000d003') as few \gset
update public.subscriptions set plan_id = :'three' where organization_id = :'few' and current;
insert into public.assistants (organization_id, name, vapi_assistant_id, status) values (:'few', 'Few', 'vapi-few', 'active') returning id as fews \gset
insert into public.phone_numbers (organization_id, phone_number, voice_number_id, assistant_id) values (:'few', '+15550103000', 'pn-3', :'fews') \g /dev/null
create function tests.few(p_org uuid, p_call text) returns boolean language sql as $$
    select tests.asked(p_org, p_call, '{"inbound":{"number_id":"pn-3","caller":"+15550100077"}}') -> 'reply' <> 'null'
$$;
create function tests.few_ring(p_org uuid, p_call text) returns text language sql as $$
    select tests.hear(p_org, p_call, 'r', tests.in_report('ringing', '{}', 'pn-3', '+15550103000'))
$$;
select tests.few_ring(:'few', 'few-' || n) from generate_series(1, 8) n \g /dev/null
select is(array(select tests.few(:'few', 'few-' || n) from generate_series(1, 8) n), '{t,t,t,f,f,f,f,f}', 'of eight that ring at once as many are taken as are left');
select is(tests.over(:'few', 'few-8', 'assistant-request-returned-error'), 'failed', 'one that was not taken ends');
select is(tests.few(:'few', 'few-9'), false, 'that makes no room');
select tests.over(:'few', 'few-' || n, 'customer-ended-call', '{"started_at":"2026-01-05T12:00:05Z"}') from generate_series(1, 3) n \g /dev/null
update public.usage_entries set occurred_at = now(), billed_at = now() where organization_id = :'few';
select is(tests.few(:'few', 'few-10'), false, 'nor do those that are over');
update public.subscription_plans set call_limit = 4 where id = :'three';
select is(tests.few(:'few', 'few-11'), true, 'a larger plan does');
select is(tests.few(:'few', 'few-11'), true, 'and who asks again has the same answer');
update public.subscription_plans set limit_mode = 'soft' where id = :'three';
select is(tests.few(:'few', 'few-12'), true, 'a plan that is not hard refuses nobody');
update public.subscriptions set status = 'canceled' where organization_id = :'few' and current;
select is(tests.few(:'few', 'few-13'), false, 'without a subscription in force nobody is taken');

select * from finish();
rollback;
