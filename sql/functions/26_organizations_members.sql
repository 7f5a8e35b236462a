-- 26_organizations_members.sql - who belongs to an organization, and who was asked to.

create or replace function public.member_view(m public.organization_members, p public.user_profiles) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object('user_id', m.user_id, 'role', m.role, 'email', p.email, 'first_name', p.first_name, 'last_name', p.last_name,
                              'created_at', public.time_view(m.created_at));
end
$$;

create or replace function public.member_view_of(p_organization uuid, p_user uuid) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
begin
    perform public.organization_here(p_organization);
    return (select public.member_view(m, p) from public.organization_members m left join public.user_profiles p on p.id = m.user_id
             where m.organization_id = p_organization and m.user_id = p_user);
end
$$;

-- The first ones first.
create or replace function public.members_page(p_organization uuid, p_after text, p_limit integer) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    perform public.organization_here(p_organization);
    select * into v_after from public.cursor_read('members', p_after);
    with page as (
        select m, row_number() over (order by m.created_at, m.user_id) as i from public.organization_members m
         where m.organization_id = p_organization and (v_after.id is null or (m.created_at, m.user_id) > (v_after.at, v_after.id::uuid))
         order by m.created_at, m.user_id limit p_limit + 1)
    select public.page_view('members', array_agg(public.member_view(g.m, p) order by g.i), array_agg((g.m).created_at order by g.i),
                            array_agg((g.m).user_id::text order by g.i), p_limit)
      into v_page from page g left join public.user_profiles p on p.id = (g.m).user_id;
    return v_page;
end
$$;

create or replace function public.member_role_set(p_organization uuid, p_user uuid, p_role text) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations := public.organization_lock(p_organization);
    m public.organization_members;
begin
    select * into m from public.organization_members x where x.organization_id = o.id and x.user_id = p_user for update;
    if not found then
        raise exception 'member_not_found' using errcode = 'PT404';
    end if;
    if m.role = p_role then
        return;
    end if;
    if m.role = 'owner' then
        perform public.organization_owner_needed(o.id);
    end if;
    perform public.organization_role_give(o.id, p_role, m.role);
    if o.personal_of = p_user then
        raise exception 'organization_personal' using errcode = 'PT409', detail = 'It stays the person''s own.';
    end if;
    update public.organization_members x set role = p_role where x.organization_id = o.id and x.user_id = p_user;
end
$$;

-- Whoever may, removes another one; everybody may leave.  The trigger keeps the last owner.
create or replace function public.member_remove(p_organization uuid, p_user uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations := public.organization_lock(p_organization);
    m public.organization_members;
begin
    select * into m from public.organization_members x where x.organization_id = o.id and x.user_id = p_user for update;
    if not found then
        raise exception 'member_not_found' using errcode = 'PT404';
    end if;
    if m.role = 'owner' and p_user is distinct from public.current_user_id() then
        perform public.organization_owner_needed(o.id);
    end if;
    if o.personal_of = p_user then
        raise exception 'organization_personal' using errcode = 'PT409', detail = 'It stays the person''s own.';
    end if;
    delete from public.organization_members x where x.organization_id = o.id and x.user_id = p_user;
end
$$;

-- ---- invitations -------------------------------------------------------------

create or replace function public.invitation_view(i public.organization_invitations) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object('id', i.id, 'email', i.email, 'role', i.role,
                              'state', case when i.state = 'pending' and i.expires_at <= now() then 'expired' else i.state end,
                              'invited_by', i.invited_by, 'accepted_by', i.accepted_by, 'expires_at', public.time_view(i.expires_at),
                              'sent_at', public.time_view(i.sent_at), 'created_at', public.time_view(i.created_at));
end
$$;

-- The mail's run is made in the same transaction; its token and link are made when it is sent.
create or replace function public.invitation_mail(i public.organization_invitations, p_name text) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    v_inviter text;
begin
    select coalesce(nullif(trim(concat_ws(' ', p.first_name, p.last_name)), ''), p.email) into v_inviter
      from public.user_profiles p where p.id = public.current_user_id();
    perform public.mail_send(format('invitation:%s:%s', i.id, i.sent_count), 'invitation', i.email,
                             jsonb_build_object('token_id', i.id, 'organization_name', p_name, 'inviter_name', v_inviter, 'role', i.role), i.organization_id);
end
$$;

create or replace function public.invitation_make(p_organization uuid, p_email text, p_role text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations := public.organization_lock(p_organization);
    i public.organization_invitations;
    v_email text := lower(p_email);
begin
    perform public.organization_role_give(o.id, p_role);
    perform from public.organization_members m join public.user_profiles p on p.id = m.user_id
      where m.organization_id = o.id and lower(p.email) = v_email;
    if found then
        raise exception 'member_exists' using errcode = 'PT409', hint = 'email';
    end if;
    update public.organization_invitations x set state = 'expired'
     where x.organization_id = o.id and x.state = 'pending' and x.expires_at <= now();
    perform from public.organization_invitations x where x.organization_id = o.id and x.email = v_email and x.state = 'pending';
    if found then
        raise exception 'invitation_exists' using errcode = 'PT409', detail = 'It can be sent again, or taken back.', hint = 'email';
    end if;
    perform from public.organization_invitations x where x.organization_id = o.id and x.state = 'pending' offset 199;
    if found then
        raise exception 'limit_reached' using errcode = 'PT422', detail = 'At most 200 invitations wait at once.';
    end if;
    insert into public.organization_invitations (organization_id, email, role, invited_by, expires_at)
    values (o.id, v_email, p_role, public.current_user_id(), now() + interval '7 days') returning * into i;
    perform public.invitation_mail(i, o.name);
    return public.invitation_view(i);
end
$$;

-- One that still waits, for a change; its organization's row is locked.
create or replace function public.invitation_lock(p_organization uuid, p_invitation uuid) returns public.organization_invitations
    language plpgsql security definer set search_path = '' as $$
declare
    i public.organization_invitations;
begin
    select * into i from public.organization_invitations x where x.id = p_invitation and x.organization_id = p_organization for update;
    if not found then
        raise exception 'invitation_not_found' using errcode = 'PT404';
    elsif i.state = 'accepted' then
        raise exception 'invitation_used' using errcode = 'PT409';
    elsif i.state = 'revoked' then
        raise exception 'invitation_revoked' using errcode = 'PT409';
    elsif i.state = 'expired' then
        raise exception 'invitation_expired' using errcode = 'PT409';
    end if;
    return i;
end
$$;

-- Sent again it is valid for another week; once a minute at most, and ten times in all.
create or replace function public.invitation_resend(p_organization uuid, p_invitation uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations := public.organization_lock(p_organization);
    i public.organization_invitations := public.invitation_lock(o.id, p_invitation);
begin
    perform public.organization_role_give(o.id, i.role);
    if i.sent_at > now() - interval '1 minute' then
        raise exception 'rate_limited' using errcode = 'PT429', detail = 'An invitation is sent once a minute at most.';
    elsif i.sent_count >= 10 then
        raise exception 'limit_reached' using errcode = 'PT422', detail = 'An invitation is sent ten times at most.';
    end if;
    update public.organization_invitations x
       set sent_at = now(), sent_count = x.sent_count + 1, expires_at = now() + interval '7 days'
     where x.id = i.id
    returning x.* into i;
    perform public.invitation_mail(i, o.name);
    return public.invitation_view(i);
end
$$;

create or replace function public.invitation_revoke(p_organization uuid, p_invitation uuid) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations := public.organization_lock(p_organization);
    i public.organization_invitations := public.invitation_lock(o.id, p_invitation);
begin
    update public.organization_invitations x set state = 'revoked' where x.id = i.id;
end
$$;

-- The address of the person who asks, where it is known to be his own: the account's, if it was confirmed; without an account that we may
-- read, the token's.
create or replace function public.email_proved() returns text
    language plpgsql stable security definer set search_path = '' as $$
begin
    return public.email_proved_of(coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb);
end
$$;

-- By the person to whose address it was sent, once.  p_invitation: out of a token that only the mail held.
create or replace function public.invitation_accept(p_invitation uuid) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_user uuid := public.person_needed();
    v_email text := public.email_proved();
    i public.organization_invitations;
    o public.organizations;
    m public.organization_members;
begin
    select x.* into o from public.organizations x
      where x.id = (select y.organization_id from public.organization_invitations y where y.id = p_invitation) for no key update;
    i := public.invitation_lock(o.id, p_invitation);
    if i.email is distinct from v_email then
        raise exception 'invitation_other_address' using errcode = 'PT403';
    elsif i.expires_at <= now() then
        raise exception 'invitation_expired' using errcode = 'PT409';
    elsif o.deleted_after is not null or o.status = 'disabled' then
        raise exception 'organization_inactive' using errcode = 'PT403';
    end if;
    insert into public.user_profiles (id, email, status) values (v_user, v_email, 'active') on conflict (id) do nothing;
    update public.organization_invitations x set state = 'accepted', accepted_by = v_user where x.id = i.id;
    insert into public.organization_members (organization_id, user_id, role, is_default)
    values (o.id, v_user, i.role, not exists (select from public.organization_members x where x.user_id = v_user and x.is_default))
    on conflict (organization_id, user_id) do nothing
    returning * into m;
    if m.user_id is null then
        raise exception 'member_exists' using errcode = 'PT409';
    end if;
    return public.organization_view(o, m.role, m.is_default);
end
$$;
