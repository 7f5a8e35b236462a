-- api_organizations.sql - /api/v1/organizations.  p_organization_id is the active organization of the request (20_identity.sql has checked who
-- asks, and his role); what is written goes through public functions that say again whose it is.

create or replace function api.organization_list(p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.organizations_mine(p_after, p_limit);
end
$$;

create or replace function api.organization_create(p_name text, p_settings jsonb default null) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.organization_create(p_name, p_settings);
end
$$;

create or replace function api.organization_get(p_organization_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.organization_view_of(p_organization_id);
end
$$;

create or replace function api.organization_update(p_organization_id uuid, p_changes jsonb) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.organization_update(p_organization_id, p_changes);
    return public.organization_view_of(p_organization_id);
end
$$;

create or replace function api.organization_default(p_organization_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.organization_default(p_organization_id, true);
    return public.organization_view_of(p_organization_id);
end
$$;

create or replace function api.organization_delete(p_organization_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.organization_delete(p_organization_id);
    return public.organization_view_of(p_organization_id);
end
$$;

create or replace function api.organization_restore(p_organization_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.organization_restore(p_organization_id);
    return public.organization_view_of(p_organization_id);
end
$$;

-- ---- members --------------------------------------------------------------------

create or replace function api.member_list(p_organization_id uuid, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.members_page(p_organization_id, p_after, p_limit);
end
$$;

create or replace function api.member_invite(p_organization_id uuid, p_email text, p_role text) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.invitation_make(p_organization_id, p_email, p_role);
end
$$;

create or replace function api.member_update(p_organization_id uuid, p_user_id uuid, p_changes jsonb) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.member_role_set(p_organization_id, p_user_id, p_changes ->> 'role');
    return public.member_view_of(p_organization_id, p_user_id);
end
$$;

create or replace function api.member_remove(p_organization_id uuid, p_user_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.member_remove(p_organization_id, p_user_id);
    return '{}';
end
$$;

create or replace function api.member_leave(p_organization_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.member_remove(p_organization_id, public.person_needed());
    return '{}';
end
$$;

-- ---- invitations --------------------------------------------------------------------

-- Newest first.
create or replace function api.invitation_list(p_organization_id uuid, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('invitations', p_after);
    with page as (
        select i, row_number() over (order by i.created_at desc, i.id desc) as n from public.organization_invitations i
         where i.organization_id = p_organization_id and (v_after.id is null or (i.created_at, i.id) < (v_after.at, v_after.id::uuid))
         order by i.created_at desc, i.id desc limit p_limit + 1)
    select public.page_view('invitations', array_agg(public.invitation_view(g.i) order by g.n), array_agg((g.i).created_at order by g.n),
                            array_agg((g.i).id::text order by g.n), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function api.invitation_resend(p_organization_id uuid, p_invitation_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.invitation_resend(p_organization_id, p_invitation_id);
end
$$;

create or replace function api.invitation_revoke(p_organization_id uuid, p_invitation_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.invitation_revoke(p_organization_id, p_invitation_id);
    return '{}';
end
$$;

create or replace function api.invitation_accept(p_invitation_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.invitation_accept(p_invitation_id);
end
$$;

-- ---- API keys --------------------------------------------------------------------------

create or replace function api.api_key_list(p_organization_id uuid, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.api_keys_page(p_organization_id, p_after, p_limit);
end
$$;

create or replace function api.api_key_get(p_organization_id uuid, p_key_id uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return public.api_key_view_of(p_organization_id, p_key_id);
end
$$;

create or replace function api.api_key_create(p_organization_id uuid, p_name text, p_scopes jsonb, p_expires_at timestamptz, p_hash text, p_prefix text)
    returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.api_key_make(p_organization_id, p_name, p_scopes, p_expires_at, p_hash, p_prefix);
end
$$;

create or replace function api.api_key_rotate(p_organization_id uuid, p_key_id uuid, p_grace_seconds integer, p_expires_at timestamptz, p_hash text,
                                              p_prefix text) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.api_key_rotate(p_organization_id, p_key_id, p_grace_seconds, p_expires_at, p_hash, p_prefix);
end
$$;

create or replace function api.api_key_revoke(p_organization_id uuid, p_key_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.api_key_revoke(p_organization_id, p_key_id);
    return '{}';
end
$$;
