-- 35_numbers_buy.sql - steps of a number's run: what a search found is kept for us, and what became of buying it.

-- The first of what was found that nobody here has, and that does not rest, is ours to buy: the index on live numbers keeps it for us.
create or replace function public.number_reserve(n public.phone_numbers, p_candidates jsonb) returns boolean
    language plpgsql security definer set search_path = '' as $$
declare
    c jsonb;
begin
    for c in select e from jsonb_array_elements(p_candidates) with ordinality x(e, o)
              where not e ->> 'phone_number' = any (n.tried) and public.number_refusal(e ->> 'phone_number') is null
              -- Those who want any need not all want the same.
              order by case when n.origin = 'automatic' then random() end, o
    loop
        continue when not pg_try_advisory_xact_lock(hashtextextended('number ' || (c ->> 'phone_number'), 13));
        begin
            update public.phone_numbers x
               set phone_number = c ->> 'phone_number', status = 'buying', asked = 0, locality = c ->> 'locality', region = c ->> 'region',
                   country_code = coalesce(c ->> 'country_code', x.country_code), capabilities = coalesce(c -> 'capabilities', '{}')
             where x.id = n.id;
            return true;
        exception when unique_violation then
            continue;
        end;
    end loop;
    return false;
end
$$;

create or replace function public.number_searched(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
    r jsonb := p_run -> 'result';
    v_found integer := jsonb_array_length(coalesce(r -> 'candidates', '[]'));
    v_place constant text[] := '{area_code,contains,region,locality}';
begin
    if n.id is null then
        return '{"done": true}';
    end if;
    update public.phone_numbers x set searches = x.searches + 1 where x.id = n.id;
    perform public.number_note(n, p_run, 'search', r ->> 'refused', jsonb_build_object('found', v_found));
    if n.wanted <> 'active' or n.provider_sid is not null or n.phone_number is not null or public.number_reserve(n, coalesce(r -> 'candidates', '[]')) then
        return public.number_go(n.id, p_run);
    elsif (r ->> 'full')::boolean and n.searches < 3 then
        return '{"next": "search"}'; -- a longer list
    elsif n.origin = 'automatic' and n.want ?| v_place then
        update public.phone_numbers x set want = x.want - v_place || '{"widened": true}', searches = 0 where x.id = n.id;
        return '{"next": "search"}'; -- anywhere in the country
    end if;
    update public.phone_numbers x set last_error = coalesce(r ->> 'refused', 'no_number_found') where x.id = n.id returning * into n;
    perform public.number_end(n, p_run, 'failed', 'no_number_found');
    return '{"done": true}';
end
$$;

-- What a purchase came to, or the look for one.
create or replace function public.number_bought(p_run jsonb) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    n public.phone_numbers := public.number_of_run(p_run);
    r jsonb := p_run -> 'result';
    v_code text := coalesce(r ->> 'refused', p_run -> 'results' -> 'buy' ->> 'refused');
begin
    if n.id is null then
        return '{"done": true}';
    elsif r ->> 'sid' is not null then
        update public.phone_numbers x
           set provider = 'twilio', provider_sid = r ->> 'sid', twilio_account_sid = r ->> 'account', capabilities = coalesce(r -> 'capabilities', x.capabilities),
               purchased_at = clock_timestamp(), status = 'linking', last_error = null,
               asked = 0
         where x.id = n.id returning * into n;
        perform public.number_event(n, 'number.purchased'), public.number_note(n, p_run, 'buy');
        return public.number_go(n.id, p_run);
    elsif p_run ->> 'step' = 'buy' and n.asked > 1 then
        -- Refused when it was asked for again: perhaps because the first time, whose answer was lost, it was bought.
        return '{"next": "check"}';
    elsif v_code is null and n.wanted = 'active' then
        return public.number_again(p_run, 'buy'); -- nobody has a number twice: what was bought after all is refused, and then looked up
    elsif r ->> 'refused' is null and n.asked_at > clock_timestamp() - public.number_list_lag() then
        return public.number_again(p_run, 'check'); -- not in the list yet, perhaps: whoever believes that pays for a number that nobody knows of
    elsif v_code is null then
        update public.phone_numbers x set asked = 0 where x.id = n.id;
        return public.number_go(n.id, p_run);
    end if;
    perform public.number_note(n, p_run, 'buy', v_code);
    return public.number_missed(n, p_run, v_code);
end
$$;

-- Somebody else has it: the next one is looked for, unless it had to be this one.
create or replace function public.number_missed(n public.phone_numbers, p_run jsonb, p_code text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_named boolean := n.want ? 'phone_number';
begin
    update public.phone_numbers x
       set tried = case when x.phone_number = any (x.tried) then x.tried else x.tried || x.phone_number end, last_error = p_code, asked = 0,
           phone_number = case when v_named then x.phone_number end, status = case when v_named then x.status else 'searching' end
     where x.id = n.id returning * into n;
    if v_named or cardinality(n.tried) >= 20 then
        perform public.number_end(n, p_run, 'failed', case when v_named then 'number_not_available' else 'no_number_found' end);
        return '{"done": true}';
    end if;
    return public.number_go(n.id, p_run);
end
$$;
