-- provision.sql - numbers that come and go with a subscription: what triggers write, what is decided, who is caught up with, what goes with an
-- organization.  What one number is brought to is numbers.sql; here its run ends when the test says so.
begin;
set local client_min_messages = warning;
select no_plan();

select id as free from public.subscription_plans where name = 'free' \gset
select id as basic from public.subscription_plans where name = 'basic' \gset
select id as business from public.subscription_plans where name = 'business' \gset
select id as enterprise from public.subscription_plans where name = 'enterprise' \gset
update public.subscription_plans set is_default = false where is_default;
update public.subscription_plans set is_default = true where id = :'free';
select tests.provider('Vapi') as vapi \gset
insert into public.workflows (name, steps, is_ready) values ('phone-number', '{decide}', true)
on conflict (name) do update set is_ready = true, seen_at = now();
update public.number_policy set enabled = true;
delete from public.workflow_runs where workflow = 'provision-catchup';

-- Numbers of this file are made by the second, so that which is the newest is not left to chance.
create sequence tests.seconds;
-- What the engine does with runs that are due: the step, and its end.  Answers how many.
create function tests.decide() returns integer language plpgsql security definer as $$
declare
    r public.workflow_runs;
    v_n integer := 0;
begin
    for r in select x.* from public.workflow_runs x join public.phone_provision_logs l on l.run_id = x.id
              where x.workflow = 'phone-provision' and x.state = 'ready' order by l.response_id loop
        perform public.provision_decide(jsonb_build_object('id', r.id, 'input', r.input));
        delete from public.workflow_runs x where x.id = r.id;
        v_n := v_n + 1;
    end loop;
    update public.phone_numbers n set created_at = now() + nextval('tests.seconds') * interval '1 second'
     where n.created_at between now() - interval '1 minute' and clock_timestamp();
    return v_n;
end
$$;
-- The numbers' runs end: each is what it shall be, unless p_status says otherwise.
create function tests.settle(p_status text default null, p_reason text default null) returns void language plpgsql security definer as $$
declare
    n public.phone_numbers;
    v_status text;
begin
    for n in select * from public.phone_numbers x where x.run_id is not null order by x.created_at loop
        v_status := coalesce(p_status, n.wanted);
        update public.phone_numbers x
           set status = v_status, run_id = null, phone_number = coalesce(x.phone_number, '+1555' || lpad(nextval('tests.seconds')::text, 7, '0')),
               provider_sid = coalesce(x.provider_sid, 'PN' || md5(x.id::text)), last_error = p_reason,
               released_at = case v_status when 'released' then clock_timestamp() else x.released_at end
         where x.id = n.id;
        delete from public.workflow_runs r where r.id = n.run_id;
        perform public.provision_settled(n.id, v_status, p_reason);
    end loop;
end
$$;
-- All of it.
create function tests.go() returns void language sql security definer as $$
    select tests.decide(); select tests.settle(); select tests.decide()
$$;
-- An organization's numbers: "active 2, paused canceled 1".
create function tests.has(p_organization uuid) returns text language sql security definer as $$
    select coalesce(string_agg(x.what || ' ' || x.n, ', ' order by x.what), 'nothing') from (
        select concat_ws(' ', n.status, case when n.status = 'paused' then n.pause_reason end) as what, count(*) as n
          from public.phone_numbers n where n.organization_id = p_organization and n.status <> 'released' group by 1) x
$$;
-- Its log since the last look: "update completed bought".
create table tests.looked (at bigint);
insert into tests.looked values (0);
create function tests.log(p_organization uuid) returns text language plpgsql security definer as $$
declare
    v_text text;
begin
    select string_agg(concat_ws(' ', l.trigger_action, l.status, l.reason), ', ' order by l.response_id) into v_text
      from public.phone_provision_logs l
     where l.organization_id = p_organization and l.response_id > (select x.at from tests.looked x) and l.status <> 'noted';
    update tests.looked set at = (select max(l.response_id) from public.phone_provision_logs l);
    return coalesce(v_text, 'nothing');
end
$$;
create function tests.told(p_user uuid) returns text language sql security definer as $$
    select u.assistant_provisioning_status from public.user_settings u where u.user_id = p_user
$$;
create function tests.days(p_organization uuid) returns text language sql security definer as $$
    select string_agg(coalesce(round(extract(epoch from n.release_after - now()) / 86400)::text, 'never'), ' ' order by n.created_at)
      from public.phone_numbers n where n.organization_id = p_organization and n.status = 'paused'
$$;
-- What Stripe's word becomes: another plan, another status; or the end, after which the default plan follows.
create function tests.plan(p_organization uuid, p_plan uuid) returns void language sql security definer as $$
    update public.subscriptions set plan_id = p_plan where organization_id = p_organization and current
$$;
create function tests.cancel(p_organization uuid) returns void language plpgsql security definer as $$
begin
    update public.subscriptions set status = 'canceled', ended_at = now(), canceled_at = now() where organization_id = p_organization and current;
    perform public.subscription_default(p_organization);
end
$$;

-- ---- what a trigger writes -------------------------------------------------------

select gen_random_uuid() as ann \gset
select tests.organization('Ann', :'ann') as org \gset
select is(tests.log(:'org'), 'insert skipped default_plan', 'who begins with the default plan is in the log, and that is all');
select is((select count(*)::integer from public.workflow_runs where workflow = 'phone-provision'), 0, 'there is no run of it');
update public.subscriptions set current_period_end = now() + interval '40 days', payment_method = '{}' where organization_id = :'org';
select is(tests.log(:'org'), 'nothing', 'what changes nothing of that is not in it');

select tests.plan(:'org', :'basic') \g /dev/null
select is((select l.status || ' ' || l.tier_type || ' ' || l.subscription_status || ' ' || (l.run_id = 'phone-provision:' || l.id) || ' '
                  || (l.subscription_id = s.id) || ' ' || (r.organization_id = l.organization_id)
             from public.phone_provision_logs l join public.subscriptions s on s.organization_id = l.organization_id and s.current
             join public.workflow_runs r on r.id = l.run_id where l.organization_id = :'org' and l.trigger_action = 'update'),
          'pending basic active true true true', 'an upgrade is in it with its run, in one transaction');

select is(tests.decide(), 1, 'the run decides');
select is(tests.log(:'org'), 'update working bought', 'a number is asked for');
select is(tests.told(:'ann'), 'pending', 'its owner is told so');
select is((select (n.user_id = :'ann') || ' ' || n.origin || ' ' || (n.want ->> 'country_code') || ' ' || (n.want ->> 'number_type')
             from public.phone_numbers n where n.organization_id = :'org'), 'true automatic US local', 'as the policy says');
update tests.looked set at = at - 1;
select tests.settle() \g /dev/null
select is(tests.log(:'org'), 'update completed bought', 'when it is there the line is over');
select ok((select l.duration_ms >= 0 and l.finished_at is not null and l.phone_number_id is not null from public.phone_provision_logs l
            where l.organization_id = :'org' and l.status = 'completed'), 'with how long it took, and which number it is');
select is(tests.told(:'ann'), 'phone_provisioned', 'its owner is told');

-- ---- many at once, and flips ---------------------------------------------------------

do $$ begin
    for i in 1..100 loop
        update public.subscriptions set status = case when i % 2 = 0 then 'active' else 'trialing' end
         where organization_id = (select organization_id from public.phone_numbers limit 1) and current;
    end loop;
end $$;
select is(tests.decide(), 100, 'a hundred changes are a hundred runs, those that change nothing are none');
select is(tests.has(:'org'), 'active 1', 'and one number');
select is((select count(*)::integer from public.phone_provision_logs where organization_id = :'org' and (status, reason) = ('skipped', 'has_number')), 100,
          'each says so');
select tests.log(:'org') \g /dev/null

select tests.organization('Hundred') as hundred \gset
select tests.plan(:'hundred', :'basic'), tests.plan(:'hundred', :'business'), tests.plan(:'hundred', :'basic') \g /dev/null
select is(tests.decide(), 3, 'several before the first is decided');
select is((select count(*)::integer from public.phone_numbers where organization_id = :'hundred'), 1, 'are one number');
select tests.settle() \g /dev/null
select is(tests.log(:'hundred'), 'insert skipped default_plan, update completed bought, update skipped under_way, update skipped under_way', 'the log says which was which');

select tests.organization('Flip') as flip \gset
select tests.plan(:'flip', :'basic'), tests.cancel(:'flip') \g /dev/null
select tests.go() \g /dev/null
select is(tests.has(:'flip'), 'nothing', 'who cancels before it is decided gets none');
select tests.plan(:'flip', :'basic') \g /dev/null
select tests.decide() \g /dev/null
select tests.cancel(:'flip') \g /dev/null
select tests.decide() \g /dev/null
select tests.plan(:'flip', :'basic') \g /dev/null
select tests.decide() \g /dev/null
select is((select string_agg(wanted || ' ' || status, ',') from public.phone_numbers where organization_id = :'flip'), 'active searching',
          'upgrade, cancel, upgrade while it is bought: it is wanted');
select tests.settle() \g /dev/null
select is(tests.has(:'flip'), 'active 1', 'and there is one');
select is((select string_agg(reason, ',' order by response_id) from public.phone_provision_logs where organization_id = :'flip' and status in ('completed', 'working', 'skipped')
            and phone_number_id is not null), 'bought,overtaken,resumed', 'each line has its end');
select tests.log(:'flip') \g /dev/null

-- ---- less, and more ---------------------------------------------------------------

select tests.cancel(:'flip') \g /dev/null
select tests.decide() \g /dev/null
select is(tests.told((select user_id from public.phone_numbers where organization_id = :'flip')), 'phone_provisioned', 'until it is paused nothing is said');
select tests.settle() \g /dev/null
select is(tests.has(:'flip'), 'paused canceled 1', 'a cancellation pauses');
select is(tests.days(:'flip'), '30', 'for the grace');
select is(tests.told((select user_id from public.phone_numbers where organization_id = :'flip')), 'paused', 'its owner is told');
select is(tests.log(:'flip'), 'update completed paused, update skipped not_current, insert skipped default_plan', 'the log');
select tests.plan(:'flip', :'basic') \g /dev/null
select tests.go() \g /dev/null
select is(tests.has(:'flip'), 'active 1', 'who comes back has the same one again');
select is((select count(*)::integer from public.phone_numbers where organization_id = :'flip'), 1, 'no other');
select is(tests.log(:'flip'), 'update completed resumed', 'the log');

select tests.plan(:'org', :'free'), tests.go() \g /dev/null
select is(tests.has(:'org') || ' ' || tests.days(:'org'), 'paused not_included 1 90', 'another plan that has none: paused for longer');
select tests.plan(:'org', :'business'), tests.go() \g /dev/null
select public.number_make(:'org', '{"country_code":"US","origin":"chosen"}') from generate_series(1, 3) \g /dev/null
select tests.decide(), tests.settle() \g /dev/null
select is(tests.has(:'org'), 'active 4', 'somebody bought three more');
select tests.plan(:'org', :'basic'), tests.go() \g /dev/null
select is(tests.has(:'org') || ' ' || tests.days(:'org'), 'active 1, paused not_included 3 90 90 90', 'a smaller plan pauses the newest');
select is((select origin from public.phone_numbers where organization_id = :'org' and status = 'active'), 'automatic', 'not the oldest');
select tests.plan(:'org', :'free'), tests.go() \g /dev/null
update public.subscription_plans set number_limit = 2 where id = :'basic';
select tests.plan(:'org', :'basic'), tests.go() \g /dev/null
select is(tests.has(:'org'), 'active 2, paused not_included 2', 'so many come back as the plan includes');
update public.subscription_plans set number_limit = 1 where id = :'basic';
select tests.plan(:'org', :'enterprise'), tests.go() \g /dev/null
select is(tests.has(:'org'), 'active 4', 'with no limit all do');
update public.phone_numbers set wanted = 'paused', status = 'paused', pause_reason = 'by_person'
 where id = (select id from public.phone_numbers where organization_id = :'org' and origin = 'chosen' limit 1);
select tests.plan(:'org', :'business'), tests.go() \g /dev/null
select is(tests.has(:'org'), 'active 3, paused by_person 1', 'what a person paused stays so');

-- ---- bills, and organizations that are closed -----------------------------------------

update public.subscriptions set status = 'past_due' where organization_id = :'flip' and current;
select tests.go() \g /dev/null
select is(tests.has(:'flip'), 'active 1', 'a bill that is late takes nothing');
update public.subscriptions set status = 'unpaid' where organization_id = :'flip' and current;
select tests.go() \g /dev/null
select is(tests.has(:'flip') || ' ' || tests.days(:'flip'), 'paused unpaid 1 never', 'one that is not paid pauses, with no date');
select tests.cancel(:'flip') \g /dev/null
select tests.go() \g /dev/null
select is(tests.has(:'flip') || ' ' || tests.days(:'flip'), 'paused canceled 1 30', 'when the subscription is over for that there is one');
update public.number_policy set grace_days = 60;
select tests.plan(:'flip', :'basic'), tests.go() \g /dev/null
update public.billing_accounts set standing = 'suspended' where organization_id = :'flip';
update public.organizations set status = 'suspended' where id = :'flip';
select tests.go() \g /dev/null
select is(tests.has(:'flip') || ' ' || tests.days(:'flip'), 'paused unpaid 1 never', 'a suspended organization has none');
update public.billing_accounts set standing = 'good' where organization_id = :'flip';
update public.organizations set status = 'active' where id = :'flip';
select tests.go() \g /dev/null
select is(tests.has(:'flip'), 'active 1', 'and has it again');
update public.organizations set status = 'disabled' where id = :'flip';
select tests.go() \g /dev/null
select is(tests.has(:'flip'), 'paused organization_disabled 1', 'so has one that was closed');
update public.organizations set status = 'active' where id = :'flip';
select tests.go() \g /dev/null
select is(tests.has(:'flip'), 'active 1', 'and opened');
update public.subscriptions set plan_id = null where organization_id = :'flip' and current;
select tests.go() \g /dev/null
select is(tests.has(:'flip') || ' ' || tests.days(:'flip'), 'paused subscription_inactive 1 never', 'a price that nobody knows opens nothing, and takes nothing for good');
select tests.plan(:'flip', :'basic'), tests.go() \g /dev/null

-- ---- rollout --------------------------------------------------------------------------

update public.number_policy set enabled = false;
select tests.organization('Off') as off \gset
select tests.log(:'off') \g /dev/null
select tests.plan(:'off', :'basic'), tests.cancel(:'flip') \g /dev/null
select is(tests.decide(), 0, 'switched off: no run');
select is(tests.log(:'off'), 'update skipped policy_off', 'the log says why');
select is(tests.has(:'flip'), 'active 1', 'and nothing is paused');
update public.number_policy set enabled = true, share_percent = 0;
select is((select count(*)::integer from public.workflow_runs where workflow = 'provision-catchup'), 1, 'switched on: those that it passed are looked for');
select is(public.provision_catchup('{"input":{"why":"policy"}}'), '{"done": true}', 'in a batch');
select tests.go() \g /dev/null
select is(tests.has(:'flip'), 'paused canceled 1', 'what had to be paused is');
select is(tests.has(:'off'), 'nothing', 'who is not of the share gets nothing');
select tests.plan(:'off', :'business') \g /dev/null
select is(tests.log(:'off'), 'update skipped not_in_rollout', 'and the log says so');
update public.number_policy set organizations = array[:'off'::uuid];
select is((select count(*)::integer from public.workflow_runs where workflow = 'provision-catchup'), 1, 'one that waits to begin is enough');
select public.provision_catchup('{"input":{"why":"policy"}}') \g /dev/null
select tests.go() \g /dev/null
select is(tests.has(:'off'), 'active 1', 'who is listed does');
select is(tests.log(:'off'), 'policy completed bought', 'the log');
select tests.plan(:'flip', :'basic'), tests.go() \g /dev/null
select is(tests.has(:'flip'), 'active 1', 'one that is paused comes back whatever the share');
select is((select count(*) from generate_series(1, 2000) i, public.number_policy k
            where public.number_policy_holds(jsonb_populate_record(k, '{"share_percent":30}'), md5(i::text)::uuid)) between 500 and 700, true,
          'a share is about that share');
select is((select count(*)::integer from generate_series(1, 2000) i, public.number_policy k
            where public.number_policy_holds(jsonb_populate_record(k, '{"share_percent":10}'), md5(i::text)::uuid)
              and not public.number_policy_holds(jsonb_populate_record(k, '{"share_percent":20}'), md5(i::text)::uuid)), 0, 'who is in stays in when it grows');
update public.number_policy set share_percent = 100, organizations = '{}';
select is((select count(*)::integer from public.audit_log where action = 'number_policy.updated' and created_at >= now() and details -> 'changed' ?| '{enabled,share_percent,organizations}'), 5,
          'each change is in the audit log');

-- ---- what cannot be asked, and what failed ---------------------------------------------

update public.workflows set is_ready = false where name = 'phone-number';
select tests.organization('Early') as early \gset
select tests.plan(:'early', :'basic'), tests.go() \g /dev/null
select is(tests.log(:'early'), 'insert skipped default_plan, update skipped not_configured', 'without Twilio: later');
delete from public.workflow_runs where workflow = 'provision-catchup';
update public.workflows set is_ready = true where name = 'phone-number';
select is((select count(*)::integer from public.workflow_runs where workflow = 'provision-catchup'), 1, 'when Twilio can be asked somebody looks');
select public.provision_catchup('{"input":{"why":"ready"}}') \g /dev/null
select tests.go() \g /dev/null
select is(tests.log(:'early'), 'ready completed bought', 'and it is bought');

select gen_random_uuid() as ned \gset
select tests.organization('Unlucky', :'ned') as unlucky \gset
select tests.log(:'unlucky'), tests.plan(:'unlucky', :'basic'), tests.decide(), tests.settle('failed', 'no_number_found') \g /dev/null
select is(tests.log(:'unlucky') || ' ' || tests.told(:'ned'), 'update failed no_number_found failed', 'none was found');
select public.provision_catchup('{"input":{}}') \g /dev/null
select is(tests.decide(), 0, 'it is not tried again at once');
update public.phone_numbers set created_at = now() - interval '25 hours' where organization_id = :'unlucky';
select public.provision_catchup('{"input":{}}') \g /dev/null
select is(tests.decide(), 1, 'but the next day');
select tests.settle('failed', 'no_number_found') \g /dev/null
update public.phone_numbers set created_at = now() - interval '25 hours' where organization_id = :'unlucky';
select public.provision_catchup('{"input":{}}') \g /dev/null
select is(tests.decide(), 0, 'then after two');
select tests.log(:'unlucky'), tests.plan(:'unlucky', :'business'), tests.go() \g /dev/null
select is(tests.log(:'unlucky') || ' ' || tests.has(:'unlucky'), 'update completed bought active 1, failed 2', 'who changes the plan is tried at once');

-- ---- what is given back ---------------------------------------------------------------

select is((public.number_release_due('{"input":{}}'), tests.has(:'flip'))::text, '("{""done"": true}","active 1")', 'nothing is due');
select tests.cancel(:'flip'), tests.go(), tests.log(:'flip') \g /dev/null
select is(public.number_release_due('{"input":{}}'), '{"done": true}', 'not before its time');
select is(tests.has(:'flip'), 'paused canceled 1', 'it is kept');
update public.phone_numbers set release_after = now() - interval '1 second' where organization_id = :'flip';
update public.number_policy set enabled = false;
select public.number_release_due('{"input":{}}') \g /dev/null
select is((select wanted from public.phone_numbers where organization_id = :'flip'), 'paused', 'switched off: not then, either');
update public.number_policy set enabled = true;
update public.phone_numbers set status = 'pausing' where organization_id = :'flip' and wanted = 'paused';
select public.number_release_due('{"input":{}}') \g /dev/null
select is((select wanted || ' ' || release_reason from public.phone_numbers where organization_id = :'flip'), 'released grace_over', 'then it goes');
select is((select count(*)::integer from public.phone_provision_logs where organization_id = :'flip' and (trigger_action, status, reason) = ('release', 'noted', 'grace_over')), 1,
          'the log says so');
select tests.settle() \g /dev/null
select is(tests.log(:'flip') || ' ' || tests.told((select user_id from public.phone_numbers where organization_id = :'flip')),
          'again skipped default_plan released', 'and its owner is told');
select tests.plan(:'flip', :'basic'), tests.go() \g /dev/null
select is((select string_agg(status, ' ' order by created_at) from public.phone_numbers where organization_id = :'flip'), 'released active', 'who comes back later gets another one');

select public.number_want((select id from public.phone_numbers where organization_id = :'early' and status = 'active'), 'released', 'requested') \g /dev/null
update public.subscriptions set plan_id = :'business' where organization_id = :'early' and current; select tests.decide() \g /dev/null
select is(tests.log(:'early'), 'update skipped declined', 'while one is given back none is bought in its place');
select tests.log(:'early'), tests.go() \g /dev/null
select is(tests.log(:'early'), 'again skipped declined', 'who gave it back is not given another one');
select public.provision_catchup('{"input":{}}') \g /dev/null
select is(tests.decide(), 0, 'not the next day, either');
select public.number_want((select id from public.phone_numbers where organization_id = :'hundred' and status = 'active'), 'paused', 'x') \g /dev/null
select tests.settle('lost') \g /dev/null
select tests.go() \g /dev/null
select is(tests.has(:'hundred'), 'active 1, lost 1', 'one that Twilio took back is replaced');

-- ---- numbers that somebody wrote, and those near their owners ------------------------------

select gen_random_uuid() as hal \gset
select tests.organization('Hand', :'hal') as hand \gset
insert into public.phone_numbers (organization_id, phone_number) values (:'hand', '+15559990001');
select tests.log(:'hand'), tests.plan(:'hand', :'basic'), tests.go() \g /dev/null
select is(tests.log(:'hand') || ', ' || tests.has(:'hand'), 'update skipped has_number, active 1', 'one written by hand is one');
select tests.plan(:'hand', :'free'), tests.go() \g /dev/null
select is(tests.has(:'hand'), 'active 1', 'and is left alone');
update public.number_policy set near_owner = true;
insert into public.user_profiles (id, city, state, status) values (:'hal', ' Springfield ', 'IL', 'active');
update public.phone_numbers set status = 'paused' where organization_id = :'hand';
update public.subscription_plans set number_limit = 3 where id = :'basic';
select tests.plan(:'hand', :'basic'), tests.decide() \g /dev/null
select is((select (want ->> 'locality') || ' ' || (want ->> 'region') from public.phone_numbers where organization_id = :'hand' and origin = 'automatic'), 'Springfield IL',
          'near the owner, where that is the policy');
update public.subscription_plans set number_limit = 1 where id = :'basic';
select tests.settle() \g /dev/null

-- ---- an organization goes ---------------------------------------------------------------

select tests.be(:'ann', :'org');
select tests.log(:'org') \g /dev/null
select public.organization_delete(:'org') \g /dev/null
select tests.be_nobody();
update public.number_policy set enabled = false;
select tests.go() \g /dev/null
select is(tests.has(:'org'), 'paused by_person 1, paused organization_deleted 3', 'its numbers are paused at once, switched off or not');
select is((select bool_and(n.release_after = o.deleted_after) from public.phone_numbers n join public.organizations o on o.id = n.organization_id
            where o.id = :'org' and n.pause_reason = 'organization_deleted'), true, 'until it goes');
update public.number_policy set enabled = true;
select tests.be(:'ann', :'org');
select public.organization_restore(:'org') \g /dev/null
select tests.be_nobody();
select tests.go() \g /dev/null
select is(tests.has(:'org'), 'active 3, paused by_person 1', 'restored: they are back');
select tests.be(:'ann', :'org');
select public.organization_delete(:'org') \g /dev/null
select tests.be_nobody();
select tests.go() \g /dev/null
update public.organizations set deleted_after = now() - interval '1 day' where id = :'org';
create function tests.remove(p_organization uuid) returns jsonb language sql security definer as $$
    select public.organization_delete_remove((select jsonb_build_object('id', o.deletion_run, 'input', jsonb_build_object('organization_id', o.id))
                                                from public.organizations o where o.id = p_organization)) - 'until'
$$;
select is(tests.remove(:'org'), '{"next": "remove"}', 'when its grace is over they go first');
select is((select string_agg(distinct wanted || ' ' || release_reason, ',') from public.phone_numbers where organization_id = :'org'), 'released organization_deleted', 'all of them');
select tests.settle() \g /dev/null
select isnt(tests.remove(:'org'), '{"next": "remove"}', 'then the rows do');

select tests.be(:'hal', :'hand');
select public.organization_delete(:'hand') \g /dev/null
select tests.be_nobody();
select tests.go() \g /dev/null
update public.organizations set deleted_after = now() - interval '8 days' where id = :'hand';
select isnt(tests.remove(:'hand'), '{"next": "remove"}', 'a week is waited');
select is((select d.kind || ' ' || d.external_id || ' ' || (d.ours ->> 'deleted_organization' = :'hand') from public.number_differences d
            join public.phone_numbers n on n.id = d.phone_number_id where n.organization_id = :'hand'),
          (select 'orphan ' || provider_sid || ' true' from public.phone_numbers where organization_id = :'hand' and origin = 'automatic'), 'then somebody has to look');
select is((select organization_id from public.number_differences where ours ->> 'deleted_organization' = :'hand'), null, 'that row stays when the organization has gone');

-- ---- no transaction ends for it ------------------------------------------------------------

alter table public.phone_provision_logs add constraint tests_full check (tier_type is distinct from 'business') not valid;
select lives_ok(format('update public.subscriptions set plan_id = %L where organization_id = %L and current', :'business', :'early'), 'a log that cannot be written ends no payment');
select is((select tier_type from public.subscriptions where organization_id = :'early' and current), 'business', 'which is there');

select * from finish();
rollback;
