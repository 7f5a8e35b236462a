-- 0007_views.sql - the same facts under the names that applications may know already.  Each view asks as its reader.

create view public.users with (security_invoker = true) as
    select p.id, p.email, p.first_name, p.last_name, p.phone_number, p.address, p.preferences, p.status, p.created_at, p.updated_at
      from public.user_profiles p;
comment on view public.users is 'People with their profiles.';

create view public.profiles with (security_invoker = true) as
    select p.id, p.first_name, p.last_name, p.phone_number, p.email, p.address, p.preferences, p.city, p.state, p.paddle_customer_id,
           p.status, p.created_at, p.updated_at
      from public.user_profiles p;
comment on view public.profiles is 'user_profiles.';

create view public.user_subscriptions with (security_invoker = true) as
    select s.id, s.user_id, s.plan_id, s.status,
           case when s.origin = 'stripe' then s.external_id end as stripe_sub_id,
           s.current_period_start, s.current_period_end, s.cancel_at_period_end, s.payment_method,
           s.external_id as subscription_id, s.organization_id, s.tier_type, s.current, s.created_at, s.updated_at
      from public.subscriptions s;
comment on view public.user_subscriptions is 'subscriptions.';

create view public.stripe_customers with (security_invoker = true) as
    select o.personal_of as user_id, o.stripe_customer_id as customer_id, o.id as organization_id
      from public.organizations o
     where o.stripe_customer_id is not null;
comment on view public.stripe_customers is 'Organizations that Stripe knows.';

create view public.user_phone_numbers with (security_invoker = true) as
    select n.id, n.user_id, n.organization_id, n.phone_number as full_number, n.phone_number, n.status, n.capabilities, n.created_at
      from public.phone_numbers n;
comment on view public.user_phone_numbers is 'phone_numbers, as callers choose them.';

create view public.provider_phone_numbers with (security_invoker = true) as
    select n.id, n.provider_id, n.provider_sid as phone_id, n.country_code, n.area_code, n.phone_number, n.phone_number as full_number,
           n.status = 'active' as is_active, n.capabilities, n.created_at, n.updated_at
      from public.phone_numbers n;
comment on view public.provider_phone_numbers is 'phone_numbers, as providers list them.';

create view public.provider_assistants with (security_invoker = true) as
    select a.id, a.organization_id, a.name, a.vapi_assistant_id as provider_assistant_id, a.status, a.created_at, a.updated_at
      from public.assistants a;
comment on view public.provider_assistants is 'assistants.';

create view public.user_call_history with (security_invoker = true) as
    select c.id, c.user_id, c.id as call_queue_id, c.provider_call_id as call_id, c.provider_id, c.assistant_id, c.phone_number_id,
           c.caller_number_id, c.voice_id, t.transcript_text as transcript, c.status, c.duration_seconds as duration, r.recording_url,
           c.metadata as call_data, c.organization_id, c.created_at
      from public.calls c
      left join public.call_transcripts t on t.call_id = c.id and t.call_created_at = c.created_at
      left join public.call_recordings r on r.call_id = c.id and r.call_created_at = c.created_at
     where c.finished_at is not null;
comment on view public.user_call_history is 'Calls that are over.';

create view public.call_history with (security_invoker = true) as
    select c.id, c.user_id, c.organization_id, c.template_id, c.provider_id, c.provider_call_id as call_id,
           c.recipient_name, c.to_number as recipient_number, c.recipient_email, c.status, c.ended_reason, c.started_at, c.ended_at,
           c.duration_seconds, c.duration_seconds as duration, r.recording_url, t.transcript_text as transcript, t.summary,
           c.custom_variables, c.metadata, c.created_at, c.updated_at
      from public.calls c
      left join public.call_transcripts t on t.call_id = c.id and t.call_created_at = c.created_at
      left join public.call_recordings r on r.call_id = c.id and r.call_created_at = c.created_at;
comment on view public.call_history is 'All calls with recipient, duration, recording and transcript.';

create view public.user_call_usage with (security_invoker = true) as
    select md5(u.organization_id::text || coalesce(u.user_id::text, '') || u.period_start::text)::uuid as id,
           u.user_id, u.organization_id, s.id as subscription_id,
           u.period_start as billing_period_start, u.period_start + interval '1 month' as billing_period_end,
           u.calls_used, u.minutes_used,
           p.call_limit - u.calls_used as calls_remaining, p.minutes_limit - u.minutes_used as minutes_remaining,
           u.last_updated
      from (select e.organization_id, e.user_id,
                   date_trunc('month', e.occurred_at, 'UTC') as period_start,
                   coalesce(sum(e.quantity) filter (where e.kind = 'calls'), 0)::integer as calls_used,
                   coalesce(sum(ceil(e.quantity / 60)) filter (where e.kind = 'seconds'), 0)::integer as minutes_used,
                   max(e.created_at) as last_updated
              from public.usage_entries e
             group by 1, 2, 3) u
      left join public.subscriptions s on s.organization_id = u.organization_id and s.current
      left join public.subscription_plans p on p.id = s.plan_id;
comment on view public.user_call_usage is 'The ledger summed by person and month (UTC); minutes are rounded up for each call.';

create view public.daily_usage with (security_invoker = true) as
    select e.organization_id, (e.occurred_at at time zone 'UTC')::date as date,
           coalesce(sum(e.quantity) filter (where e.kind = 'calls'), 0)::integer as calls,
           coalesce(sum(e.quantity) filter (where e.kind = 'seconds'), 0) as seconds,
           coalesce(sum(ceil(e.quantity / 60)) filter (where e.kind = 'seconds'), 0)::integer as minutes
      from public.usage_entries e
     group by 1, 2;
comment on view public.daily_usage is 'The ledger summed by organization and day (UTC).';
