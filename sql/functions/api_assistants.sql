-- api_assistants.sql - /api/v1/assistants.  Run as hookswitch_api: what a caller does not see does not exist for him.

-- Newest first.
create or replace function api.assistant_list(p_status text default null, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('assistants', p_after);
    with page as (
        select a, row_number() over (order by a.created_at desc, a.id desc) as n from public.assistants a
         where a.organization_id = (select public.current_organization_id()) and a.deleted_at is null
           and (p_status is null or a.status = p_status)
           and (v_after.id is null or (a.created_at, a.id) < (v_after.at, v_after.id::uuid))
         order by a.created_at desc, a.id desc limit p_limit + 1)
    select public.page_view('assistants', array_agg(public.assistant_view(g.a) order by g.n), array_agg((g.a).created_at order by g.n),
                            array_agg((g.a).id::text order by g.n), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function api.assistant_get(p_assistant_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    a public.assistants;
begin
    select * into a from public.assistants x where x.id = p_assistant_id and x.deleted_at is null;
    if not found then
        raise exception 'assistant_not_found' using errcode = 'PT404';
    end if;
    return public.assistant_view(a);
end
$$;

-- From a template, from texts of one's own, or from both: what is given stands in place of the template's.
create or replace function api.assistant_create(
    p_template text default null, p_variable_values jsonb default null, p_name text default null, p_description text default null,
    p_language text default null, p_system_prompt text default null, p_first_message text default null, p_end_call_message text default null,
    p_end_call_phrases jsonb default null, p_voicemail_message text default null, p_model_provider text default null, p_model_name text default null,
    p_model_temperature numeric default null, p_voice_provider text default null, p_voice_id text default null, p_voice_settings jsonb default null,
    p_transcriber_provider text default null, p_transcriber_model text default null, p_background_sound text default null,
    p_silence_timeout_seconds integer default null, p_max_duration_seconds integer default null) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    if p_template is null and p_variable_values is not null then
        perform public.refuse_field('variable_unknown', 'variable_values', 'Values belong to a template.');
    elsif p_template is null and p_name is null then
        perform public.refuse_field('assistant_invalid', 'name', 'A name, or a template that has one.');
    end if;
    return public.assistant_create(jsonb_build_object(
        'template', p_template, 'variable_values', p_variable_values, 'name', p_name, 'description', p_description, 'language', p_language,
        'system_prompt', p_system_prompt, 'first_message', p_first_message, 'end_call_message', p_end_call_message,
        'end_call_phrases', p_end_call_phrases, 'voicemail_message', p_voicemail_message, 'model_provider', p_model_provider,
        'model_name', p_model_name, 'model_temperature', p_model_temperature, 'voice_provider', p_voice_provider, 'voice_id', p_voice_id,
        'voice_settings', p_voice_settings, 'transcriber_provider', p_transcriber_provider, 'transcriber_model', p_transcriber_model,
        'background_sound', p_background_sound, 'silence_timeout_seconds', p_silence_timeout_seconds, 'max_duration_seconds', p_max_duration_seconds));
end
$$;

-- Members that are not given stay; null clears, or sets what a new one has.
create or replace function api.assistant_update(p_assistant_id uuid, p_changes jsonb) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.assistant_update(p_assistant_id, p_changes);
end
$$;

create or replace function api.assistant_delete(p_assistant_id uuid, p_force boolean default null) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.assistant_delete(p_assistant_id, p_force);
    return null;
end
$$;

create or replace function api.assistant_sync(p_assistant_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.assistant_again(p_assistant_id);
end
$$;

create or replace function api.assistant_test(p_assistant_id uuid, p_verified_number_id uuid, p_number_id uuid default null) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v_call uuid := public.assistant_try(p_assistant_id, p_verified_number_id, p_number_id);
begin
    return public.call_view_of(v_call);
end
$$;
