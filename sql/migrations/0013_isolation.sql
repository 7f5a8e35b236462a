-- 0013_isolation.sql - who has left an organization reads nothing of it any more.

-- What a person made by himself stays his; what he made for an organization he reads while he acts for it.
alter policy call_templates_people on public.call_templates
    using (is_public or (created_by = (select public.current_user_id())
                         and (organization_id is null or organization_id = (select public.current_organization_id()))));
