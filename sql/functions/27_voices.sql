-- 27_voices.sql - voices: how one looks, who can say it, and which one a person prefers.

create or replace function public.voice_view(v public.voice_options) returns jsonb
    language sql stable set search_path = '' as $$
    select jsonb_build_object('id', v.id, 'voice_id', v.voice_id, 'name', v.name, 'voice_provider', v.voice_provider, 'language', v.language,
                              'provider_id', v.provider_id, 'preview_url', v.preview_url, 'created_at', public.time_view(v.created_at))
$$;

-- Providers themselves stay hidden; of what kind one is may be known, as it is of every call.
create or replace function public.voice_kind(p_provider uuid) returns text
    language sql stable security definer set search_path = '' as $$
    select p.provider_type from public.call_service_providers p where p.id = p_provider
$$;

-- The account that says a voice: its own one, else the first of Vapi's.  The key is sealed; the answer never leaves the program as it is.
create or replace function public.voice_account(p_voice uuid) returns jsonb
    language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('provider_type', p.provider_type, 'base_url', p.base_url, 'api_key', p.api_key, 'timeout_ms', p.timeout_ms)
      from public.voice_options v
      join public.call_service_providers p on p.id = v.provider_id or v.provider_id is null and p.provider_type = 'vapi'
     where v.id = p_voice and v.is_active and p.is_active
     order by p.priority, p.id limit 1
$$;

-- ---- preferences ------------------------------------------------------------------

-- The voice of a call that names none: the template's own (params.voice_id), else what the person prefers for the template's language
-- (params.language), else his default, unless that speaks another language.  Null: as the assistant speaks.  Only voices that are on offer,
-- and only where Vapi can say the template: no other provider lets the voice be chosen.
create or replace function public.voice_preferred(p_user uuid, p_template public.call_templates) returns uuid
    language plpgsql stable set search_path = '' as $$
declare
    v_own text := p_template.params ->> 'voice_id';
    v_language text := lower(p_template.params ->> 'language');
    v_main text := split_part(v_language, '-', 1);
    v_wishes jsonb;
begin
    select s.voice_preferences into v_wishes from public.user_settings s where s.user_id = p_user;
    if v_own is null and coalesce(v_wishes, '{}') = '{}' then
        return null;
    end if;
    return (
        select v.id
          from unnest(array[v_own, v_wishes -> 'languages' ->> v_language, v_wishes -> 'languages' ->> v_main, v_wishes ->> 'default'])
               with ordinality w(id, place)
          join public.voice_options v on v.id = public.uuid_or_null(w.id)
         where v.is_active
           and (w.place < 4 or v_language is null or split_part(lower(v.language), '-', 1) = v_main)
           and (v.provider_id is null or exists (
                   select from public.call_service_providers p where p.id = v.provider_id and p.provider_type = 'vapi' and p.is_active))
           and exists (select from public.call_template_targets t where t.template_id = p_template.id and t.provider_type = 'vapi')
         order by w.place limit 1);
end
$$;

-- What other hands have written there and is no wish is not shown.
create or replace function public.voice_preferences_view(p_wishes jsonb) returns jsonb
    language sql stable set search_path = '' as $$
    select jsonb_build_object('default_voice_id', public.uuid_or_null(p_wishes ->> 'default'),
        'languages', (select coalesce(jsonb_agg(jsonb_build_object('language', l.key, 'voice_id', l.value) order by l.key), '[]')
                        from jsonb_each(case jsonb_typeof(p_wishes -> 'languages') when 'object' then p_wishes -> 'languages' else '{}' end) l
                       where public.uuid_or_null(l.value #>> '{}') is not null))
$$;

-- Refuses what is no voice on offer; p_field: where it stands in the request.
create or replace function public.voice_needed(p_voice uuid, p_field text) returns void
    language plpgsql stable set search_path = '' as $$
begin
    perform from public.voice_options v where v.id = p_voice and v.is_active;
    if p_voice is not null and not found then
        perform public.refuse_field('voice_not_found', p_field, 'There is no such voice.');
    end if;
end
$$;

-- The asker's own, all of them at once.  p_languages: [{"language","voice_id"}].
create or replace function public.voice_preferences_put(p_default uuid, p_languages jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.person_needed();
    v_languages jsonb := '{}';
    v_language text;
    l record;
begin
    perform public.voice_needed(p_default, 'default_voice_id');
    for l in select e.value as wish, e.ordinality - 1 as i from jsonb_array_elements(coalesce(p_languages, '[]')) with ordinality e loop
        v_language := lower(l.wish ->> 'language');
        if v_language !~ '^[a-z]{2,3}(-[a-z0-9]{2,8})*$' then
            perform public.refuse_field('language_invalid', format('languages.%s.language', l.i), 'A language tag, such as de or pt-BR.');
        elsif v_languages ? v_language then
            perform public.refuse_field('language_invalid', format('languages.%s.language', l.i), 'It is named twice.');
        end if;
        perform public.voice_needed((l.wish ->> 'voice_id')::uuid, format('languages.%s.voice_id', l.i));
        v_languages := v_languages || jsonb_build_object(v_language, l.wish ->> 'voice_id');
    end loop;
    insert into public.user_settings (user_id, voice_preferences)
    values (v_user, jsonb_strip_nulls(jsonb_build_object('default', p_default, 'languages', v_languages)))
    on conflict (user_id) do update set voice_preferences = excluded.voice_preferences;
end
$$;
