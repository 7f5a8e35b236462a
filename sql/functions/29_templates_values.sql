-- 29_templates_values.sql - variables: how they are declared, what values they take, and texts with {{name}} in them.

-- Puts the values in the place of each {{name}}, in one pass: what a value holds is not looked at again.  What has no value becomes nothing.
-- Whatever the values are, the text holds no {{ and no {% afterwards: providers would read it as theirs.
create or replace function public.template_render(p_text text, p_values jsonb) returns text
    language plpgsql immutable strict set search_path = '' as $$
declare
    v_piece text;
    v_found text[];
    v_all text := '';
begin
    foreach v_piece in array regexp_split_to_array(p_text, '(?=\{\{)') loop
        v_found := regexp_match(v_piece, '^\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}(.*)$');
        v_all := v_all || case when v_found is null then v_piece else coalesce(p_values ->> v_found[1], '') || v_found[2] end;
    end loop;
    return regexp_replace(v_all, '\{(?=[{%])', '{ ', 'g');
end
$$;

-- Refuses a text that names what is not declared, or that holds more of a provider's template language than {{name}}.
create or replace function public.template_text_check(p_text text, p_names text[], p_field text) returns void
    language plpgsql stable set search_path = '' as $$
declare
    v_piece text;
    v_name text;
begin
    if p_text ~ '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]' then
        perform public.refuse_field('template_text_invalid', p_field, 'It holds a control character.');
    elsif p_text ~ '\{%' then
        perform public.refuse_field('template_text_invalid', p_field, 'It holds {%: only {{name}} is understood.');
    end if;
    foreach v_piece in array regexp_split_to_array(p_text, '(?=\{\{)') loop
        continue when v_piece !~ '^\{\{';
        v_name := substring(v_piece from '^\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}');
        if v_name is null then
            perform public.refuse_field('template_text_invalid', p_field, format('Only {{name}} is understood, not %s.', left(v_piece, 40)));
        elsif v_name <> all (p_names) then
            perform public.refuse_field('variable_undeclared', p_field, format('It uses {{%s}}, which params.variables does not declare.', v_name));
        end if;
    end loop;
end
$$;

-- What is wrong with a value for a variable of that type; null: nothing.
create or replace function public.template_value_wrong(p_value jsonb, p_type text, p_max integer) returns text
    language plpgsql stable set search_path = '' as $$
declare
    v_text text := p_value #>> '{}';
begin
    if jsonb_typeof(p_value) in ('object', 'array') then
        return 'A text, a number, true or false; nothing that holds others.';
    elsif length(v_text) > p_max then
        return format('At most %s characters.', p_max);
    elsif replace(v_text, E'\r\n', E'\n') ~ '[\x01-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]' then
        return 'No control characters, but for line breaks and tabs.';
    elsif v_text ~ '\{\{|\{%' then
        return 'No {{ and no {%: a provider would read them as its own.';
    elsif coalesce(v_text, '') = '' then
        return null;
    end if;
    return case p_type
        when 'number' then case when v_text !~ '^-?[0-9]{1,30}(\.[0-9]{1,30})?$' then 'A number.' end
        when 'boolean' then case when v_text not in ('true', 'false') then 'true or false.' end
        when 'date' then case when not public.is_date(v_text) then 'A date, such as 2026-05-31.' end
        when 'phone' then case when v_text !~ '^\+[1-9][0-9]{7,14}$' then 'A phone number in E.164 form, such as +15550100002.' end
        end;
end
$$;

create or replace function public.is_date(p_text text) returns boolean
    language plpgsql stable set search_path = '' as $$
begin
    return p_text ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' and p_text::date is not null;
exception when datetime_field_overflow or invalid_datetime_format then
    return false;
end
$$;

-- One declaration is as it should be; p_field: its place.
create or replace function public.template_variable_check(p_variable jsonb, p_field text) returns void
    language plpgsql stable set search_path = '' as $$
declare
    v_key text;
    v_wrong text;
begin
    if jsonb_typeof(p_variable) <> 'object' then
        perform public.refuse_field('template_params_invalid', p_field, 'An object.');
    end if;
    select k into v_key from jsonb_object_keys(p_variable) k
     where k not in ('name', 'description', 'required', 'default', 'type', 'max_length', 'example') limit 1;
    if v_key is not null then
        perform public.refuse_field('template_params_invalid', p_field || '.' || left(v_key, 64), 'There is no such member of a declaration.');
    elsif coalesce(p_variable ->> 'name', '') !~ '^[A-Za-z_][A-Za-z0-9_]{0,63}$' then
        perform public.refuse_field('template_params_invalid', p_field || '.name', 'A letter or _, then letters, digits and _; at most 64 of them.');
    elsif coalesce(p_variable ->> 'type', 'text') not in ('text', 'number', 'boolean', 'date', 'phone') then
        perform public.refuse_field('template_params_invalid', p_field || '.type', 'text, number, boolean, date or phone.');
    elsif jsonb_typeof(coalesce(p_variable -> 'required', 'true')) <> 'boolean' then
        perform public.refuse_field('template_params_invalid', p_field || '.required', 'true or false.');
    elsif coalesce(p_variable ->> 'max_length', '1') !~ '^[1-9][0-9]{0,3}$' or coalesce(p_variable ->> 'max_length', '1')::integer > 4000 then
        perform public.refuse_field('template_params_invalid', p_field || '.max_length', 'A number from 1 to 4000.');
    elsif length(p_variable ->> 'description') > 500 then
        perform public.refuse_field('template_params_invalid', p_field || '.description', 'At most 500 characters.');
    end if;
    foreach v_key in array array['default', 'example'] loop
        v_wrong := public.template_value_wrong(p_variable -> v_key, coalesce(p_variable ->> 'type', 'text'), public.template_value_max(p_variable));
        if v_wrong is not null then
            perform public.refuse_field('template_params_invalid', p_field || '.' || v_key, v_wrong);
        end if;
    end loop;
end
$$;

create or replace function public.template_value_max(p_variable jsonb) returns integer
    language plpgsql immutable set search_path = '' as $$
begin
    return case when p_variable ->> 'max_length' ~ '^[1-9][0-9]{0,3}$' then (p_variable ->> 'max_length')::integer else 4000 end;
end
$$;

-- All declarations.  Answers their names, in order.
create or replace function public.template_variables_check(p_variables jsonb, p_field text) returns text[]
    language plpgsql stable set search_path = '' as $$
declare
    v record;
    v_names text[] := '{}';
begin
    if jsonb_typeof(p_variables) <> 'array' or jsonb_array_length(p_variables) > 50 then
        perform public.refuse_field('template_params_invalid', p_field, 'A list of at most 50 declarations.');
    end if;
    for v in select e.value as one, e.ordinality - 1 as i from jsonb_array_elements(p_variables) with ordinality e loop
        perform public.template_variable_check(v.one, format('%s.%s', p_field, v.i));
        if v.one ->> 'name' = any (v_names) then
            perform public.refuse_field('template_params_invalid', format('%s.%s.name', p_field, v.i), 'This name is declared already.');
        end if;
        v_names := v_names || (v.one ->> 'name');
    end loop;
    return v_names;
end
$$;

-- The names that a list of the older form makes required.
create or replace function public.template_required(p_params jsonb) returns text[]
    language plpgsql immutable set search_path = '' as $$
begin
    if jsonb_typeof(p_params -> 'required') = 'array' then
        return array(select jsonb_array_elements_text(p_params -> 'required'));
    end if;
    return '{}';
end
$$;

-- The values with defaults filled in.  p_params: {"variables":[...], "required":[...]}.  Where variables are declared no other name is taken; where
-- none are the values pass as they are, nested ones too, unless a provider would read one as its own.  p_field: where they came from, for errors.
create or replace function public.template_values(p_params jsonb, p_values jsonb, p_field text) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_declared jsonb := case when jsonb_typeof(p_params -> 'variables') = 'array' then p_params -> 'variables' end;
    v_required text[] := '{}';
    v_all jsonb := p_values;
    v_name text;
    v_value jsonb;
    v jsonb;
begin
    if jsonb_typeof(p_values) is distinct from 'object' then
        perform public.refuse_field('variable_invalid', p_field, 'An object of names and their values.');
    end if;
    if p_params ? 'required' then
        v_required := public.template_required(p_params);
    end if;
    for v in select jsonb_array_elements(coalesce(v_declared, '[]')) loop
        if coalesce(p_values -> (v ->> 'name'), 'null') = 'null' and coalesce(v -> 'default', 'null') <> 'null' then
            v_all := v_all || jsonb_build_object(v ->> 'name', v -> 'default');
        end if;
        if v -> 'required' = 'true' then
            v_required := v_required || (v ->> 'name');
        end if;
    end loop;
    foreach v_name in array v_required loop
        if coalesce(v_all ->> v_name, '') = '' then
            perform public.refuse_field('variable_missing', p_field || '.' || v_name, 'The template needs this variable.');
        end if;
    end loop;
    if v_declared is null then
        perform public.template_values_tame(p_values, p_field);
        return v_all;
    end if;
    for v_name, v_value in select e.key, e.value from jsonb_each(p_values) e loop
        perform public.template_value_check(v_declared, v_required, v_name, v_value, p_field);
    end loop;
    return v_all;
end
$$;

-- Refuses {{ and {% in names and texts, however deep: in JSON as PostgreSQL writes it both stand inside of texts only.
create or replace function public.template_values_tame(p_values jsonb, p_field text) returns void
    language plpgsql stable set search_path = '' as $$
declare
    v_name text;
begin
    if p_values::text !~ '\{[{%]' then
        return;
    end if;
    select e.key into v_name from jsonb_each(p_values) e where e.key ~ '\{[{%]' or e.value::text ~ '\{[{%]' order by e.key limit 1;
    perform public.refuse_field('variable_invalid', p_field || case when v_name ~ '[{}]' then '' else '.' || left(v_name, 100) end,
                                'No {{ and no {%: a provider would read them as its own.');
end
$$;

-- One value of one name, where variables are declared.
create or replace function public.template_value_check(p_declared jsonb, p_required text[], p_name text, p_value jsonb, p_field text) returns void
    language plpgsql stable set search_path = '' as $$
declare
    v_wrong text;
    v jsonb;
begin
    select e into v from jsonb_array_elements(p_declared) e where e ->> 'name' = p_name;
    if v is null and p_name <> all (p_required) then
        perform public.refuse_field('variable_unknown', p_field || '.' || left(p_name, 100), 'The template has no such variable.');
    end if;
    v_wrong := public.template_value_wrong(p_value, coalesce(v ->> 'type', 'text'), public.template_value_max(v));
    if v_wrong is not null then
        perform public.refuse_field('variable_invalid', p_field || '.' || left(p_name, 100), v_wrong);
    end if;
end
$$;
