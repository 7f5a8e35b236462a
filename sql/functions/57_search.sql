-- 57_search.sql - transcripts are read for their words (by workflow-pump, never in the webhook's way) and found by them.
--
-- A transcript's `search` holds its words as they are, accents folded; their stems in its own language; and one mark of organization and
-- language, with a space in it, which no text can make: ' <uuid> german'.  So one GIN index of PostgreSQL itself finds words and tenant at
-- once.  A question is asked in each language that the organization's transcripts are in; a word of it is the word itself or its stem.

-- What PostgreSQL can stem, by code; marks: small words by which an unnamed language is told.
create or replace function public.search_languages() returns table (code text, language text, marks text[])
    language plpgsql immutable set search_path = '' as $$
begin
    return query values
        ('en', 'english', '{the,and,you,is,your,for,that,have,this,with,are,will,what,can}'::text[]),
        ('de', 'german', '{der,die,und,ich,sie,nicht,das,ist,ein,eine,mit,auf,wir,haben}'),
        ('fr', 'french', '{le,les,et,est,vous,je,pas,une,des,pour,que,nous,avec,du}'),
        ('es', 'spanish', '{el,los,y,que,por,una,para,con,usted,muy,del,pero,lo,mi}'),
        ('it', 'italian', '{il,che,di,non,per,sono,una,della,con,gli,ma,anche,ho,mi}'),
        ('pt', 'portuguese', '{o,os,que,nao,uma,para,com,voce,por,em,do,da,meu,muito}'),
        ('nl', 'dutch', '{het,een,en,van,ik,niet,je,dat,op,voor,zijn,maar,ook,wij}'),
        ('sv', 'swedish', '{och,att,det,som,jag,inte,ett,till,har,vi,du,med,om,kan}'),
        ('da', 'danish', '{og,at,det,jeg,ikke,er,et,til,har,vi,du,med,kan,af}'),
        ('no', 'norwegian', '{og,det,jeg,ikke,er,et,til,har,vi,du,med,kan,av,pa}'),
        ('fi', 'finnish', '{ja,on,ei,se,etta,mina,han,oli,mutta,kun,ovat,tai,niin,me}'),
        ('ru', 'russian', '{и,в,не,на,я,что,вы,с,это,как,у,мне,по,для}'),
        ('tr', 'turkish', '{ve,bir,bu,icin,ne,da,de,ben,mi,cok,var,ile,siz,ama}'),
        ('ro', 'romanian', '{si,nu,este,un,cu,pe,la,pentru,sa,mai,va,din,ce,sunt}'),
        ('hu', 'hungarian', '{a,az,es,hogy,nem,egy,van,meg,de,ez,is,csak,mar,kell}'),
        ('el', 'greek', '{και,το,να,δεν,η,ο,για,με,που,σας,θα,είναι,την,στο}'),
        ('id', 'indonesian', '{yang,dan,di,saya,untuk,ini,tidak,itu,dengan,ada,akan,bisa,ke,dari}'),
        ('ar', 'arabic', '{في,من,على,أن,هل,لا,ما,هذا,إلى,مع,أنا,كان,عن,هو}'),
        ('ca', 'catalan', '{}'), ('ga', 'irish', '{}'), ('hi', 'hindi', '{}'), ('hy', 'armenian', '{}'), ('eu', 'basque', '{}'),
        ('lt', 'lithuanian', '{}'), ('ne', 'nepali', '{}'), ('sr', 'serbian', '{}'), ('ta', 'tamil', '{}'), ('yi', 'yiddish', '{}');
end
$$;

-- de, de-AT, DE_at, german: german; null where nothing is known by that name.
create or replace function public.search_language(p_name text) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return case when p_name is not null then (
            select l.language from public.search_languages() l
             where lower(p_name) = l.language or lower(split_part(translate(p_name, '_', '-'), '-', 1)) = l.code) end;
end
$$;

-- Latin letters without what stands above or below them, so that whoever types none finds all; other writing stays as it is.
create or replace function public.search_fold(p_text text) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    if octet_length(p_text) = length(p_text) then
        return p_text;
    end if;
    p_text := normalize(regexp_replace(normalize(p_text, nfd), '([A-Za-z])[\u0300-\u036f]+', '\1', 'g'), nfc);
    if p_text ~ '[ßæœøłđıẞÆŒØŁĐ]' then
        p_text := replace(replace(replace(translate(p_text, 'øłđıØŁĐẞÆŒ', 'oldiOLDßæœ'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe');
    end if;
    return p_text;
end
$$;

-- The language whose small words stand there most; fewer than three kinds of them say nothing.
create or replace function public.search_guess(p_words tsvector) returns text
    language plpgsql immutable set search_path = '' as $$
begin
    return (select l.language
              from public.search_languages() l
             cross join lateral unnest(l.marks) m(mark)
              join unnest(tsvector_to_array(p_words)) w(word) on w.word = m.mark
             group by l.language having count(*) >= 3
             order by count(*) desc, l.language limit 1);
end
$$;

-- ---- reading ------------------------------------------------------------------

-- In which language a call was held, as far as somebody said: the order itself, its template, its voice.
create or replace function public.search_language_of(p_call uuid, p_created timestamptz) returns text
    language plpgsql stable security definer set search_path = '' as $$
begin
    return (select coalesce(public.search_language(c.metadata ->> 'language'), public.search_language(c.custom_variables ->> 'language'),
                            public.search_language(t.params ->> 'language'), public.search_language(v.language))
              from public.calls c
              left join public.call_templates t on t.id = c.template_id
              left join public.voice_options v on v.id = c.voice_id
             where c.id = p_call and c.created_at = p_created);
end
$$;

-- Words of the summary weigh more than words of the transcript.
create or replace function public.search_words(p_language text, p_summary text, p_transcript text) returns tsvector
    language plpgsql immutable set search_path = '' as $$
declare
    v_language regconfig := 'pg_catalog.' || quote_ident(p_language);
begin
    return setweight(to_tsvector(v_language, coalesce(p_summary, '')), 'A') || setweight(to_tsvector(v_language, coalesce(p_transcript, '')), 'C');
end
$$;

create or replace function public.search_mark(p_organization uuid, p_language text) returns text
    language sql immutable set search_path = '' as $$
    select ' ' || p_organization || ' ' || p_language
$$;

-- All of it.  What is so long or so odd that PostgreSQL has no room for all its words is found by its beginning.
create or replace function public.transcript_vector(t public.call_transcripts, out words tsvector, out language text)
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_max integer := 200000;
begin
    language := public.search_language_of(t.call_id, t.call_created_at);
    loop
        begin
            words := public.search_words('simple', public.search_fold(left(t.summary, v_max)), public.search_fold(left(t.transcript_text, v_max)));
            language := coalesce(language, public.search_guess(words), 'simple');
            if language <> 'simple' then
                words := words || public.search_words(language, left(t.summary, v_max), left(t.transcript_text, v_max));
            end if;
            words := words || array_to_tsvector(array[public.search_mark(t.organization_id, language)]);
            exit;
        exception when program_limit_exceeded then
            v_max := v_max / 8;
        end;
    end loop;
end
$$;

-- Reads some of those that nobody has read yet, the newest first: an upgrade leaves a million, and today's shall not wait for them.  Answers how
-- many.  Several may do so at once.  One after the other: joined with what is there, each batch was compared with all where the planner did not
-- know yet how many that are.
create or replace function public.transcripts_read(p_limit integer) returns integer
    language plpgsql security definer set search_path = '' set client_min_messages = warning as $$
declare
    t public.call_transcripts;
    v_found record;
    v_read integer := 0;
begin
    for t in select x.* from public.call_transcripts x where x.search is null order by x.created_at desc limit p_limit for update skip locked loop
        select v.words, v.language into v_found from public.transcript_vector(t) v;
        update public.call_transcripts c set search = v_found.words, search_language = v_found.language
         where c.call_id = t.call_id and c.call_created_at = t.call_created_at;
        v_read := v_read + 1;
    end loop;
    return v_read;
end
$$;

create or replace function public.transcript_unread() returns trigger
    language plpgsql set search_path = '' as $$
begin
    if (new.transcript_text, new.summary) is distinct from (old.transcript_text, old.summary) then
        new.search := null;
    end if;
    return new;
end
$$;

-- ---- asking --------------------------------------------------------------------

-- A word as it stands between the quotes of a tsquery's text, and as it is.
create or replace function public.search_word(p_quoted text) returns text
    language sql immutable set search_path = '' as $$
    select replace(replace(p_quoted, '''''', ''''), '\\', '\')
$$;

-- A question as typed ("exact phrase", or, -without) for transcripts in one language: each word of it may be the word itself or its stem
-- there.  Without a word to look for: null.
create or replace function public.search_question(p_question text, p_language text) returns tsquery
    language plpgsql stable set search_path = '' set client_min_messages = warning as $$
declare
    v_plain text := '';
    v_stem regdictionary := case when p_language <> 'simple' then 'pg_catalog.' || quote_ident(p_language || '_stem') end;
    v_asked text := '';
    v_word text;
    v_part text[];
begin
    begin
        v_plain := websearch_to_tsquery('pg_catalog.simple', normalize(p_question, nfc))::text;
    exception when internal_error then
        null; -- more signs in a row than PostgreSQL counts
    end;
    if v_plain = '' then
        return null;
    end if;
    -- A quoted word, or what stands between two.
    for v_part in select regexp_matches(v_plain, '''((?:[^''\\]|''''|\\\\)*)''|([^'']+)', 'g') loop
        if v_part[2] is not null then
            v_asked := v_asked || v_part[2];
            continue;
        end if;
        v_word := public.search_word(v_part[1]);
        v_asked := v_asked || '( ' || (
            select string_agg(distinct '''' || replace(replace(w, '\', '\\'), '''', '''''') || '''', ' | ')
              from unnest(array[public.search_fold(v_word)] || ts_lexize(v_stem, v_word)) w where w <> '') || ' )';
    end loop;
    return v_asked::tsquery;
end
$$;

-- The languages that an organization's transcripts are in: one look into the index for each.
create or replace function public.search_languages_of(p_organization uuid) returns text[]
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_found text[] := '{}';
    v_last text := '';
begin
    loop
        select t.search_language into v_last from public.call_transcripts t
         where t.organization_id = p_organization and public.may_act_for(p_organization) and t.search_language > v_last order by t.search_language limit 1;
        exit when v_last is null;
        v_found := v_found || v_last;
    end loop;
    return v_found;
end
$$;

-- The best of the newest hits.  p_languages and p_questions: what is asked in which language.  p_until: calls made later are not looked at,
-- so that a second page is of the same whole.  p_rank, p_at, p_id: goes on behind that place.  Ranking reads each hit, so of a word that
-- stands everywhere the newest 2,000 are ranked.
create or replace function public.search_hits(
    p_organization uuid, p_languages text[], p_questions tsquery[], p_status text, p_template uuid, p_from timestamptz, p_to timestamptz,
    p_until timestamptz, p_rank real, p_at timestamptz, p_id uuid, p_limit integer) returns table (id uuid, at timestamptz, rank real)
    language plpgsql stable security definer rows 20 set search_path = '' set plan_cache_mode = force_custom_plan as $$
declare
    v_all tsquery;
begin
    if not public.may_act_for(p_organization) then
        raise exception 'organization_not_found' using errcode = 'PT404';
    end if;
    select string_agg(format('( %s & ( %s ) )', quote_literal(public.search_mark(p_organization, q.language)), q.question), ' | ')::tsquery into v_all
      from unnest(p_languages, p_questions) q(language, question);
    return query
    with newest as materialized (
        select t.call_id, t.call_created_at, t.search, t.search_language from public.call_transcripts t
         where t.search @@ v_all and t.organization_id = p_organization
           and t.call_created_at <= p_until
           and (p_from is null or t.call_created_at >= p_from)
           and (p_to is null or t.call_created_at < p_to)
           and (p_status is null and p_template is null or exists (
                select from public.calls c where c.id = t.call_id and c.created_at = t.call_created_at
                   and (p_status is null or c.status = p_status) and (p_template is null or c.template_id = p_template)))
         order by t.call_created_at desc, t.call_id desc
         limit 2000),
    ranked as materialized (
        select n.call_id, n.call_created_at, ts_rank_cd(n.search, p_questions[array_position(p_languages, n.search_language)], 1) as rank from newest n)
    select r.call_id, r.call_created_at, r.rank from ranked r
     where p_id is null or (r.rank, r.call_created_at, r.call_id) < (p_rank, p_at, p_id)
     order by r.rank desc, r.call_created_at desc, r.call_id desc
     limit p_limit;
end
$$;

-- ---- showing ----------------------------------------------------------------------

-- What of a text is shown, with the words that were found: [{"text", "match"}, ...] one after the other.  It is plain text in pieces and no
-- HTML, so whoever shows it escapes nothing twice.  Words that were typed without accents are marked where they stand with theirs: those of
-- Latin letters are looked at, each once.
create or replace function public.search_marked(p_text text, p_language text, p_question tsquery) returns jsonb
    language plpgsql stable set search_path = '' set client_min_messages = warning as $$
declare
    v_language regconfig := 'pg_catalog.' || quote_ident(p_language);
    v_text text := left(p_text, 200000);
    v_words text[];
    v_marked text;
begin
    if octet_length(v_text) <> length(v_text) then
        v_text := translate(v_text, E'\ue000\ue001', '');
        v_words := array(select public.search_word(m[1]) from regexp_matches(p_question::text, '''((?:[^''\\]|''''|\\\\)*)''', 'g') m);
        select coalesce(p_question || string_agg(distinct quote_literal(l.lexeme), ' | ')::tsquery, p_question) into p_question
          from (select distinct x.word from ts_parse('default', v_text) x(kind, word) where x.word ~ '[\u00c0-\u024f\u0300-\u036f\u1e00-\u1eff]') w
         cross join lateral unnest(tsvector_to_array(to_tsvector(v_language, w.word))) l(lexeme)
         where tsvector_to_array(to_tsvector('pg_catalog.simple', public.search_fold(w.word))) && v_words;
    end if;
    v_marked := ts_headline(v_language, v_text, p_question, E'StartSel=\ue000, StopSel=\ue001, MaxFragments=2, MaxWords=24, MinWords=8, FragmentDelimiter=" ... "');
    return (select coalesce(jsonb_agg(jsonb_build_object('text', p.piece, 'match', p.n % 2 = 0) order by p.n), '[]')
              from string_to_table(replace(v_marked, E'\ue001', E'\ue000'), E'\ue000') with ordinality p(piece, n)
             where p.piece <> '');
end
$$;
