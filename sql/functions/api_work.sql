-- api_work.sql - runs for operators: list, one with its history, redrive, cancel, signal.  Behind /internal only.

create or replace function api.workflow_run_list(p_state text, p_workflow text, p_after text, p_limit integer) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_after record;
    v_page jsonb;
begin
    select * into v_after from public.cursor_read('workflow_runs', p_after, '.+');
    with page as (
        select r from public.workflow_runs r
         where (p_state is null or r.state = p_state)
           and (p_workflow is null or r.workflow = p_workflow)
           and (v_after.id is null or (r.created_at, r.id) < (v_after.at, v_after.id))
         order by r.created_at desc, r.id desc
         limit p_limit + 1),
    numbered as (select p.r, row_number() over (order by (p.r).created_at desc, (p.r).id desc) i from page p)
    select public.page_view('workflow_runs', array_agg(public.work_run_line(n.r) order by n.i), array_agg((n.r).created_at order by n.i),
                            array_agg((n.r).id order by n.i), p_limit)
      into v_page from numbered n;
    return v_page;
end
$$;

create or replace function api.workflow_run_get(p_run_id text) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    v_run jsonb := public.work_run_view(p_run_id);
begin
    if v_run is null then
        raise exception 'workflow_run_not_found' using errcode = 'PT404';
    end if;
    return v_run;
end
$$;

create or replace function api.workflow_run_redrive(p_run_id text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_done boolean := public.work_redrive(p_run_id);
    v_run jsonb := api.workflow_run_get(p_run_id);
begin
    if not v_done then
        raise exception 'workflow_run_not_failed' using errcode = 'PT409';
    end if;
    return v_run;
end
$$;

create or replace function api.workflow_run_cancel(p_run_id text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_done boolean := public.work_cancel(p_run_id);
    v_run jsonb := api.workflow_run_get(p_run_id);
begin
    if not v_done and v_run ->> 'state' in ('done', 'canceled') then
        raise exception 'workflow_run_over' using errcode = 'PT409';
    end if;
    return v_run;
end
$$;

-- The same signal twice is once, and answers the same.
create or replace function api.workflow_run_signal(p_run_id text, p_name text, p_payload jsonb, p_signal text) returns jsonb
    language plpgsql security definer set search_path = '' as $$
declare
    v_done boolean := public.work_signal(p_run_id, p_name, p_payload, p_signal);
    v_run jsonb := api.workflow_run_get(p_run_id);
begin
    if not v_done and not exists (select from public.workflow_signals s where s.run_id = p_run_id and s.id = p_signal) then
        raise exception 'workflow_run_over' using errcode = 'PT409';
    end if;
    return v_run;
end
$$;
