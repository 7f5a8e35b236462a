-- 30_enter.sql - a call is wanted: checks, and the one way into the queue.

-- Enters one outbound call for an organization that the caller has already been allowed to act for.  p_call holds the fields of
-- POST /api/v1/calls; what cannot be is refused with PT422 (HINT names the field).
create or replace function public.call_enter(p_organization uuid, p_user uuid, p_call jsonb) returns uuid
    language plpgsql security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    v_template public.call_templates;
    v_number text := p_call ->> 'recipient_number';
    v_due timestamptz := greatest(coalesce((p_call ->> 'scheduled_time')::timestamptz, now()), now());
    v_variables jsonb := coalesce(nullif(p_call -> 'custom_variables', 'null'), '{}');
    v_id uuid;
begin
    if not public.may_act_for(p_organization) then
        raise exception 'organization_not_found' using errcode = 'PT404';
    end if;
    if v_number is null or v_number !~ '^\+[1-9][0-9]{6,14}$' then
        perform public.refuse_field('number_invalid', 'recipient_number', 'A phone number in E.164 form, such as +15550100002.');
    end if;
    perform public.number_may_be_called(p_organization, v_number);
    select * into v_template from public.call_templates t where t.id = (p_call ->> 'template_id')::uuid;
    if not found or not public.call_template_seen(v_template, p_organization, p_user) then
        perform public.refuse_field('template_not_found', 'template_id', 'There is no such template for this organization.');
    end if;
    if not exists (select from public.call_template_targets g join public.call_service_providers p on p.provider_type = g.provider_type
                    where g.template_id = v_template.id and p.is_active) then
        perform public.refuse_field('template_no_target', 'template_id', 'No active provider can say this template.');
    end if;
    if v_variables <> '{}' or v_template.params ?| '{variables,required}' then
        v_variables := public.template_values(v_template.params, v_variables, 'custom_variables');
    end if;
    if p_call ->> 'voice_id' is not null
       and not exists (select from public.voice_options v where v.id = (p_call ->> 'voice_id')::uuid and v.is_active) then
        perform public.refuse_field('voice_not_found', 'voice_id', 'There is no such voice.');
    end if;
    if p_call ->> 'caller_number_id' is not null
       and not exists (select from public.phone_numbers n where n.id = (p_call ->> 'caller_number_id')::uuid
                          and n.organization_id = p_organization and n.status = 'active') then
        perform public.refuse_field('caller_number_not_found', 'caller_number_id', 'There is no such number for this organization.');
    end if;
    if (p_call ->> 'expires_at')::timestamptz <= v_due then
        perform public.refuse_field('expires_before_due', 'expires_at', 'The call would expire before it is due.');
    end if;

    insert into public.call_queue (organization_id, user_id, recipient_number, recipient_name, recipient_email, scheduled_time, expires_at,
                                   template_id, voice_id, caller_number_id, custom_variables, metadata, priority, max_attempts)
    values (p_organization, p_user, v_number, p_call ->> 'recipient_name', p_call ->> 'recipient_email',
            (p_call ->> 'scheduled_time')::timestamptz, coalesce((p_call ->> 'expires_at')::timestamptz, v_due + interval '1 day'),
            v_template.id, coalesce((p_call ->> 'voice_id')::uuid, public.voice_preferred(p_user, v_template)),
            (p_call ->> 'caller_number_id')::uuid, v_variables,
            coalesce(nullif(p_call -> 'metadata', 'null'), '{}'), coalesce((p_call ->> 'priority')::integer, 5),
            coalesce((p_call ->> 'max_attempts')::integer, 3))
    returning id into v_id;
    perform public.plan_entered(p_organization);
    return v_id;
end
$$;

-- Enters a call that no template says but a number's own assistant: all limits hold for it as for any other.
create or replace function public.call_enter_number(n public.phone_numbers, p_user uuid, p_to text) returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid;
begin
    perform public.number_may_be_called(n.organization_id, p_to);
    insert into public.call_queue (organization_id, user_id, recipient_number, expires_at, provider_id, caller_number_id, assistant_id, metadata,
                                   max_attempts)
    values (n.organization_id, p_user, p_to, now() + interval '15 minutes', n.provider_id, n.id, n.assistant_id, '{"test":true}', 1)
    returning id into v_id;
    perform public.plan_entered(n.organization_id);
    return v_id;
end
$$;

create or replace function public.refuse_field(p_code text, p_field text, p_detail text) returns void
    language plpgsql set search_path = '' as $$
begin
    raise exception using errcode = 'PT422', message = p_code, detail = p_detail, hint = p_field;
end
$$;

-- By SQL.  Where a person is signed in (auth.uid()), he can only act for himself; the organization is metadata.organization_id if he is
-- a member of it, else the active one, else that person's default.
create or replace function public.schedule_call(
    p_user_id uuid, p_template_id uuid, p_recipient_name text, p_recipient_number text, p_recipient_email text default null,
    p_scheduled_time timestamptz default null, p_priority integer default 5,
    p_custom_variables jsonb default '{}', p_metadata jsonb default '{}') returns uuid
    language plpgsql security definer set search_path = '' as $$
declare
    v_caller uuid := nullif(coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb ->> 'sub', '')::uuid;
    v_wish uuid := public.uuid_or_null(p_metadata ->> 'organization_id');
    v_organization uuid;
begin
    if p_user_id is distinct from v_caller and (v_caller is not null or current_setting('role', true) in ('authenticated', 'hookswitch_api')) then
        raise exception 'user_mismatch' using errcode = 'PT403', detail = 'p_user_id is not the person who asks.';
    end if;
    if v_wish is null and v_caller is not null then
        v_wish := public.current_organization_id();
    end if;
    v_organization := coalesce(public.organization_of_user(p_user_id, v_wish),
                               case when v_wish is null then public.organization_personal(p_user_id, '{}') end);
    if v_organization is null then
        raise exception 'organization_not_found' using errcode = 'PT404';
    end if;
    return public.call_enter(v_organization, p_user_id, jsonb_build_object(
        'recipient_number', p_recipient_number, 'recipient_name', p_recipient_name, 'recipient_email', p_recipient_email,
        'template_id', p_template_id, 'scheduled_time', p_scheduled_time, 'priority', p_priority,
        'custom_variables', p_custom_variables, 'metadata', p_metadata));
end
$$;
