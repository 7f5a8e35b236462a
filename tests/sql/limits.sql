-- limits.sql - buckets, the first transaction of a request, and key sets in the database.
begin;
select no_plan();

-- One every 10 seconds, three at once: the transaction is short, so nothing is filled again meanwhile.
select cmp_ok(public.rate_take('b', 10000000, 3), '>', 0::bigint, format('number %s of three is there', i)) from generate_series(1, 3) i;
select cmp_ok(public.rate_take('b', 10000000, 3), '<', 0::bigint, 'a fourth is not');
update public.rate_buckets set full_at = full_at - 10000000 where key = 'b';
select cmp_ok(public.rate_take('b', 10000000, 3), '>', 0::bigint, 'ten seconds later there is one');
select cmp_ok(public.rate_take('b', 10000000, 3), '<', 0::bigint, 'and not two');
update public.rate_buckets set full_at = full_at - 3600000000 where key = 'b';
select cmp_ok(public.rate_take('b', 10000000, 3), '>', 0::bigint, format('an hour later number %s of three is there', i)) from generate_series(1, 3) i;
select cmp_ok(public.rate_take('b', 10000000, 3), '<', 0::bigint, 'and no more than three');
update public.rate_buckets set full_at = full_at + 7200000000 where key = 'b';
select cmp_ok(public.rate_take('b', 10000000, 3), '>', 0::bigint, 'a clock that was set back two hours does not shut anybody out');

-- Two buckets: both or none.
select results_eq($$select refused, bucket_size, remaining from public.rate_take_all('{k,o}', '{10000000,10000000}', '{5,2}')$$,
                  $$values (false, 2, 1)$$, 'the tighter one is told');
select results_eq($$select refused, bucket_size, remaining from public.rate_take_all('{k,o}', '{10000000,10000000}', '{5,2}')$$,
                  $$values (false, 2, 0)$$, 'until it is empty');
select results_eq($$select refused, bucket_size, remaining, retry_seconds between 9 and 10 from public.rate_take_all('{k,o}', '{10000000,10000000}', '{5,2}')$$,
                  $$values (true, 2, 0, true)$$, 'which refuses, and says when to come again');
select results_eq($$select refused, bucket_size, remaining from public.rate_take_all('{k}', '{10000000}', '{5}')$$,
                  $$values (false, 5, 2)$$, 'and has taken nothing from the other');
select results_eq($$select refused, bucket_size from public.rate_take_all('{}', '{}', '{}')$$, $$values (false, null::integer)$$, 'no bucket refuses nobody');

-- The first transaction finds out who asks; what is wrong is told by the second.
select tests.organization('Limits') as org \gset
select lives_ok($$select * from public.request_admit('key', repeat('0', 64), null, 'calls:read', false, 'key:0', 'address:x', '{10,10,10,10,10,10}', true)$$,
                'an unknown key is no error yet');
select isnt_empty($$select 1 from public.rate_buckets where key = 'address:x'$$, 'it is counted by address');
select is_empty($$select 1 from public.rate_buckets where key = 'key:0'$$, 'and gets no bucket of its own');
select throws_ok('select * from public.request_admitted()', 'PT401', 'api_key_invalid', 'the second transaction tells it');
select lives_ok(format($$select a.* from public.organization_members m, public.request_admit('token',
    jsonb_build_object('sub', m.user_id, 'role', 'authenticated')::text, null, 'calls:read', false, 'person:1', 'address:x',
    '{10000000,1,10,10,10,10}', true) a where m.organization_id = %L$$, :'org'), 'a person is admitted');
select is((select organization_id from public.request_admitted()), :'org', 'and known to the second transaction');
select lives_ok(format($$select a.* from public.organization_members m, public.request_admit('token',
    jsonb_build_object('sub', m.user_id, 'role', 'authenticated')::text, null, 'calls:read', false, 'person:1', 'address:x',
    '{10000000,1,10,10,10,10}', true) a where m.organization_id = %L$$, :'org'), 'once too often');
select throws_ok('select * from public.request_admitted()', 'PT429', 'rate_limited', 'is told by it, too');

-- Upkeep.
insert into public.rate_buckets values ('full', 1), ('later', 9000000000000000);
select cmp_ok(public.rate_prune(), '>=', 1, 'full buckets are removed');
select is((select array_agg(key order by key) from public.rate_buckets where key in ('full', 'later')), '{later}', 'others stay');

-- Key sets: one caller fetches, and nobody again for a while.
select results_eq($$select state, mine from public.key_set_read('u', false, 15)$$, $$select 'x'::text, true where false$$, 'nothing is known at first');
select results_eq($$select state, mine, body from public.key_set_read('u', true, 15)$$, $$values ('trying'::text, true, null::text)$$, 'the first who wants it fetches it');
select results_eq($$select state, mine, body from public.key_set_read('u', true, 15)$$, $$values ('trying'::text, false, null::text)$$, 'the second does not');
select public.key_set_store('u', '{"keys":[]}');
select results_eq($$select state, mine, body from public.key_set_read('u', true, 15)$$, $$values ('fetched'::text, false, '{"keys":[]}'::text)$$, 'nobody does at once again');
update public.key_sets set tried_at = tried_at - interval '16 seconds' where url = 'u';
select results_eq($$select mine, body from public.key_set_read('u', true, 15)$$, $$values (true, '{"keys":[]}'::text)$$, 'but later');
select public.key_set_store('u', null);
select results_eq($$select state, body from public.key_set_read('u', false, 15)$$, $$values ('failed'::text, '{"keys":[]}'::text)$$, 'a failure keeps what there was');

select * from finish();
rollback;
