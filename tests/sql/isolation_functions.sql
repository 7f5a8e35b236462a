-- isolation_functions.sql - who may call which function, and what happens when it is given ids of another organization.
--
-- A new function that anybody but the pump may call fails here until it has its row in `callers` (helpers/callers.sql).
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as mine \gset
select tests.organization('Bob', :'bob') as theirs \gset
select tests.provider('Isolation Vapi') as provider \gset
select tests.template(:'mine') as own \gset
select tests.template(:'theirs') as template \gset
select tests.call(:'theirs', :'template') as over \gset
select tests.accepted(:'over', 'isolation-1') as attempt \gset
select tests.report(:'attempt', tests.ended('customer-ended-call') || '{"transcript":"AI: secret","recording_url":"https://r.test/secret"}') \g /dev/null
select public.transcripts_read(100) \g /dev/null
insert into public.call_feedback (call_id, call_created_at, organization_id, user_id, rating) select id, created_at, organization_id, :'bob', 5 from public.calls where id = :'over';
select tests.call(:'theirs', :'template') as waiting \gset

insert into auth.users (id, email, email_confirmed_at) values (:'alice', 'alice@example.com', now()), (:'bob', 'bob@example.com', now());
insert into public.user_profiles (id, status) values (:'alice', 'active'), (:'bob', 'active')
    on conflict (id) do update set status = 'active';
insert into hookswitch_auth.sessions (user_id, expires_at) values (:'bob', now() + interval '1 day') returning id as session \gset
insert into hookswitch_auth.factors (user_id, secret) values (:'bob', 'sealed:x') returning id as factor \gset
insert into hookswitch_auth.factors (user_id, secret) values (:'alice', 'sealed:x') returning id as begun \gset
insert into hookswitch_auth.credentials (user_id, password_hash) values (:'bob', 'x');
insert into hookswitch_auth.one_time_tokens (kind, user_id, expires_at, data)
    values ('totp', :'bob', now() + interval '1 hour', jsonb_build_object('factor_id', :'factor')) returning id as challenge \gset
insert into hookswitch_auth.one_time_tokens (kind, user_id, expires_at, code_challenge, code_challenge_method)
    values ('pkce', :'bob', now() + interval '1 hour', 'challenge', 'plain') returning id as ticket \gset
insert into hookswitch_auth.one_time_tokens (kind, user_id, expires_at)
    values ('pkce', :'bob', now() + interval '1 hour') returning id as bare \gset
insert into hookswitch_auth.one_time_tokens (kind, user_id, expires_at, new_email)
    values ('email_change', :'bob', now() + interval '1 hour', 'bob@new.example') returning id as change \gset
insert into public.organization_invitations (organization_id, email, role, expires_at)
    values (:'theirs', 'carol@example.com', 'member', now() + interval '1 day') returning id as invitation \gset
insert into public.api_keys (organization_id, name, prefix, key_hash) values (:'theirs', 'k', 'hsk_x', repeat('a', 64)) returning id as key \gset

insert into public.phone_numbers (organization_id, phone_number) values (:'theirs', '+15550107002') returning id as number \gset
insert into public.verified_numbers (organization_id, phone_number, expires_at) values (:'theirs', '+15550107003', now() + interval '1 hour') returning id as verified \gset
insert into public.contacts (organization_id, phone_number) values (:'theirs', '+15550100001');
insert into public.do_not_call (organization_id, phone_number) values (:'theirs', '+15550100001');
insert into public.assistants (organization_id, name) values (:'theirs', 'Bob''s') returning id as assistant \gset

\i :tests/sql/helpers/callers.sql

create temporary view functions as
    select p.oid, n.nspname || '.' || p.proname as name, p.prosecdef, p.proowner, p.proconfig, n.nspname,
           coalesce((select case when bool_or(a.grantee = 0) then 'all'
                                 else string_agg(distinct l.label, ' ') end
                       from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                       left join (values ('anon', 'anon'), ('authenticated', 'people'), ('hookswitch_api', 'api'), ('hookswitch_webhook', 'webhook'),
                                         ('service_role', 'service'), ('hookswitch_operator', 'operator')) l(role, label)
                         on a.grantee <> 0 and l.role = a.grantee::regrole::text
                      where a.grantee not in (p.proowner, to_regrole('hookswitch_pump'), to_regrole('hookswitch_owner'))), '') as callers
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname !~ '^pg_|^information_schema$|^tests$' and p.prorettype <> 'trigger'::regtype
       and (n.nspname <> 'auth' or pg_get_userbyid(p.proowner) = 'hookswitch_owner')
       and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e');

-- ---- who may call what -----------------------------------------------------------

-- Labels in the order of the alphabet; functions of api that are the API's alone, and act with its rights, are proved by their routes.
select is(f.callers, (select string_agg(x, ' ' order by x) from (select distinct regexp_split_to_table(c.callers, ' ') as x from callers c where c.name = f.name) y),
          f.name || ' is called by those that "callers" of tests/sql/isolation_functions.sql names (a new function needs its row there)')
  from functions f
 where (f.callers <> '' and not (f.nspname = 'api' and f.callers = 'api' and not f.prosecdef)) or f.name in (select c.name from callers c)
 order by f.name;
select is_empty($$select c.name from callers c where c.name not in (select f.name from functions f)$$, 'no row of "callers" is about a function that is gone');
select is_empty($$select f.name from functions f where f.prosecdef and f.callers ~ '(all|anon|people|api)'
                     and not exists (select from callers c where c.name = f.name and coalesce(c.attempt, c.why_none) is not null)$$,
                'each security definer function that people or the API may call has an attempt with foreign ids in "callers", or a reason why not');
select is_empty($$select f.name, f.proowner::regrole from functions f where f.prosecdef and f.proowner <> 'hookswitch_pump'::regrole
                     and f.name not in ('public.partitions_make', 'public.partition_close', 'api.schema_version')$$,
                'security definer functions of every schema are owned by hookswitch_pump');
select is_empty($$select f.name from functions f where f.prosecdef and not coalesce(f.proconfig @> array['search_path=""'], false)$$,
                'and have an empty search_path');
select is_empty($$select f.name from functions f where f.callers ~ '(all|anon)' and f.prosecdef and f.name <> 'public.current_organization_id'$$,
                'everybody may call one security definer function, the one that policies ask');

select is_empty($$select f.name from functions f join pg_proc p on p.oid = f.oid where f.name ~ '[.]admin_' and f.prosecdef and p.prosrc !~ 'operator_needed|admin_note'$$,
                'each function for operators that acts with the pump''s rights asks for their role itself');

-- ---- with foreign ids -------------------------------------------------------------

-- All that names an organization or its owner, as one text.
create function pg_temp.all_of(p_organization uuid, p_user uuid) returns text language plpgsql as $$
declare
    t record;
    v_sum text;
    v_all text := '';
begin
    for t in select c.oid::regclass as name from pg_class c
              where c.relnamespace::regnamespace::text in ('public', 'auth', 'hookswitch_auth') and c.relkind in ('r', 'p') and not c.relispartition order by 1 loop
        execute format('select md5(string_agg(x::text, '''' order by x::text)) from %s x where x::text ~ %L', t.name, p_organization || '|' || p_user) into v_sum;
        v_all := v_all || t.name || '=' || coalesce(v_sum, '') || ' ';
    end loop;
    return v_all;
end
$$;

-- What Alice gets as p_label ('people', 'api', 'key': the API for a key of hers), and whether anything of Bob's changed.
create function pg_temp.attempt(p_label text, p_alice uuid, p_mine uuid, p_theirs uuid, p_bob uuid, p_sql text) returns text language plpgsql as $$
declare
    v_answer text;
    v_before text := pg_temp.all_of(p_theirs, p_bob);
begin
    begin
        perform tests.be_nobody();
        perform set_config('request.jwt.claims', (case p_label when 'key' then jsonb_build_object('role', 'hookswitch_key', 'key_id', gen_random_uuid())
                                                   else jsonb_build_object('sub', p_alice, 'role', 'authenticated') end)::text, true);
        if p_label <> 'people' then
            perform set_config('hookswitch.organization_id', p_mine::text, true);
        end if;
        perform set_config('role', case p_label when 'people' then 'authenticated' else 'hookswitch_api' end, true);
        execute p_sql into v_answer;
        perform tests.be_nobody();
        raise exception using errcode = 'TST01',
            message = coalesce(v_answer, '') || case when pg_temp.all_of(p_theirs, p_bob) <> v_before then ' AND SOMETHING OF THE OTHER''S CHANGED' else '' end;
    end;
exception
    when sqlstate 'TST01' then return nullif(sqlerrm, '');
    when others then return sqlstate || ' ' || sqlerrm;
end
$$;

create function pg_temp.fill(p_text text, p_things jsonb) returns text language plpgsql as $$
declare
    t record;
begin
    for t in select key, value from jsonb_each_text(p_things) loop
        p_text := replace(p_text, '$' || t.key, t.value);
    end loop;
    return p_text;
end
$$;

select is(case when wanted.answer = '*' and coalesce(got.answer, '') !~ format('SOMETHING OF|%s|%s|%s', :'theirs', :'bob', :'factor') then '*' else got.answer end, wanted.answer,
          format('%s, with foreign ids, %s: %s', c.name, l.label, regexp_replace(c.attempt, '\s+', ' ', 'g')))
  from callers c
  join (values ('people', '(all|people)'), ('api', '(all|api)'), ('key', '(all|api)')) l(label, pattern) on c.callers ~ l.pattern,
       lateral (select pg_temp.attempt(l.label, :'alice', :'mine', :'theirs', :'bob', pg_temp.fill(c.attempt, jsonb_build_object(
                           'mine', :'mine', 'theirs', :'theirs', 'alice', :'alice', 'bob', :'bob', 'own', :'own', 'template', :'template',
                           'over', :'over', 'waiting', :'waiting', 'session', :'session', 'factor', :'factor', 'invitation', :'invitation',
                           'key', :'key', 'assistant', :'assistant', 'begun', :'begun', 'challenge', :'challenge', 'ticket', :'ticket', 'bare', :'bare',
                           'change', :'change', 'number', :'number', 'verified', :'verified'))) as answer) got,
       lateral (select case when l.label = 'key' then coalesce(c.answer_to_key, c.answer) else c.answer end as answer) wanted
 where c.attempt is not null;

-- That an attempt can succeed, and that a change of Bob's is seen.
select is(pg_temp.attempt('api', :'bob', :'theirs', :'theirs', :'bob', format('select public.call_cancel(%L)', :'waiting')),
          ' AND SOMETHING OF THE OTHER''S CHANGED', 'what is one''s own can be reached, and a change is seen');
select isnt(pg_temp.attempt('people', :'bob', :'theirs', :'mine', :'alice', format('select public.schedule_call(%L, %L, ''x'', ''+15550100001'')', :'bob', :'template')),
            null, 'one''s own call can be scheduled');

select * from finish();
rollback;
