-- api_calls_search.sql - /api/v1/calls/search: what was said, by its words.

-- The best first; of those that are alike the newest.  The cursor holds when the first page was asked for, the last hit's place in that order
-- and a mark of the question: a page behind it is of the same question and the same calls, whatever came in meanwhile.
create or replace function api.call_search(
    p_q text, p_language text default null, p_status text default null, p_template_id uuid default null, p_created_from timestamptz default null,
    p_created_to timestamptz default null, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_organization uuid := public.current_organization_id();
    v_mark text := left(md5(concat_ws(E'\n', p_q, p_language, p_status, p_template_id, p_created_from, p_created_to)), 12);
    v_languages text[] := coalesce(nullif(public.search_languages_of(v_organization), '{}'), '{simple}');
    v_questions tsquery[];
    v_until timestamptz;
    v_place text[];
begin
    select k.at, regexp_split_to_array(k.id, '/') into v_until, v_place
      from public.cursor_read('calls_search', p_after, '[0-9a-f]{12}/[0-9]{1,9}(?:\.[0-9]{1,12})?(?:e-[0-2]?[0-9])?/[0-9]{1,18}/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}') k;
    if v_place[1] <> v_mark then
        raise exception 'bad_cursor' using errcode = 'PT400', hint = 'after', detail = 'It belongs to another question.';
    end if;
    v_until := coalesce(v_until, statement_timestamp());
    v_questions := array(select public.search_question(p_q, coalesce(public.search_language(p_language), case when p_language is null then l end, 'simple'))
                           from unnest(v_languages) with ordinality u(l, i) order by u.i);
    if v_questions[1] is null then
        perform public.refuse_field('search_empty', 'q', 'There is no word in it.');
    end if;
    -- The hit behind the page's last one is only there to be known of: its call is not shown.
    return (select public.page_view('calls_search',
                       array_agg(case when h.place <= p_limit then jsonb_build_object(
                           'call', public.call_view(c), 'rank', h.rank, 'language', nullif(t.search_language, 'simple'),
                           'summary', case when t.summary is null then '[]' else public.search_marked(t.summary, t.search_language, q.question) end,
                           'transcript', public.search_marked(t.transcript_text, t.search_language, q.question)) end order by h.place),
                       array_agg(v_until order by h.place),
                       array_agg(format('%s/%s/%s/%s', v_mark, h.rank, (extract(epoch from h.at) * 1000000)::bigint, h.id) order by h.place), p_limit)
              from (select x.*, row_number() over (order by x.rank desc, x.at desc, x.id desc) as place
                      from public.search_hits(v_organization, v_languages, v_questions, p_status, p_template_id, p_created_from, p_created_to, v_until,
                               v_place[2]::real, timestamptz 'epoch' + v_place[3]::bigint * interval '1 microsecond', v_place[4]::uuid, p_limit + 1) x) h
              join public.call_transcripts t on t.call_id = h.id and t.call_created_at = h.at
              join public.calls c on c.id = h.id and c.created_at = h.at
             cross join lateral (select v_questions[array_position(v_languages, t.search_language)] as question) q);
end
$$;
