-- policies.sql - the policies that applications count on, each tried as its owner, as another user, as somebody signed in without a name, and as anon:
-- users see and change only what is theirs; public templates are everybody's who is signed in, private ones their creators'; providers are the
-- operators'; plans are read by who is signed in; the own profile is read and changed.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select gen_random_uuid() as carol \gset
select tests.organization('Alice', :'alice') as org \gset
select tests.organization('Bob', :'bob') as other \gset
insert into public.organization_members (organization_id, user_id, role, is_default) values (:'org', :'carol', 'member', true);
insert into auth.users (id, email) values (:'alice', 'alice@example.com'), (:'bob', 'bob@example.com'), (:'carol', 'carol@example.com');
insert into public.user_profiles (id, first_name, email, status)
select u.id, u.email, u.email, 'active' from auth.users u where u.id in (:'alice', :'bob', :'carol')
on conflict (id) do update set first_name = excluded.first_name, status = 'active';

-- One of everything of Alice's.
select tests.provider('Policies Vapi') as provider \gset
insert into public.provider_availability (provider_id) values (:'provider');
select tests.template(:'org') as template \gset
select public.call_enter(:'org', :'alice', jsonb_build_object('recipient_number', '+15550100001', 'template_id', :'template')) as call \gset
select tests.accepted(:'call', 'policies-1') as attempt \gset
select tests.report(:'attempt', tests.ended('customer-ended-call') || '{"transcript":"AI: hello","recording_url":"https://r.test/1"}') \g /dev/null
select public.call_enter(:'org', :'alice', jsonb_build_object('recipient_number', '+15550100001', 'template_id', :'template')) as waiting \gset
select created_at as at from public.calls where id = :'call' \gset
insert into public.call_retries (call_id, call_created_at, organization_id, attempt, delay_seconds, retry_at) values (:'call', :'at', :'org', 1, 1, now());
insert into public.call_feedback (call_id, call_created_at, organization_id, user_id, rating) values (:'call', :'at', :'org', :'alice', 5);
insert into public.call_actions (call_id, call_created_at, organization_id, action_type) values (:'call', :'at', :'org', 'note');
insert into public.subscriptions (organization_id, user_id, plan_id) select :'org', :'alice', id from public.subscription_plans where name = 'free';
insert into public.template_favorites (user_id, template_id) values (:'alice', :'template');
insert into public.user_settings (user_id, voice_preferences) values (:'alice', '{}') on conflict (user_id) do nothing;
insert into public.phone_numbers (organization_id, user_id, phone_number) values (:'org', :'alice', '+15550107001');
insert into public.call_templates (organization_id, name, created_by, is_public) values (:'org', 'Hers alone', :'alice', false) returning id as private \gset
insert into public.call_templates (organization_id, name, created_by, is_public) values (:'org', 'For all', :'alice', true) returning id as public \gset

-- ---- who asks ------------------------------------------------------------------------

create function pg_temp.be(p_who text, p_user uuid) returns void language plpgsql as $$
begin
    perform tests.be_nobody();
    perform set_config('request.jwt.claims', case when p_user is not null then jsonb_build_object('sub', p_user, 'role', 'authenticated')
                                                  else '{"role":"authenticated"}' end::text, true);
    perform set_config('role', p_who, true);
end
$$;

-- How many rows of a relation somebody sees under a condition; -1: he may not look.
create function pg_temp.sees(p_who text, p_user uuid, p_relation text, p_where text default 'true') returns bigint language plpgsql as $$
declare
    v_columns text := (select string_agg(quote_ident(a.attname), ',') from pg_attribute a
                        where a.attrelid = ('public.' || p_relation)::regclass and a.attnum > 0 and not a.attisdropped
                          and has_column_privilege(p_who, a.attrelid, a.attnum, 'select'));
    v_n bigint;
begin
    perform pg_temp.be(p_who, p_user);
    execute format('select count(*) from (select %s from public.%I where %s) x', coalesce(v_columns, '1'), p_relation, p_where) into v_n;
    perform tests.be_nobody();
    return v_n;
exception when insufficient_privilege then
    return -1;
end
$$;

-- The verbs of u d i with which somebody changed anything in a relation; nothing stays.
create function pg_temp.changes(p_who text, p_user uuid, p_relation text) returns text language plpgsql as $$
declare
    v_row jsonb;
    v_done text := '';
    v_n bigint;
    s record;
begin
    execute format('select to_jsonb(x) from public.%I x limit 1', p_relation) into v_row;
    for s in with columns as (
                 select quote_ident(a.attname) as name from pg_attribute a
                  where a.attrelid = ('public.' || p_relation)::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = '')
             select 'u' as verb, format('update public.%1$I set %2$s = %2$s', p_relation, c.name) as query from columns c
             union all select 'd', format('delete from public.%I', p_relation)
             union all select 'i', format('insert into public.%1$I (%2$s) select %2$s from jsonb_populate_record(null::public.%1$I, %3$L)', p_relation,
                                          string_agg(c.name, ', '), v_row) from columns c loop
        begin
            perform pg_temp.be(p_who, p_user);
            execute s.query;
            get diagnostics v_n = row_count;
            raise exception using errcode = 'TST01', message = v_n;
        exception
            when sqlstate 'TST01' then
                v_done := v_done || case when sqlerrm::bigint > 0 and position(s.verb in v_done) = 0 then s.verb else '' end;
            -- A view that cannot be written, whoever tries.
            when insufficient_privilege or object_not_in_prerequisite_state or feature_not_supported or syntax_error then null;
            -- A constraint or a trigger stands behind the wall, so the wall has let it through.
            when others then v_done := v_done || s.verb;
        end;
    end loop;
    perform tests.be_nobody();
    return v_done;
end
$$;

-- ---- users see and change only their own data ----------------------------------------------

create temporary table hers (relation text primary key, own text not null default '');
insert into hers (relation, own) values
    ('user_profiles', 'u'), ('profiles', 'u'), ('users', ''), ('user_settings', ''), ('subscriptions', ''), ('user_subscriptions', ''),
    ('user_call_usage', ''), ('daily_usage', ''), ('call_queue', ''), ('calls', ''), ('call_history', ''), ('user_call_history', ''),
    ('call_transcripts', ''), ('call_recordings', ''), ('call_actions', ''), ('call_feedback', ''), ('call_assignments', ''),
    ('call_retries', ''), ('template_favorites', ''), ('phone_numbers', ''), ('user_phone_numbers', '');

-- What is whose: in a person's own relations by his id, in all others by his organization, of which Bob is no member.
select cmp_ok(pg_temp.sees('authenticated', :'alice', h.relation), '>', 0::bigint, format('%s: its owner sees it', h.relation)) from hers h;
select is(pg_temp.sees('authenticated', :'bob', h.relation, format('to_jsonb(%I)::text ~ %L', h.relation, concat_ws('|', :'alice', :'org', :'call'))), 0::bigint,
          format('%s: another user sees nothing of it', h.relation)) from hers h
 where h.relation not in ('calls', 'call_queue', 'call_assignments', 'call_recordings', 'call_transcripts', 'organizations', 'subscriptions', 'phone_numbers'); -- some columns are hidden
select is(pg_temp.sees('authenticated', :'bob', h.relation), case when h.relation in ('user_profiles', 'profiles', 'users', 'subscriptions', 'user_subscriptions') then 1 else 0 end::bigint,
          format('%s: he sees his own, if anything', h.relation)) from hers h;
select is(pg_temp.sees('authenticated', null, h.relation), 0::bigint, format('%s: a token that names nobody sees nothing', h.relation)) from hers h;
select is(pg_temp.sees('anon', null, h.relation), -1::bigint, format('%s: anon may not look', h.relation)) from hers h;
select is(pg_temp.sees('anon', :'alice', h.relation), -1::bigint, format('%s: nor with her id in his claims', h.relation)) from hers h;
select is(pg_temp.changes('authenticated', :'alice', h.relation), h.own, format('%s: she changes what is hers to change', h.relation)) from hers h;
select is(pg_temp.changes('authenticated', null, h.relation), '', format('%s: a token that names nobody changes nothing', h.relation)) from hers h;
select is(pg_temp.changes('anon', :'alice', h.relation), '', format('%s: nor does anon', h.relation)) from hers h;

-- ---- the own profile --------------------------------------------------------------------------

select pg_temp.be('authenticated', :'alice');
update public.user_profiles set first_name = 'A', last_name = 'L', phone_number = '+15550100009', address = '{"zip":"1"}', preferences = '{"theme":"dark"}',
       city = 'Springfield', state = 'OR';
select results_eq('select first_name, last_name, phone_number, address, preferences, city, state from public.profiles',
    $$values ('A', 'L', '+15550100009', '{"zip":"1"}'::jsonb, '{"theme":"dark"}'::jsonb, 'Springfield', 'OR')$$, 'a person changes her own profile');
update public.profiles set city = 'Salem';
select is((select city from public.user_profiles), 'Salem', 'under its other name too');
select throws_ok(format('update public.%s set %s = %L', r, c, v), '42501', null, format('%s.%s is not hers to change', r, c))
  from (values ('user_profiles'), ('profiles')) x(r), (values ('status', 'inactive'), ('email', 'x@example.com'), ('id', :'bob'), ('paddle_customer_id', 'ctm_1'),
                                                             ('created_at', '2020-01-01')) y(c, v);
select pg_temp.be('authenticated', :'bob');
update public.user_profiles set city = 'Nowhere' where id = :'alice';
update public.profiles set city = 'Nowhere' where id = :'alice';
select tests.be_nobody();
select results_eq(format('select city from public.user_profiles where id in (%L, %L) order by city nulls last', :'alice', :'bob'),
                  $$values ('Salem'), (null)$$, 'nobody changes another''s');

-- ---- templates -----------------------------------------------------------------------------------

select is(pg_temp.sees('authenticated', who.id, 'call_templates', format('id = %L', :'public')), 1::bigint, format('a public template is seen by %s', who.name))
  from (values (:'alice'::uuid, 'its creator'), (:'bob', 'a stranger'), (:'carol', 'a colleague'), (null, 'whoever is signed in')) who(id, name);
select is(pg_temp.sees('authenticated', who.id, 'call_templates', format('id = %L', :'private')), who.n::bigint, format('a private one by %s: %s', who.name, who.n))
  from (values (:'alice'::uuid, 'its creator', 1), (:'bob', 'a stranger', 0), (:'carol', 'a colleague', 0), (null, 'whoever is signed in', 0)) who(id, name, n);
select is(pg_temp.sees('anon', :'alice', 'call_templates'), -1::bigint, 'anon sees neither');
select is(pg_temp.changes('authenticated', who, 'call_templates'), '', 'and nobody changes one past the API') from unnest(array[:'alice', :'bob', null]::uuid[]) who;
select tests.be(u) from unnest(array[:'carol']::uuid[]) u \g /dev/null
select is((select array_agg(name order by name) from public.call_templates where id in (:'private', :'public')), '{"For all"}', 'the API shows a colleague no private one');
select tests.be(:'bob');
select is((select array_agg(name order by name) from public.call_templates where id in (:'private', :'public')), '{"For all"}', 'nor a stranger');
select tests.be(:'alice');
select is((select array_agg(name order by name) from public.call_templates where id in (:'private', :'public')), '{"For all","Hers alone"}', 'and its creator hers');
select is_empty('select 1 from public.call_template_targets t where not exists (select from public.call_templates c where c.id = t.template_id)',
                'where one can be said is seen as far as itself');
select tests.be_nobody();
create function pg_temp.ordered(p_org uuid, p_user uuid, p_template uuid) returns text language plpgsql as $$
begin
    perform public.call_enter(p_org, p_user, jsonb_build_object('recipient_number', '+15550100001', 'template_id', p_template));
    return 'taken';
exception when sqlstate 'PT422' then
    return sqlerrm;
end
$$;
insert into public.call_template_targets (template_id, provider_type, assistant) values (:'private', 'vapi', 'a'), (:'public', 'vapi', 'a')
    on conflict do nothing;
select is(pg_temp.ordered(o, u, :'private'), wanted, 'a private template is ordered with by its creator only')
  from (values (:'org'::uuid, :'alice'::uuid, 'taken'), (:'org', :'carol', 'template_not_found'), (:'other', :'bob', 'template_not_found')) x(o, u, wanted);
select is(pg_temp.ordered(o, u, :'public'), 'taken', 'a public one by everybody')
  from (values (:'org'::uuid, :'alice'::uuid), (:'org', :'carol'), (:'other', :'bob')) x(o, u);

-- ---- providers ---------------------------------------------------------------------------------------

select is(pg_temp.sees(who, :'alice', r), n::bigint, format('%s: %s %s', r, who, case when n < 0 then 'cannot reach it at all' else 'sees it' end))
  from (values ('call_service_providers'), ('provider_availability')) x(r),
       (values ('anon', -1), ('authenticated', -1), ('hookswitch_api', -1), ('hookswitch_webhook', -1), ('service_role', 1), ('hookswitch_operator', 1)) y(who, n);
select is(pg_temp.changes(who, :'alice', r), '', format('%s: %s changes nothing of it', r, who))
  from (values ('call_service_providers'), ('provider_availability')) x(r),
       unnest('{anon,authenticated,hookswitch_api,hookswitch_webhook,hookswitch_operator}'::text[]) who;
select isnt(pg_temp.changes('service_role', null, 'provider_availability'), '', 'the back end of an application does');

-- ---- plans -----------------------------------------------------------------------------------------------

select is(pg_temp.sees('authenticated', who, 'subscription_plans'), 4::bigint, 'plans are read by who is signed in') from unnest(array[:'alice', :'bob', null]::uuid[]) who;
select is(pg_temp.sees('anon', :'alice', 'subscription_plans'), -1::bigint, 'not by anon');
select is(pg_temp.changes(who, :'alice', 'subscription_plans'), '', format('and changed by no %s', who))
  from unnest('{anon,authenticated,hookswitch_api,service_role,hookswitch_operator}'::text[]) who;

-- ---- voices, and what is ordered ----------------------------------------------------------------------------

select cmp_ok(pg_temp.sees('authenticated', :'bob', 'voice_options'), '>', 0::bigint, 'voices on offer are read by who is signed in');
select is(pg_temp.sees('anon', null, 'voice_options'), -1::bigint, 'not by anon');
select pg_temp.be('authenticated', :'bob');
select lives_ok(format('select public.schedule_call(%L, %L, ''x'', ''+15550100002'')', :'bob', :'public'), 'anyone who is signed in adds to the queue');
select throws_ok(format('select public.schedule_call(%L, %L, ''x'', ''+15550100002'')', :'alice', :'public'), 'PT403', 'user_mismatch', 'for himself');
select pg_temp.be('anon', :'bob');
select throws_ok(format('select public.schedule_call(%L, %L, ''x'', ''+15550100002'')', :'bob', :'public'), '42501', null, 'anon does not');

select * from finish();
rollback;
