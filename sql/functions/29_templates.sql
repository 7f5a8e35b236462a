-- 29_templates.sql - call templates: whose they are, who sees them, what always holds of one.

-- ---- who sees one -----------------------------------------------------------------

-- What was shared with a person and an organization.  An address counts only if it is that of whoever asks now, and proved.
create or replace function public.call_templates_shared_with(p_organization uuid, p_user uuid) returns uuid[]
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_email text := case when p_user = public.current_user_id() then public.email_proved() end;
begin
    return array(
        select s.template_id from public.call_template_shares s where s.with_organization_id = p_organization
        union
        select s.template_id from public.call_template_shares s where s.email = v_email
        union
        select s.template_id from public.call_template_shares s
          join public.call_templates t on t.id = s.template_id
          join public.organization_members m on m.organization_id = t.organization_id and m.user_id = s.user_id
         where s.user_id = p_user and t.organization_id = p_organization);
end
$$;

-- The same for whoever asks; for policies.
create or replace function public.call_templates_shared() returns uuid[]
    language plpgsql stable security definer set search_path = '' as $$
begin
    return public.call_templates_shared_with(public.current_organization_id(), public.current_user_id());
end
$$;

-- Whether a person who acts for an organization sees a template: what the policies of call_templates say, for functions that act for others.
create or replace function public.call_template_seen(t public.call_templates, p_organization uuid, p_user uuid) returns boolean
    language plpgsql stable set search_path = '' as $$
begin
    if t.deleted_at is not null then
        return false;
    elsif t.visibility = 'public'
          or t.organization_id = p_organization and (t.visibility = 'organization' or t.created_by is null or t.created_by = p_user)
          or t.organization_id is null and t.created_by = p_user then
        return true;
    end if;
    return t.id = any (public.call_templates_shared_with(p_organization, p_user));
end
$$;

-- Whether he may change it too.
create or replace function public.call_template_own(t public.call_templates, p_organization uuid, p_user uuid) returns boolean
    language plpgsql immutable set search_path = '' as $$
begin
    return coalesce(t.organization_id = p_organization and (t.visibility <> 'private' or t.created_by is null or t.created_by = p_user), false);
end
$$;

-- ---- what always holds ----------------------------------------------------------------

-- Both names of being public say the same; the one that changed wins.  Written by SQL without a word about it: what has a creator is his.
create or replace function public.call_template_fill() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' and new.visibility is null or tg_op = 'UPDATE' and new.visibility = old.visibility and new.is_public <> old.is_public then
        new.visibility := case when new.is_public then 'public' when new.created_by is not null or new.organization_id is null then 'private'
                               else 'organization' end;
    end if;
    new.is_public := new.visibility = 'public';
    if tg_op = 'INSERT' or new.params is distinct from old.params or new.params_order is distinct from old.params_order
       or new.first_message is distinct from old.first_message or new.system_prompt is distinct from old.system_prompt then
        new.params_order := public.call_template_check(new, tg_op = 'INSERT' or new.params_order is distinct from old.params_order);
    end if;
    return new;
end
$$;

-- Declarations, their order, and the texts fit each other.  Answers the order of the variables: the wished one (p_wished), which must fit; one that
-- stood there before, if it still fits; else that of their declaration.  What was kept in params before variables were declared there stays as it is.
create or replace function public.call_template_check(t public.call_templates, p_wished boolean) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_names text[];
    v_order text[];
    v_known text[] := public.template_required(t.params);
begin
    if t.params ? 'variables' then
        v_names := public.template_variables_check(t.params -> 'variables', 'params.variables');
        v_known := v_known || v_names;
    end if;
    if t.first_message is not null then
        perform public.template_text_check(t.first_message, v_known, 'first_message');
    end if;
    if t.system_prompt is not null then
        perform public.template_text_check(t.system_prompt, v_known, 'system_prompt');
    end if;
    if v_names is null then
        return t.params_order;
    elsif jsonb_typeof(t.params_order) = 'array' and t.params_order <> '[]' then
        v_order := array(select jsonb_array_elements_text(t.params_order));
    end if;
    if v_order is null then
        return to_jsonb(v_names);
    elsif cardinality(v_order) = cardinality(v_names) and v_order @> v_names then
        return t.params_order;
    elsif p_wished then
        perform public.refuse_field('template_params_invalid', 'params_order', 'The names of the declared variables, each of them once.');
    end if;
    return to_jsonb(v_names);
end
$$;

-- What becomes private is nobody else's any more: what was shared is taken back.
create or replace function public.call_template_shares_end() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    delete from public.call_template_shares s where s.template_id = new.id;
    return null;
end
$$;

-- What somebody made for an organization stays there when he goes: nobody else sees what is private to him, and he himself not any more.
create or replace function public.call_templates_stay() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    update public.call_templates t set visibility = 'organization'
     where t.organization_id = old.organization_id and t.created_by = old.user_id and t.visibility = 'private' and t.deleted_at is null
       and exists (select from public.organizations o where o.id = old.organization_id);
    return null;
end
$$;

-- A row is not taken away from under calls that were accepted with it; deleted_at takes it out of sight.
create or replace function public.call_template_keep() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    if exists (select from public.call_queue q where q.template_id = old.id and q.status in ('queued', 'in-progress'))
       and (old.organization_id is null or exists (select from public.organizations o where o.id = old.organization_id)) then
        raise exception 'template_in_use' using errcode = 'PT409', detail = 'Calls wait that were accepted with it; set deleted_at instead.';
    end if;
    return old;
end
$$;

-- ---- when a call is made ------------------------------------------------------------------

-- What is said in place of the assistant's own words, for one call; null: nothing is.  As the template stands now: a variable that was
-- declared only after the call was accepted has its default, or nothing.
create or replace function public.call_template_says(t public.call_templates, p_values jsonb) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_defaults jsonb := '{}';
begin
    if t.first_message is null and t.system_prompt is null then
        return null;
    end if;
    if jsonb_typeof(t.params -> 'variables') = 'array' then
        select coalesce(jsonb_object_agg(v ->> 'name', v -> 'default'), '{}') into v_defaults
          from jsonb_array_elements(t.params -> 'variables') v where v ? 'default';
    end if;
    return jsonb_strip_nulls(jsonb_build_object(
        'first_message', public.template_render(t.first_message, v_defaults || p_values),
        'prompt', public.template_render(t.system_prompt, v_defaults || p_values),
        'model_provider', coalesce(t.model_provider, 'openai'), 'model_name', coalesce(t.model_name, 'gpt-4o-mini')));
end
$$;

-- ---- what assistants are made from --------------------------------------------------------

create or replace function public.assistant_template_check() returns trigger
    language plpgsql security definer set search_path = '' as $$
declare
    v_names text[] := public.template_variables_check(new.variables, 'variables');
begin
    perform public.template_text_check(new.system_prompt, v_names, 'system_prompt');
    perform public.template_text_check(new.first_message, v_names, 'first_message');
    perform public.template_text_check(new.end_call_message, v_names, 'end_call_message');
    return new;
end
$$;

-- A template with values put into its texts, by slug: what an assistant is made of.  Values are checked as those of calls are.
create or replace function public.assistant_template_render(p_slug text, p_values jsonb) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    t public.templates;
    v_values jsonb;
begin
    select * into t from public.templates x where x.slug = p_slug and x.is_active;
    if not found then
        raise exception 'assistant_template_not_found' using errcode = 'PT404';
    end if;
    v_values := public.template_values(jsonb_build_object('variables', t.variables), p_values, 'variable_values');
    return public.assistant_template_view(t) - 'variables' || jsonb_build_object(
        'variable_values', v_values,
        'system_prompt', public.template_render(t.system_prompt, v_values),
        'first_message', public.template_render(t.first_message, v_values),
        'end_call_message', public.template_render(t.end_call_message, v_values));
end
$$;

create or replace function public.assistant_template_view(t public.templates) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'id', t.id, 'slug', t.slug, 'name', t.name, 'description', t.description, 'category', t.category, 'language', t.language, 'tags', t.tags,
        'system_prompt', t.system_prompt, 'first_message', t.first_message, 'end_call_message', t.end_call_message,
        'end_call_phrases', t.end_call_phrases, 'model_provider', t.model_provider, 'model_name', t.model_name,
        'model_temperature', t.model_temperature, 'voice_provider', t.voice_provider, 'voice_id', t.voice_id, 'voice_settings', t.voice_settings,
        'transcriber_provider', t.transcriber_provider, 'transcriber_model', t.transcriber_model, 'background_sound', t.background_sound,
        'silence_timeout_seconds', t.silence_timeout_seconds, 'max_duration_seconds', t.max_duration_seconds,
        'variables', t.variables, 'functions', t.functions, 'created_at', public.time_view(t.created_at), 'updated_at', public.time_view(t.updated_at));
end
$$;
