-- api_voices.sql - /api/v1/voices.  Row security shows the voices that are on offer, and a person's own settings.

-- By name.  The cursor is the last row's place in that order: its id and the beginning of its name.
create or replace function api.voice_list(
    p_provider_id uuid default null, p_voice_provider text default null, p_language text default null, p_name text default null,
    p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after text := (select k.id from public.cursor_read('voices', p_after, '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12} .*') k);
    v_kind text := public.voice_kind(p_provider_id);
    v_page jsonb;
begin
    with page as (
        select v, row_number() over (order by left(v.name, 60), v.id) as n from public.voice_options v
         where (p_provider_id is null or v.provider_id = p_provider_id or v.provider_id is null and v_kind = 'vapi')
           and (p_voice_provider is null or lower(v.voice_provider) = lower(p_voice_provider))
           and (p_language is null or lower(v.language) = lower(p_language) or starts_with(lower(v.language), lower(p_language) || '-'))
           and (p_name is null or position(lower(p_name) in lower(v.name)) > 0)
           and (v_after is null or (left(v.name, 60), v.id) > (substr(v_after, 38), left(v_after, 36)::uuid))
         order by left(v.name, 60), v.id limit p_limit + 1)
    select public.page_view('voices', array_agg(public.voice_view(g.v) order by g.n), array_agg(timestamptz 'epoch' order by g.n),
                            array_agg((g.v).id || ' ' || left((g.v).name, 60) order by g.n), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function api.voice_get(p_voice_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_view jsonb := (select public.voice_view(v) from public.voice_options v where v.id = p_voice_id);
begin
    if v_view is null then
        raise exception 'voice_unknown' using errcode = 'PT404';
    end if;
    return v_view;
end
$$;

-- The stored preview.
create or replace function api.voice_preview(p_voice_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_view jsonb := api.voice_get(p_voice_id);
begin
    if v_view ->> 'preview_url' is null then
        raise exception 'voice_sample_unavailable' using errcode = 'PT409';
    end if;
    return jsonb_build_object('voice_id', v_view -> 'id', 'voice_name', v_view -> 'name', 'preview_url', v_view -> 'preview_url');
end
$$;

-- What the program needs to ask the voice's provider for a sample.  The key is sealed; the answer never leaves the program as it is.
create or replace function api.voice_sample(p_voice_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return api.voice_get(p_voice_id) || coalesce(public.voice_account(p_voice_id), '{}');
end
$$;

create or replace function api.voice_preferences() returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.voice_preferences_view(coalesce(
        (select s.voice_preferences from public.user_settings s where s.user_id = (select public.current_user_id())), '{}'));
end
$$;

create or replace function api.voice_preferences_set(p_default_voice_id uuid default null, p_languages jsonb default null) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.voice_preferences_put(p_default_voice_id, p_languages);
    return api.voice_preferences();
end
$$;
