-- templates.sql - templates: texts and variables, who sees which, sharing, deleting, and the stock that assistants are made from.
begin;
select no_plan();

select gen_random_uuid() as alice \gset
select gen_random_uuid() as carol \gset
select gen_random_uuid() as bob \gset
select tests.organization('Alice', :'alice') as org \gset
insert into public.organization_members (organization_id, user_id, role, is_default) values (:'org', :'carol', 'member', true);
select tests.organization('Bob', :'bob') as other \gset
insert into auth.users (id, email, email_confirmed_at) values (:'alice', 'alice@example.com', now()), (:'carol', 'carol@example.com', now()),
    (:'bob', 'bob@example.com', now());
select tests.provider('Templates Vapi') as provider \gset

-- ---- texts ----------------------------------------------------------------------

select is(public.template_render(t, v), r, format('%s with %s becomes %s', t, v, r)) from (values
    ('Hello {{name}}!', '{"name":"Ann"}'::jsonb, 'Hello Ann!'),
    ('{{ name }}{{name}}', '{"name":"Ann"}', 'AnnAnn'),
    ('{{name}}', '{}', ''), ('{{name}}', '{"name":null}', ''), ('no variables', '{"name":"x"}', 'no variables'), ('', '{}', ''),
    ('{{n}} {{b}}', '{"n":3.50,"b":true}', '3.50 true'),
    ('{{a}}', '{"a":"{{b}}","b":"secret"}', '{ {b}}'),
    ('{{{a}}', '{"a":"{b}}","b":"secret"}', '{ {b}}'),
    ('{{a}}{{b}}', '{"a":"{","b":"{x}}","x":"secret"}', '{ {x}}'),
    ('{{a}}', '{"a":"{% include x %}"}', '{ % include x %}'),
    ('{{a}}', '{"a":"\\1 \\& $1"}', '\1 \& $1'),
    (E'line\n{{a}}\nline', '{"a":"x"}', E'line\nx\nline')) x(t, v, r);
select is(public.template_render(null, '{}'), null, 'no text stays none');

-- The error as "code field".
create function tests.refusal(p_sql text) returns text language plpgsql as $$
declare
    v_hint text;
begin
    execute p_sql;
    return null;
exception when others then
    get stacked diagnostics v_hint = pg_exception_hint;
    return sqlstate || ' ' || sqlerrm || ' ' || v_hint;
end
$$;

select is(tests.refusal(format('insert into public.call_templates (name, organization_id, params, first_message) values (''t'', %L, %L, %L)', :'org', p, m)), r, format('%s with %s', m, p))
  from (values
    ('{"variables":[{"name":"who"}]}', 'Hello {{who}}', null),
    ('{"required":["who"]}', 'Hello {{ who }}', null),
    ('{"variables":[{"name":"who"}]}', 'Hello {{whom}}', 'PT422 variable_undeclared first_message'),
    ('{}', 'Hello {{who}}', 'PT422 variable_undeclared first_message'),
    ('{"variables":[{"name":"who"}]}', 'Hello {{who | upcase}}', 'PT422 template_text_invalid first_message'),
    ('{"variables":[{"name":"who"}]}', 'Hello {{who', 'PT422 template_text_invalid first_message'),
    ('{"variables":[{"name":"who"}]}', 'Hello {{}}', 'PT422 template_text_invalid first_message'),
    ('{}', '{% if x %}', 'PT422 template_text_invalid first_message'),
    ('{}', E'bell \x07', 'PT422 template_text_invalid first_message'),
    ('{}', E'two\nlines and { one brace }', null)) x(p, m, r);

select is(tests.refusal(format('insert into public.call_templates (name, organization_id, params, params_order) values (''t'', %L, %L, %L)', :'org', p, o)), r, format('params %s, order %s', p, o))
  from (values
    ('{"variables":"x"}', '[]', 'PT422 template_params_invalid params.variables'),
    ('{"variables":["x"]}', '[]', 'PT422 template_params_invalid params.variables.0'),
    ('{"variables":[{"name":"a"},{"nam":"b"}]}', '[]', 'PT422 template_params_invalid params.variables.1.nam'),
    ('{"variables":[{}]}', '[]', 'PT422 template_params_invalid params.variables.0.name'),
    ('{"variables":[{"name":"a b"}]}', '[]', 'PT422 template_params_invalid params.variables.0.name'),
    ('{"variables":[{"name":"a"},{"name":"a"}]}', '[]', 'PT422 template_params_invalid params.variables.1.name'),
    ('{"variables":[{"name":"a","type":"list"}]}', '[]', 'PT422 template_params_invalid params.variables.0.type'),
    ('{"variables":[{"name":"a","required":"yes"}]}', '[]', 'PT422 template_params_invalid params.variables.0.required'),
    ('{"variables":[{"name":"a","max_length":0}]}', '[]', 'PT422 template_params_invalid params.variables.0.max_length'),
    ('{"variables":[{"name":"a","max_length":4001}]}', '[]', 'PT422 template_params_invalid params.variables.0.max_length'),
    ('{"variables":[{"name":"a","type":"number","default":"many"}]}', '[]', 'PT422 template_params_invalid params.variables.0.default'),
    ('{"variables":[{"name":"a","example":"{{b}}"}]}', '[]', 'PT422 template_params_invalid params.variables.0.example'),
    ('{"variables":[{"name":"a"},{"name":"b"}]}', '["a"]', 'PT422 template_params_invalid params_order'),
    ('{"variables":[{"name":"a"},{"name":"b"}]}', '["a","c"]', 'PT422 template_params_invalid params_order'),
    ('{"variables":[{"name":"a"},{"name":"b"}]}', '["a","a"]', 'PT422 template_params_invalid params_order'),
    ('{"variables":[{"name":"a"},{"name":"b"}]}', '["b","a"]', null)) x(p, o, r);
select is(tests.refusal(format('insert into public.call_templates (name, organization_id, params) values (''t'', %L, %L)', :'org',
          jsonb_build_object('variables', (select jsonb_agg(jsonb_build_object('name', 'v' || i)) from generate_series(1, n) i)))), r, format('%s variables', n))
  from (values (50, null), (51, 'PT422 template_params_invalid params.variables')) x(n, r);
insert into public.call_templates (name, organization_id, params) values ('t', :'org', '{"variables":[{"name":"b"},{"name":"a"}]}') returning params_order as made \gset
select is(:'made'::jsonb, '["b","a"]', 'without an order it is that of the declaration');

-- ---- values --------------------------------------------------------------------------

select is(tests.refusal(format('select public.template_values(%L, %L, ''v'')', p, v)), r, format('%s for %s', v, p)) from (values
    ('{}', '{"any":"thing","n":1,"b":false,"none":null}', null),
    ('{}', '["x"]', 'PT422 variable_invalid v'),
    ('{}', '7', 'PT422 variable_invalid v'),
    ('{}', '{"a":{"b":[1,{"c":{}}]},"d":[[]],"e f":null,"":"x","g":"one\r\ntwo\u0007"}', null),
    ('{}', '{"a":"{{b}}"}', 'PT422 variable_invalid v.a'),
    ('{}', '{"a":"{% x %}"}', 'PT422 variable_invalid v.a'),
    ('{}', '{"b":[1],"a":{"b":[1,{"c":"say {{b}}"}]}}', 'PT422 variable_invalid v.a'),
    ('{}', '{"a":{"b":[1,{"{%c":1}]}}', 'PT422 variable_invalid v.a'),
    ('{}', '{"a":"\u007b\u007bb"}', 'PT422 variable_invalid v.a'),
    ('{}', '{"a{{b":"x"}', 'PT422 variable_invalid v'),
    ('{}', '{"a":"Zoë, {braces} and 李 \\ \" %"}', null),
    ('{"required":["a"]}', '{"a":["x"],"b":{"c":1}}', null),
    ('{"variables":[{"name":"a"}]}', '{"a":{"b":1}}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a"}]}', '{"a":[1]}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a"}]}', '{"a":"{{b}}"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a"}]}', '{"a":"{% x %}"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a"}]}', '{"a":"12 Elm Street\r\n\tSecond floor\nSpringfield"}', null),
    ('{"variables":[{"name":"a"}]}', '{"a":"one\rtwo"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a"}]}', '{"a":"\u0007"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a"}]}', '{"a":"\u000b"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a"}]}', '{"a":"\u009f"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a"}]}', '{"a":"\u202egnp.exe"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a"}]}', '{"a":"\u2028"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a"}]}', '{"a":"שלום\u200f, e\u0301 and 👩‍🚒"}', null),
    ('{"variables":[{"name":"a","type":"number"}]}', '{"a":"7\n"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a","type":"phone"}]}', '{"a":"+15550100001\n"}', 'PT422 variable_invalid v.a'),
    ('{"required":["a"]}', '{"b":"x"}', 'PT422 variable_missing v.a'),
    ('{"required":["a"]}', '{"a":"x","b":"y"}', null),
    ('{"required":"a"}', '{"b":"x"}', null),
    ('{"variables":[{"name":"a"}]}', '{}', null),
    ('{"variables":[{"name":"a"}]}', '{"b":"x"}', 'PT422 variable_unknown v.b'),
    ('{"variables":[]}', '{"b":"x"}', 'PT422 variable_unknown v.b'),
    ('{"variables":[{"name":"a"}],"required":["c"]}', '{"c":"x"}', null),
    ('{"variables":[{"name":"a","required":true}]}', '{}', 'PT422 variable_missing v.a'),
    ('{"variables":[{"name":"a","required":true}]}', '{"a":""}', 'PT422 variable_missing v.a'),
    ('{"variables":[{"name":"a","required":true}]}', '{"a":null}', 'PT422 variable_missing v.a'),
    ('{"variables":[{"name":"a","required":true,"default":"d"}]}', '{}', null),
    ('{"variables":[{"name":"a","max_length":3}]}', '{"a":"李李李"}', null),
    ('{"variables":[{"name":"a","max_length":3}]}', '{"a":"abcd"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a","type":"number"}]}', '{"a":"-1.5"}', null),
    ('{"variables":[{"name":"a","type":"number"}]}', '{"a":7}', null),
    ('{"variables":[{"name":"a","type":"number"}]}', '{"a":"seven"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a","type":"number"}]}', '{"a":1e300}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a","type":"boolean"}]}', '{"a":true}', null),
    ('{"variables":[{"name":"a","type":"boolean"}]}', '{"a":"yes"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a","type":"date"}]}', '{"a":"2028-02-29"}', null),
    ('{"variables":[{"name":"a","type":"date"}]}', '{"a":"2027-02-29"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a","type":"date"}]}', '{"a":"tomorrow"}', 'PT422 variable_invalid v.a'),
    ('{"variables":[{"name":"a","type":"phone"}]}', '{"a":"+15550100001"}', null),
    ('{"variables":[{"name":"a","type":"phone"}]}', '{"a":"5550100001"}', 'PT422 variable_invalid v.a')) x(p, v, r);
select is(tests.refusal(format('select public.template_values(''{"variables":[{"name":"a"}]}'', %L, ''v'')', jsonb_build_object('a', repeat('x', n)))), r, format('%s characters', n))
  from (values (4000, null), (4001, 'PT422 variable_invalid v.a')) x(n, r);
select is(public.template_values('{"variables":[{"name":"a","default":"d"},{"name":"b","default":2},{"name":"c"}]}', '{"a":"x","b":null}', 'v'), '{"a":"x","b":2}',
          'defaults are filled in where nothing was given');

-- What a call is made with.
select tests.template(:'org', '{vapi}', '{"variables":[{"name":"who","required":true},{"name":"city","default":"Rome"}]}') as template \gset
update public.call_templates set first_message = 'Hello {{who}} in {{city}}', system_prompt = 'Be kind to {{who}}.' where id = :'template';
select public.call_enter(:'org', null, jsonb_build_object('recipient_number', '+15550100001', 'template_id', :'template', 'custom_variables', '{"who":"Ann"}'::jsonb)) as call \gset
select is((tests.queue(:'call')).custom_variables || (tests.record(:'call')).custom_variables, '{"who":"Ann","city":"Rome"}', 'a call keeps its variables with the defaults');
select tests.sent(:'call') as attempt \gset
select is(public.dials_of(array[:'attempt'::uuid]) -> 0 -> 'says',
          '{"first_message":"Hello Ann in Rome","prompt":"Be kind to Ann.","model_provider":"openai","model_name":"gpt-4o-mini"}', 'the dialler gets texts that are ready');
update public.call_templates set params = '{"variables":[{"name":"who"},{"name":"city"},{"name":"new","default":"later"},{"name":"none"}]}',
       first_message = '{{who}} {{new}} {{none}}.', system_prompt = null, model_provider = 'anthropic' where id = :'template';
select is(public.dials_of(array[:'attempt'::uuid]) -> 0 -> 'says' ->> 'first_message', 'Ann later .', 'as the template stands then; what was declared later has its default, or nothing');
update public.call_templates set first_message = null where id = :'template';
select is(public.dials_of(array[:'attempt'::uuid]) -> 0 -> 'says', 'null', 'without texts the assistant''s own words are said');

-- ---- both names of being public ---------------------------------------------------------

create function tests.visibility(p_columns text, p_values text) returns text language plpgsql as $$
declare
    v text;
begin
    execute format('insert into public.call_templates (name, %s) values (''t'', %s) returning visibility || '' '' || is_public', p_columns, p_values) into v;
    return v;
end
$$;
select is(tests.visibility('is_public', 'true'), 'public true', 'by SQL: public');
select is(tests.visibility('created_by', quote_literal(:'alice')), 'private false', 'what has a creator is his');
select is(tests.visibility('created_by, organization_id', format('%L, %L', :'alice', :'org')), 'private false', 'also within an organization');
select is(tests.visibility('organization_id', quote_literal(:'org')), 'organization false', 'what has none is the organization''s');
select is(tests.visibility('organization_id, visibility', format('%L, ''public''', :'org')), 'public true', 'who says it is asked');
select is(tests.visibility('is_public, visibility', 'true, ''private'''), 'private false', 'and wins');
select is(tests.visibility('is_public', 'false'), 'private false', 'what is nobody''s is nobody''s');
insert into public.call_templates (name, organization_id, created_by) values ('t', :'org', :'alice') returning id as own \gset
update public.call_templates set is_public = true where id = :'own' returning visibility as is_it \gset
select is(:'is_it'::text, 'public', 'is_public makes public');
update public.call_templates set is_public = false where id = :'own' returning visibility as is_it \gset
select is(:'is_it'::text, 'private', 'and takes it back');
update public.call_templates set visibility = 'public' where id = :'own' returning is_public as is_it \gset
select is(:'is_it'::text, 't', 'and the other way round');
update public.call_templates set visibility = 'organization' where id = :'own' returning is_public as is_it \gset
select is(:'is_it'::text, 'f', 'both ways');

-- ---- who sees which ------------------------------------------------------------------------

insert into public.call_templates (name, organization_id, created_by, visibility) values ('Private', :'org', :'alice', 'private') returning id as private \gset
insert into public.call_templates (name, organization_id, created_by, visibility) values ('Members', :'org', :'alice', 'organization') returning id as members \gset
insert into public.call_templates (name, organization_id, created_by, visibility) values ('Public', :'org', :'alice', 'public') returning id as public \gset
insert into public.call_templates (name, organization_id, visibility) values ('Key', :'org', 'private') returning id as key \gset
insert into public.call_template_targets (template_id, provider_type, assistant, caller_number)
    select x, 'vapi', 'assistant-1', 'number-1' from unnest(array[:'private', :'members', :'public', :'key']::uuid[]) x;

-- What somebody sees of these four: by the API, by SQL, and what he may order with; all three are the same.
create function tests.sees_of(p_ids uuid[], p_user uuid, p_organization uuid) returns text language plpgsql as $$
declare
    v_api text;
    v_sql text;
    v_order text := '';
    v_name text;
    v_id uuid;
begin
    perform tests.be_nobody();
    perform set_config('request.jwt.claims', case when p_user is null then '{"role":"hookswitch_key"}' else jsonb_build_object('sub', p_user, 'email', 'x')::text end, true);
    perform set_config('hookswitch.organization_id', p_organization::text, true), set_config('role', 'hookswitch_api', true);
    select string_agg(name, ' ' order by name) into v_api from public.call_templates where id = any (p_ids);
    if v_api is distinct from (select string_agg(e ->> 'name', ' ' order by e ->> 'name')
                                 from jsonb_array_elements(api.call_template_list(p_limit => 100) -> 'data') e where (e ->> 'id')::uuid = any (p_ids)) then
        return 'the list differs';
    end if;
    foreach v_id in array p_ids loop
        begin
            perform public.call_enter(p_organization, p_user, jsonb_build_object('recipient_number', '+15550100001', 'template_id', v_id));
            perform tests.be_nobody();
            select name into v_name from public.call_templates where id = v_id;
            v_order := v_order || ' ' || v_name;
        exception when sqlstate 'PT422' then
            null;
        end;
        perform set_config('request.jwt.claims', case when p_user is null then '{"role":"hookswitch_key"}' else jsonb_build_object('sub', p_user)::text end, true);
        perform set_config('hookswitch.organization_id', p_organization::text, true), set_config('role', 'hookswitch_api', true);
    end loop;
    select string_agg(w, ' ' order by w) into v_order from regexp_split_to_table(btrim(v_order), ' ') w where w <> '';
    if v_order is distinct from v_api then
        return format('sees %s, orders %s', v_api, v_order);
    end if;
    if p_user is not null then
        perform tests.be_person(p_user, jsonb_build_object('app_metadata', jsonb_build_object('organization_id', p_organization)));
        select string_agg(name, ' ' order by name) into v_sql from public.call_templates where id = any (p_ids);
        if v_sql is distinct from v_api then
            return format('by SQL %s, by the API %s', v_sql, v_api);
        end if;
    end if;
    perform tests.be_nobody();
    return v_api;
end
$$;
\set four 'array[:''private'', :''members'', :''public'', :''key'']::uuid[]'
select is(tests.sees_of(:four, :'alice', :'org'), 'Key Members Private Public', 'the creator sees all of them');
select is(tests.sees_of(:four, :'carol', :'org'), 'Key Members Public', 'a colleague all but the private one');
select is(tests.sees_of(:four, null, :'org'), 'Key Members Public', 'and so does an API key');
select is(tests.sees_of(:four, :'bob', :'other'), 'Public', 'a stranger what is public');
select is(tests.sees_of(:four, null, :'other'), 'Public', 'as his key does');
select is(tests.sees_of(:four, gen_random_uuid(), :'other'), 'Public', 'and anybody who is signed in');
select tests.be_role('anon');
select throws_ok('select 1 from public.call_templates', '42501', null, 'who is not signed in sees none');
select tests.be_nobody();

-- ---- sharing ----------------------------------------------------------------------------------

select tests.be(:'alice');
select is(public.call_template_share(:'private', p_user => :'carol', p_email => null, p_organization => null) ->> 'user_id', :'carol', 'it is shared with a colleague');
select is(tests.sees_of(:four, :'carol', :'org'), 'Key Members Private Public', 'who sees it now');
select is(tests.sees_of(:four, :'bob', :'other'), 'Public', 'and nobody else does');
select tests.be(:'alice');
select is(public.call_template_share(:'private', null, 'Bob@Example.com', null) ->> 'email', 'bob@example.com', 'with an address');
select is(tests.sees_of(:four, :'bob', :'other'), 'Private Public', 'whose owner sees it');
select tests.be_nobody();
update auth.users set email_confirmed_at = null where id = :'bob';
select is(tests.sees_of(:four, :'bob', :'other'), 'Public', 'once he has proved that it is his');
select tests.be_nobody();
update auth.users set email_confirmed_at = now() where id = :'bob';
select is(tests.sees_of(:four, null, :'other'), 'Public', 'his organization''s key does not');
select tests.be(:'alice');
select is(tests.refusal(format('select public.call_template_share(%L, %L, null, null)', :'private', :'bob')), 'PT404 member_not_found ', 'a person by his id only if he is a member');
select is(tests.refusal(format('select public.call_template_share(%L, null, null, %L)', :'private', gen_random_uuid())), 'PT404 organization_not_found ', 'an organization only if there is one');
select is(tests.refusal(format('select public.call_template_share(%L, %s)', :'private', x)), 'PT422 share_recipient_invalid user_id', 'one of the three: ' || x)
  from unnest(array['null, null, null', format('%L, ''a@example.com'', null', :'carol')]) x;
select public.call_template_share(:'private', null, null, :'other') ->> 'id' as share \gset
select is(public.call_template_share(:'private', null, null, :'other') ->> 'id', :'share', 'twice is once');
select is(tests.sees_of(:four, null, :'other'), 'Private Public', 'with an organization: its keys see it, too');
select tests.be(:'bob');
select is(tests.refusal(format(s, :'private')), 'PT403 template_read_only ', 'whom it is shared with cannot ' || s) from unnest(array[
    'select public.call_template_update(%L, ''{"name":"mine"}'')', 'select public.call_template_delete(%L)', 'select public.call_template_shares_of(%L)',
    'select public.call_template_share(%L, null, ''x@example.com'', null)', 'select public.call_template_unshare(%L, gen_random_uuid())']) s;
select is((api.call_template_get(:'private') ->> 'editable') || coalesce(api.call_template_get(:'private') ->> 'organization_id', ' nobody''s'), 'false nobody''s', 'and it tells him of nobody');
select is(api.call_template_get(:'private') -> 'targets', '[{"provider_type":"vapi","assistant":"assistant-1","caller_number":null}]', 'nor of the number that calls');
select lives_ok(format('select api.call_template_favorite_add(%L)', :'private'), 'but he may like it');
select is((select count(*)::integer from public.template_favorites), 1, 'and sees that he does');
select tests.be(:'alice');
select lives_ok(format('select public.call_template_unshare(%L, %L)', :'private', :'share'), 'a share is taken back');
select is(tests.refusal(format('select public.call_template_unshare(%L, %L)', :'private', :'share')), 'PT404 share_not_found ', 'once');
select is(tests.sees_of(:four, null, :'other'), 'Public', 'and the organization sees it no more');
select tests.be_nobody();
insert into public.call_templates (name, organization_id, created_by, visibility) values ('Carol''s', :'org', :'carol', 'private') returning id as carols \gset
insert into public.call_template_targets (template_id, provider_type, assistant) values (:'carols', 'vapi', 'assistant-1');
insert into public.call_templates (name, organization_id, created_by, visibility) values ('Elsewhere', :'other', :'carol', 'private') returning id as elsewhere \gset
delete from public.organization_members where user_id = :'carol';
select is(tests.sees_of(:four, :'carol', :'other'), 'Public', 'who has left sees nothing that was shared with him as a member');
select tests.be_nobody();
select is((select t.visibility from public.call_templates t where t.id = :'carols'), 'organization', 'what was private to him becomes his organization''s');
select is((select t.created_by from public.call_templates t where t.id = :'carols'), :'carol'::uuid, 'and says still who made it');
select is((select t.visibility from public.call_templates t where t.id = :'elsewhere'), 'private', 'but not what he made for another one');
select is(tests.sees_of(array[:'carols']::uuid[], :'alice', :'org'), 'Carol''s', 'so that the others see it');
select is(tests.sees_of(array[:'carols']::uuid[], :'carol', :'other'), null, 'and he does no more');
select tests.be_nobody();
update public.call_templates set deleted_at = now() where id = any (array[:'carols', :'elsewhere']::uuid[]);
insert into public.organization_members (organization_id, user_id, role) values (:'org', :'carol', 'member');

-- Shared and public, then private again.
select public.call_enter(:'other', :'bob', jsonb_build_object('recipient_number', '+15550100001', 'template_id', :'public')) as accepted \gset
select tests.be(:'alice');
select public.call_template_update(:'private', '{"visibility":"organization"}') \g /dev/null
select public.call_template_update(:'private', '{"visibility":"private"}') \g /dev/null
select is(public.call_template_shares_of(:'private'), '[]', 'what becomes private is nobody else''s any more');
select is(tests.sees_of(:four, :'bob', :'other'), 'Public', 'nor seen');
select tests.be(:'bob');
select is((select count(*)::integer from public.template_favorites), 0, 'and no favourite of anybody''s');
select is(api.call_template_list(p_favorite => true) -> 'data', '[]', 'also in lists');
select tests.be(:'alice');
select public.call_template_update(:'public', '{"visibility":"private"}') \g /dev/null
select is(tests.sees_of(:four, :'bob', :'other'), null, 'what was public is seen no more');
select is((tests.queue(:'accepted')).status, 'queued', 'a call that was accepted goes on');
select tests.accepted(:'accepted', 'templates-1') as attempt \gset
select is((tests.attempt(:'accepted')).assistant, 'assistant-1', 'and is dialled');

-- ---- who may change one ---------------------------------------------------------------------------

select tests.be(:'carol');
select is(tests.refusal(format('select public.call_template_update(%L, ''{"name":"x"}'')', :'private')), 'PT404 call_template_not_found ', 'a private one of a colleague does not exist');
select lives_ok(format('select public.call_template_update(%L, ''{"name":"Members"}'')', :'members'), 'an organization''s is changed by its members');
select is(tests.refusal(format('select public.call_template_update(%L, ''{"visibility":"private"}'')', :'members')), 'PT403 template_read_only ', 'but made private only by who made it');
select tests.be(:'bob');
select is(tests.refusal(format(s, :'members')), 'PT404 call_template_not_found ', 'of another organization: ' || s) from unnest(array[
    'select api.call_template_get(%L)', 'select public.call_template_update(%L, ''{}'')', 'select public.call_template_delete(%L)', 'select public.call_template_copy(%L, null, null)',
    'select public.call_template_shares_of(%L)', 'select api.call_template_favorite_add(%L)', 'select api.call_template_favorite_remove(%L)']) s;
select throws_ok(format('insert into public.template_favorites (user_id, template_id) values (%L, %L)', :'bob', :'members'), '42501', null, 'nor can it be liked past that');
select throws_ok(format('update public.call_templates set name = ''x'' where id = %L', :'members'), '42501', null, 'the API writes no template past its functions');

-- ---- deleting ------------------------------------------------------------------------------------------

select tests.be_nobody();
select tests.call(:'org', :'members') as waiting \gset
select throws_ok(format('delete from public.call_templates where id = %L', :'members'), 'PT409', 'template_in_use', 'a row is not taken away from under a call that waits');
select tests.be(:'carol');
select public.call_template_delete(:'members') \g /dev/null
select is(tests.sees_of(:four, :'alice', :'org'), 'Key Private Public', 'a deleted template is out of sight');
select is((tests.queue(:'waiting')).template_id, :'members'::uuid, 'its calls have it still');
select tests.accepted(:'waiting', 'templates-2') as attempt \gset
select is((tests.attempt(:'waiting')).assistant, 'assistant-1', 'and are dialled');
select tests.be(:'carol');
select is(tests.refusal(format('select public.call_template_delete(%L)', :'members')), 'PT404 call_template_not_found ', 'twice it does not exist');
select tests.be_nobody();
select tests.organization('Short') as short \gset
select tests.template(:'short') as unused \gset
select tests.template(:'short') as kept \gset
select lives_ok(format('delete from public.call_templates where id = %L', :'unused'), 'a row without calls can go');
select lives_ok(format('delete from public.organizations where id = %L', :'short'), 'and all of them with their organization');
select is_empty(format('select from public.call_templates where id = %L', :'kept'), 'which takes them along');

-- A copy has what its maker may use; there is an end to them.
select tests.organization('Many') as many \gset
insert into public.assistants (organization_id, name, vapi_assistant_id) values (:'many', 'theirs', 'assistant-many');
insert into public.call_templates (name, organization_id, visibility) values ('Shown', :'many', 'public') returning id as shown \gset
insert into public.call_template_targets (template_id, provider_type, assistant, caller_number) values (:'shown', 'vapi', 'assistant-many', 'number-1'),
    (:'shown', 'synthflow', 'model-1', '+15550109999');
select tests.be(:'bob');
select is(api.call_template_copy(:'shown') -> 'targets', '[{"provider_type":"synthflow","assistant":"model-1","caller_number":null}]',
          'a copy leaves out the number and the assistant that are another organization''s');
select tests.be_nobody();
insert into public.call_templates (name, organization_id) select 't', :'other' from generate_series(1, 5000 - (select count(*)::integer from public.call_templates t
    where t.organization_id = :'other' and t.deleted_at is null));
select tests.be(:'bob');
select is(tests.refusal('select api.call_template_create(''one more'')'), 'PT409 call_templates_full ', 'an organization has 5000 at most');
select tests.be_nobody();

-- ---- what assistants are made from --------------------------------------------------------------------

select cmp_ok((select count(*)::integer from public.templates where is_active), '>=', 12, 'there is a stock of templates');
select ok(t.system_prompt ~ 'automated assistant', t.slug || ' says what it is when asked') from public.templates t;
select ok(t.system_prompt ~* 'not want (such calls|to be called)|do not call me again', t.slug || ' takes no for an answer') from public.templates t where t.tags ? 'outbound';
select ok(t.system_prompt !~ '\m(he|she|him|her|his)\M', t.slug || ' takes nobody for a man or a woman') from public.templates t;
select ok(t.first_message !~ '\{\{(?!business_name|agent_name|customer_name)', t.slug || ' says nothing before it knows who listens')
  from public.templates t where t.system_prompt ~* 'tell nobody else|to anybody else say|somebody else answers, do not say|say nothing about';
select is(tests.refusal(format('update public.templates set name = name where slug = %L', t.slug)), null, t.slug || ' declares what its texts use') from public.templates t;
select ok(v ->> 'description' is not null and v ? 'example', format('%s: %s has a description and an example', t.slug, v ->> 'name'))
  from public.templates t, jsonb_array_elements(t.variables) v;
select ok(t.system_prompt || t.first_message || t.end_call_message ~ format('\{\{%s\}\}', v ->> 'name'), format('%s: %s is used', t.slug, v ->> 'name'))
  from public.templates t, jsonb_array_elements(t.variables) v;
select ok(length(t.system_prompt) > 800 and length(t.description) > 20 and jsonb_array_length(t.tags) > 0 and jsonb_array_length(t.functions) > 0, t.slug || ' is complete') from public.templates t;
select is_empty($$select t.slug, f from public.templates t, jsonb_array_elements_text(t.functions) f where f not in ('transferCall', 'logDriverCallout', 'scheduleCallback', 'takeMessage')$$,
                'functions are those that there are');
select is_empty($$select t.slug, f from public.templates t, unnest(array['transferCall', 'logDriverCallout', 'scheduleCallback', 'takeMessage']) f
                   where (t.system_prompt ~ f) <> (t.functions ? f)$$, 'and each prompt speaks of those that it lists, and of no other');
select is(x.r ->> 'system_prompt' ~ '\{\{' or x.r ->> 'first_message' ~ '\{\{', false, t.slug || ' renders with its examples')
  from public.templates t, lateral (select public.assistant_template_render(t.slug, (select jsonb_object_agg(v ->> 'name', v -> 'example') from jsonb_array_elements(t.variables) v)) as r) x;
select is(tests.refusal(s), r, s) from (values
    ('select public.assistant_template_render(''nothing'', ''{}'')', 'PT404 assistant_template_not_found '),
    ('select public.assistant_template_render(''receptionist'', ''{}'')', 'PT422 variable_missing variable_values.business_name'),
    ('select public.assistant_template_render(''receptionist'', ''{"business_name":"A","business_description":"B","opening_hours":"C","x":"y"}'')',
     'PT422 variable_unknown variable_values.x'),
    ('select public.assistant_template_render(''receptionist'', ''{"business_name":"{{address}}","business_description":"B","opening_hours":"C"}'')',
     'PT422 variable_invalid variable_values.business_name'),
    ('insert into public.templates (slug, name, system_prompt) values (''x'', ''X'', ''{{who}}'')', 'PT422 variable_undeclared system_prompt'),
    ('insert into public.templates (slug, name, variables) values (''x'', ''X'', ''[{"name":"a","x":1}]'')', 'PT422 template_params_invalid variables.0.x')) x(s, r);
update public.templates set is_active = false where slug = 'receptionist';
select is(tests.refusal('select public.assistant_template_render(''receptionist'', ''{}'')'), 'PT404 assistant_template_not_found ', 'what is on offer no more is not there');
select tests.be(:'bob');
select is(tests.refusal('select api.template_get(''receptionist'')'), 'PT404 assistant_template_not_found ', 'for nobody');
select is((api.template_list(p_category => 'front-desk', p_tag => 'emergency', p_language => 'en') -> 'data' -> 0 ->> 'slug'), 'after-hours', 'lists are filtered');

select * from finish();
rollback;
