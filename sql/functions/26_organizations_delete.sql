-- 26_organizations_delete.sql - an organization is deleted: at once nothing new, after the grace everything, in bounded batches.  Until then it
-- can be restored.  The workflow is common/work/flow_organization.c.

create or replace function public.organization_delete(p_organization uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations;
    v_run text;
begin
    perform public.organization_here(p_organization);
    -- This lock waits for calls that are being entered just now; who enters one later sees that it is too late (call_enter).
    select * into o from public.organizations x where x.id = p_organization for update;
    if o.personal_of is not null then
        raise exception 'organization_personal' using errcode = 'PT409', detail = 'A person keeps the own organization.';
    elsif o.deleted_after is not null then
        raise exception 'organization_deleted' using errcode = 'PT409';
    end if;
    v_run := format('organization-delete:%s:%s', o.id, (extract(epoch from clock_timestamp()) * 1000000)::bigint);
    update public.organizations x
       set status_before = x.status, status = 'canceled', deleted_after = now() + interval '30 days', deletion_run = v_run
     where x.id = o.id
    returning x.* into o;
    perform public.organization_calls_cancel(o.id, 500);
    perform public.organization_money_follow(o, v_run);
    -- The run is nobody's: it takes away the organization's own.
    perform public.work_start(v_run, 'organization-delete', jsonb_build_object('organization_id', o.id));
    perform public.mail_send(v_run || ':' || m.user_id, 'organization_deleted', p.email,
                             jsonb_build_object('organization_name', o.name, 'deleted_after', public.time_view(o.deleted_after)), o.id)
       from public.organization_members m join public.user_profiles p on p.id = m.user_id
      where m.organization_id = o.id and m.role = 'owner' and p.email is not null;
end
$$;

create or replace function public.organization_restore(p_organization uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations;
    v_run text;
begin
    perform public.organization_here(p_organization);
    select * into o from public.organizations x where x.id = p_organization for update;
    v_run := o.deletion_run;
    if o.deleted_after is null then
        raise exception 'organization_not_deleted' using errcode = 'PT409';
    elsif o.deleted_after <= now() then
        raise exception 'restore_too_late' using errcode = 'PT409';
    end if;
    update public.organizations x
       set status = x.status_before, status_before = null, deleted_after = null, deletion_run = null
     where x.id = o.id
    returning x.* into o;
    perform public.work_cancel(v_run);
    perform public.organization_money_follow(o, v_run || ':restored');
end
$$;

-- Waiting calls end, live ones are hung up; answers how many.  One that is just ending is left to its end.
create or replace function public.organization_calls_cancel(p_organization uuid, p_limit integer) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid;
    v_n integer := 0;
begin
    for v_id in (select q.id from public.call_queue q
                  where q.organization_id = p_organization and q.status = 'in-progress' and q.cancel_requested_at is null limit p_limit)
                union all
                (select q.id from public.call_queue q where q.organization_id = p_organization and q.status = 'queued' limit p_limit) loop
        begin
            perform public.call_cancel(v_id);
            v_n := v_n + 1;
        exception when sqlstate 'PT409' or sqlstate '40001' then
            continue;
        end;
    end loop;
    return v_n;
end
$$;

-- ---- the workflow's steps -----------------------------------------------------

-- The organization that the run is to remove, locked; null when it is gone, or not this run's any more.
create or replace function public.organization_of_run(p_run jsonb) returns public.organizations
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations;
begin
    select * into o from public.organizations x
     where x.id = (p_run -> 'input' ->> 'organization_id')::uuid and x.deletion_run = p_run ->> 'id' for update;
    return o;
end
$$;

-- Step 1: what the request left; then the grace.
create or replace function public.organization_delete_wait(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations := public.organization_of_run(p_run);
begin
    if o.id is null then
        return '{"done": true}';
    elsif o.status = 'disabled' then
        return null;
    elsif public.organization_calls_cancel(o.id, 500) > 0 then
        return jsonb_build_object('again', p_run -> 'input');
    end if;
    return jsonb_build_object('until', o.deleted_after);
end
$$;

-- Step 2: a bounded batch, again and again until the organization itself goes, and with it what refers to it.
create or replace function public.organization_delete_remove(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations := public.organization_of_run(p_run);
    v_after bigint := coalesce((p_run -> 'input' ->> 'after_event')::bigint, 0);
begin
    if o.id is null then
        return '{"done": true}';
    end if;
    if o.deleted_after > clock_timestamp()
       or exists (select from public.call_assignments a where a.organization_id = o.id and a.state in ('leased', 'sent', 'accepted', 'unknown')) then
        return jsonb_build_object('until', greatest(o.deleted_after, clock_timestamp() + interval '5 minutes'), 'next', 'remove');
    end if;
    if o.status <> 'disabled' then
        update public.organizations x set status = 'disabled' where x.id = o.id;
    end if;
    -- Each begins what is left to do, so all are asked.
    if (select bool_or(x.is_left) from (values (public.organization_money_left(o)), (public.numbers_left(o)), (public.assistants_left(o))) x(is_left)) then
        return jsonb_build_object('until', clock_timestamp() + interval '1 minute', 'next', 'remove');
    end if;
    if public.organization_calls_remove(o.id, 500) > 0 then
        return jsonb_build_object('again', p_run -> 'input');
    end if;
    v_after := public.organization_webhooks_remove(o.id, v_after, 20000);
    if v_after is not null then
        return jsonb_build_object('again', p_run -> 'input' || jsonb_build_object('after_event', v_after));
    end if;
    delete from public.organizations x where x.id = o.id;
    return null;
end
$$;

-- Calls with all that hangs on them, the outgoing events, runs (their input may name people), contacts, the do-not-call list, what was done about numbers,
-- at last the audit log; answers how many.
create or replace function public.organization_calls_remove(p_organization uuid, p_limit integer) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_ids uuid[];
    v_times timestamptz[];
    v_n integer;
begin
    select array_agg(c.id), array_agg(c.created_at) into v_ids, v_times
      from (select x.id, x.created_at from public.calls x where x.organization_id = p_organization order by x.created_at desc, x.id desc limit p_limit) c;
    if v_ids is not null then
        delete from public.call_queue q where q.id = any (v_ids);
        delete from public.usage_entries u where u.call_id = any (v_ids);
        delete from public.calls c using unnest(v_ids, v_times) d(id, created_at) where c.id = d.id and c.created_at = d.created_at;
        return cardinality(v_ids);
    end if;
    delete from public.events e where e.id in (select x.id from public.events x where x.organization_id = p_organization limit p_limit * 4);
    get diagnostics v_n = row_count;
    if v_n = 0 then
        delete from public.workflow_runs r where r.id in (select x.id from public.workflow_runs x where x.organization_id = p_organization limit p_limit);
        get diagnostics v_n = row_count;
    end if;
    if v_n = 0 then
        delete from public.contacts c where c.id in (select x.id from public.contacts x where x.organization_id = p_organization limit p_limit * 4);
        get diagnostics v_n = row_count;
    end if;
    if v_n = 0 then
        v_n := public.organization_imports_remove(p_organization, p_limit * 4);
    end if;
    if v_n = 0 then
        delete from public.do_not_call d where d.organization_id = p_organization and d.phone_number in (
            select x.phone_number from public.do_not_call x where x.organization_id = p_organization limit p_limit * 4);
        get diagnostics v_n = row_count;
    end if;
    if v_n = 0 then
        v_n := public.organization_numbers_remove(p_organization, p_limit * 4);
    end if;
    if v_n = 0 then
        delete from public.audit_log a where a.id in (select x.id from public.audit_log x where x.organization_id = p_organization limit p_limit * 4);
        get diagnostics v_n = row_count;
    end if;
    return v_n;
end
$$;

-- What is left of files of contacts.
create or replace function public.organization_imports_remove(p_organization uuid, p_limit integer) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_n integer;
begin
    delete from public.contact_import_numbers n where n.ctid = any (array(
        select x.ctid from public.contact_import_numbers x where x.organization_id = p_organization limit p_limit));
    get diagnostics v_n = row_count;
    if v_n = 0 then
        delete from public.contact_import_errors e where e.ctid = any (array(
            select x.ctid from public.contact_import_errors x where x.organization_id = p_organization limit p_limit));
        get diagnostics v_n = row_count;
    end if;
    return v_n;
end
$$;

-- Events that came in are not found by their organization: all of them are looked through, window by window.  Answers where the next window
-- begins; null: there is none.
create or replace function public.organization_webhooks_remove(p_organization uuid, p_after bigint, p_window integer) returns bigint
    language plpgsql security definer set search_path = '' as $$
declare
    v_last bigint;
begin
    select max(w.id) into v_last from (select x.id from public.webhook_events x where x.id > p_after order by x.id limit p_window) w;
    delete from public.webhook_events x where x.organization_id = p_organization and x.id > p_after and x.id <= v_last;
    return v_last;
end
$$;
