-- 26_organizations_settings.sql - what an organization's settings may hold beyond what a field table can say, and the one form in which they
-- are stored.  organization_admission (40_claim.sql) reads calling_hours as it is made here.

-- The old settings with p_new's members in place of theirs; null takes one out.  The cap on calls at once is a column of its own.
create or replace function public.settings_merge(p_old jsonb, p_new jsonb) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_new jsonb := p_new - 'max_concurrent_calls';
begin
    if jsonb_typeof(v_new -> 'notifications') = 'object' then
        v_new := v_new || jsonb_build_object('notifications', public.settings_notifications(v_new -> 'notifications'));
    end if;
    if jsonb_typeof(v_new -> 'calling_hours') = 'object' then
        v_new := v_new || jsonb_build_object('calling_hours', public.settings_calling_hours(v_new -> 'calling_hours'));
    end if;
    if jsonb_typeof(v_new -> 'transfer_numbers') = 'object' then
        v_new := v_new || jsonb_build_object('transfer_numbers', jsonb_strip_nulls(v_new -> 'transfer_numbers'));
    end if;
    if jsonb_typeof(v_new -> 'assistant') = 'object' then
        v_new := v_new || jsonb_build_object('assistant', jsonb_strip_nulls(v_new -> 'assistant'));
    end if;
    return (p_old || v_new) - array(select k.key from jsonb_each(v_new) k where k.value = 'null');
end
$$;

-- Both spellings of the short messages say the same: sms_enabled and sms_numbers, and sms.enabled and sms.numbers, which wins.
create or replace function public.settings_notifications(p_new jsonb) returns jsonb
    language plpgsql immutable set search_path = '' as $$
declare
    v_sms jsonb := coalesce(nullif(p_new -> 'sms', 'null'), '{}');
    v_email jsonb := coalesce(nullif(p_new -> 'email', 'null'), '{}');
    v_flat boolean := v_sms = '{}' and (p_new ? 'sms_enabled' or p_new ? 'sms_numbers');
    v_where text := case when v_flat then 'sms_numbers' else 'sms.numbers' end;
    r record;
begin
    if v_flat then
        v_sms := jsonb_build_object('enabled', p_new -> 'sms_enabled', 'numbers', p_new -> 'sms_numbers');
    end if;
    v_sms := jsonb_build_object('enabled', coalesce(nullif(v_sms -> 'enabled', 'null'), 'false'), 'numbers', coalesce(nullif(v_sms -> 'numbers', 'null'), '[]'));
    v_email := jsonb_build_object('enabled', coalesce(nullif(v_email -> 'enabled', 'null'), 'false'),
                                  'addresses', coalesce(nullif(v_email -> 'addresses', 'null'), '[]'));
    for r in select e.value, e.ordinality - 1 as i from jsonb_array_elements(v_sms -> 'numbers') with ordinality e loop
        if jsonb_typeof(r.value) <> 'string' or r.value #>> '{}' !~ '^\+[1-9][0-9]{7,14}$' then
            perform public.refuse_field('number_invalid', format('settings.notifications.%s.%s', v_where, r.i),
                                        'A phone number in E.164 form, such as +15550100002.');
        end if;
    end loop;
    for r in select e.value, e.ordinality - 1 as i from jsonb_array_elements(v_email -> 'addresses') with ordinality e loop
        if jsonb_typeof(r.value) <> 'string' or r.value #>> '{}' !~ '^[^@[:space:]]{1,64}@[^@[:space:]]+\.[^@[:space:]]+$' or length(r.value #>> '{}') > 254 then
            perform public.refuse_field('email_invalid', format('settings.notifications.email.addresses.%s', r.i), 'An e-mail address.');
        end if;
    end loop;
    return jsonb_build_object('sms', v_sms, 'email', v_email, 'sms_enabled', v_sms -> 'enabled', 'sms_numbers', v_sms -> 'numbers');
end
$$;

-- Hours of one day, in a time zone that this database knows; days are ISO days of the week, 1 is Monday; all of them when none are named.
create or replace function public.settings_calling_hours(p_new jsonb) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_days jsonb := coalesce(nullif(p_new -> 'days', 'null'), '[1,2,3,4,5,6,7]');
    v_zone text;
    v_name text;
    r record;
begin
    foreach v_name in array array['start', 'end'] loop
        if coalesce(p_new ->> v_name, '') !~ '^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$' then
            perform public.refuse_field('calling_hours_invalid', 'settings.calling_hours.' || v_name, 'A time of day such as 09:00; the end of the day is 24:00.');
        end if;
    end loop;
    if p_new ->> 'start' >= p_new ->> 'end' collate "C" then
        perform public.refuse_field('calling_hours_invalid', 'settings.calling_hours.end', 'The end comes after the start; hours do not go past midnight.');
    end if;
    select z.name into v_zone from pg_catalog.pg_timezone_names z
     where lower(z.name) = lower(p_new ->> 'timezone') and z.name !~ '^(posix|right)/' order by z.name limit 1;
    if v_zone is null then
        perform public.refuse_field('timezone_unknown', 'settings.calling_hours.timezone', 'A time zone such as America/New_York.');
    end if;
    for r in select e.value, e.ordinality - 1 as i from jsonb_array_elements(v_days) with ordinality e loop
        if not r.value <@ '[1,2,3,4,5,6,7]' or jsonb_typeof(r.value) <> 'number' then
            perform public.refuse_field('calling_hours_invalid', format('settings.calling_hours.days.%s', r.i), 'A day of the week from 1, Monday, to 7, Sunday.');
        end if;
    end loop;
    return jsonb_build_object('start', p_new ->> 'start', 'end', p_new ->> 'end', 'timezone', v_zone,
                              'days', (select jsonb_agg(d.n order by d.n) from (select distinct e.value::integer as n from jsonb_array_elements(v_days) e) d));
end
$$;

-- What new numbers are answered by (public.assistant_default): an assistant of the organization's own, or what one is made from.  Values for the
-- template are checked as they will be used: with the organization's name, p_name, where it asks for one.  p_organization null: it is being made.
create or replace function public.settings_assistant(p_organization uuid, p_name text, p_settings jsonb) returns void
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_new jsonb := coalesce(p_settings -> 'assistant', 'null');
    v_values jsonb := coalesce(nullif(v_new -> 'variable_values', 'null'), '{}');
    t public.templates;
begin
    if v_new ->> 'template' is not null then
        select * into t from public.templates x where x.slug = v_new ->> 'template' and x.is_active;
        if not found then
            raise exception 'assistant_template_not_found' using errcode = 'PT404', hint = 'settings.assistant.template';
        end if;
        perform public.template_values(
            jsonb_build_object('variables', t.variables),
            public.assistant_template_names(t.variables, public.organization_spoken(p_name)) || v_values,
            'settings.assistant.variable_values');
    elsif v_values <> '{}' then
        perform public.refuse_field('variable_unknown', 'settings.assistant.variable_values', 'Values belong to a template.');
    end if;
    perform from public.assistants a
      where a.id = (v_new ->> 'default_id')::uuid and a.organization_id = p_organization and a.deleted_at is null;
    if not found and v_new ->> 'default_id' is not null then
        raise exception 'assistant_not_found' using errcode = 'PT404', hint = 'settings.assistant.default_id';
    end if;
end
$$;

-- Its name as it may stand in what an assistant says.
create or replace function public.organization_spoken(p_name text) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return coalesce(nullif(btrim(regexp_replace(coalesce(p_name, ''), '[{}[:space:][:cntrl:]]+', ' ', 'g')), ''), 'Reception');
end
$$;
