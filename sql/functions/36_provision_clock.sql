-- 36_provision_clock.sql - numbers by the clock: who ought to have one and has none, who has more than the plan includes, what was kept long enough; and
-- the numbers of an organization that goes for good.  The workflows provision-catchup and number-release are common/work/flow_provision.c.

-- Begins one now, unless one waits to begin: it will see what this one would.
create or replace function public.provision_catchup_start(p_why text) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.work_start(format('provision-catchup:%s:%s', p_why, (extract(epoch from clock_timestamp()) * 1000000)::bigint), 'provision-catchup',
                              jsonb_build_object('why', p_why))
      where not exists (select from public.workflow_runs w
                         where w.workflow = 'provision-catchup' and w.state = 'ready' and w.due_at is not null and w.generation = 1 and w.step is null);
end
$$;

-- Step "look" of provision-catchup: some organizations at a time, by their ids.  What is to be done is decided again under the organization's lock, by a
-- run of its own.
create or replace function public.provision_catchup(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_batch constant integer := 500;
    v_ids uuid[];
begin
    if not p_run -> 'input' ? 'after' then
        perform public.numbers_revive();
    end if;
    if not (select k.enabled from public.number_policy k) then
        return '{"done": true}';
    end if;
    v_ids := array(select o.id from public.organizations o
                    where o.id > coalesce((p_run -> 'input' ->> 'after')::uuid, '00000000-0000-0000-0000-000000000000') order by o.id limit v_batch);
    perform public.provision_begin(i.id, case when p_run -> 'input' ->> 'why' is null then 'catchup' else p_run -> 'input' ->> 'why' end)
       from unnest(v_ids) i(id)
      where public.provision_due(i.id)
        and not exists (select from public.phone_provision_logs l where l.organization_id = i.id and l.status = 'pending');
    if cardinality(v_ids) < v_batch then
        return '{"done": true}';
    end if;
    return jsonb_build_object('again', p_run -> 'input' || jsonb_build_object('after', v_ids[v_batch]));
end
$$;

-- What a run was at that is a dead letter, was canceled or is gone has another one: a number may be bought by now, and nobody else would see to it.
-- So, whatever the policy is.  Lines of the log that wait for such a run end here.
create or replace function public.numbers_revive() returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_batch constant integer := 500;
begin
    perform public.number_start(n) from (
        select x as n from public.phone_numbers x
         where x.run_id is not null and x.origin <> 'manual' and x.status not in ('failed', 'released', 'lost') and not public.number_sweep_busy(x.run_id)
         order by x.id limit v_batch) d;
    perform public.assistant_start(a) from (
        select x as a from public.assistants x
         where x.run_id <> '' and x.status <> 'deleted' and not public.number_sweep_busy(x.run_id) order by x.id limit v_batch) d;
    perform public.provision_end(l.id, 'failed', 'run_ended') from public.phone_provision_logs l
      where l.status = 'pending' and not public.number_sweep_busy(l.run_id) and l.created_at < clock_timestamp() - interval '1 minute';
end
$$;

-- Whether an organization has something else than it shall have.
create or replace function public.provision_due(p_organization uuid) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
declare
    r public.provision_facts;
begin
    select * into r from public.provision_read(p_organization);
    return found and r.deleted_after is null and public.provision_plan(r, null) ?| '{pause,resume,make,keep}'::text[];
end
$$;

-- Step "release" of number-release: numbers that were kept paused long enough.
create or replace function public.number_release_due(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_batch constant integer := 100;
    v_ids uuid[];
begin
    if not (select k.enabled from public.number_policy k) then
        return '{"done": true}';
    end if;
    v_ids := array(select n.id from public.phone_numbers n
                    where n.release_after <= clock_timestamp() and n.wanted = 'paused' and n.status not in ('failed', 'released', 'lost') and n.origin <> 'manual'
                    order by n.release_after, n.id limit v_batch for update skip locked);
    perform public.number_want(i.id, 'released', 'grace_over'), public.number_log(n.organization_id, 'release', 'noted', jsonb_build_object(
                'phone_number_id', n.id, 'reason', 'grace_over', 'user_id', n.user_id, 'detail', jsonb_build_object('paused_for', n.pause_reason)))
       from unnest(v_ids) i(id) join public.phone_numbers n on n.id = i.id;
    if cardinality(v_ids) < v_batch then
        return '{"done": true}';
    end if;
    return jsonb_build_object('again', p_run -> 'input');
end
$$;

-- The grace of a deleted organization is over: true while numbers of it are still had.  It is waited for a week; then a person has to look, and the row
-- that says so outlives the organization.
create or replace function public.numbers_left(o public.organizations) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    v_waits constant boolean := o.deleted_after > clock_timestamp() - interval '7 days';
    n public.phone_numbers;
    v_left boolean := false;
begin
    for n in select x.* from public.phone_numbers x
              where x.organization_id = o.id and x.origin <> 'manual' and x.status not in ('failed', 'released', 'lost') order by x.id loop
        v_left := true;
        if n.wanted <> 'released' then
            perform public.number_want(n.id, 'released', 'organization_deleted');
        end if;
        if not v_waits and n.provider_sid is not null then
            insert into public.number_differences (provider, kind, external_id, phone_number, phone_number_id, ours)
            values ('twilio', 'orphan', n.provider_sid, n.phone_number, n.id,
                    jsonb_build_object('status', n.status, 'last_error', n.last_error, 'deleted_organization', o.id))
            on conflict (provider, kind, external_id) where resolved_at is null
            do update set ours = excluded.ours, last_seen_at = now(), seen = number_differences.seen + 1;
        end if;
    end loop;
    return v_left and v_waits;
end
$$;

-- The log of a removed organization and its text messages, some at a time; answers how many.
create or replace function public.organization_numbers_remove(p_organization uuid, p_limit integer) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    v_n integer;
begin
    delete from public.phone_provision_logs l where l.id = any (array(
        select x.id from public.phone_provision_logs x where x.organization_id = p_organization limit p_limit));
    get diagnostics v_n = row_count;
    if v_n = 0 then
        delete from public.text_messages m where m.id = any (array(
            select x.id from public.text_messages x where x.organization_id = p_organization limit p_limit));
        get diagnostics v_n = row_count;
    end if;
    return v_n;
end
$$;
