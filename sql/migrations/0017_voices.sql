-- 0017_voices.sql - voices that a fresh installation has on offer, as an operator might write them himself.
--
-- Vapi has no endpoint that lists voices.  These ids stand in its documentation: its own voices, and the lists of built-in voices that its
-- API description of August 2026 gives for Inworld and Microsoft.  What an operator has written already stays as it is.  Without provider_id
-- a voice belongs to no account: every Vapi account can say it.

with named (voice_provider, language, voice_id, name) as (
    select 'vapi', 'en', v, v
      from unnest('{Elliot,Savannah,Rohan,Emma,Clara,Nico,Kai,Sagar,Godfrey,Neil,Layla,Sid,Naina}'::text[]) v
    union all
    select 'inworld', l.language, v, v
      from (values ('en', '{Alex,Ashley,Craig,Deborah,Dennis,Edward,Elizabeth,Hades,Julia,Pixie,Mark,Olivia,Priya,Ronald,Sarah,Shaun,Theodore,Timothy,
                            Wendy,Dominus,Hana,Clive,Carter,Blake,Luna}'::text[]),
                   ('zh', '{Yichen,Xiaoyin,Xinyi,Jing}'), ('nl', '{Erik,Katrien,Lennart,Lore}'), ('fr', '{Alain,Hélène,Mathieu,Étienne}'),
                   ('de', '{Johanna,Josef}'), ('it', '{Gianni,Orietta}'), ('ja', '{Asuka,Satoshi}'), ('ko', '{Hyunwoo,Minji,Seojun,Yoona}'),
                   ('pl', '{Szymon,Wojciech}'), ('pt', '{Heitor,Maitê}'), ('es', '{Diego,Lupita,Miguel,Rafael}'),
                   ('ru', '{Svetlana,Elena,Dmitry,Nikolai}'), ('hi', '{Riya,Manoj}'), ('he', '{Yael,Oren}'), ('ar', '{Nour,Omar}')) l(language, names),
           unnest(l.names) v
    union all
    select 'microsoft', left(v, 5), v || ':MAI-Voice-2', substr(v, 7)
      from unnest('{de-DE-Klaus,de-DE-Mia,en-AU-Lisa,en-US-Ethan,en-US-Grant,en-US-Harper,en-US-Iris,en-US-Jasper,en-US-Olivia,es-ES-Marta,es-MX-Alejo,
                    es-MX-Valeria,fr-FR-Marc,fr-FR-Soleil,hi-IN-Arjun,hi-IN-Dhruv,hi-IN-Kavya,hi-IN-Priya,hu-HU-Bence,hu-HU-Levente,hu-HU-Lilla,
                    hu-HU-Réka,it-IT-Luca,it-IT-Rosa,ko-KR-Hana,ko-KR-Junho,nl-NL-Fleur,nl-NL-Sander,pt-BR-Caio,pt-BR-Luana,pt-BR-Pedro,
                    pt-BR-Rafael,pt-PT-Rui,ro-RO-Andrei,ro-RO-Elena,ro-RO-Ioana,ro-RO-Radu,ru-RU-Lev,ru-RU-Masha,th-TH-Krit,th-TH-Nattapong,
                    tr-TR-Aydin,tr-TR-Elif,zh-CN-Bo,zh-CN-Lan,zh-CN-Mei}'::text[]) v)
insert into public.voice_options (voice_provider, language, voice_id, name)
select n.voice_provider, n.language, n.voice_id, n.name
  from named n
 where not exists (select from public.voice_options v where v.voice_provider = n.voice_provider and v.voice_id = n.voice_id and v.provider_id is null);

comment on column public.voice_options.voice_id is 'The voice''s id at its maker.';
comment on column public.voice_options.provider_id is 'The one account that can say it; null: every Vapi account.';
comment on column public.voice_options.language is 'A language tag: en, or en-US.';
comment on column public.voice_options.preview_url is 'Where a few words of it can be heard; null: nowhere.';
comment on column public.user_settings.voice_preferences is
    '{"default": id, "languages": {"de": id}}: voices (voice_options.id) of the person''s own calls where neither call nor template names one.';
