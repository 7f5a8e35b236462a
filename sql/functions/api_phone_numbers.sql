-- api_phone_numbers.sql - /api/v1/phone-numbers.  Run as hookswitch_api: what a caller does not see does not exist for him.

create or replace function api.number_list(p_status text default null, p_assistant_id uuid default null, p_after text default null,
                                           p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return (select public.page_view('phone_numbers', array_agg(public.number_view(n) order by n.created_at desc, n.id desc),
                                    array_agg(n.created_at order by n.created_at desc, n.id desc),
                                    array_agg(n.id::text order by n.created_at desc, n.id desc), p_limit)
              from public.number_rows(p_status, p_assistant_id, p_after, p_limit + 1) n);
end
$$;

create or replace function api.number_get(p_number_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.number_view(public.number_of(p_number_id));
end
$$;

-- What was decided of it and done with it, newest first.
create or replace function api.number_log_list(p_number_id uuid, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of(p_number_id);
    v_at timestamptz;
    v_id uuid;
begin
    select k.at, k.id into v_at, v_id from public.cursor_read('phone_number_log', p_after) k;
    return (with page as (
                select l, row_number() over (order by l.created_at desc, l.id desc) as i from public.phone_provision_logs l
                 where l.phone_number_id = n.id and (v_at is null or (l.created_at, l.id) < (v_at, v_id))
                 order by l.created_at desc, l.id desc limit p_limit + 1)
            select public.page_view('phone_number_log', array_agg(public.number_log_view(g.l) order by g.i),
                                    array_agg((g.l).created_at order by g.i), array_agg((g.l).id::text order by g.i), p_limit) from page g);
end
$$;

-- What can be bought.  Twilio's pages are counted, and tell no end: one that is full has another one behind it.
create or replace function api.number_search(
    p_country text, p_number_type text, p_area_code text, p_contains text, p_region text, p_locality text, p_sms boolean, p_voice boolean,
    p_mms boolean, p_limit integer, p_after text, p_state jsonb, p_answer jsonb) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_page integer := coalesce((select k.id from public.cursor_read('number_search', p_after, '[0-9]{1,3}') k), '0')::integer;
    v_found jsonb := p_answer -> 'body' -> 'available_phone_numbers';
begin
    if p_answer is null then
        return jsonb_build_object('state', p_state, 'ask', public.number_search_ask(jsonb_build_object(
            'country', p_country, 'number_type', p_number_type, 'area_code', p_area_code, 'contains', p_contains, 'region', p_region,
            'locality', p_locality, 'sms', p_sms, 'voice', p_voice, 'mms', p_mms, 'limit', p_limit, 'page', v_page)));
    end if;
    perform public.number_search_need(p_answer);
    v_found := case when jsonb_typeof(v_found) = 'array' then v_found else '[]' end;
    return jsonb_build_object('view', jsonb_build_object(
        'data', public.number_offers(v_found, p_number_type),
        'next_cursor', case when jsonb_array_length(v_found) >= p_limit and v_page < 999
                            then public.cursor_make('number_search', timestamptz 'epoch', (v_page + 1)::text) end));
end
$$;

create or replace function api.number_buy(
    p_phone_number text default null, p_country_code text default null, p_number_type text default null, p_area_code text default null,
    p_contains text default null, p_region text default null, p_locality text default null, p_name text default null,
    p_assistant_id uuid default null) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.number_view(public.number_order(jsonb_strip_nulls(jsonb_build_object(
        'phone_number', p_phone_number, 'country_code', p_country_code, 'number_type', p_number_type, 'area_code', p_area_code,
        'contains', p_contains, 'region', p_region, 'locality', p_locality, 'name', nullif(p_name, ''), 'assistant_id', p_assistant_id))));
end
$$;

create or replace function api.number_update(p_number_id uuid, p_changes jsonb) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.number_view(public.number_change(p_number_id, p_changes));
end
$$;

create or replace function api.number_release(p_number_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.number_view(public.number_give_back(p_number_id));
end
$$;

create or replace function api.number_test(p_number_id uuid, p_verified_number_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v_call uuid := public.number_try(p_number_id, p_verified_number_id);
begin
    return public.call_view_of(v_call);
end
$$;

create or replace function api.number_usage(p_number_id uuid, p_from timestamptz default null, p_to timestamptz default null) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    select * into p_from, p_to from public.usage_stretch(p_from, p_to);
    return public.number_used(p_number_id, p_from, p_to);
end
$$;

-- ---- people's own numbers -----------------------------------------------------------

create or replace function api.number_verify(p_phone_number text, p_channel text default 'sms') returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.verified_number_view(public.number_verify_begin(p_phone_number, p_channel));
end
$$;

-- Null members: the code was wrong; see public.number_verify_try.
create or replace function api.number_verify_confirm(p_verified_number_id uuid, p_right boolean) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v public.verified_numbers := public.number_verify_try(p_verified_number_id, p_right);
begin
    return case when v.id is null then '{}' else public.verified_number_view(v) end;
end
$$;

create or replace function api.number_verified_list(p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_at timestamptz;
    v_id uuid;
begin
    select k.at, k.id into v_at, v_id from public.cursor_read('verified_numbers', p_after) k;
    return (with page as (
                select v, row_number() over (order by v.created_at desc, v.id desc) as i from public.verified_numbers v
                 where v.organization_id = (select public.current_organization_id()) and (v_at is null or (v.created_at, v.id) < (v_at, v_id))
                 order by v.created_at desc, v.id desc limit p_limit + 1)
            select public.page_view('verified_numbers', array_agg(public.verified_number_view(g.v) order by g.i),
                                    array_agg((g.v).created_at order by g.i), array_agg((g.v).id::text order by g.i), p_limit) from page g);
end
$$;

create or replace function api.number_verified_delete(p_verified_number_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.verified_number_remove(p_verified_number_id);
    return null;
end
$$;
