-- 33_assistants.sql - assistants: what one is made from, and who may change what.  Bringing it to Vapi is 33_assistants_sync.sql.

-- The account at Vapi where assistants and numbers are: the first that is active.  As the voice port reads it (voice_account_read), with
-- "provider_id"; null: there is none.
create or replace function public.vapi_account(p_provider uuid default null) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select jsonb_build_object('provider_id', p.id, 'provider_type', p.provider_type, 'base_url', p.base_url, 'api_key', p.api_key,
                                      'timeout_ms', p.timeout_ms)
              from public.call_service_providers p
             where p.provider_type = 'vapi' and (p.id = p_provider or p_provider is null and p.is_active)
             order by p.is_draining, p.priority, p.created_at, p.id limit 1);
end
$$;

-- How one looks to its organization.  Runs and versions are the engine's own.
create or replace function public.assistant_view(a public.assistants) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', a.id, 'organization_id', a.organization_id, 'template_id', a.template_id, 'created_by', a.user_id, 'name', a.name,
        'description', a.description, 'language', a.language, 'status', a.status, 'by_hand', public.assistant_by_hand(a),
        'system_prompt', a.system_prompt, 'first_message', a.first_message, 'end_call_message', a.end_call_message,
        'end_call_phrases', a.end_call_phrases, 'voicemail_message', a.voicemail_message, 'model_provider', a.model_provider,
        'model_name', a.model_name, 'model_temperature', a.model_temperature, 'voice_provider', a.voice_provider, 'voice_id', a.voice_id,
        'voice_settings', a.voice_settings, 'transcriber_provider', a.transcriber_provider, 'transcriber_model', a.transcriber_model,
        'background_sound', a.background_sound, 'silence_timeout_seconds', a.silence_timeout_seconds,
        'max_duration_seconds', a.max_duration_seconds, 'variable_values', a.variable_values, 'functions', a.functions,
        'vapi_assistant_id', a.vapi_assistant_id, 'last_error', a.last_error, 'synced_at', public.time_view(a.synced_at),
        'created_at', public.time_view(a.created_at), 'updated_at', public.time_view(a.updated_at));
end
$$;

-- Made at Vapi by somebody else and only written down here: it is used, and never changed or removed there.
create or replace function public.assistant_by_hand(a public.assistants) returns boolean
    language plpgsql immutable set search_path = '' as $$
begin
    return a.vapi_assistant_id is not null and a.provider_id is null;
end
$$;

-- ---- what one may be ---------------------------------------------------------

-- Refuses what Vapi would refuse.  Lengths are Vapi's, which counts as JavaScript does; here characters are counted, and what is too long only
-- there is told by last_error.  Texts may hold {{name}}: Vapi puts in what it knows of the call.
create or replace function public.assistant_check(a public.assistants) returns void
    language plpgsql stable set search_path = '' as $$
declare
    v record;
begin
    for v in select * from (values ('name', a.name, 40), ('end_call_message', a.end_call_message, 1000), ('voicemail_message', a.voicemail_message, 1000),
                                   ('first_message', a.first_message, 2000), ('system_prompt', a.system_prompt, 20000)) x(field, value, most)
              where length(x.value) > x.most or x.value ~ '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]' limit 1 loop
        perform public.refuse_field('assistant_invalid', v.field, format('At most %s characters, and no control characters.', v.most));
    end loop;
    if btrim(a.name) = '' then
        perform public.refuse_field('assistant_invalid', 'name', 'A name.');
    elsif jsonb_array_length(a.end_call_phrases) > 50 or exists (
        select from jsonb_array_elements(a.end_call_phrases) p where jsonb_typeof(p) <> 'string' or length(p #>> '{}') not between 2 and 140) then
        perform public.refuse_field('assistant_invalid', 'end_call_phrases', 'At most 50 texts of 2 to 140 characters.');
    elsif a.background_sound !~ '^(off|office|https?://[!-~]+)$' or length(a.background_sound) > 500 then
        perform public.refuse_field('assistant_invalid', 'background_sound', 'off, office, or the address of a sound.');
    elsif a.model_temperature not between 0 and 2 then
        perform public.refuse_field('assistant_invalid', 'model_temperature', 'From 0 to 2.');
    elsif a.max_duration_seconds not between 10 and 43200 then
        perform public.refuse_field('assistant_invalid', 'max_duration_seconds', 'From 10 to 43200.');
    elsif a.language !~ '^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$' and a.language <> 'multi' then
        perform public.refuse_field('assistant_invalid', 'language', 'A language tag, such as de or pt-BR, or multi.');
    end if;
    perform public.assistant_voice_check(a);
end
$$;

-- What a voice's settings may be, by its maker; other makers' are passed on as they are.
create or replace function public.assistant_voice_check(a public.assistants) returns void
    language plpgsql stable set search_path = '' as $$
declare
    v_bounds jsonb := case a.voice_provider
        when '11labs' then '{"stability":[0,1],"similarityBoost":[0,1],"style":[0,1],"speed":[0.7,1.2],"optimizeStreamingLatency":[0,4]}'
        when 'vapi' then '{"speed":[0.25,2]}' end;
    v_plain text[] := case a.voice_provider
        when '11labs' then array['useSpeakerBoost', 'enableSsmlParsing', 'autoMode', 'model', 'language', 'cachingEnabled']
        when 'vapi' then array['version', 'language', 'cachingEnabled'] end;
    v record;
begin
    if length(a.voice_settings::text) > 4000 or a.voice_settings ?| array['provider', 'voiceId'] then
        perform public.refuse_field('assistant_invalid', 'voice_settings', 'Not more than 4000 characters, and not which voice it is.');
    end if;
    for v in select e.key, e.value, v_bounds -> e.key as bounds from jsonb_each(a.voice_settings) e where v_bounds is not null loop
        if v.bounds is null and v.key = any (v_plain) and jsonb_typeof(v.value) not in ('object', 'array') then
            continue;
        elsif v.bounds is null or jsonb_typeof(v.value) <> 'number' or v.value < v.bounds -> 0 or v.value > v.bounds -> 1 then
            perform public.refuse_field('assistant_invalid', 'voice_settings.' || left(v.key, 64), format('%s.', coalesce(
                format('From %s to %s', v.bounds ->> 0, v.bounds ->> 1), 'A setting of this voice''s maker')));
        end if;
    end loop;
end
$$;

-- A voice that is named: where voices of its maker are on offer to all, one of these; other makers' are taken as they are.
create or replace function public.assistant_voice_known(a public.assistants) returns void
    language plpgsql stable security definer set search_path = '' as $$
begin
    if exists (select from public.voice_options v where lower(v.voice_provider) = lower(a.voice_provider) and v.provider_id is null and v.is_active)
       and not exists (select from public.voice_options v where lower(v.voice_provider) = lower(a.voice_provider) and v.voice_id = a.voice_id and v.is_active)
    then
        perform public.refuse_field('voice_not_found', 'voice_id', 'There is no such voice on offer.');
    end if;
end
$$;

-- The row with the members of p in place of its own; null clears, or sets what a new one has.
create or replace function public.assistant_with(a public.assistants, p jsonb) returns public.assistants
    language plpgsql stable set search_path = '' as $$
declare
    v_first jsonb := '{"language":"en","end_call_phrases":[],"model_provider":"openai","model_name":"gpt-4o-mini","model_temperature":0.7,
                       "voice_provider":"11labs","voice_id":"pNInz6obpgDQGcFmaJgB","voice_settings":{},"transcriber_provider":"deepgram",
                       "transcriber_model":"nova-2","silence_timeout_seconds":30,"max_duration_seconds":600,"functions":[],"variable_values":{}}';
    v_known text[] := array['name', 'description', 'language', 'system_prompt', 'first_message', 'end_call_message', 'end_call_phrases', 'voicemail_message',
        'model_provider', 'model_name', 'model_temperature', 'voice_provider', 'voice_id', 'voice_settings', 'transcriber_provider', 'transcriber_model',
        'background_sound', 'silence_timeout_seconds', 'max_duration_seconds'];
    v_new jsonb;
begin
    select coalesce(jsonb_object_agg(e.key, case when e.value = 'null' then coalesce(v_first -> e.key, 'null') else e.value end), '{}') into v_new
      from jsonb_each(p) e where e.key = any (v_known);
    return jsonb_populate_record(a, v_new);
end
$$;

-- ---- made, changed, deleted ------------------------------------------------------

-- Makes one and starts to bring it to Vapi.  p_wish: {"template": slug, "variable_values", and the fields of POST /api/v1/assistants}; what is
-- given stands in place of the template's.  The organization's row is locked by the caller.
create or replace function public.assistant_make(p_organization uuid, p_user uuid, p_wish jsonb) returns public.assistants
    language plpgsql security definer set search_path = '' as $$
declare
    a public.assistants;
    t jsonb;
begin
    if not public.may_act_for(p_organization) then
        raise exception 'organization_not_found' using errcode = 'PT404';
    elsif (select count(*) >= 100 from public.assistants x where x.organization_id = p_organization and x.deleted_at is null) then
        raise exception 'assistants_full' using errcode = 'PT409', detail = 'An organization has at most 100; delete some first.';
    end if;
    insert into public.assistants (organization_id, user_id, name, run_id) values (p_organization, p_user, '', '') returning * into a;
    if p_wish ->> 'template' is not null then
        t := public.assistant_template_render(p_wish ->> 'template', coalesce(nullif(p_wish -> 'variable_values', 'null'), '{}'));
        a := public.assistant_with(a, jsonb_strip_nulls(t || jsonb_build_object('name', left(t ->> 'name', 40))));
        a.template_id := (t ->> 'id')::uuid;
        a.variable_values := t -> 'variable_values';
        a.functions := t -> 'functions';
    end if;
    a := public.assistant_with(a, jsonb_strip_nulls(p_wish));
    perform public.assistant_check(a);
    if p_wish ->> 'voice_id' is not null then
        perform public.assistant_voice_known(a);
    end if;
    perform public.assistant_keep(a);
    perform public.assistant_start(a);
    select * into a from public.assistants x where x.id = a.id;
    return a;
end
$$;

-- Writes what may be changed.
create or replace function public.assistant_keep(a public.assistants) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    update public.assistants x
       set template_id = a.template_id, variable_values = a.variable_values, functions = a.functions, name = a.name, description = a.description,
           language = a.language, system_prompt = a.system_prompt, first_message = a.first_message, end_call_message = a.end_call_message,
           end_call_phrases = a.end_call_phrases, voicemail_message = a.voicemail_message, model_provider = a.model_provider,
           model_name = a.model_name, model_temperature = a.model_temperature, voice_provider = a.voice_provider, voice_id = a.voice_id,
           voice_settings = a.voice_settings, transcriber_provider = a.transcriber_provider, transcriber_model = a.transcriber_model,
           background_sound = a.background_sound, silence_timeout_seconds = a.silence_timeout_seconds, max_duration_seconds = a.max_duration_seconds,
           run_id = nullif(x.run_id, '')
     where x.id = a.id;
end
$$;

-- Of the active organization, locked for a change: the organization's row first.
create or replace function public.assistant_lock(p_assistant uuid) returns public.assistants
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations := public.organization_lock(public.current_organization_id());
    a public.assistants;
begin
    select * into a from public.assistants x
     where x.id = p_assistant and x.organization_id = o.id and x.deleted_at is null for no key update;
    if not found then
        raise exception 'assistant_not_found' using errcode = 'PT404';
    end if;
    return a;
end
$$;

-- Refuses one that is not ours to change.
create or replace function public.assistant_ours(a public.assistants) returns void
    language plpgsql stable set search_path = '' as $$
begin
    if public.assistant_by_hand(a) then
        raise exception 'assistant_by_hand' using errcode = 'PT409', detail = 'It was made at Vapi; change it there.';
    end if;
end
$$;

create or replace function public.assistant_create(p_wish jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations := public.organization_lock(public.current_organization_id());
begin
    return public.assistant_view(public.assistant_make(o.id, public.current_user_id(), p_wish));
end
$$;

create or replace function public.assistant_update(p_assistant uuid, p_changes jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    a public.assistants := public.assistant_lock(p_assistant);
begin
    perform public.assistant_ours(a);
    a := public.assistant_with(a, p_changes);
    perform public.assistant_check(a);
    if p_changes ?| array['voice_id', 'voice_provider'] then
        perform public.assistant_voice_known(a);
    end if;
    perform public.assistant_keep(a);
    select * into a from public.assistants x where x.id = a.id;
    return public.assistant_view(a);
end
$$;

-- Brings it to Vapi once more, whatever was known of it there.
create or replace function public.assistant_again(p_assistant uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    a public.assistants := public.assistant_lock(p_assistant);
begin
    perform public.assistant_ours(a);
    update public.assistants x set status = 'pending', last_error = null, version = x.version + 1 where x.id = a.id returning * into a;
    perform public.assistant_start(a);
    return public.assistant_view(a);
end
$$;

-- Out of use, and away from Vapi.  Where a number has it it is refused, unless p_force: then its numbers get the organization's default one.
create or replace function public.assistant_delete(p_assistant uuid, p_force boolean) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    a public.assistants := public.assistant_lock(p_assistant);
    n public.phone_numbers;
begin
    for n in select * from public.phone_numbers x
              where a.id in (x.assistant_id, x.assistant_wanted_id) and x.status not in ('released', 'failed', 'lost') order by x.id for no key update loop
        if not coalesce(p_force, false) then
            raise exception 'assistant_in_use' using errcode = 'PT409', detail = format('The number %s has it.', coalesce(n.phone_number, n.id::text));
        end if;
        update public.phone_numbers x
           set assistant_wanted_id = nullif(x.assistant_wanted_id, a.id),
               assistant_id = case when x.origin = 'manual' then nullif(x.assistant_id, a.id) else x.assistant_id end
         where x.id = n.id;
        if n.origin <> 'manual' then
            perform public.number_sync(n.id);
        end if;
    end loop;
    perform public.assistant_drop(a);
end
$$;

-- ---- what new numbers get ----------------------------------------------------------

-- The variables of a template that are the organization's name, with it.
create or replace function public.assistant_template_names(p_variables jsonb, p_name text) returns jsonb
    language plpgsql immutable set search_path = '' as $$
begin
    return (select coalesce(jsonb_object_agg(v ->> 'name', left(p_name, public.template_value_max(v))), '{}') from jsonb_array_elements(p_variables) v
             where v ->> 'name' in ('business_name', 'company_name', 'organization_name', 'restaurant_name', 'agency_name', 'host_name'));
end
$$;

-- The first template that needs nothing but a name, with it filled in: {"template","variable_values"}; null: there is none.
create or replace function public.assistant_template_plain(p_slug text, p_name text, p_values jsonb default '{}') returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select jsonb_build_object('template', t.slug, 'variable_values', v_filled.values || p_values)
              from public.templates t
             cross join lateral (select public.assistant_template_names(t.variables, p_name) as values) v_filled
             where t.is_active and t.slug is not null and (p_slug is null or t.slug = p_slug)
               and not exists (select from jsonb_array_elements(t.variables) v
                                where v -> 'required' = 'true' and coalesce(v ->> 'default', '') = ''
                                  and coalesce((v_filled.values || p_values) ->> (v ->> 'name'), '') = '')
             order by t.created_at, t.slug limit 1);
end
$$;

-- What is made where no template can be filled: it greets, listens and takes a message.
create or replace function public.assistant_plain(p_name text) returns jsonb
    language plpgsql immutable set search_path = '' as $$
begin
    return jsonb_build_object(
        'name', left(p_name, 40), 'first_message', format('Hello, you have reached %s. How can I help you?', p_name),
        'end_call_message', 'Thank you for calling. Goodbye!', 'voice_settings', '{"stability": 0.5, "similarityBoost": 0.75}'::jsonb,
        'system_prompt', format('You answer the telephone for %s. Be friendly and brief, and say one thing at a time. You know nothing of the business '
                                'but its name: invent nothing. Ask what the call is about, for the caller''s name and number, and when to call back; '
                                'repeat it, say that somebody will call back, and end the call.', p_name));
end
$$;

-- The assistant that new numbers of an organization get: its default one, else its oldest, else one that is made now, from its own choice of
-- template, the installation's, or the first that needs nothing but a name; where none of them can be made, a plain one.
create or replace function public.assistant_default(p_organization uuid, p_user uuid default null) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations;
    a public.assistants;
    v_own jsonb;
    v_name text;
    v_wish jsonb;
begin
    select * into o from public.organizations x where x.id = p_organization;
    v_own := case when jsonb_typeof(o.settings -> 'assistant') = 'object' then o.settings -> 'assistant' else '{}' end;
    select * into a from public.assistants x
     where x.organization_id = o.id and x.deleted_at is null
     order by x.id is distinct from public.uuid_or_null(v_own ->> 'default_id'), x.created_at, x.id limit 1;
    if found then
        if not public.assistant_by_hand(a) and a.vapi_assistant_id is null then
            perform public.assistant_start(a);
        end if;
        return a.id;
    end if;
    -- Locked only where one is made: whoever waits here may hold a number's row.
    perform from public.organizations x where x.id = o.id for no key update;
    select * into a from public.assistants x where x.organization_id = o.id and x.deleted_at is null order by x.created_at, x.id limit 1;
    if found then
        return a.id; -- by somebody else, just now
    end if;
    v_name := public.organization_spoken(o.name);
    v_wish := coalesce(
        case when v_own ->> 'template' is not null then public.assistant_template_plain(v_own ->> 'template', v_name, case
            when jsonb_typeof(v_own -> 'variable_values') = 'object' then v_own -> 'variable_values' else '{}' end) end,
        public.assistant_template_plain((select p.template_slug from public.number_policy p), v_name), public.assistant_template_plain(null, v_name));
    begin
        a := public.assistant_make(o.id, p_user, coalesce(v_wish, public.assistant_plain(v_name)));
    exception when sqlstate 'PT404' or sqlstate 'PT422' then
        a := public.assistant_make(o.id, p_user, public.assistant_plain(v_name));
    end;
    return a.id;
end
$$;

-- Vapi's id of an assistant that can answer; null: it is not there yet, or not any more.
create or replace function public.assistant_ready(p_assistant uuid) returns text
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select a.vapi_assistant_id from public.assistants a where a.id = p_assistant and a.deleted_at is null);
end
$$;
