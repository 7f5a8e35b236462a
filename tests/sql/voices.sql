-- voices.sql - voices: what a fresh installation has, lists and pages, who says one, preferences and what a call makes of them.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as org \gset
select tests.organization('Bob', :'bob') as other \gset

-- The makers' ids of a list.
create function tests.found(p_list jsonb) returns text language sql as $$
    select coalesce(string_agg(v ->> 'voice_id', ' ' order by i), '') from jsonb_array_elements(p_list -> 'data') with ordinality e(v, i)
$$;
-- The same of all its pages.
create function tests.pages(p_limit integer) returns text language plpgsql as $$
declare
    v_page jsonb;
    v_after text;
    v_all text := '';
begin
    loop
        v_page := api.voice_list(p_after => v_after, p_limit => p_limit);
        v_all := v_all || ' ' || tests.found(v_page);
        v_after := v_page ->> 'next_cursor';
        exit when v_after is null;
    end loop;
    return trim(v_all);
end
$$;
-- The error as "state code field".
create function tests.refusal(p_default uuid, p_languages jsonb) returns text language plpgsql as $$
declare
    v_hint text;
begin
    perform api.voice_preferences_set(p_default, p_languages);
    return null;
exception when others then
    get stacked diagnostics v_hint = pg_exception_hint;
    return sqlstate || ' ' || sqlerrm || ' ' || v_hint;
end
$$;
-- The voice of a call that is ordered so.
create function tests.voice(p_user uuid, p_params jsonb, p_types text[] default '{vapi}', p_more jsonb default '{}') returns text language plpgsql as $$
declare
    v_id uuid;
    v_org uuid := (select organization_id from public.organization_members where user_id = p_user);
begin
    v_id := public.call_enter(v_org, p_user, jsonb_build_object('recipient_number', '+15550100001', 'template_id', tests.template(v_org, p_types, p_params)) || p_more);
    return (select v.voice_id from public.call_queue q join public.voice_options v on v.id = q.voice_id where q.id = v_id);
end
$$;
grant execute on all functions in schema tests to public;

-- ---- what is there from the start ------------------------------------------------------

select tests.be(:'alice');
select cmp_ok((select count(*)::integer from public.voice_options where voice_provider = 'vapi'), '>=', 13, 'Vapi''s own voices are on offer');
select is_empty($$select name from public.voice_options where voice_provider = 'vapi' and name in ('Spencer', 'Neha', 'Harry', 'Cole', 'Paige', 'Hana', 'Lily', 'Kylie')$$,
                'without those that Vapi has retired');
select is_empty($$select voice_id from public.voice_options where voice_id = '' or name = '' or language !~ '^[a-z]{2}(-[A-Z]{2})?$'$$, 'each has its id, its name and its language');
select is_empty($$select voice_provider, voice_id from public.voice_options group by 1, 2 having count(*) > 1$$, 'and none is there twice');
select results_eq($$select language, name from public.voice_options where voice_id = 'hu-HU-Réka:MAI-Voice-2'$$, $$values ('hu-HU', 'Réka')$$, 'Microsoft''s are told apart by their ids');
select isnt_empty($$select from public.voice_options where voice_provider = 'inworld' and voice_id = 'Étienne' and language = 'fr'$$, 'Inworld''s speak the language of its list');

-- ---- lists --------------------------------------------------------------------------------

select tests.be_nobody();
delete from public.voice_options;
select tests.provider('Voices Vapi', 'vapi', 10, 2) as vapi \gset
select tests.provider('Voices other Vapi', 'vapi', 10, 1) as second \gset
select tests.provider('Voices SynthFlow', 'synthflow') as synthflow \gset
insert into public.voice_options (voice_id, voice_provider, language, name, provider_id, preview_url) values
    ('a-1', '11labs', 'en-US', 'Anna', null, 'https://v.test/anna.mp3'), ('b-1', '11labs', 'de', 'Bernd', null, null),
    ('c-1', 'vapi', 'en', 'Clara', :'vapi', null), ('d-1', 'synthflow', 'es', 'Diego', :'synthflow', null),
    ('e-1', 'vapi', 'eng', 'Éva %_\', null, null), ('a-2', 'azure', 'en', 'Anna', null, null);
insert into public.voice_options (voice_id, name, is_active) values ('gone', 'Gone', false) returning id as gone \gset
select id as anna from public.voice_options where voice_id = 'a-1' \gset
select id as bernd from public.voice_options where voice_id = 'b-1' \gset
select id as clara from public.voice_options where voice_id = 'c-1' \gset
select id as diego from public.voice_options where voice_id = 'd-1' \gset

select tests.be(:'alice');
select is((select array_agg(w order by w) from regexp_split_to_table(tests.found(api.voice_list()), ' ') w), '{a-1,a-2,b-1,c-1,d-1,e-1}', 'all that are on offer, no other');
select is(api.voice_list() -> 'data' -> 2 ->> 'name', 'Bernd', 'by name');
select is(tests.found(api.voice_list(p_language => 'en', p_name => 'Clara')) || '|' || tests.found(api.voice_list(p_language => 'EN-us')) || '|'
          || tests.found(api.voice_list(p_language => 'e')), 'c-1|a-1|', 'a language finds its regions, whatever its case, and no other language');
select is((select count(*)::integer from jsonb_array_elements(api.voice_list(p_language => 'en') -> 'data')), 3, 'eng is not a region of en');
select is(tests.found(api.voice_list(p_voice_provider => 'AZURE')), 'a-2', 'a maker''s');
select is(tests.found(api.voice_list(p_name => 'nN', p_voice_provider => '11labs')), 'a-1', 'a part of the name');
select is(tests.found(api.voice_list(p_name => '%_\')), 'e-1', 'in which no sign means anything but itself');
select is(tests.found(api.voice_list(p_provider_id => :'vapi', p_language => 'de')) || '|' || tests.found(api.voice_list(p_provider_id => :'vapi', p_name => 'clara')) || '|'
          || tests.found(api.voice_list(p_provider_id => :'second', p_name => 'clara')) || '|' || tests.found(api.voice_list(p_provider_id => :'synthflow')) || '|'
          || tests.found(api.voice_list(p_provider_id => gen_random_uuid())), 'b-1|c-1||d-1|', 'an account''s own voices, and for Vapi''s those of no account');

select is(tests.pages(n), tests.found(api.voice_list(p_limit => 100)), format('pages of %s are the list', n)) from generate_series(1, 7) n;
select throws_ok('select api.voice_list(p_after => public.cursor_make(''calls'', now(), gen_random_uuid()::text))', 'PT400', 'bad_cursor', 'another list''s cursor is none');
select throws_ok('select api.voice_list(p_after => public.cursor_make(''invitations'', now(), gen_random_uuid() || '' x''))', 'PT400', 'bad_cursor', 'whatever its form');
select tests.be_nobody();
insert into public.voice_options (voice_id, name) select 'long-' || n, repeat('é', 3000) || n from generate_series(1, 3) n;
select tests.be(:'alice');
select is(tests.pages(1), tests.found(api.voice_list(p_limit => 100)), 'also with names that are longer than a cursor');

-- ---- one ---------------------------------------------------------------------------------------

select is(api.voice_get(:'anna') - 'created_at', jsonb_build_object('id', :'anna', 'voice_id', 'a-1', 'name', 'Anna', 'voice_provider', '11labs', 'language', 'en-US',
          'provider_id', null, 'preview_url', 'https://v.test/anna.mp3'), 'a voice');
select throws_ok(format('select api.voice_get(%L)', v), 'PT404', 'voice_unknown', 'what is not on offer, or not there, does not exist')
  from unnest(array[:'gone', gen_random_uuid()::text]) v;
select is(api.voice_preview(:'anna'), jsonb_build_object('voice_id', :'anna', 'voice_name', 'Anna', 'preview_url', 'https://v.test/anna.mp3'), 'its stored preview');
select throws_ok(format('select api.voice_preview(%L)', :'bernd'), 'PT409', 'voice_sample_unavailable', 'one without is told so');
select throws_ok(format('select api.voice_preview(%L)', :'gone'), 'PT404', 'voice_unknown', 'and one that is not on offer as everywhere');
select throws_ok(format('select api.voice_sample(%L)', :'gone'), 'PT404', 'voice_unknown', 'for samples too');
select is(api.voice_sample(:'anna') ->> 'provider_type', 'vapi', 'a voice of no account is said by Vapi''s first');
select is(api.voice_sample(:'anna') ->> 'api_key', 'sealed:x', 'whose key is still sealed');
select is(api.voice_sample(:'diego') ->> 'provider_type', 'synthflow', 'one of an account by that');
select is(public.voice_kind(:'vapi') || public.voice_kind(:'synthflow'), 'vapisynthflow', 'of what kind a provider is may be known');
select throws_ok('select 1 from public.call_service_providers', '42501', null, 'and nothing else');
select throws_ok('update public.voice_options set name = ''x''', '42501', null, 'the API changes no voice');
select tests.be_nobody();
update public.call_service_providers set is_active = false;
select tests.be(:'alice');
select is(api.voice_sample(:'anna') ? 'provider_type', false, 'without an active provider nobody says it');
select tests.be_nobody();
update public.call_service_providers set is_active = true;

-- ---- preferences ----------------------------------------------------------------------------------

select tests.be(:'alice');
select is(api.voice_preferences(), '{"default_voice_id":null,"languages":[]}', 'who never said anything prefers nothing');
select is(api.voice_preferences_set(:'anna', jsonb_build_array(jsonb_build_object('language', 'DE-at', 'voice_id', :'bernd'), jsonb_build_object('language', 'en', 'voice_id', :'clara'))),
          jsonb_build_object('default_voice_id', :'anna', 'languages', jsonb_build_array(jsonb_build_object('language', 'de-at', 'voice_id', :'bernd'),
          jsonb_build_object('language', 'en', 'voice_id', :'clara'))), 'wishes are kept');
select is(api.voice_preferences() ->> 'default_voice_id', :'anna', 'and shown');
select is((select voice_preferences from public.user_settings), jsonb_build_object('default', :'anna', 'languages', jsonb_build_object('de-at', :'bernd', 'en', :'clara')),
          'where a person''s own client reads them too');
select is(tests.refusal(:'gone', null), 'PT422 voice_not_found default_voice_id', 'a voice that is not on offer');
select is(tests.refusal(null, jsonb_build_array(jsonb_build_object('language', 'de', 'voice_id', :'bernd'), jsonb_build_object('language', 'en', 'voice_id', gen_random_uuid()))),
          'PT422 voice_not_found languages.1.voice_id', 'or not there, is named');
select is(tests.refusal(null, jsonb_build_array(jsonb_build_object('language', l, 'voice_id', :'bernd'))), 'PT422 language_invalid languages.0.language', l || ' is no language')
  from unnest('{german,d,de_AT,"de ",-,"de\nat"}'::text[]) l;
select is(tests.refusal(null, jsonb_build_array(jsonb_build_object('language', 'de', 'voice_id', :'bernd'), jsonb_build_object('language', 'DE', 'voice_id', :'anna'))),
          'PT422 language_invalid languages.1.language', 'a language has one voice');
select is(api.voice_preferences() ->> 'default_voice_id', :'anna', 'what is refused changes nothing');
select tests.be(:'bob');
select is(api.voice_preferences(), '{"default_voice_id":null,"languages":[]}', 'another person''s wishes are his own');
select is(api.voice_preferences_set(:'clara') ->> 'default_voice_id', :'clara', 'and so is what he says');
select is((select count(*)::integer from public.user_settings), 1, 'he sees no other''s');
select tests.be(:'alice');
select is(api.voice_preferences() ->> 'default_voice_id', :'anna', 'nothing of the first one''s has changed');
select throws_ok('update public.user_settings set voice_preferences = ''{}''', '42501', null, 'no way past the checks');
select set_config('request.jwt.claims', '{"role":"hookswitch_key"}', true) \g /dev/null
select throws_ok(format('select api.voice_preferences_set(%L)', :'clara'), 'PT403', 'person_needed', 'a key prefers nothing');

-- ---- which voice a call is said with ------------------------------------------------------------------

select tests.be_nobody();
select is(tests.voice(:'alice', '{}'), 'a-1', 'the person''s default, where nobody names a voice');
select is(tests.voice(:'alice', '{}', '{vapi}', jsonb_build_object('voice_id', :'bernd')), 'b-1', 'what the call names comes first');
select is(tests.voice(:'alice', jsonb_build_object('voice_id', :'clara')), 'c-1', 'then what the template names');
select is(tests.voice(:'alice', jsonb_build_object('voice_id', :'clara'), '{vapi}', jsonb_build_object('voice_id', :'bernd')), 'b-1', 'the call before the template');
select is(tests.voice(:'alice', '{"language":"de-AT"}'), 'b-1', 'then the wish for the template''s language');
select is(tests.voice(:'alice', '{"language":"en-GB"}'), 'c-1', 'a region finds its language');
select is(tests.voice(:'alice', '{"language":"de"}'), null, 'a language does not find one of its regions, and the default speaks another one');
select is(tests.voice(:'alice', '{"language":"fr","voice_id":"nonsense"}'), null, 'what the template names must be a voice');
select is(tests.voice(:'alice', jsonb_build_object('voice_id', :'gone')), 'a-1', 'that is on offer');
select is(tests.voice(:'alice', '{}', '{synthflow}'), null, 'only Vapi lets the voice be chosen');
select is(tests.voice(:'alice', jsonb_build_object('voice_id', :'diego')), 'a-1', 'and no voice of another provider');
select is(tests.voice(:'bob', '{}'), 'c-1', 'each person his own');
update public.call_service_providers set is_active = false where id = :'vapi';
select is(tests.voice(:'bob', '{}'), null, 'not while its account is not active');
update public.call_service_providers set is_active = true where id = :'vapi';
update public.voice_options set is_active = false where id = :'anna';
select is(tests.voice(:'alice', '{}'), null, 'nor when it is not on offer any more');
update public.voice_options set is_active = true where id = :'anna';
select public.call_enter(:'org', null, jsonb_build_object('recipient_number', '+15550100001', 'template_id', tests.template(:'org'))) as keys \gset
select is((select voice_id from public.call_queue where id = :'keys'), null, 'a call that a key orders has nobody''s wishes');
update public.user_settings set voice_preferences = w.wishes from (values ('[]'::jsonb), ('"x"'), ('{"default":5,"languages":[]}'), ('{"default":"x","languages":{"en":{}}}')) w(wishes)
 where user_id = :'bob';
select is(tests.voice(:'bob', '{"language":"en"}'), null, 'wishes that cannot be understood hold up no call');
select tests.be(:'bob');
select is(api.voice_preferences(), '{"default_voice_id":null,"languages":[]}', 'and are not shown');

-- At the dial.
select tests.be_nobody();
select tests.clear_road();
update public.call_service_providers set is_active = id = :'second';
select public.call_enter(:'org', :'alice', jsonb_build_object('recipient_number', '+15550100001', 'template_id', tests.template(:'org'), 'voice_id', v)) as call
  from unnest(array[:'clara', :'bernd']::uuid[]) v \g /dev/null
select results_eq($$select d -> 'voice' from jsonb_array_elements(public.calls_claim(2, 'a', 30) -> 'dials') d order by d ->> 'voice' nulls first$$,
                  $$values ('null'::jsonb), ('{"provider":"11labs","voiceId":"b-1"}')$$, 'an account is not asked for the voice of another one');

select * from finish();
rollback;
