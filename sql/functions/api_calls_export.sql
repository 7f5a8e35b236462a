-- api_calls_export.sql - /api/v1/calls/export: the list as a file, page by page.

-- A call as a line of CSV.  Numbers of people are digits behind a +, which no spreadsheet reckons with; what is not, and all free text, is
-- made harmless by csv_field.
create or replace function public.call_csv(c public.calls) returns text
    language plpgsql stable set search_path = '' as $$
begin
    return concat_ws(',', c.id, public.time_view(c.created_at), c.direction, c.status, public.csv_number(c.to_number), public.csv_field(c.recipient_name),
        public.csv_field(c.recipient_email), public.csv_number(c.from_number), coalesce(c.template_id::text, ''), coalesce(c.user_id::text, ''),
        public.csv_field(c.provider_type), public.csv_field(c.provider_call_id), coalesce(c.priority::text, ''),
        coalesce(public.time_view(c.scheduled_time), ''), c.attempts, coalesce(c.retry_of::text, ''), coalesce(public.time_view(c.started_at), ''),
        coalesce(public.time_view(c.ended_at), ''), coalesce(c.duration_seconds::text, ''), public.csv_field(c.ended_reason),
        coalesce(c.total_cost_cents::text, ''), public.csv_field(c.custom_variables::text), public.csv_field(c.metadata::text));
end
$$;

create or replace function public.csv_number(p_text text) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return case when p_text ~ '^\+[0-9]{6,15}$' then p_text else public.csv_field(p_text) end;
end
$$;

-- A call with all that is asked for, as it stands in the file.
create or replace function public.call_line(c public.calls, p_format text, p_transcripts boolean) returns text
    language plpgsql stable set search_path = '' as $$
declare
    t public.call_transcripts;
begin
    if p_transcripts then
        select * into t from public.call_transcripts x where x.call_id = c.id and x.call_created_at = c.created_at;
    end if;
    if p_format = 'csv' then
        return public.call_csv(c) || case when p_transcripts then ',' || public.csv_field(t.summary) || ',' || public.csv_field(t.transcript_text) else '' end
               || E'\r\n';
    end if;
    return (public.call_view(c) || case when not p_transcripts then '{}' else jsonb_build_object('transcript', case when t.call_id is not null then
                jsonb_build_object('summary', t.summary, 'transcript', t.transcript_text, 'segments', coalesce(t.transcript_segments, '[]')) end) end)::text || E'\n';
end
$$;

-- Newest first: {"text", "next_cursor"}; at most 500 calls, and no more once a page is a megabyte.  What comes in meanwhile is newer than the
-- first page and not in it.
create or replace function api.call_export(
    p_format text, p_transcripts boolean, p_status text, p_direction text, p_template_id uuid, p_recipient_number text, p_created_from timestamptz,
    p_created_to timestamptz, p_after text) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_lines text[] := '{}';
    v_size bigint := 0;
    v_line text;
    v_last public.calls;
    c public.calls;
begin
    if p_format = 'csv' and p_after is null then
        v_lines[1] := 'id,created_at,direction,status,recipient_number,recipient_name,recipient_email,from_number,template_id,user_id,provider_type,'
            || 'provider_call_id,priority,scheduled_time,attempts,retry_of,started_at,ended_at,duration_seconds,ended_reason,cost_cents,custom_variables,'
            || 'metadata' || case when p_transcripts then ',summary,transcript' else '' end || E'\r\n';
    end if;
    for c in select * from public.call_rows(p_status, p_direction, p_template_id, p_recipient_number, p_created_from, p_created_to, p_after, 501) loop
        if cardinality(v_lines) >= 500 or v_size > 1000000 then
            return jsonb_build_object('text', array_to_string(v_lines, ''), 'next_cursor', public.cursor_make('calls', v_last.created_at, v_last.id::text));
        end if;
        v_line := public.call_line(c, p_format, p_transcripts);
        v_lines := v_lines || v_line;
        v_size := v_size + octet_length(v_line);
        v_last := c;
    end loop;
    return jsonb_build_object('text', array_to_string(v_lines, ''), 'next_cursor', null);
end
$$;
