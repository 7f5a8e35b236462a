-- 28_audit.sql - the audit log: written by triggers of the tables themselves, so that nobody's way past a function is past the log.

-- One entry, by whoever asks in this transaction.  An organization that is going takes its log along.  p_organization null: it is about the
-- installation.
create or replace function public.audit_write(p_organization uuid, p_action text, p_target_type text, p_target uuid, p_details jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_claims jsonb := coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb;
    v_type text;
    v_actor uuid;
begin
    v_actor := public.uuid_or_null(coalesce(v_claims ->> 'key_id', v_claims ->> 'sub'));
    v_type := case when current_setting('role', true) = 'hookswitch_operator' then 'operator'
                   when v_claims ->> 'role' = 'service_role' then 'service'
                   when v_claims ? 'key_id' then 'key'
                   when v_actor is not null then 'user'
                   else 'system' end;
    insert into public.audit_log (organization_id, actor_type, actor_id, action, target_type, target_id, details, request_id, address)
    select p_organization, v_type, v_actor, p_action, p_target_type, p_target, jsonb_strip_nulls(p_details),
           nullif(current_setting('hookswitch.request_id', true), ''), nullif(current_setting('hookswitch.address', true), '')
     where p_organization is null or exists (select from public.organizations o where o.id = p_organization);
end
$$;

-- Append-only, for everybody: a row goes only with its organization, whose grace is over; one without an organization stays.
create or replace function public.audit_keep() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'DELETE' and old.organization_id is not null then
        perform from public.organizations o
          where o.id = old.organization_id and not (o.status = 'disabled' and o.deleted_after is not null and o.deleted_after <= now());
        if not found then
            return old;
        end if;
    end if;
    raise exception 'the audit log is append-only' using errcode = '42501';
end
$$;

-- ---- what is written ---------------------------------------------------------

create or replace function public.audit_organization() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    v_changed text[];
begin
    if tg_op = 'INSERT' then
        perform public.audit_write(new.id, 'organization.created', 'organization', new.id,
                                   jsonb_build_object('name', new.name, 'personal', new.personal_of is not null));
        return null;
    end if;
    v_changed := array(select x.name from unnest(array['name', 'settings.max_concurrent_calls'],
                                                 array[new.name <> old.name, new.max_concurrent_calls is distinct from old.max_concurrent_calls]) x(name, yes)
                        where x.yes
                       union all
                       select 'settings.' || k.name from jsonb_object_keys(old.settings || new.settings) k(name)
                        where old.settings -> k.name is distinct from new.settings -> k.name);
    if cardinality(v_changed) > 0 then
        perform public.audit_write(new.id, 'organization.updated', 'organization', new.id, jsonb_build_object('changed', v_changed));
    end if;
    if new.deleted_after is distinct from old.deleted_after then
        perform public.audit_write(new.id, case when new.deleted_after is null then 'organization.restored' else 'organization.deleted' end,
                                   'organization', new.id, jsonb_build_object('deleted_after', public.time_view(new.deleted_after)));
    elsif new.status <> old.status then
        perform public.audit_write(new.id, 'organization.status_changed', 'organization', new.id,
                                   jsonb_build_object('from', old.status, 'to', new.status));
    end if;
    return null;
end
$$;

create or replace function public.audit_member() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        perform public.audit_write(new.organization_id, 'member.added', 'member', new.user_id, jsonb_build_object('role', new.role));
    elsif tg_op = 'DELETE' then
        perform public.audit_write(old.organization_id, case when old.user_id = public.current_user_id() then 'member.left' else 'member.removed' end,
                                   'member', old.user_id, jsonb_build_object('role', old.role));
    elsif new.role <> old.role then
        perform public.audit_write(new.organization_id, 'member.role_changed', 'member', new.user_id,
                                   jsonb_build_object('from', old.role, 'to', new.role));
    end if;
    return null;
end
$$;

create or replace function public.audit_invitation() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        perform public.audit_write(new.organization_id, 'invitation.created', 'invitation', new.id,
                                   jsonb_build_object('email', new.email, 'role', new.role));
    elsif new.state <> old.state then
        perform public.audit_write(new.organization_id, 'invitation.' || new.state, 'invitation', new.id,
                                   jsonb_build_object('email', new.email, 'role', new.role));
    elsif new.sent_count <> old.sent_count then
        perform public.audit_write(new.organization_id, 'invitation.resent', 'invitation', new.id, jsonb_build_object('email', new.email));
    end if;
    return null;
end
$$;

create or replace function public.audit_api_key() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    k public.api_keys := coalesce(new, old);
    v_action text;
begin
    v_action := case when tg_op = 'INSERT' and new.replaces is not null then 'api_key.rotated'
                     when tg_op = 'INSERT' then 'api_key.created'
                     when tg_op = 'DELETE' then 'api_key.deleted'
                     when new.revoked_at is distinct from old.revoked_at then 'api_key.revoked'
                     else 'api_key.changed' end;
    perform public.audit_write(k.organization_id, v_action, 'api_key', k.id,
                               jsonb_build_object('name', k.name, 'prefix', k.prefix, 'scopes', k.scopes, 'expires_at', public.time_view(k.expires_at),
                                                  'replaces', k.replaces));
    return null;
end
$$;

-- A provider is the installation's.  Neither a key nor what the pump writes down of its health stands here.
create or replace function public.audit_provider() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    v_health text[] := '{api_key,api_secret,api_credentials,concurrency_limit,key_hint,key_fingerprint,key_changed_at,failures,cooling_until,cooling_reason,last_error,last_error_at,last_accepted_at,updated_at}';
    v_changed jsonb;
begin
    if tg_op <> 'UPDATE' then
        perform public.audit_write(null, case tg_op when 'INSERT' then 'provider.created' else 'provider.deleted' end, 'provider', coalesce(new.id, old.id),
                                   jsonb_build_object('name', coalesce(new.name, old.name), 'provider_type', coalesce(new.provider_type, old.provider_type)));
        return null;
    end if;
    select jsonb_agg(n.key order by n.key) into v_changed
      from jsonb_each(to_jsonb(new) - v_health) n where n.value is distinct from to_jsonb(old) -> n.key;
    if v_changed is not null then
        perform public.audit_write(null, case when v_changed = '["key_number"]' then 'provider.key_changed' else 'provider.updated' end, 'provider', new.id,
                                   jsonb_build_object('name', new.name, 'changed', v_changed));
    end if;
    return null;
end
$$;

-- A plan is the installation's, too.  Not the price that is made at a provider when somebody takes the plan first.
create or replace function public.audit_plan() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    v_changed jsonb;
begin
    if tg_op <> 'UPDATE' then
        perform public.audit_write(null, case tg_op when 'INSERT' then 'plan.created' else 'plan.deleted' end, 'plan', coalesce(new.id, old.id),
                                   jsonb_build_object('name', coalesce(new.name, old.name)));
        return null;
    end if;
    select jsonb_object_agg(n.key, jsonb_build_object('from', to_jsonb(old) -> n.key, 'to', n.value)) into v_changed
      from jsonb_each(to_jsonb(new) - '{stripe_price_id,updated_at}'::text[]) n where n.value is distinct from to_jsonb(old) -> n.key;
    if v_changed is not null then
        perform public.audit_write(null, 'plan.updated', 'plan', new.id, jsonb_build_object('name', new.name, 'changed', v_changed));
    end if;
    return null;
end
$$;

-- People answer for this list before the law, so the log says which numbers, and why.  Entries are made by the statement: a file of a hundred
-- thousand numbers is some hundred entries.
create or replace function public.audit_do_not_call() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        perform public.audit_numbers('do_not_call.added', array(select row(c.*)::public.do_not_call from changed c));
    elsif tg_op = 'DELETE' then
        perform public.audit_numbers('do_not_call.removed', array(select row(w.*)::public.do_not_call from was w));
    else
        perform public.audit_numbers('do_not_call.removed', array(select row(w.*)::public.do_not_call from was w where not exists (
            select from changed c where (c.organization_id, c.phone_number) = (w.organization_id, w.phone_number))));
        perform public.audit_numbers('do_not_call.added', array(select row(c.*)::public.do_not_call from changed c where not exists (
            select from was w where (c.organization_id, c.phone_number) = (w.organization_id, w.phone_number))));
        perform public.audit_numbers('do_not_call.changed', array(select row(c.*)::public.do_not_call from changed c join was w
            on (c.organization_id, c.phone_number) = (w.organization_id, w.phone_number) where c.reason is distinct from w.reason));
    end if;
    return null;
end
$$;

-- A hundred numbers at most in an entry.  Of more that are added at once how many: they stand in the list itself, with the reason, and here when they
-- leave it.  An organization that is going takes both along.
create or replace function public.audit_numbers(p_action text, p_rows public.do_not_call[]) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v record;
begin
    for v in
        select r.organization_id, count(*) as n,
               case when p_action = 'do_not_call.removed'
                    then jsonb_agg(jsonb_build_object('phone_number', r.phone_number, 'reason', r.reason, 'created_by', r.created_by,
                                                      'created_at', public.time_view(r.created_at)))
                    when count(*) <= 100 then jsonb_agg(jsonb_build_object('phone_number', r.phone_number, 'reason', r.reason)) end as numbers,
               case when count(*) > 100 and count(distinct r.reason) = 1 then min(r.reason) end as reason
          from (select x.*, (row_number() over (partition by x.organization_id order by x.phone_number) - 1) / 100 as page from unnest(p_rows) x) r
          join public.organizations o on o.id = r.organization_id and not (o.status = 'disabled' and o.deleted_after is not null and o.deleted_after <= now())
         group by r.organization_id, case when p_action = 'do_not_call.removed' then r.page end loop
        perform public.audit_write(v.organization_id, p_action, 'do_not_call', v.organization_id,
                                   jsonb_build_object('count', v.n, 'reason', v.reason, 'numbers', v.numbers));
    end loop;
end
$$;

-- Whoever makes one, the engine too; it is written down when it has its texts (run_id '' until then: public.assistant_make).  What the engine notes
-- of its way to Vapi is no change.
create or replace function public.audit_assistant() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    v_engine text[] := '{status,version,synced_version,synced_at,provider_id,vapi_assistant_id,run_id,runs,last_error,deleted_at,updated_at}';
    v_changed jsonb;
begin
    if tg_op = 'INSERT' and new.run_id = '' then
        return null;
    elsif tg_op = 'INSERT' or old.run_id = '' then
        perform public.audit_write(new.organization_id, 'assistant.created', 'assistant', new.id, jsonb_build_object('name', new.name));
        return null;
    elsif new.deleted_at is not null and old.deleted_at is null then
        perform public.audit_write(new.organization_id, 'assistant.deleted', 'assistant', new.id, jsonb_build_object('name', new.name));
        return null;
    end if;
    select jsonb_agg(n.key order by n.key) into v_changed
      from jsonb_each(to_jsonb(new) - v_engine) n where n.value is distinct from to_jsonb(old) -> n.key;
    if v_changed is not null then
        perform public.audit_write(new.organization_id, 'assistant.updated', 'assistant', new.id, jsonb_build_object('name', new.name, 'changed', v_changed));
    end if;
    return null;
end
$$;

-- What a number shall be, and who wants it so; how it is brought there stands in phone_provision_logs.  Of where it is put through to the names alone.
-- Its first assistant is the engine's choice, not a change.
create or replace function public.audit_phone_number() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    v_details jsonb := jsonb_build_object('phone_number', new.phone_number, 'origin', new.origin);
    v_changed jsonb;
begin
    if tg_op = 'INSERT' then
        perform public.audit_write(new.organization_id, case when new.origin = 'manual' then 'number.added' else 'number.bought' end, 'number', new.id,
                                   v_details);
        return null;
    elsif new.wanted <> old.wanted then
        perform public.audit_write(new.organization_id, case new.wanted when 'active' then 'number.resumed' else 'number.' || new.wanted end, 'number', new.id,
                                   v_details || jsonb_build_object('reason', case new.wanted when 'paused' then new.pause_reason
                                                                                             when 'released' then new.release_reason end));
    end if;
    select jsonb_agg(x.field order by x.field) into v_changed from (values
        ('name', new.name is distinct from old.name), ('forward_to', new.forward_to is distinct from old.forward_to),
        ('forward_when', new.forward_when <> old.forward_when), ('sms_mode', new.sms_mode <> old.sms_mode),
        ('sms_forward_to', new.sms_forward_to is distinct from old.sms_forward_to),
        ('assistant_id', old.assistant_wanted_id is not null and new.assistant_wanted_id is distinct from old.assistant_wanted_id)) x(field, yes)
     where x.yes;
    if v_changed is not null then
        perform public.audit_write(new.organization_id, 'number.updated', 'number', new.id, v_details || jsonb_build_object('changed', v_changed));
    end if;
    return null;
end
$$;

-- ---- what is read ---------------------------------------------------------------

create or replace function public.audit_view(a public.audit_log) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object('id', a.id, 'created_at', public.time_view(a.created_at), 'actor_type', a.actor_type, 'actor_id', a.actor_id,
                              'action', a.action, 'target_type', a.target_type, 'target_id', a.target_id, 'details', a.details,
                              'request_id', a.request_id, 'address', a.address);
end
$$;

create or replace function public.audit_filter(p_action text, p_actor_id uuid, p_target_type text, p_target_id uuid, p_from timestamptz,
                                               p_to timestamptz) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_strip_nulls(jsonb_build_object('action', p_action, 'actor_id', p_actor_id, 'target_type', p_target_type, 'target_id', p_target_id,
                                                'from', p_from, 'to', p_to));
end
$$;

-- A page of the active organization's log, newest first, as its readers see it.  p_filter: action, actor_id, target_type, target_id, from, to.
create or replace function public.audit_rows(p_filter jsonb, p_after text, p_limit integer) returns setof public.audit_log
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
begin
    select * into v_after from public.cursor_read('audit_log', p_after);
    return query
    select a.* from public.audit_log a
     where a.organization_id = (select public.current_organization_id())
       and (p_filter ->> 'action' is null or a.action = p_filter ->> 'action')
       and (p_filter ->> 'actor_id' is null or a.actor_id = (p_filter ->> 'actor_id')::uuid)
       and (p_filter ->> 'target_type' is null or a.target_type = p_filter ->> 'target_type')
       and (p_filter ->> 'target_id' is null or a.target_id = (p_filter ->> 'target_id')::uuid)
       and (p_filter ->> 'from' is null or a.created_at >= (p_filter ->> 'from')::timestamptz)
       and (p_filter ->> 'to' is null or a.created_at < (p_filter ->> 'to')::timestamptz)
       and (v_after.id is null or (a.created_at, a.id) < (v_after.at, v_after.id::uuid))
     order by a.created_at desc, a.id desc
     limit p_limit;
end
$$;

-- A text as a field of CSV (RFC 4180).  What a spreadsheet would take for a formula is made text.
create or replace function public.csv_field(p_text text) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return '"' || replace(case when p_text ~ '^[=+@\t\r\n＝＋＠－-]' then '''' || p_text else coalesce(p_text, '') end, '"', '""') || '"';
end
$$;

create or replace function public.audit_csv(a public.audit_log) returns text
    language plpgsql stable set search_path = '' as $$
begin
    return (select string_agg(public.csv_field(x.v), ',' order by x.i) || E'\r\n'
              from unnest(array[a.id::text, public.time_view(a.created_at), a.actor_type, a.actor_id::text, a.action, a.target_type, a.target_id::text,
                                a.details::text, a.request_id, a.address]) with ordinality x(v, i));
end
$$;
