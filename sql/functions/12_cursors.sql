-- 12_cursors.sql - where a page of a list ends and the next one begins.  What a cursor holds is nobody's business outside: the list's name, the
-- last row's time to the microsecond, and its id.

create or replace function public.cursor_make(p_list text, p_at timestamptz, p_id text) returns text
    language sql stable set search_path = '' as $$
    select translate(encode(convert_to(format('%s %s %s', p_list, (extract(epoch from p_at) * 1000000)::bigint, p_id), 'UTF8'), 'base64'),
                     E'+/=\n', '-_')
$$;

-- Without a cursor both are null.  One that this list did not make is refused; p_id is what an id looks like.
create or replace function public.cursor_read(p_list text, p_cursor text, p_id text default '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}',
                                              out at timestamptz, out id text)
    language plpgsql stable set search_path = '' as $$
declare
    v_parts text[];
begin
    if p_cursor is null then
        return;
    end if;
    v_parts := regexp_match(convert_from(public.cursor_bytes(p_cursor), 'UTF8'), '^([a-z_]+) ([0-9]{1,18}) (' || p_id || ')$');
    if v_parts is null or v_parts[1] <> p_list then
        raise exception 'bad_cursor' using errcode = 'PT400', hint = 'after',
            detail = case when v_parts is null then 'It is no cursor: use next_cursor of the page before as it is.'
                          else 'It was made by another list.' end;
    end if;
    at := timestamptz 'epoch' + v_parts[2]::bigint * interval '1 microsecond';
    id := v_parts[3];
end
$$;

create or replace function public.cursor_bytes(p_cursor text) returns bytea
    language plpgsql immutable set search_path = '' as $$
declare
    v_bytes bytea;
begin
    v_bytes := decode(translate(p_cursor, '-_', '+/') || repeat('=', (4 - length(p_cursor) % 4) % 4), 'base64');
    perform convert_from(v_bytes, 'UTF8');
    return v_bytes;
exception when others then
    return ''::bytea;
end
$$;

-- A page of a list: the rows' views in their order, one more than wanted where there are more, each with its place (time and id).
create or replace function public.page_view(p_list text, p_views jsonb[], p_ats timestamptz[], p_ids text[], p_limit integer) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object('data', coalesce(to_jsonb(p_views[:p_limit]), '[]'), 'next_cursor',
        case when cardinality(p_views) > p_limit then public.cursor_make(p_list, p_ats[p_limit], p_ids[p_limit]) end);
end
$$;
