-- inventory.sql - every table and column that applications may know already can be selected under that name.
--
-- tests/data/seed-names.tsv lists them: relation, columns, and where each was named.
begin;
select no_plan();

\set names `cat :'tests'/data/seed-names.tsv`
create temporary table names as
    select r[1] as relation, string_to_array(r[2], ',') as columns, r[3] as named_by
      from string_to_table(:'names', E'\n') with ordinality l(line, i), string_to_array(l.line, E'\t') r
     where i > 1 and l.line <> '';
select cmp_ok((select count(*)::integer from names), '>=', 40, 'there is a list');

select lives_ok(format('select %s from %s limit 1', (select string_agg(quote_ident(c), ', ') from unnest(n.columns) c),
                       case when n.relation like '%.%' then n.relation else 'public.' || quote_ident(n.relation) end),
                format('%s(%s)', n.relation, array_to_string(n.columns, ', ')))
  from names n;

-- The functions, by name and by what they are given.
select has_function('public', f.name, f.arguments::name[], f.name) from (values
    ('get_next_call_in_queue', '{}'::text[]), ('get_best_available_provider', '{}'), ('assign_call_to_provider', '{uuid,uuid}'),
    ('complete_call', '{uuid,integer,text,text}'), ('handle_failed_call', '{uuid,text}'),
    ('schedule_call', '{uuid,uuid,text,text,text,timestamp with time zone,integer,jsonb,jsonb}')) f(name, arguments);

select is((select array_agg(name order by price) from public.subscription_plans), '{free,basic,business,enterprise}', 'four plans are on sale');

-- A back end that reads these names through its own role gets them too.
select tests.be_role('service_role');
select lives_ok(format('select 1 from public.%I limit 1', r), format('service_role reads %s', r))
  from unnest('{users,profiles,user_subscriptions,stripe_customers,user_phone_numbers,provider_phone_numbers,provider_assistants,user_call_history,
                call_history,user_call_usage,daily_usage,calls,call_queue,call_assignments,call_service_providers,provider_availability,
                voice_options,call_templates,subscription_plans,subscriptions,organizations,user_profiles}'::text[]) r;

select * from finish();
rollback;
