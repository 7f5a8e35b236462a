-- api_admin_queue.sql - /api/v1/admin/queue, /runs and /usage.  Run as hookswitch_operator.

-- All tenants at a glance.
create or replace function api.admin_queue() returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return jsonb_build_object(
        'calls', (select jsonb_build_object('ready', count(*) filter (where q.status = 'queued' and q.ready),
                                            'later', count(*) filter (where q.status = 'queued' and not q.ready),
                                            'in_progress', count(*) filter (where q.status = 'in-progress'))
                    from public.call_queue q where q.status in ('queued', 'in-progress')),
        'oldest_due_at', (select public.time_view(min(q.due_at)) from public.call_queue q where q.status = 'queued' and q.ready),
        'waiting', (select coalesce(jsonb_object_agg(w.reason, w.n), '{}') from (
            select coalesce(q.admission, 'not_tried') as reason, count(*) as n from public.call_queue q where q.status = 'queued' and q.ready group by 1) w),
        'organizations', (select coalesce(jsonb_agg(jsonb_build_object('organization_id', t.organization_id, 'name', o.name, 'waiting', t.waiting,
                                                                       'in_progress', t.live) order by t.waiting desc, t.live desc, t.organization_id), '[]')
            from (select q.organization_id, count(*) filter (where q.status = 'queued') as waiting, count(*) filter (where q.status = 'in-progress') as live
                    from public.call_queue q where q.status in ('queued', 'in-progress') group by 1 order by 2 desc, 3 desc, 1 limit 20) t
            join public.organizations o on o.id = t.organization_id),
        'attempts', (select coalesce(jsonb_object_agg(s.state, s.n), '{}') from (
            select a.state, count(*) as n from public.call_assignments a where a.state in ('leased', 'sent', 'accepted', 'unknown') group by 1) s),
        'stuck', (select count(*) from public.call_assignments a
                   where (a.state in ('leased', 'sent', 'accepted', 'unknown') or (a.next_look_at is not null and a.state = 'ended'))
                     and public.admin_stuck(a, 300)),
        'dead_letters', (select count(*) from public.workflow_runs r where r.state = 'failed'),
        'webhooks', (select coalesce(jsonb_object_agg(s.state, s.n), '{}') from (
            select e.state::text as state, count(*) as n from public.webhook_events e
             where e.state in ('waiting', 'failed', 'foreign_call', 'unmatched', 'unknown') group by 1) s),
        'end_reasons_unlisted', (select count(*) from public.end_reasons_unlisted));
end
$$;

-- The oldest first.
create or replace function api.admin_attempt_list(p_kind text, p_seconds integer, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('admin_attempts', p_after);
    with page as (
        select a, row_number() over (order by a.created_at, a.id) as i from public.call_assignments a
         where (a.state in ('leased', 'sent', 'accepted', 'unknown') or (a.next_look_at is not null and a.state = 'ended'))
           and case p_kind when 'stuck' then public.admin_stuck(a, p_seconds) when 'unknown' then a.state = 'unknown' else true end
           and (v_after.id is null or (a.created_at, a.id) > (v_after.at, v_after.id::uuid))
         order by a.created_at, a.id limit p_limit + 1)
    select public.page_view('admin_attempts', array_agg(public.admin_attempt_view(g.a) order by g.i), array_agg((g.a).created_at order by g.i),
                            array_agg((g.a).id::text order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function api.admin_attempt_look(p_attempt_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_attempt_look(p_attempt_id);
    return (select public.admin_attempt_view(a) from public.call_assignments a where a.id = p_attempt_id);
end
$$;

create or replace function api.admin_call_cancel(p_call_id uuid) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    perform public.admin_call_end(p_call_id);
    return (select jsonb_build_object('id', q.id, 'organization_id', q.organization_id, 'status', q.status,
                                      'cancel_requested_at', public.time_view(q.cancel_requested_at)) from public.call_queue q where q.id = p_call_id);
end
$$;

-- The newest first.
create or replace function api.admin_webhook_list(p_state text, p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('admin_webhooks', p_after, '[0-9]{1,18}');
    with page as (
        select w, row_number() over (order by w.id desc) as i from public.webhook_events w
         where w.state in ('waiting', 'failed', 'foreign_call', 'unmatched', 'unknown') and w.state = p_state
           and (v_after.id is null or w.id < v_after.id::bigint)
         order by w.id desc limit p_limit + 1)
    select public.page_view('admin_webhooks', array_agg(public.admin_webhook_view(g.w) order by g.i), array_agg((g.w).received_at order by g.i),
                            array_agg((g.w).id::text order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

create or replace function api.admin_webhook_apply(p_event_id bigint) returns jsonb
    language plpgsql set search_path = '' as $$
begin
    return public.admin_webhook_view(public.admin_webhook_apply(p_event_id));
end
$$;

-- The newest first.
create or replace function api.admin_end_reasons(p_after text default null, p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('admin_end_reasons', p_after, '.+');
    with page as (
        select u, u.provider_type || ' ' || u.reason as id, row_number() over (order by u.first_seen_at desc, u.provider_type || ' ' || u.reason desc) as i
          from public.end_reasons_unlisted u
         where v_after.id is null or (u.first_seen_at, u.provider_type || ' ' || u.reason) < (v_after.at, v_after.id)
         order by u.first_seen_at desc, u.provider_type || ' ' || u.reason desc limit p_limit + 1)
    select public.page_view('admin_end_reasons', array_agg(jsonb_build_object(
               'provider_type', (g.u).provider_type, 'reason', (g.u).reason, 'seen', (g.u).seen, 'first_seen_at', public.time_view((g.u).first_seen_at),
               'last_seen_at', public.time_view((g.u).last_seen_at)) order by g.i), array_agg((g.u).first_seen_at order by g.i),
                            array_agg(g.id order by g.i), p_limit)
      into v_page from page g;
    return v_page;
end
$$;

-- ---- runs ------------------------------------------------------------------

create or replace function api.admin_run_redrive(p_run_id text) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v_done boolean := public.work_redrive(p_run_id);
    v_run jsonb := api.workflow_run_get(p_run_id);
begin
    if not v_done then
        raise exception 'workflow_run_not_failed' using errcode = 'PT409';
    end if;
    perform public.admin_run_note('run.redriven', p_run_id);
    return v_run;
end
$$;

create or replace function api.admin_run_cancel(p_run_id text) returns jsonb
    language plpgsql set search_path = '' as $$
declare
    v_done boolean := public.work_cancel(p_run_id);
    v_run jsonb := api.workflow_run_get(p_run_id);
begin
    if not v_done and v_run ->> 'state' in ('done', 'canceled') then
        raise exception 'workflow_run_over' using errcode = 'PT409';
    end if;
    perform public.admin_run_note('run.canceled', p_run_id);
    return v_run;
end
$$;

-- ---- usage ------------------------------------------------------------------

-- What each organization used; those that used nothing too.  p_from: this month where it is not given (UTC).
create or replace function public.admin_usage_rows(p_from timestamptz, p_to timestamptz, p_after text, p_limit integer)
    returns table (i bigint, organization_id uuid, name text, created_at timestamptz, usage jsonb)
    language plpgsql stable set search_path = '' as $$
declare
    v_after record;
begin
    select * into v_after from public.cursor_read('admin_usage', p_after);
    return query
    select row_number() over (order by o.created_at desc, o.id desc), o.id, o.name, o.created_at,
           public.admin_usage_of(o.id, coalesce(p_from, date_trunc('month', now(), 'UTC')), p_to)
      from (select x.id, x.name, x.created_at from public.organizations x
             where v_after.id is null or (x.created_at, x.id) < (v_after.at, v_after.id::uuid)
             order by x.created_at desc, x.id desc limit p_limit) o;
end
$$;

create or replace function api.admin_usage(p_from timestamptz default null, p_to timestamptz default null, p_after text default null,
                                           p_limit integer default 20) returns jsonb
    language plpgsql stable set search_path = '' as $$
begin
    return (select public.page_view('admin_usage', array_agg(jsonb_build_object('organization_id', u.organization_id, 'name', u.name) || u.usage order by u.i),
                                    array_agg(u.created_at order by u.i), array_agg(u.organization_id::text order by u.i), p_limit)
              from public.admin_usage_rows(p_from, p_to, p_after, p_limit + 1) u);
end
$$;

-- The same as CSV, 500 organizations at a time: {"text","next_cursor"}.
create or replace function api.admin_usage_export(p_from timestamptz, p_to timestamptz, p_after text) returns jsonb
    language plpgsql stable set search_path = '' as $$
declare
    v_text text;
    v_next text;
begin
    select string_agg(concat_ws(',', public.csv_field(u.organization_id::text), public.csv_field(u.name), u.usage ->> 'calls', u.usage ->> 'seconds',
                                u.usage ->> 'minutes', u.usage ->> 'cost_cents') || E'\r\n', '' order by u.i) filter (where u.i <= 500),
           case when count(*) > 500 then max(case when u.i = 500 then public.cursor_make('admin_usage', u.created_at, u.organization_id::text) end) end
      into v_text, v_next from public.admin_usage_rows(p_from, p_to, p_after, 501) u;
    return jsonb_build_object('text', case when p_after is null then E'organization_id,name,calls,seconds,minutes,cost_cents\r\n' else '' end || coalesce(v_text, ''),
                              'next_cursor', v_next);
end
$$;
