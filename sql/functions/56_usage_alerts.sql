-- 56_usage_alerts.sql - warnings when a plan's calls or minutes run out: at 50, 80, 100 and 120 %, each once in a period.

create or replace function public.usage_alerts_check(p_organization uuid) returns integer
    language plpgsql security definer set search_path = '' as $$
declare
    n record;
    a record;
    v_given integer := 0;
begin
    select * into n from public.plan_of(p_organization, clock_timestamp());
    if n.call_limit is null and n.minutes_limit is null then
        return 0;
    end if;
    for a in select k.kind, k.used, k.most, x.percent
               from public.usage_sums_of(p_organization, n.period_start) u
              cross join lateral (values ('calls', u.calls::numeric, n.call_limit), ('minutes', u.billable_seconds / 60.0, n.minutes_limit)) k(kind, used, most)
              cross join unnest('{50,80,100,120}'::integer[]) x(percent)
              where k.most > 0 and k.used * 100 >= k.most::numeric * x.percent
              order by k.kind, x.percent loop
        insert into public.usage_alerts (organization_id, period_start, kind, percent) values (p_organization, n.period_start, a.kind, a.percent)
        on conflict (organization_id, period_start, kind, percent) do nothing;
        continue when not found;
        perform public.usage_alert_send(p_organization, a.kind, a.percent, jsonb_build_object(
            'kind', a.kind, 'percent', a.percent, 'used', floor(a.used), 'limit', a.most, 'limit_mode', n.limit_mode, 'tier', n.tier,
            'period_start', public.time_view(n.period_start), 'period_end', public.time_view(n.period_end)));
        v_given := v_given + 1;
    end loop;
    return v_given;
end
$$;

-- An outgoing event; a mail to each owner and admin, and to the addresses that the settings name; a short message to the numbers there.
create or replace function public.usage_alert_send(p_organization uuid, p_kind text, p_percent integer, p_data jsonb) returns void
    language plpgsql security definer set search_path = '' as $$
declare
    o public.organizations;
    v_key text := format('usage-alert:%s:%s:%s:%s', p_organization, p_data ->> 'period_start', p_kind, p_percent);
    v_text text;
begin
    insert into public.events (organization_id, type, data) values (p_organization, 'usage.threshold_reached', p_data);
    select * into o from public.organizations x where x.id = p_organization;
    perform public.mail_send(v_key || ':' || m.address, 'usage_alert', m.address, p_data || jsonb_build_object('organization_name', o.name), p_organization)
       from (select p.email as address from public.organization_members b join public.user_profiles p on p.id = b.user_id
              where b.organization_id = p_organization and b.role in ('owner', 'admin') and p.email is not null
             union
             select e from jsonb_array_elements_text(public.settings_list(o.settings, '{notifications,email}', 'addresses')) e) m;
    v_text := format('%s: %s %% of this period''s %s are used (%s of %s).', o.name, p_percent, p_kind, p_data ->> 'used', p_data ->> 'limit');
    perform public.sms_send(v_key || ':' || e, e, v_text, p_organization)
       from jsonb_array_elements_text(public.settings_list(o.settings, '{notifications,sms}', 'numbers')) e;
end
$$;

-- A list out of settings, where that way of telling is switched on.
create or replace function public.settings_list(p_settings jsonb, p_path text[], p_name text) returns jsonb
    language sql immutable set search_path = '' as $$
    select case when p_settings #> p_path -> 'enabled' = 'true' and jsonb_typeof(p_settings #> p_path -> p_name) = 'array'
                then p_settings #> p_path -> p_name else '[]' end
$$;
