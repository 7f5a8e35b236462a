-- 86_admin.sql - operators: people and organizations of the whole installation.  Reading goes by the policies of hookswitch_operator; what changes
-- something, or looks into schema hookswitch_auth, says again that an operator asks.  Whatever an operator does stands in the audit log.

-- The server gives this role to operators alone (request_identity_token).
create or replace function public.operator_needed() returns void
    language plpgsql stable set search_path = '' as $$
begin
    if current_setting('role', true) is distinct from 'hookswitch_operator' then
        raise exception 'operator_needed' using errcode = 'PT403';
    end if;
end
$$;

-- An entry of the installation's own: no organization's.
create or replace function public.admin_note(p_action text, p_target_type text, p_target uuid, p_details jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
begin
    perform public.operator_needed();
    perform public.audit_write(null, p_action, p_target_type, p_target, p_details);
end
$$;

-- ---- people ----------------------------------------------------------------

create or replace function public.admin_person_line(p public.user_profiles) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object('id', p.id, 'email', p.email, 'first_name', p.first_name, 'last_name', p.last_name, 'status', p.status,
                              'created_at', public.time_view(p.created_at));
end
$$;

-- What an account tells besides; nulls where accounts are somebody else's.
create or replace function public.admin_account(p_user uuid) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_account jsonb := '{}';
begin
    perform public.operator_needed();
    if public.auth_is_ours() then
        select coalesce(to_jsonb(u), '{}') into v_account from auth.users u where u.id = p_user;
    end if;
    return jsonb_build_object(
        'email_confirmed_at', public.time_view((v_account ->> 'email_confirmed_at')::timestamptz),
        'last_sign_in_at', public.time_view((v_account ->> 'last_sign_in_at')::timestamptz),
        'totp_enabled', public.auth_totp_enabled(p_user),
        'is_operator', coalesce(v_account -> 'raw_app_meta_data' -> 'hookswitch_operator' = 'true', false),
        'sessions', (select count(*) from hookswitch_auth.sessions s
                      where s.user_id = p_user and s.revoked_at is null and s.expires_at > statement_timestamp()));
end
$$;

create or replace function public.admin_person_view(p_user uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    p public.user_profiles;
begin
    select * into p from public.user_profiles x where x.id = p_user;
    if not found then
        raise exception 'user_not_found' using errcode = 'PT404';
    end if;
    return public.admin_person_line(p) || public.admin_account(p.id) || jsonb_build_object('memberships', (
        select coalesce(jsonb_agg(jsonb_build_object('organization_id', o.id, 'name', o.name, 'status', o.status, 'role', m.role,
                                                     'is_personal', coalesce(o.personal_of = p.id, false), 'created_at', public.time_view(m.created_at))
                                  order by m.created_at, o.id), '[]')
          from public.organization_members m join public.organizations o on o.id = m.organization_id where m.user_id = p.id));
end
$$;

-- Closes an account at once, with all its sessions and tokens; or opens it again, if its address is confirmed.  Doing it twice changes nothing.
-- What changes an account locks its row in auth.users first.
create or replace function public.admin_person_open(p_user uuid, p_open boolean) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    p public.user_profiles;
    v_ours boolean := public.auth_is_ours();
begin
    perform public.operator_needed();
    if p_user = public.current_user_id() and not p_open then
        raise exception 'operator_self' using errcode = 'PT409';
    end if;
    if v_ours then
        perform from auth.users u where u.id = p_user for update;
        v_ours := found;
    end if;
    select * into p from public.user_profiles x where x.id = p_user for update;
    if p.id is null then
        raise exception 'user_not_found' using errcode = 'PT404';
    elsif v_ours then
        -- As the application's own ban, which outlasts a link out of a mail.
        perform public.auth_v1_ban(p_user, case when p_open then 'none' else '876000h' end);
    else
        update public.user_profiles x set status = case when p_open then 'active' else 'inactive' end where x.id = p_user;
        perform public.auth_sessions_revoke(p_user, 'admin');
    end if;
    perform public.audit_write(null, case when p_open then 'person.enabled' else 'person.disabled' end, 'person', p_user, jsonb_build_object('from', p.status));
end
$$;

-- ---- organizations -------------------------------------------------------------

create or replace function public.admin_organization_line(o public.organizations) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object('id', o.id, 'name', o.name, 'status', o.status, 'is_personal', o.personal_of is not null,
                              'deleted_after', public.time_view(o.deleted_after), 'created_at', public.time_view(o.created_at));
end
$$;

-- Calls, seconds, minutes (rounded up for each call) and what providers charged, of calls that ended in the period.
create or replace function public.admin_usage_of(p_organization uuid, p_from timestamptz, p_to timestamptz) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return (select jsonb_build_object(
                'calls', coalesce(sum(u.quantity) filter (where u.kind = 'calls'), 0)::bigint,
                'seconds', coalesce(sum(u.quantity) filter (where u.kind = 'seconds'), 0)::bigint,
                'minutes', coalesce(sum(ceil(u.quantity / 60)) filter (where u.kind = 'seconds'), 0)::bigint,
                'cost_cents', coalesce(sum(c.total_cost_cents) filter (where u.kind = 'calls'), 0))
              from public.usage_entries u
              left join public.calls c on u.kind = 'calls' and c.id = u.call_id and c.created_at = u.call_created_at
             where u.organization_id = p_organization and u.occurred_at >= p_from and (p_to is null or u.occurred_at < p_to));
end
$$;

create or replace function public.admin_organization_view(p_organization uuid) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    o public.organizations;
begin
    select * into o from public.organizations x where x.id = p_organization;
    if not found then
        raise exception 'organization_not_found' using errcode = 'PT404';
    end if;
    return public.admin_organization_line(o) || jsonb_build_object(
        'max_concurrent_calls', o.max_concurrent_calls,
        'plan', (select jsonb_build_object('tier', s.tier_type, 'status', s.status, 'name', p.name, 'call_limit', p.call_limit,
                                           'minutes_limit', p.minutes_limit, 'period_end', public.time_view(s.current_period_end))
                   from public.subscriptions s left join public.subscription_plans p on p.id = s.plan_id
                  where s.organization_id = o.id and s.current),
        'usage', public.admin_usage_of(o.id, date_trunc('month', now(), 'UTC'), null),
        'calls_waiting', (select count(*) from public.call_queue q where q.organization_id = o.id and q.status = 'queued'),
        'calls_live', (select count(*) from public.call_assignments a
                        where a.organization_id = o.id and a.state in ('leased', 'sent', 'accepted', 'unknown')),
        'member_count', (select count(*) from public.organization_members m where m.organization_id = o.id),
        'members', (select coalesce(jsonb_agg(jsonb_build_object('user_id', m.user_id, 'email', m.email, 'role', m.role,
                                                                 'created_at', public.time_view(m.created_at)) order by m.created_at, m.user_id), '[]')
                      from (select x.user_id, p.email, x.role, x.created_at
                              from public.organization_members x left join public.user_profiles p on p.id = x.user_id
                             where x.organization_id = o.id order by x.created_at, x.user_id limit 100) m));
end
$$;

-- Closes an organization at once: nobody gets in, nothing more is dialled; waiting calls stay (until they expire) and live ones go to their
-- end.  Or opens it again, as it was.  Doing it twice changes nothing; one that is deleted goes its own way.
create or replace function public.admin_organization_open(p_organization uuid, p_open boolean) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations;
begin
    perform public.operator_needed();
    -- This lock waits for claims and for calls that are being entered just now: what comes later sees the new status.
    select * into o from public.organizations x where x.id = p_organization for update;
    if not found then
        raise exception 'organization_not_found' using errcode = 'PT404';
    elsif o.deleted_after is not null then
        raise exception 'organization_deleted' using errcode = 'PT409', detail = 'It is deleted, and can be restored by an owner.';
    elsif p_open and o.status = 'disabled' then
        update public.organizations x set status = coalesce(x.disabled_from, 'active'), disabled_from = null where x.id = o.id;
    elsif not p_open and o.status <> 'disabled' then
        update public.organizations x set status = 'disabled', disabled_from = x.status where x.id = o.id;
    end if;
end
$$;
