-- search.sql - transcripts are read for their words, and found by them: languages, phrases, ranks, marks, tenants, pages.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as org \gset
select tests.organization('Bob', :'bob') as other \gset
select tests.template(:'org') as template \gset

-- A call that is over, with what was said.
create function tests.said(p_org uuid, p_text text, p_summary text default null, p_more jsonb default '{}', p_age interval default '1 hour') returns uuid language plpgsql as $$
declare
    c public.calls;
begin
    insert into public.calls (organization_id, created_at, to_number, status, finished_at, metadata, template_id)
    values (p_org, now() - p_age, '+15550100001', 'completed', now(), p_more, (p_more ->> 'template')::uuid) returning * into c;
    insert into public.call_transcripts (call_id, call_created_at, organization_id, transcript_text, summary) values (c.id, c.created_at, c.organization_id, p_text, p_summary);
    return c.id;
end
$$;
-- What is found, best first, as one letter each: the first of what was said.
create function tests.found(p_q text, p_language text default null, p_status text default null) returns text language plpgsql as $$
declare
    v_found text;
begin
    select coalesce(string_agg(left(t.transcript_text, 1), '' order by h.i), '') into v_found
      from jsonb_array_elements(api.call_search(p_q, p_language, p_status) -> 'data') with ordinality h(hit, i)
      join public.call_transcripts t on t.call_id = (h.hit -> 'call' ->> 'id')::uuid;
    return v_found;
end
$$;
-- The words that are marked in the first hit.
create function tests.marked(p_q text) returns text language sql as $$
    select string_agg(p ->> 'text', ',' order by i) from jsonb_array_elements(api.call_search(p_q) -> 'data' -> 0 -> 'transcript') with ordinality x(p, i) where (p ->> 'match')::boolean
$$;

-- ---- reading -----------------------------------------------------------------

select tests.said(:'org', 'A: I would like to move my appointments to Tuesday, and what is the price for that? Will you call me?') as en \gset
select tests.said(:'org', 'B: Guten Tag, ich möchte die Termine nicht verlieren und habe eine Frage. Das ist die Straße mit den Bäumen.') as de \gset
select tests.said(:'org', 'C: Bonjour, je suis élève et je voudrais des rendez-vous pour nous, avec les livraisons que vous avez. Est-ce que oui?') as fr \gset
select tests.said(:'org', 'D: Hola, quiero una cita para el lunes y que me llame el señor García por favor con los papeles.') as es \gset
select tests.said(:'org', 'E: Здравствуйте, я хочу записаться на приём, это не для меня, а как у вас с заказами?') as ru \gset
select tests.said(:'org', 'F: Merhaba, bu bir sipariş için ve çok önemli, ışıklar yok ama siz ne dersiniz?') as tr \gset
select tests.said(:'org', 'G: 予約 をお願いします', null, '{"language":"ja"}') as ja \gset
select tests.said(:'other', 'H: appointments, Termine, citas and a secret of the other') as theirs \gset
update public.call_transcripts set created_at = now() - interval '1 year' where call_id <> :'fr';
select is(public.transcripts_read(1), 1, 'transcripts are read some at a time');
select isnt((select search from public.call_transcripts where call_id = :'fr'), null, 'the newest first, whatever waits');
select is(public.transcripts_read(2), 2, 'then the older ones');
select is(public.transcripts_read(100), 5, 'until all are');
select is(public.transcripts_read(100), 0, 'and none twice');
select is((select string_agg(search_language, ' ' order by left(transcript_text, 1)) from public.call_transcripts where organization_id = :'org'),
          'english german french spanish russian turkish simple', 'an unnamed language is told by its small words');
select is(public.search_language(n), l, format('%s is %s', n, l)) from (values ('de', 'german'), ('de-AT', 'german'), ('PT_br', 'portuguese'), ('Spanish', 'spanish'),
          ('tlh', null), ('', null), (null, null)) v(n, l);
select tests.be(:'alice');
select is(tests.found('x'), '', 'where nothing is found nothing is said');

-- ---- words -------------------------------------------------------------------

select is(tests.found(q), f, format('%L finds %L', q, f)) from (values
    ('appointment', 'A'), ('APPOINTMENTS', 'A'), ('appointments', 'A'), ('termin', 'B'), ('Termine', 'B'), ('strasse', 'B'), ('Straße', 'B'), ('baumen', 'B'),
    ('livraison', 'C'), ('eleves', ''), ('eleve', 'C'), ('élèves', 'C'), ('rendez-vous', 'C'), ('citas', 'D'), ('garcia', 'D'), ('García', 'D'), ('заказ', 'E'), ('заказы', 'E'),
    ('приём', 'E'), ('siparişler', 'F'), ('siparis', 'F'), ('isiklar', 'F'), ('ışık', 'F'), ('予約', 'G'), ('secret', ''), ('the', 'A'),
    ('"guten tag"', 'B'), ('"tag guten"', ''), ('"the price"', 'A'), ('appointment tuesday', 'A'), ('appointment termin', ''), ('appointment -tuesday', ''),
    ('appointment -monday', 'A'), ('cita -lunes or заказ', 'E')) v(q, f);
select is((select string_agg(x, '' order by x) from regexp_split_to_table(tests.found('appointment or termin or cita'), '') x), 'ABD', 'one or another, each in its own language');
select is(length(tests.found('-appointment')), 6, 'all but those with a word are the organization''s own');
select is(tests.found('terminen') || tests.found('terminen', 'en'), 'B', 'words that are meant to be English have no German stems');
select is(tests.found('termin', 'de-CH'), 'B', 'in the language that was named');
select is(tests.found('appointment', null, 'failed') || tests.found('appointment', null, 'completed'), 'A', 'filtered by what became of the call');
select throws_ok(format('select api.call_search(%L)', q), 'PT422', 'search_empty', format('%L holds no word', q)) from unnest(array[repeat('-', 199) || 'a', '"', '-', '!!! & | <->', '   ', '()', '\', '%']) q;
select lives_ok(format('select api.call_search(%L)', q), format('%L is only words', q))
  from unnest(array['''a', 'a''''b', 'a\', 'a\''b', 'a:*', 'a & b | !c', '<b>x', '$1', 'a:1A', E'a\tb\nc', '" "a" or -"b', repeat('a ', 100), repeat('a', 200), 'or or or', 'a -- b', '{"a":1}',
                           ' ' || :'other' || ' english', '''''; drop table calls; --']) q;

-- ---- ranks, marks -----------------------------------------------------------------

select tests.be_nobody();
select tests.said(:'org', 'P: an umbrella and then this and that and the other and so on and so forth for you, it will not rain') \g /dev/null
select tests.said(:'org', 'Q: umbrella, umbrella and the umbrella again, your umbrella is for that') \g /dev/null
select tests.said(:'org', 'R: something else is in this one for you and that is all', 'About an umbrella') \g /dev/null
select public.transcripts_read(100) \g /dev/null
select tests.be(:'alice');
select is(tests.found('umbrella'), 'RQP', 'what sums it up comes first, then what is there often, then what is there once');
select is(tests.marked('appointment'), 'appointments', 'the word is marked as it stands there');
select is(tests.marked('termin'), 'Termine', 'in each language');
select is(tests.marked('eleve'), 'élève', 'with its accents');
select is(tests.marked('garcia citas'), 'cita,García', 'all of them');
select is(tests.marked('"guten tag"'), 'Guten,Tag', 'each word of a phrase');
select is(api.call_search('umbrella') -> 'data' -> 0 -> 'summary', '[{"text":"About an ","match":false},{"text":"umbrella","match":true}]', 'a summary is marked too');
select tests.be_nobody();
select tests.said(:'org', E'S: <script>alert(1)</script> a \ue000kangaroo\ue001 & <b>more</b> of that') \g /dev/null
select public.transcripts_read(100) \g /dev/null
select tests.be(:'alice');
select is(tests.marked('kangaroo'), 'kangaroo', 'marks are not made by what was said');
select is((select string_agg(p ->> 'text', '' order by i) from jsonb_array_elements(api.call_search('kangaroo') -> 'data' -> 0 -> 'transcript') with ordinality x(p, i)), 'kangaroo &  more  of that', 'and are no part of the text');

-- ---- what changes ------------------------------------------------------------------

select tests.be_nobody();
update public.call_transcripts set transcript_text = 'Z: it is about a giraffe now' where call_id = :'en';
select tests.be(:'alice');
select is(tests.found('appointment'), '', 'what was written anew is not found until it is read');
select tests.be_nobody();
update public.call_transcripts set extracted_data = '{}' where call_id = :'de';
select is((select count(*) from public.call_transcripts where search is null), 1::bigint, 'another column changes nothing');
select public.transcripts_read(100) \g /dev/null
select tests.be(:'alice');
select is(tests.found('giraffe') || tests.found('appointment'), 'Z', 'and then is');
select tests.be_nobody();
select tests.said(:'org', 'T: ' || string_agg(md5(i::text), ' ')) from generate_series(1, 40000) i \g /dev/null
select tests.said(:'org', 'U: x' || repeat('y', 3000) || ' hippopotamus') \g /dev/null
select tests.said(:'org', null, 'V: rhinoceros') \g /dev/null
select is(public.transcripts_read(100), 3, 'what is too long to be read as a whole keeps nobody up');
select tests.be(:'alice');
select is(tests.found('c4ca4238a0b923820dcc509a6f75849b') || tests.found('hippopotamus'), 'TU', 'and is found by its beginning');
select is(jsonb_array_length(api.call_search('rhinoceros') -> 'data'), 1, 'a summary alone is found too');

-- Words that fill their room to the last byte: there is none for the mark of their tenant.
select tests.be_nobody();
create function tests.many(p_from integer, p_n integer) returns text language sql as $$
    select string_agg(chr(131072 + i % 1000) || chr(131072 + i / 1000) || repeat(chr(133000), 17), ' ') from generate_series(p_from, p_from + p_n - 1) i
$$;
select tests.said(:'org', tests.many(6500, 6607) || ' ' || repeat('x', 10), tests.many(0, 6500)) as full \gset
select lives_ok(format($$select public.search_words('simple', summary, transcript_text) from public.call_transcripts where call_id = %L$$, :'full'), 'so many words just fit');
select throws_ok(format($$select public.search_words('simple', summary, transcript_text || 'x') from public.call_transcripts where call_id = %L$$, :'full'), '54000', null, 'and no letter more');
select is(public.transcripts_read(100), 1, 'what leaves no room for the mark keeps nobody up either');

-- ---- tenants -------------------------------------------------------------------------

select tests.be(:'bob');
select is(tests.found('appointments') || tests.found('umbrella'), 'H', 'everybody finds his own');
select tests.be_nobody();

-- ---- pages ---------------------------------------------------------------------------

select tests.said(:'org', 'the same penguin for you and that is it', null, '{}', i * interval '1 minute') from generate_series(1, 25) i \g /dev/null
select tests.said(:'org', 'penguin penguin', null, '{"language":"en"}', interval '2 days') as best \gset
select public.transcripts_read(100) \g /dev/null
create function tests.walk(p_limit integer) returns text[] language plpgsql as $$
declare
    v_found text[] := '{}';
    v_page jsonb;
begin
    loop
        v_page := api.call_search('penguin', p_after => v_page ->> 'next_cursor', p_limit => p_limit);
        v_found := v_found || array(select h -> 'call' ->> 'id' from jsonb_array_elements(v_page -> 'data') h);
        exit when v_page ->> 'next_cursor' is null;
    end loop;
    return v_found;
end
$$;
-- A cursor that was made by hand, of this very question.
create function tests.forged(p_place text) returns text language sql as $$
    select public.cursor_make('calls_search', now(), left(md5('penguin'), 12) || '/' || p_place)
$$;
select tests.be(:'alice');
select is((tests.walk(100))[1], :'best', 'the best is first, however old');
select is(cardinality(tests.walk(100)), 26, 'all are there');
select is(tests.walk(n), tests.walk(100), format('by %s at a time they are the same in the same order', n)) from unnest(array[1, 7, 13, 26]) n;
select is((tests.walk(100))[2:26], (select array_agg(c.id::text order by c.created_at desc) from public.calls c join public.call_transcripts t on t.call_id = c.id
           where t.transcript_text ~ 'same penguin'), 'of those that are alike the newest is first');
select api.call_search('penguin', p_limit => 2) ->> 'next_cursor' as cursor \gset
select throws_ok(format('select api.call_search(%L, p_after => %L)', 'penguins', :'cursor'), 'PT400', 'bad_cursor', 'another question does not go on there');
select throws_ok(format('select api.call_search(%L, p_status => %L, p_after => %L)', 'penguin', 'completed', :'cursor'), 'PT400', 'bad_cursor', 'nor with another filter');
select api.call_list(p_limit => 1) ->> 'next_cursor' as list \gset
select throws_ok(format('select api.call_search(%L, p_after => %L)', 'penguin', :'list'), 'PT400', 'bad_cursor', 'nor where another list ended');
select throws_ok(format('select api.call_search(%L, p_after => %L)', 'penguin', tests.forged(p)), 'PT400', 'bad_cursor', format('a place such as %s is no place', p))
  from unnest(array['1e+e/1/' || :'best', '1e999/1/' || :'best', '1e-99/1/' || :'best', '.../1/' || :'best', '1/1/' || repeat('-', 36), '1/1/' || repeat('a', 36), '-1/1/' || :'best',
                    '1/' || repeat('9', 19) || '/' || :'best', 'NaN/1/' || :'best', '1/1/' || :'best' || '/1']) p;
select lives_ok(format('select api.call_search(%L, p_after => %L)', 'penguin', tests.forged(p)), format('%s is one', p))
  from unnest(array['0/0/' || :'best', '1e-29/1/' || :'best', repeat('9', 9) || '.' || repeat('9', 12) || '/' || repeat('9', 18) || '/' || :'best']) p;
select is(jsonb_array_length(api.call_search('penguin', p_created_to => now() - interval '1 day') -> 'data'), 1, 'from a time to a time');
select is(jsonb_array_length(api.call_search('penguin', p_created_from => now() - interval '10 minutes' - interval '1 second') -> 'data'), 10, 'and the other way');
select is(jsonb_array_length(api.call_search('penguin', p_template_id => :'template') -> 'data'), 0, 'by template');

-- ---- what the planner does not know --------------------------------------------------------

select tests.be_nobody();
select tests.said(:'org', 'one of the many for you and that is it') from generate_series(1, 1500) i \g /dev/null
update pg_class set reltuples = 0, relpages = pg_relation_size(oid) / 8192 where oid = 'public.call_transcripts'::regclass; -- as looked at while they came
set local enable_seqscan = off;
select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) as before from pg_stat_xact_user_tables where relname = 'call_transcripts' \gset
select is(public.transcripts_read(50), 50, 'some of many are read');
select cmp_ok((select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) - :before from pg_stat_xact_user_tables where relname = 'call_transcripts'), '<', 500::bigint,
              'without a look at the others, whatever the statistics say');

select * from finish();
rollback;
