-- 29_templates_write.sql - call templates: making, changing, sharing and deleting them, for whoever asks in his active organization.

-- Refuses who may not change it.  What he does not see does not exist; what he only sees he may copy.
create or replace function public.call_template_mine(t public.call_templates) returns void
    language plpgsql stable set search_path = '' as $$
declare
    v_organization uuid := public.current_organization_id();
    v_user uuid := public.current_user_id();
begin
    if t.id is null or not public.call_template_seen(t, v_organization, v_user) then
        raise exception 'call_template_not_found' using errcode = 'PT404';
    elsif not public.call_template_own(t, v_organization, v_user) then
        raise exception 'template_read_only' using errcode = 'PT403';
    end if;
end
$$;

-- Locks one that whoever asks may change: the organization first, as everywhere.
create or replace function public.call_template_lock(p_template uuid) returns public.call_templates
    language plpgsql security definer set search_path = '' as $$
declare
    t public.call_templates;
begin
    perform public.organization_lock(public.current_organization_id());
    select * into t from public.call_templates x where x.id = p_template for no key update;
    perform public.call_template_mine(t);
    return t;
end
$$;

-- p_wish: the fields of POST /api/v1/call-templates.
create or replace function public.call_template_make(p_wish jsonb) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := public.current_organization_id();
    v_id uuid;
begin
    perform public.organization_lock(v_organization);
    if (select count(*) >= 5000 from public.call_templates t where t.organization_id = v_organization and t.deleted_at is null) then
        raise exception 'call_templates_full' using errcode = 'PT409', detail = 'An organization has at most 5000; delete some first.';
    end if;
    insert into public.call_templates (organization_id, created_by, name, visibility) values
        (v_organization, public.current_user_id(), p_wish ->> 'name', coalesce(p_wish ->> 'visibility', 'organization'))
    returning id into v_id;
    perform public.call_template_change(v_id, jsonb_strip_nulls(p_wish) - '{name,visibility}'::text[]);
    return v_id;
end
$$;

create or replace function public.call_template_update(p_template uuid, p_changes jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    t public.call_templates := public.call_template_lock(p_template);
begin
    if p_changes ->> 'visibility' = 'private' and t.created_by is not null and t.created_by is distinct from public.current_user_id() then
        raise exception 'template_read_only' using errcode = 'PT403', detail = 'Only who made it can make it private: it would be out of your own sight.';
    end if;
    perform public.call_template_change(p_template, p_changes);
end
$$;

-- Only the members that are given; null clears.  Of a row that is locked, or new.
create or replace function public.call_template_change(p_template uuid, p_changes jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    c jsonb := p_changes;
begin
    update public.call_templates t
       set name = coalesce(c ->> 'name', t.name),
           visibility = coalesce(c ->> 'visibility', t.visibility),
           description = case when c ? 'description' then c ->> 'description' else t.description end,
           category = case when c ? 'category' then nullif(btrim(c ->> 'category'), '') else t.category end,
           tags = case when c ? 'tags' then public.template_tags(c -> 'tags') else t.tags end,
           first_message = case when c ? 'first_message' then nullif(c ->> 'first_message', '') else t.first_message end,
           system_prompt = case when c ? 'system_prompt' then nullif(c ->> 'system_prompt', '') else t.system_prompt end,
           model_provider = case when c ? 'model_provider' then c ->> 'model_provider' else t.model_provider end,
           model_name = case when c ? 'model_name' then c ->> 'model_name' else t.model_name end,
           params = case when c ? 'params' then coalesce(nullif(c -> 'params', 'null'), '{}') else t.params end,
           params_order = case when c ? 'params_order' then coalesce(nullif(c -> 'params_order', 'null'), '[]') else t.params_order end
     where t.id = p_template;
    if c ? 'targets' then
        perform public.call_template_targets_set(p_template, coalesce(nullif(c -> 'targets', 'null'), '[]'));
    end if;
end
$$;

-- Without those that stand there twice.
create or replace function public.template_tags(p_tags jsonb) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return (select coalesce(jsonb_agg(x.tag order by x.i), '[]')
              from (select btrim(e.value) as tag, min(e.ordinality) as i
                      from jsonb_array_elements_text(case when jsonb_typeof(p_tags) = 'array' then p_tags else '[]' end) with ordinality e group by 1) x
             where x.tag <> '');
end
$$;

-- Where a template can be said, all of it: one place for each kind of provider.  Numbers and assistants of another organization are not there.
create or replace function public.call_template_targets_set(p_template uuid, p_targets jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid;
    v record;
begin
    select t.organization_id into v_organization from public.call_templates t where t.id = p_template;
    if not public.may_act_for(v_organization) then
        raise exception 'call_template_not_found' using errcode = 'PT404';
    end if;
    for v in select e.value as one, e.value ->> 'provider_type' as kind, e.ordinality - 1 as i, row_number() over (partition by e.value ->> 'provider_type') as n
               from jsonb_array_elements(p_targets) with ordinality e loop
        if v.n > 1 then
            perform public.refuse_field('target_duplicate', format('targets.%s.provider_type', v.i), 'This kind of provider stands there already.');
        elsif v.one ->> 'assistant' !~ '^[!-~]{1,200}$' then
            perform public.refuse_field('target_invalid', format('targets.%s.assistant', v.i), 'Visible characters without blanks, as the provider names it.');
        elsif v.kind = 'synthflow' and v.one ->> 'caller_number' !~ '^\+[1-9][0-9]{7,14}$' then
            perform public.refuse_field('target_invalid', format('targets.%s.caller_number', v.i), 'A phone number in E.164 form, such as +15550100002.');
        elsif v.one ->> 'caller_number' !~ '^[A-Za-z0-9+_-]{1,64}$' then
            perform public.refuse_field('target_invalid', format('targets.%s.caller_number', v.i), 'The number''s id at the provider.');
        elsif exists (select from public.phone_numbers n where n.organization_id <> v_organization
                         and v.one ->> 'caller_number' in (n.phone_number, n.voice_number_id)) then
            perform public.refuse_field('caller_number_not_found', format('targets.%s.caller_number', v.i), 'There is no such number for this organization.');
        elsif exists (select from public.assistants a where a.organization_id <> v_organization and a.vapi_assistant_id = v.one ->> 'assistant') then
            perform public.refuse_field('target_invalid', format('targets.%s.assistant', v.i), 'There is no such assistant for this organization.');
        end if;
    end loop;
    delete from public.call_template_targets g
     where g.template_id = p_template and g.provider_type not in (select e ->> 'provider_type' from jsonb_array_elements(p_targets) e);
    insert into public.call_template_targets (template_id, provider_type, assistant, caller_number)
    select p_template, e ->> 'provider_type', e ->> 'assistant', e ->> 'caller_number' from jsonb_array_elements(p_targets) e
    on conflict (template_id, provider_type) do update set assistant = excluded.assistant, caller_number = excluded.caller_number;
end
$$;

-- All templates of a category that whoever asks may change get another one; what he only sees keeps its own.  Answers how many.
create or replace function public.call_template_category_rename(p_from text, p_to text) returns bigint
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := public.current_organization_id();
    v_user uuid := public.current_user_id();
    v_n bigint;
begin
    perform public.organization_lock(v_organization);
    with changed as (
        update public.call_templates t set category = nullif(btrim(p_to), '')
         where t.organization_id = v_organization and t.category = p_from and t.deleted_at is null
           and public.call_template_own(t, v_organization, v_user)
        returning 1)
    select count(*) into v_n from changed;
    if v_n = 0 then
        raise exception 'category_not_found' using errcode = 'PT404';
    end if;
    return v_n;
end
$$;

-- Out of everybody's sight.  Calls that were accepted with it go on: the row and its targets stay.
create or replace function public.call_template_delete(p_template uuid) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.call_template_lock(p_template);
    update public.call_templates t set deleted_at = clock_timestamp() where t.id = p_template;
    delete from public.call_template_shares s where s.template_id = p_template;
    delete from public.template_favorites f where f.template_id = p_template;
end
$$;

-- One's own, of another's that one sees: words, variables, and where it can be said; but neither the number nor the assistant that is another
-- organization's.
create or replace function public.call_template_copy(p_template uuid, p_name text, p_visibility text) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_organization uuid := public.current_organization_id();
    t public.call_templates;
begin
    select * into t from public.call_templates x where x.id = p_template;
    if not found or not public.call_template_seen(t, v_organization, public.current_user_id()) then
        raise exception 'call_template_not_found' using errcode = 'PT404';
    end if;
    return public.call_template_make(jsonb_build_object(
        'name', coalesce(p_name, t.name), 'visibility', p_visibility, 'description', t.description, 'category', t.category, 'tags', t.tags,
        'params', t.params - 'assistant_id', 'params_order', t.params_order, 'first_message', t.first_message, 'system_prompt', t.system_prompt,
        'model_provider', t.model_provider, 'model_name', t.model_name,
        'targets', (select coalesce(jsonb_agg(jsonb_build_object('provider_type', g.provider_type, 'assistant', g.assistant,
                           'caller_number', case when t.organization_id = v_organization then g.caller_number end)), '[]')
                      from public.call_template_targets g
                     where g.template_id = p_template
                       and not exists (select from public.assistants a where a.organization_id <> v_organization and a.vapi_assistant_id = g.assistant))));
end
$$;

-- ---- shares -----------------------------------------------------------------------

create or replace function public.call_template_share_view(s public.call_template_shares) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object('id', s.id, 'user_id', s.user_id, 'email', s.email, 'with_organization_id', s.with_organization_id,
                              'created_by', s.created_by, 'created_at', public.time_view(s.created_at));
end
$$;

create or replace function public.call_template_shares_of(p_template uuid) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    perform public.call_template_mine(t) from (select 1) one left join public.call_templates t on t.id = p_template;
    return (select coalesce(jsonb_agg(public.call_template_share_view(s) order by s.created_at, s.id), '[]')
              from public.call_template_shares s where s.template_id = p_template);
end
$$;

-- Twice is once.
create or replace function public.call_template_share(p_template uuid, p_user uuid, p_email text, p_organization uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    t public.call_templates := public.call_template_lock(p_template);
    s public.call_template_shares;
begin
    if num_nonnulls(p_user, p_email, p_organization) <> 1 then
        perform public.refuse_field('share_recipient_invalid', 'user_id', 'One of user_id, email and with_organization_id.');
    end if;
    if p_user is not null and not exists (select from public.organization_members m
                                              where m.organization_id = t.organization_id and m.user_id = p_user) then
        raise exception 'member_not_found' using errcode = 'PT404';
    elsif p_organization is not null and not exists (select from public.organizations o where o.id = p_organization and o.status <> 'disabled') then
        raise exception 'organization_not_found' using errcode = 'PT404';
    end if;
    insert into public.call_template_shares (template_id, user_id, email, with_organization_id, created_by)
    values (p_template, p_user, lower(p_email), p_organization, public.current_user_id())
    on conflict on constraint call_template_shares_key do update set template_id = excluded.template_id
    returning * into s;
    if (select count(*) > 100 from public.call_template_shares x where x.template_id = p_template) then
        raise exception 'template_shares_full' using errcode = 'PT409', detail = 'A template is shared with at most 100; make it public instead.';
    end if;
    return public.call_template_share_view(s);
end
$$;

create or replace function public.call_template_unshare(p_template uuid, p_share uuid) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.call_template_lock(p_template);
    delete from public.call_template_shares s where s.id = p_share and s.template_id = p_template;
    if not found then
        raise exception 'share_not_found' using errcode = 'PT404';
    end if;
end
$$;
