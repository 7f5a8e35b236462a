-- 33_assistants_sync.sql - an assistant is brought to Vapi, changed and removed there.  The workflow assistant-sync is common/work/flow_assistant.c.
-- There is one run for each assistant that is not as it shall be: whoever changes it starts the run, or finds one at it that looks again.

-- One more version with each change of what Vapi is told; a row that was written by hand stays as it is there.
create or replace function public.assistant_changed() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        if new.vapi_assistant_id is not null and new.provider_id is null then
            new.status := case when new.status = 'pending' then 'active' else new.status end;
            new.synced_version := new.version;
        end if;
        return new;
    end if;
    if (new.name, new.language, new.system_prompt, new.first_message, new.end_call_message, new.end_call_phrases, new.voicemail_message,
        new.model_provider, new.model_name, new.model_temperature, new.voice_provider, new.voice_id, new.voice_settings,
        new.transcriber_provider, new.transcriber_model, new.background_sound, new.max_duration_seconds)
       is distinct from
       (old.name, old.language, old.system_prompt, old.first_message, old.end_call_message, old.end_call_phrases, old.voicemail_message,
        old.model_provider, old.model_name, old.model_temperature, old.voice_provider, old.voice_id, old.voice_settings,
        old.transcriber_provider, old.transcriber_model, old.background_sound, old.max_duration_seconds) then
        new.version := greatest(new.version, old.version + 1);
        if public.assistant_by_hand(new) then
            new.synced_version := new.version;
        elsif new.deleted_at is null and old.run_id is distinct from '' then -- '': it is being made just now
            new.status := 'pending';
            new := public.assistant_begin(new);
        end if;
    end if;
    return new;
end
$$;

-- The row with a run that is at it: the one that there is, unless that is over, else a new one.
create or replace function public.assistant_begin(a public.assistants) returns public.assistants
    language plpgsql security definer set search_path = '' as $$
begin
    if a.run_id is null or not exists (select from public.workflow_runs r where r.id = a.run_id and r.state not in ('done', 'failed', 'canceled')) then
        a.runs := a.runs + 1;
        a.run_id := format('assistant-sync:%s:%s', a.id, a.runs);
        perform public.work_start(a.run_id, 'assistant-sync', jsonb_build_object('assistant_id', a.id, 'organization_id', a.organization_id));
    end if;
    return a;
end
$$;

-- Starts to bring it to where it shall be; answers the run's id.
create or replace function public.assistant_start(a public.assistants) returns text
    language plpgsql security definer set search_path = '' as $$
declare
    v public.assistants;
begin
    select * into v from public.assistants x where x.id = a.id for no key update;
    if not found then
        return null;
    end if;
    v := public.assistant_begin(v);
    update public.assistants x set run_id = v.run_id, runs = v.runs where x.id = v.id and x.run_id is distinct from v.run_id;
    return v.run_id;
end
$$;

-- Out of use.  One that is at Vapi, or on its way there, is removed there first.
create or replace function public.assistant_drop(a public.assistants) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    if public.assistant_by_hand(a) or a.vapi_assistant_id is null and a.run_id is null then
        update public.assistants x set deleted_at = now(), status = 'deleted', vapi_assistant_id = null where x.id = a.id;
        return;
    end if;
    update public.assistants x set deleted_at = now(), status = 'deleting', last_error = null where x.id = a.id;
    perform public.assistant_start(a);
end
$$;

-- Whether an organization that is removed still has assistants at Vapi; their removal is started.  Those without an account are not waited for.
create or replace function public.assistants_left(o public.organizations) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    a public.assistants;
    v_left boolean := false;
begin
    for a in select * from public.assistants x where x.organization_id = o.id and x.status <> 'deleted' order by x.id for no key update loop
        if public.assistant_by_hand(a) or a.vapi_assistant_id is null and a.run_id is null then
            continue;
        elsif public.vapi_account(a.provider_id) is not null then
            v_left := true;
            if a.deleted_at is null then
                perform public.assistant_drop(a);
            else
                perform public.assistant_start(a);
            end if;
        end if;
    end loop;
    return v_left;
end
$$;

-- ---- the workflow's steps -----------------------------------------------------------

-- The assistant that the run is at, locked; null when it is gone, or another run's.
create or replace function public.assistant_of_run(p_run jsonb) returns public.assistants
    language plpgsql security definer set search_path = '' as $$
declare
    a public.assistants;
begin
    select * into a from public.assistants x
     where x.id = (p_run -> 'input' ->> 'assistant_id')::uuid and x.run_id = p_run ->> 'id' for no key update;
    return a;
end
$$;

-- Where it shall go from where it is.
create or replace function public.assistant_next(a public.assistants) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return case when a.deleted_at is not null then case when a.vapi_assistant_id is null then 'settle' else 'remove' end
                when a.vapi_assistant_id is null then 'create'
                when a.synced_version < a.version then 'update'
                else 'settle' end;
end
$$;

-- What is missing?  Where nothing is, the row and the run let go of each other here: whoever changes it later starts another one.
create or replace function public.assistant_sync_decide(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    a public.assistants := public.assistant_of_run(p_run);
    v_next text := public.assistant_next(a);
begin
    if v_next = 'create' and a.runs > 1 and public.assistant_sync_doubt(p_run, a) then
        v_next := 'find';
    end if;
    if a.id is null then
        return '{"done": true}';
    elsif v_next <> 'settle' and public.vapi_account(a.provider_id) is null then
        update public.assistants x set last_error = 'provider_missing' where x.id = a.id and x.last_error is distinct from 'provider_missing';
        return '{"sleep_seconds": 300, "next": "decide"}';
    elsif v_next = 'settle' then
        update public.assistants x
           set status = case when a.deleted_at is null then 'active' else 'deleted' end, run_id = null,
               last_error = case when a.deleted_at is null then null else x.last_error end
         where x.id = a.id;
    end if;
    return jsonb_build_object('next', v_next);
end
$$;

-- Before each try of a step that asks: is it still what is wanted?  "prepared" is what the request is made from, and never stored.
create or replace function public.assistant_sync_prepare(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    a public.assistants := public.assistant_of_run(p_run);
    v_account jsonb;
begin
    if a.id is null or public.assistant_next(a) <> p_run ->> 'step' then
        return '{"next": "decide"}';
    end if;
    v_account := public.vapi_account(a.provider_id);
    if v_account is null then
        return '{"next": "decide"}';
    end if;
    return jsonb_build_object('prepared', jsonb_build_object('account', v_account, 'version', a.version, 'assistant', to_jsonb(a)));
end
$$;

-- The same of create: what may have been made already is looked for first.  Vapi takes no key.
create or replace function public.assistant_sync_create(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    if public.assistant_sync_unsure(p_run) is not null then
        return '{"next": "find"}';
    end if;
    return public.assistant_sync_prepare(p_run);
end
$$;

-- When one was last sent to be made of which nobody knows whether it was; null: there is none such.
create or replace function public.assistant_sync_unsure(p_run jsonb) returns timestamptz
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select s.sent_at from public.workflow_steps s
             where s.run_id = p_run ->> 'id' and s.generation = (p_run ->> 'generation')::integer and s.step = 'create' and not s.undo
               and (s.state in ('sent', 'unknown') or s.unsure));
end
$$;

-- Whether the run before this one was given up, and nothing was looked for yet: it may have made one.
create or replace function public.assistant_sync_doubt(p_run jsonb, a public.assistants) returns boolean
    language plpgsql stable security definer set search_path = '' as $$
begin
    return exists (select from public.workflow_runs r
                    where r.id = format('assistant-sync:%s:%s', a.id, a.runs - 1) and r.state in ('failed', 'canceled'))
        and not exists (select from public.workflow_steps s where s.run_id = p_run ->> 'id' and s.step = 'find');
end
$$;

-- Of the look: also how long ago it was sent.
create or replace function public.assistant_sync_find(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    a public.assistants := public.assistant_of_run(p_run);
    v_account jsonb;
    v_sent timestamptz;
begin
    v_account := public.vapi_account(a.provider_id);
    if a.id is null or a.vapi_assistant_id is not null or v_account is null then
        return '{"next": "decide"}';
    end if;
    select s.sent_at into v_sent from public.workflow_steps s
     where s.run_id = p_run ->> 'id' and s.generation = (p_run ->> 'generation')::integer and s.step = 'create' and not s.undo;
    return jsonb_build_object('prepared', jsonb_build_object('account', v_account, 'assistant', jsonb_build_object('id', a.id),
                                                             'sent_s', extract(epoch from clock_timestamp() - v_sent)::integer));
end
$$;

-- It was made, changed or found: {"id","version"}; or {"absent"}, or {"refused"}.
create or replace function public.assistant_sync_apply(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    a public.assistants := public.assistant_of_run(p_run);
    r jsonb := p_run -> 'result';
begin
    if a.id is null then
        return '{"next": "decide"}';
    elsif r ? 'refused' then
        return public.assistant_sync_refused(a, p_run ->> 'step', r);
    elsif (r ->> 'absent')::boolean then
        update public.assistants x
           set vapi_assistant_id = null, synced_version = 0, provider_id = case when x.deleted_at is null then null else x.provider_id end
         where x.id = a.id and p_run ->> 'step' <> 'find';
    else
        update public.assistants x
           set vapi_assistant_id = r ->> 'id', synced_version = coalesce((r ->> 'version')::bigint, 0), synced_at = now(), last_error = null,
               provider_id = coalesce(x.provider_id, (r ->> 'provider_id')::uuid)
         where x.id = a.id;
    end if;
    return '{"next": "decide"}';
end
$$;

-- Vapi will never have it so.  What it will not give up is left there, and found by the sweep.
create or replace function public.assistant_sync_refused(a public.assistants, p_step text, r jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
begin
    if p_step <> 'remove' and (a.deleted_at is not null or a.version > coalesce((r ->> 'version')::bigint, a.version)) then
        return '{"next": "decide"}'; -- something else is wanted now
    end if;
    update public.assistants x
       set status = case when p_step = 'remove' then 'deleted' else 'failed' end, last_error = r ->> 'refused', run_id = null,
           vapi_assistant_id = case when p_step = 'remove' then null else x.vapi_assistant_id end
     where x.id = a.id;
    return '{"next": "settle"}';
end
$$;

-- Numbers that wait for it hear of it; those that Vapi was told another assistant for are brought there.  No lock of the assistant is held.
create or replace function public.assistant_sync_settle(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    a public.assistants;
    n public.phone_numbers;
begin
    select * into a from public.assistants x where x.id = (p_run -> 'input' ->> 'assistant_id')::uuid;
    for n in select * from public.phone_numbers x where a.id in (x.assistant_wanted_id, x.assistant_id) order by x.run_id, x.id loop
        if n.run_id is not null then
            perform public.work_signal(n.run_id, 'assistant', jsonb_build_object('vapi_assistant_id', a.vapi_assistant_id, 'status', a.status),
                                       p_run ->> 'id');
        elsif n.origin <> 'manual' and n.wanted = 'active' and n.status = 'active' and n.assistant_wanted_id = a.id
              and a.vapi_assistant_id is not null and n.linked_assistant is distinct from a.vapi_assistant_id then
            perform public.number_start(n);
        end if;
    end loop;
    return '{"done": true}';
end
$$;
