-- 15_roles.sql - what each role of a member may do.  This is the only place that says it: requests are checked against it, the documentation's
-- table is made from it, and tests read it.

create or replace function public.role_scopes() returns table (role text, scope text)
    language plpgsql immutable set search_path = '' as $$
begin
    return query values
        ('viewer', 'calls:read'),
        ('viewer', 'contacts:read'),
        ('viewer', 'templates:read'),
        ('viewer', 'voices:read'),
        ('viewer', 'numbers:read'),
        ('viewer', 'organization:read'),
        ('viewer', 'members:read'),
        ('viewer', 'assistants:read'),
        ('member', 'calls:read'),
        ('member', 'contacts:read'),
        ('member', 'templates:read'),
        ('member', 'voices:read'),
        ('member', 'numbers:read'),
        ('member', 'organization:read'),
        ('member', 'members:read'),
        ('member', 'calls:write'),
        ('member', 'contacts:write'),
        ('member', 'templates:write'),
        ('member', 'usage:read'),
        ('member', 'assistants:read'),
        ('member', 'assistants:write'),
        ('admin', 'calls:read'),
        ('admin', 'contacts:read'),
        ('admin', 'templates:read'),
        ('admin', 'voices:read'),
        ('admin', 'numbers:read'),
        ('admin', 'numbers:write'),
        ('admin', 'organization:read'),
        ('admin', 'members:read'),
        ('admin', 'calls:write'),
        ('admin', 'contacts:write'),
        ('admin', 'templates:write'),
        ('admin', 'organization:write'),
        ('admin', 'members:write'),
        ('admin', 'keys:read'),
        ('admin', 'keys:write'),
        ('admin', 'audit:read'),
        ('admin', 'usage:read'),
        ('admin', 'billing:read'),
        ('admin', 'billing:write'),
        ('admin', 'assistants:read'),
        ('admin', 'assistants:write'),
        ('owner', 'calls:read'),
        ('owner', 'contacts:read'),
        ('owner', 'templates:read'),
        ('owner', 'voices:read'),
        ('owner', 'numbers:read'),
        ('owner', 'numbers:write'),
        ('owner', 'organization:read'),
        ('owner', 'members:read'),
        ('owner', 'calls:write'),
        ('owner', 'contacts:write'),
        ('owner', 'templates:write'),
        ('owner', 'organization:write'),
        ('owner', 'members:write'),
        ('owner', 'keys:read'),
        ('owner', 'keys:write'),
        ('owner', 'audit:read'),
        ('owner', 'usage:read'),
        ('owner', 'billing:read'),
        ('owner', 'billing:write'),
        ('owner', 'assistants:read'),
        ('owner', 'assistants:write'),
        ('owner', 'organization:delete');
end
$$;

-- Refuses a member whose role lacks the scope.
create or replace function public.role_check(p_organization uuid, p_user uuid, p_scope text) returns void
    language plpgsql stable set search_path = '' as $$
declare
    v_role text;
begin
    select m.role into v_role from public.organization_members m where m.organization_id = p_organization and m.user_id = p_user;
    perform from public.role_scopes() r where r.role = v_role and r.scope = p_scope;
    if not found then
        raise exception 'role_missing' using errcode = 'PT403', detail = format('The role %s lacks the scope %s.', v_role, p_scope);
    end if;
end
$$;
