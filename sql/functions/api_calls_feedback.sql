-- api_calls_feedback.sql - /api/v1/calls/{call_id}/feedback: what people thought of a call; of each person, or API key, once.

create or replace function public.feedback_view(f public.call_feedback) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object('id', f.id, 'call_id', f.call_id, 'user_id', f.user_id, 'key_id', f.key_id, 'rating', f.rating, 'comments', f.comments,
                              'created_at', public.time_view(f.created_at), 'updated_at', public.time_view(f.updated_at));
end
$$;

-- The API key that asks; null: a person does, or nobody.
create or replace function public.current_key_id() returns uuid
    language sql stable set search_path = '' as $$
    select public.uuid_or_null(coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb ->> 'key_id')
$$;

-- Gives, or gives anew.  Of a call that has ended, by somebody who is known.
create or replace function public.feedback_give(p_call uuid, p_rating integer, p_comments text) returns public.call_feedback
    language plpgsql security definer set search_path = '' as $$
declare
    c public.calls;
    f public.call_feedback;
    v_key uuid := public.current_key_id();
    v_user uuid := case when v_key is null then public.current_user_id() end;
begin
    select * into c from public.calls x where x.id = p_call and public.may_act_for(x.organization_id);
    if not found then
        raise exception 'call_not_found' using errcode = 'PT404';
    end if;
    if c.finished_at is null then
        raise exception 'call_not_ended' using errcode = 'PT409', detail = 'Feedback is for calls that are over.';
    end if;
    if v_user is null and v_key is null then
        raise exception 'person_needed' using errcode = 'PT403', detail = 'Feedback is somebody''s.';
    end if;
    if v_key is null then
        insert into public.call_feedback as x (call_id, call_created_at, organization_id, user_id, rating, comments)
        values (c.id, c.created_at, c.organization_id, v_user, p_rating, p_comments)
        on conflict (call_id, user_id) do update set rating = excluded.rating, comments = excluded.comments, updated_at = now()
        returning x.* into f;
    else
        insert into public.call_feedback as x (call_id, call_created_at, organization_id, key_id, rating, comments)
        values (c.id, c.created_at, c.organization_id, v_key, p_rating, p_comments)
        on conflict (call_id, key_id) where key_id is not null do update
            set rating = excluded.rating, comments = excluded.comments, updated_at = now()
        returning x.* into f;
    end if;
    return f;
end
$$;

-- One's own of this call, locked; refused where there is none.
create or replace function public.feedback_own(p_call uuid) returns public.call_feedback
    language plpgsql security definer set search_path = '' as $$
declare
    f public.call_feedback;
    v_key uuid := public.current_key_id();
begin
    select * into f from public.call_feedback x
     where x.call_id = p_call and public.may_act_for(x.organization_id)
       and case when v_key is null then x.user_id = public.current_user_id() else x.key_id = v_key end
       for update;
    if not found then
        raise exception 'feedback_not_found' using errcode = 'PT404';
    end if;
    return f;
end
$$;

create or replace function public.feedback_change(p_call uuid, p_changes jsonb) returns public.call_feedback
    language plpgsql security definer set search_path = '' as $$
declare
    f public.call_feedback := public.feedback_own(p_call);
begin
    update public.call_feedback x
       set rating = coalesce((p_changes ->> 'rating')::integer, x.rating), updated_at = now(),
           comments = case when p_changes ? 'comments' then p_changes ->> 'comments' else x.comments end
     where x.id = f.id
    returning x.* into f;
    return f;
end
$$;

create or replace function public.feedback_withdraw(p_call uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    f public.call_feedback := public.feedback_own(p_call);
begin
    delete from public.call_feedback x where x.id = f.id;
end
$$;

create or replace function api.feedback_give(p_call_id uuid, p_rating integer, p_comments text default null) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.feedback_view(public.feedback_give(p_call_id, p_rating, p_comments));
end
$$;

create or replace function api.feedback_change(p_call_id uuid, p_changes jsonb) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform api.call_get(p_call_id);
    return public.feedback_view(public.feedback_change(p_call_id, p_changes));
end
$$;

create or replace function api.feedback_withdraw(p_call_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform api.call_get(p_call_id);
    perform public.feedback_withdraw(p_call_id);
    return null;
end
$$;

create or replace function api.feedback_list(p_call_id uuid, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_at timestamptz;
    v_id uuid;
begin
    perform api.call_get(p_call_id);
    select k.at, k.id into v_at, v_id from public.cursor_read('call_feedback', p_after) k;
    return (select public.page_view('call_feedback', array_agg(public.feedback_view(x.f) order by x.n),
                                    array_agg((x.f).created_at order by x.n), array_agg((x.f).id::text order by x.n), p_limit)
              from (select f, row_number() over (order by f.created_at desc, f.id desc) as n from public.call_feedback f
                     where f.call_id = p_call_id and (v_at is null or (f.created_at, f.id) < (v_at, v_id))
                     order by f.created_at desc, f.id desc limit p_limit + 1) x);
end
$$;
