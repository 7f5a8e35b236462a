-- organizations_delete.sql - an organization is deleted with grace, restored, and removed with everything.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Work', :'alice') as work \gset
select tests.organization('Bob', :'bob') as bobs \gset
select public.organization_personal(:'alice', '{}') as personal \gset
insert into public.user_profiles (id, email, status) values (:'bob', 'bob@x.test', 'active');
update public.user_profiles set email = 'alice@x.test' where id = :'alice';
select tests.provider('Vapi') as vapi \gset
select tests.template(:'work') as template \gset
select tests.template(:'bobs') as other \gset
select tests.accepted(tests.call(:'work', :'template'), 'live') as live \gset
select tests.accepted(tests.call(:'work', :'template'), 'over') as over \gset
select tests.report(:'over', tests.ended('customer-ended-call') || '{"transcript":"AI: secret"}') \g /dev/null
select tests.call(:'work', :'template') as waiting \gset
select tests.call(:'bobs', :'other') as bystander \gset
insert into public.call_queue (organization_id, template_id, recipient_number) select :'work', :'template', '+15550100001' from generate_series(1, 600);
select public.webhook_keep('vapi', :'work', 'organization', 'x', 'k1', null, null, 'kept', null, '{}') \g /dev/null
select public.webhook_keep('vapi', :'bobs', 'organization', 'x', 'k2', null, null, 'kept', null, '{}') \g /dev/null

create function tests.run(p_organization uuid) returns jsonb language sql security definer as $$
    select jsonb_build_object('id', r.id, 'input', r.input) from public.workflow_runs r
      join public.organizations o on o.deletion_run = r.id where o.id = p_organization
$$;
create function tests.state(p_organization uuid) returns text language sql security definer as $$
    select o.status || ' ' || coalesce((o.deleted_after > now() + interval '29 days')::text, '-') || ' ' || coalesce(o.status_before, '-')
      from public.organizations o where o.id = p_organization
$$;
-- The step again and again, as the engine does it, with the input that it asks for; answers how many rows of a table one step took at most.
create function tests.most_at_once(p_run jsonb, p_table regclass) returns bigint language plpgsql security definer as $$
declare
    v_most bigint := 0;
    v_before bigint;
    v_n bigint;
    v_answer jsonb;
begin
    for i in 1..100 loop
        execute format('select count(*) from %s', p_table) into v_before;
        v_answer := public.organization_delete_remove(p_run);
        execute format('select count(*) from %s', p_table) into v_n;
        v_most := greatest(v_most, v_before - v_n);
        exit when not coalesce(v_answer ? 'again', false);
        p_run := p_run || jsonb_build_object('input', v_answer -> 'again');
    end loop;
    return v_most;
end
$$;
-- Every row of the organization, in whatever table there is.
create function tests.left_of(p_organization uuid) returns text[] language plpgsql security definer as $$
declare
    t record;
    v_n bigint;
    v_left text[] := '{}';
begin
    for t in select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
              where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1 loop
        execute format('select count(*) from public.%I where organization_id = %L', t.relname, p_organization) into v_n;
        if v_n > 0 then
            v_left := v_left || format('%s %s', t.relname, v_n);
        end if;
    end loop;
    return v_left;
end
$$;
grant execute on all functions in schema tests to public;

-- ---- deleted ------------------------------------------------------------------

select tests.be(:'alice', :'personal');
select throws_ok(format('select api.organization_delete(%L)', :'personal'), 'PT409', 'organization_personal', 'the personal organization is not deleted');
select throws_ok(format('select api.organization_delete(%L)', :'bobs'), 'PT404', 'organization_not_found', 'nor one of others');
select throws_ok(format('select api.organization_restore(%L)', :'personal'), 'PT409', 'organization_not_deleted', 'and what is not deleted is not restored');
select tests.be(:'alice', :'work');
select is(api.organization_delete(:'work') ->> 'status', 'canceled', 'an organization is deleted');
select throws_ok(format('select api.organization_delete(%L)', :'work'), 'PT409', 'organization_deleted', 'once');
select is(tests.state(:'work'), 'canceled true active', 'it stays for thirty days');
select is((tests.queue(:'waiting')).status, 'canceled', 'a waiting call ends at once');
select is((tests.queue((select call_id from public.call_assignments where id = :'live'))).cancel_requested_at is not null, true, 'a live one is hung up');
select is((tests.queue(:'bystander')).status, 'queued', 'another organization''s waits on');
select throws_ok(format('select api.call_create(''+15550100002'', %L)', :'template'), 'PT403', 'organization_inactive', 'no new call is taken');
select throws_ok(format('select api.member_invite(%L, ''x@x.test'', ''member'')', :'work'), 'PT403', 'organization_inactive', 'nobody is invited');
select throws_ok(format('select api.organization_update(%L, ''{"name":"X"}'')', :'work'), 'PT403', 'organization_inactive', 'nothing is changed');
select throws_ok(format('select api.api_key_create(%L, ''x'', ''["calls:read"]'', null, repeat(''a'', 64), ''hsk_x'')', :'work'), 'PT403', 'organization_inactive', 'and no key made');
select is(api.organization_get(:'work') ->> 'deleted_after' is not null, true, 'but it is shown, with its end');
select tests.be(:'alice');
select is(public.current_organization_id(), :'personal'::uuid, 'without a wish it is not the active one any more');
select tests.be_nobody();
select is((select array_agg(input ->> 'to') from public.workflow_runs where id like 'mail:organization-delete:%'), '{alice@x.test}', 'its owners are told by mail');
select is((select workflow || ' ' || coalesce(organization_id::text, 'nobody''s') from public.workflow_runs where id = tests.run(:'work') ->> 'id'),
          'organization-delete nobody''s', 'a run will remove it');
select tests.clear_road();
update public.call_service_providers set is_active = true where id = :'vapi';
update public.call_queue set status = 'queued' where false;
select tests.call(:'work', :'template') as slipped \gset
select is(cardinality(tests.claim()), 0, 'what slips in by SQL is not dialled');

-- ---- restored ------------------------------------------------------------------

select tests.run(:'work') as run \gset
select tests.be(:'alice', :'work');
select is(api.organization_restore(:'work') ->> 'status', 'active', 'it is restored');
select throws_ok(format('select api.organization_restore(%L)', :'work'), 'PT409', 'organization_not_deleted', 'once');
select tests.be_nobody();
select is((select state from public.workflow_runs where id = :'run'::jsonb ->> 'id'), 'canceled', 'the run ends');
select is(public.organization_delete_wait(:'run'), '{"done": true}', 'and would do nothing');
select is(public.organization_delete_remove(:'run'), '{"done": true}', 'at no step');
select is((tests.queue(:'slipped')).status, 'queued', 'a call that came since waits');
select tests.be(:'alice', :'work');
select is(api.organization_delete(:'work') ->> 'status', 'canceled', 'it can be deleted again');
select tests.be_nobody();
select isnt(tests.run(:'work') ->> 'id', :'run'::jsonb ->> 'id', 'by another run');
select is(public.organization_delete_remove(:'run'), '{"done": true}', 'the old one stays without effect');

-- ---- removed -------------------------------------------------------------------

select tests.run(:'work') as run \gset
insert into public.call_queue (organization_id, template_id, recipient_number) values (:'work', :'template', '+15550100001');
select is(public.organization_delete_wait(:'run') ? 'again', true, 'what is found waiting is canceled first');
select is((public.organization_delete_wait(:'run') ->> 'until')::timestamptz, (select deleted_after from public.organizations where id = :'work'), 'then it waits for the time');
select is(public.organization_delete_remove(:'run') ->> 'next', 'remove', 'nothing is removed before');
update public.organizations set deleted_after = now() - interval '1 second' where id = :'work';
select tests.be(:'alice', :'work');
select throws_ok(format('select api.organization_restore(%L)', :'work'), 'PT409', 'restore_too_late', 'after it nothing is restored');
select tests.be_nobody();
update public.organizations set settings = '{"calling_hours":null}' where id = :'work';
insert into public.idempotency_keys (organization_id, key, fingerprint, status, body) values (:'work', 'k', 'f', 200, '{}');
insert into public.do_not_call (organization_id, phone_number) select :'work', '+1555030' || (n + 1000) from generate_series(1, 4500) n;
insert into public.contacts (organization_id, phone_number) select :'work', '+1555020' || (n + 1000) from generate_series(1, 4500) n;
insert into public.contact_imports (organization_id) values (:'work') returning id as import \gset
insert into public.contact_import_errors (import_id, position, organization_id, line, code, detail) values (:'import', 1, :'work', 2, 'x', 'x');
insert into public.contact_import_numbers (import_id, phone_number, organization_id) values (:'import', '+15550100009', :'work');
select isnt(tests.left_of(:'work'), '{}', 'there is much of it');
insert into public.audit_log (organization_id, actor_type, action, target_type, target_id)
select :'work', 'system', 'member.added', 'member', gen_random_uuid() from generate_series(1, 4500);
select tests.left_of(:'bobs') as before \gset
set local role hookswitch_pump;
select is(tests.most_at_once(:'run', 'public.audit_log'), 2000::bigint, 'it is removed in batches, the audit log too');
select tests.be_nobody();
select is(tests.left_of(:'work'), '{}', 'and nothing of it is left in any table');
select is_empty(format('select 1 from public.organizations where id = %L', :'work'), 'nor the organization itself');
select is(tests.left_of(:'bobs'), :'before'::text[], 'another organization loses nothing');
select is(public.organization_delete_remove(:'run'), '{"done": true}', 'twice is harmless');
select is(public.organization_delete_wait(:'run'), '{"done": true}', 'at any step');

select * from finish();
rollback;
