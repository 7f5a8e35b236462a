-- cursors.sql - a list goes on where its page ended, to the microsecond, and takes no other list's word for it.
begin;
select no_plan();

select gen_random_uuid() as id \gset
select public.cursor_make('calls', '2026-01-02T03:04:05.678901Z', :'id') as cursor \gset
select results_eq(format('select at, id from public.cursor_read(''calls'', %L)', :'cursor'), format('values (timestamptz ''2026-01-02T03:04:05.678901Z'', %L)', :'id'),
                  'what was put in comes out, to the microsecond');
select ok(:'cursor' ~ '^[A-Za-z0-9_-]+$', 'a cursor needs no escaping in an address');
select results_eq('select at, id from public.cursor_read(''calls'', null)', 'values (null::timestamptz, null::text)', 'without a cursor the list begins at its begin');
select throws_ok(format('select public.cursor_read(''members'', %L)', :'cursor'), 'PT400', 'bad_cursor', 'another list''s cursor is refused');
select throws_ok(format('select public.cursor_read(''calls'', %L)', c), 'PT400', 'bad_cursor', format('%L is no cursor', c))
  from unnest(array['', 'x', '%%', 'MTIz', left(:'cursor', 20), :'cursor' || 'AAAA', public.cursor_make('calls', now(), 'x y'),
                    public.cursor_make('calls', '1960-01-01', :'id'), replace(encode('calls 9999999999999999999 x', 'base64'), '=', '')]) c;
select results_eq(format('select id from public.cursor_read(''runs'', %L, ''.+'')', public.cursor_make('runs', now(), 'mail:a b')), $$values ('mail:a b')$$,
                  'a list may have ids of its own kind');

select * from finish();
rollback;
