"""sql/migrate: on a plain PostgreSQL, beside Supabase, again, two at once, and with functions that changed."""

import os
import shutil
import subprocess
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

ROOT = Path(__file__).resolve().parents[2]
ADMIN = os.environ.get("HOOKSWITCH_TEST_DATABASE_URL", "")
OUR_ROLES = ("hookswitch_api", "hookswitch_webhook", "hookswitch_pump", "hookswitch_operator")

pytestmark = pytest.mark.skipif(not ADMIN, reason="no cluster for tests at hand (./dev test makes one)")

# What a Supabase project brings: its auth schema belongs to another role, and new tables of public are everybody's.
SUPABASE = """
create schema auth authorization {auth_admin};
set role {auth_admin};
create table auth.users (id uuid primary key, email text, raw_app_meta_data jsonb, raw_user_meta_data jsonb);
create function auth.jwt() returns jsonb language sql stable as
    $$ select coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{{}}')::jsonb $$;
create function auth.uid() returns uuid language sql stable as $$ select (auth.jwt() ->> 'sub')::uuid $$;
create function auth.role() returns text language sql stable as $$ select auth.jwt() ->> 'role' $$;
grant usage on schema auth to anon, authenticated, service_role, {owner};
grant all on auth.users to {owner};
reset role;
grant all on schema public to {owner};
alter default privileges for role {owner} in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges for role {owner} in schema public grant all on sequences to anon, authenticated, service_role;
alter default privileges for role {owner} in schema public grant all on functions to anon, authenticated, service_role;
"""

# Everything that migrate makes, with its rights: two databases with the same text are the same.
CATALOGUE = """
select 'relation', n.nspname, c.relname, c.relkind::text, c.relacl::text, c.relrowsecurity || ' ' || c.relforcerowsecurity, c.oid::text
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('public', 'api', 'parts', 'auth', 'hookswitch')
union all
select 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attacl::text, a.attnotnull::text,
       pg_get_expr(d.adbin, d.adrelid)
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where n.nspname in ('public', 'hookswitch') and a.attnum > 0 and not a.attisdropped
union all
select 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), null, null, null from pg_constraint
 where connamespace in (select oid from pg_namespace where nspname in ('public', 'hookswitch'))
union all
select 'policy', schemaname, tablename, policyname, roles::text, coalesce(qual, ''), with_check from pg_policies
union all
select 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), null, null, null from pg_trigger where not tgisinternal
union all
select 'function', n.nspname, p.oid::regprocedure::text, md5(pg_get_functiondef(p.oid)), p.proowner::regrole::text,
       (select string_agg(a.grantee::regrole || '=' || a.privilege_type, ',' order by a.grantee) from aclexplode(p.proacl) a), null
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('public', 'api', 'auth')
union all
select 'schema', nspname, nspacl::text, null, null, null, null from pg_namespace
 where nspname in ('public', 'api', 'parts', 'auth', 'hookswitch')
union all
select 'default', defaclrole::regrole::text, defaclnamespace::regnamespace::text, defaclobjtype::text, defaclacl::text, null, null
  from pg_default_acl
union all
select 'migration', name, applied_at::text, null, null, null, null from hookswitch.migrations
order by 1, 2, 3, 4, 5, 6, 7
"""


class Database:
    """A database of its own, with an owner who is no superuser."""

    def __init__(self, createrole=True):
        tag = uuid.uuid4().hex[:10]
        self.name, self.owner = f"migrate_{tag}", f"migrate_owner_{tag}"
        self.roles = [self.owner]
        with psycopg.connect(ADMIN, autocommit=True) as c:
            c.execute(sql.SQL("create role {} login nosuperuser {}").format(
                sql.Identifier(self.owner), sql.SQL("createrole" if createrole else "nocreaterole")))
            c.execute(sql.SQL("create database {} owner {}").format(sql.Identifier(self.name), sql.Identifier(self.owner)))

    def url(self, owner=True):
        parts = conninfo_to_dict(ADMIN)
        parts["dbname"] = self.name
        if owner:
            parts["user"] = self.owner
        return make_conninfo(**parts)

    def connect(self, owner=False):
        return psycopg.connect(self.url(owner), autocommit=True)

    def query(self, statement, *args, owner=False):
        with self.connect(owner) as c:
            cursor = c.execute(statement, args or None)
            return cursor.fetchall() if cursor.description else None

    def catalogue(self):
        return self.query(CATALOGUE)

    def migrate(self, folder=ROOT / "sql", expect=0):
        done = subprocess.run([str(ROOT / "sql" / "migrate"), self.url()], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "HOOKSWITCH_SQL_DIR": str(folder)}, check=False)
        assert (done.returncode == 0) == (expect == 0), done.stdout + done.stderr
        return done.stdout + done.stderr

    def drop(self):
        with psycopg.connect(ADMIN, autocommit=True) as c:
            c.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(self.name)))
            for role in self.roles:
                # Memberships that this owner granted would keep him.
                c.execute(sql.SQL("drop owned by {}").format(sql.Identifier(role)))
                c.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))


@pytest.fixture
def database():
    d = Database()
    yield d
    d.drop()


@pytest.fixture
def supabase():
    d = Database()
    auth_admin = f"{d.name}_auth"
    with psycopg.connect(ADMIN, autocommit=True) as c:
        c.execute(sql.SQL("create role {} nologin").format(sql.Identifier(auth_admin)))
        for role in ("anon", "authenticated", "service_role"):
            c.execute(sql.SQL("do $$ begin if not exists (select from pg_roles where rolname = {}) then create role {} nologin; "
                              "end if; end $$").format(sql.Literal(role), sql.Identifier(role)))
    d.roles.append(auth_admin)
    d.query(SUPABASE.format(auth_admin=auth_admin, owner=d.owner))
    yield d
    d.drop()


@pytest.fixture
def files(tmp_path):
    """A copy of the SQL that a test may change."""
    copy = tmp_path / "sql"
    shutil.copytree(ROOT / "sql", copy)
    return copy


def functions(database, like="%"):
    return {r[0] for r in database.query(
        "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace "
        "where n.nspname in ('public', 'api') and p.proname like %s", like)}


def a_call_goes_in(database):
    """A person schedules a call by SQL and reads it by the API's role: policies, grants and triggers work together."""
    user = str(uuid.uuid4())
    with database.connect() as c:
        c.execute("insert into public.call_service_providers (name, provider_type, api_key) values ('v', 'vapi', 'k')")
        template = c.execute("insert into public.call_templates (name, is_public, assistant_id) values ('t', true, 'a') returning id").fetchone()[0]
        with c.transaction():
            c.execute("select set_config('request.jwt.claims', %s, true)", ['{"sub":"%s","role":"authenticated"}' % user])
            c.execute("set local role authenticated")
            call = c.execute("select schedule_call(%s, %s, 'n', '+15550100001')", [user, template]).fetchone()[0]
            assert c.execute("select id from public.calls").fetchall() == [(call,)]
            assert c.execute("select count(*) from public.user_profiles").fetchone()[0] == 1
        with c.transaction():
            c.execute("select set_config('request.jwt.claims', claims, true), set_config('hookswitch.organization_id', organization_id::text, true) "
                      "from public.request_identity_token(%s, null, 'calls:read')", ['{"sub":"%s","role":"authenticated"}' % user])
            c.execute("set local role hookswitch_api")
            assert c.execute("select api.call_get(%s)->>'status'", [call]).fetchone()[0] == "queued"
            assert c.execute("select count(*) from public.user_profiles").fetchone()[0] == 1
            assert c.execute("select api.call_create('+15550100001', %s) ->> 'user_id'", [template]).fetchone()[0] == user
        with c.transaction():
            c.execute("set local role hookswitch_pump")
            assert c.execute("select public.calls_claim(10, 'w', 30) ->> 'claimed'").fetchone()[0] == "2"
            c.execute("select public.turn_upkeep(true)")
        with c.transaction():
            c.execute("set local role hookswitch_webhook")
            assert c.execute("select public.webhook_keep('vapi', gen_random_uuid(), 'installation', 'k', 't', null, null, '{}', null, 'kept')"
                             ).fetchone()[0] == "kept"
    return user


def test_a_plain_database_is_made_by_a_role_that_is_no_superuser(database):
    assert "migrate: done" in database.migrate()
    assert database.query("select rolsuper or rolbypassrls from pg_roles where rolname = %s", database.owner) == [(False,)]
    a_call_goes_in(database)


def test_a_role_that_may_not_make_roles_is_enough_where_they_are_there(database):
    database.migrate()
    other = Database(createrole=False)
    try:
        with psycopg.connect(ADMIN, autocommit=True) as c:
            for role in OUR_ROLES:
                c.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(other.owner)))
        other.migrate()
        a_call_goes_in(other)
    finally:
        other.drop()


def test_beside_supabase_its_schema_auth_is_left_alone(supabase):
    before = supabase.query("select oid::regprocedure::text, proacl::text, proowner from pg_proc where pronamespace = 'auth'::regnamespace order by 1")
    tables = supabase.query("select relname, relrowsecurity, relowner from pg_class where relnamespace = 'auth'::regnamespace order by 1")
    supabase.migrate()
    assert supabase.query("select oid::regprocedure::text, proacl::text, proowner from pg_proc where pronamespace = 'auth'::regnamespace order by 1") == before
    assert supabase.query("select relname, relrowsecurity, relowner from pg_class where relnamespace = 'auth'::regnamespace order by 1") == tables


def test_beside_supabase_a_call_goes_its_way(supabase):
    supabase.migrate()
    a_call_goes_in(supabase)


def test_beside_supabase_its_default_privileges_give_nothing_away(supabase):
    supabase.migrate()
    assert supabase.query(
        "select c.relname, a.grantee::regrole::text, a.privilege_type from pg_class c, aclexplode(c.relacl) a "
        "where c.relnamespace in ('public'::regnamespace, 'parts'::regnamespace, 'api'::regnamespace) and (a.grantee = 0 or a.grantee = 'anon'::regrole "
        "or (a.grantee = 'authenticated'::regrole and a.privilege_type <> 'SELECT'))") == []
    assert supabase.query(
        "select p.proname, a.grantee::regrole::text from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a "
        "where p.pronamespace in ('public'::regnamespace, 'api'::regnamespace) and a.grantee in ('anon'::regrole, 'authenticated'::regrole) "
        "and p.proname not in ('schedule_call', 'call_templates_shared')") == []
    # What is made later is nobody's either: partitions, and tables of the next version.
    supabase.query("create table public.later (id integer)", owner=True)
    supabase.query("create function public.later_too() returns integer language sql as 'select 1'", owner=True)
    assert supabase.query("select has_table_privilege('authenticated', 'public.later', 'select'), "
                          "has_function_privilege('anon', 'public.later_too()', 'execute')") == [(False, False)]


def test_run_again_it_changes_nothing(database):
    database.migrate()
    before = [r for r in database.catalogue() if r[0] != "relation" or r[2] not in ("functions_new", "functions_new_pkey")]
    output = database.migrate()
    after = [r for r in database.catalogue() if r[0] != "relation" or r[2] not in ("functions_new", "functions_new_pkey")]
    assert after == before
    assert "0001" not in output


def test_run_again_beside_supabase_it_changes_nothing(supabase):
    supabase.migrate()
    before = supabase.catalogue()
    supabase.migrate()
    assert supabase.catalogue() == before


def test_two_at_once_run_one_after_the_other(database):
    runs = [subprocess.Popen([str(ROOT / "sql" / "migrate"), database.url()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for _ in range(2)]
    outputs = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert sorted("migrate: 0001_foundation" in o for o in outputs) == [False, True]
    a_call_goes_in(database)


def test_a_migration_that_fails_leaves_nothing(database, files):
    (files / "migrations" / "9999_broken.sql").write_text("create table public.half (id integer);\nselect 1 / 0;\n")
    output = database.migrate(files, expect=1)
    assert "division by zero" in output
    assert database.query("select nspname from pg_namespace where nspname in ('api', 'parts', 'hookswitch', 'auth')") == []
    assert database.query("select relname from pg_class where relnamespace = 'public'::regnamespace") == []
    assert functions(database) == set()
    database.migrate()


def test_a_function_that_fails_leaves_the_version_before(database, files):
    database.migrate()
    before = database.catalogue()
    (files / "functions" / "api_zzz.sql").write_text("create function api.zzz() returns integer language nonsense as 'x';\n")
    database.migrate(files, expect=1)
    assert database.catalogue() == before


def test_a_new_migration_is_applied_once_and_forward_only(database, files):
    database.migrate()
    (files / "migrations" / "9998_more.sql").write_text("create table public.more (id integer);\n")
    assert "migrate: 9998_more" in database.migrate(files)
    assert "9998_more" not in database.migrate(files)
    database.migrate()
    assert database.query("select to_regclass('public.more') is not null") == [(True,)]


def test_a_function_that_left_the_files_is_dropped(database, files):
    (files / "functions" / "zz_gone.sql").write_text(
        "create or replace function api.gone() returns integer language sql set search_path = '' as 'select 1';\n"
        "create or replace function public.gone_too(p_a text) returns integer language sql set search_path = '' as 'select 1';\n")
    (files / "functions" / "99_rights.sql").write_text((ROOT / "sql" / "functions" / "99_rights.sql").read_text())
    # 99_rights.sql runs last whatever the others are called.
    database.migrate(files)
    assert functions(database, "gone%") == {"api.gone()", "gone_too(text)"}
    assert database.query("select has_function_privilege('hookswitch_api', 'api.gone()', 'execute'), "
                          "has_function_privilege('authenticated', 'public.gone_too(text)', 'execute')") == [(True, False)]
    database.migrate()
    assert functions(database, "gone%") == set()


def test_a_changed_signature_replaces_the_function_and_its_rights(database, files):
    database.migrate()
    names = functions(database)
    path = files / "functions" / "90_by_sql.sql"
    text = path.read_text()
    old = "create or replace function public.handle_failed_call(p_queue_id uuid, p_error text default null)"
    assert old in text
    path.write_text(text.replace(old, old[:-1] + ", p_more integer default 0)"))
    path = files / "functions" / "99_rights.sql"
    path.write_text(path.read_text().replace("public.handle_failed_call(uuid, text)", "public.handle_failed_call(uuid, text, integer)"))
    database.migrate(files)
    assert functions(database) - names == {"handle_failed_call(uuid,text,integer)"}
    assert names - functions(database) == {"handle_failed_call(uuid,text)"}
    assert database.query("select has_function_privilege('service_role', 'public.handle_failed_call(uuid, text, integer)', 'execute'), "
                          "has_function_privilege('authenticated', 'public.handle_failed_call(uuid, text, integer)', 'execute'), "
                          "proowner::regrole::text from pg_proc where proname = 'handle_failed_call'") == [(True, False, "hookswitch_pump")]


def test_a_changed_return_type_replaces_the_function(database, files):
    database.migrate()
    path = files / "functions" / "80_turn.sql"
    path.write_text(path.read_text() + "\ncreate or replace function public.odd() returns integer language sql set search_path = '' as 'select 1';\n")
    database.migrate(files)
    path.write_text(path.read_text().replace("odd() returns integer", "odd() returns text").replace("'select 1';\n", "'select 1::text';\n"))
    database.migrate(files)
    assert database.query("select prorettype::regtype::text from pg_proc where proname = 'odd'") == [("text",)]


def test_a_function_that_a_policy_still_uses_cannot_leave_the_files(database, files):
    database.migrate()
    path = files / "functions" / "10_shared.sql"
    path.write_text(path.read_text().replace("function public.touch_updated_at()", "function public.touched_at()"))
    path = files / "functions" / "99_rights.sql"
    path.write_text(path.read_text().replace("public.touch_updated_at()", "public.touched_at()"))
    before = database.catalogue()
    assert "touch_updated_at" in database.migrate(files, expect=1)
    assert database.catalogue() == before


def test_what_a_user_made_himself_in_public_is_left_alone(database):
    database.query("create function public.own(integer) returns integer language sql as 'select $1'", owner=True)
    database.query("create table public.own_table (id integer)", owner=True)
    database.query("grant execute on function public.own(integer) to public; grant select on public.own_table to public", owner=True)
    database.query("create function public.own_later() returns integer language sql as 'select 1'", owner=True)
    rights = "select proname, proowner::regrole::text, proacl::text from pg_proc where proname like 'own%' order by 1"
    table = "select relacl::text, relrowsecurity from pg_class where relname = 'own_table'"
    before = database.query(rights), database.query(table)
    database.migrate()
    database.query("create function public.own_after() returns integer language sql as 'select 1'", owner=True)
    database.migrate()
    assert (database.query(rights.replace("'own%'", "'own%' and proname <> 'own_after'")), database.query(table)) == before
    assert database.query("select proowner::regrole::text from pg_proc where proname = 'own_after'") == [(database.owner,)]
    assert database.query("select count(*) from hookswitch.functions where signature like 'public.own%'") == [(0,)]


def test_without_a_database_it_says_how_to_name_one():
    done = subprocess.run([str(ROOT / "sql" / "migrate")], capture_output=True, text=True, timeout=30, check=False,
                          env={k: v for k, v in os.environ.items() if k != "DATABASE_URL"})
    assert done.returncode == 2 and "DATABASE_URL" in done.stderr


def test_every_function_is_sound(database):
    """plpgsql_check reads each body against the tables as they are: names, types, and queries that cannot run."""
    database.migrate()
    if not database.query("select 1 from pg_available_extensions where name = 'plpgsql_check'"):
        pytest.skip("plpgsql_check is not installed (Debian: postgresql-15-plpgsql-check)")
    with database.connect() as c:
        c.execute("create schema checker; create extension plpgsql_check schema checker")
        found = c.execute("""
            select p.oid::regprocedure::text, coalesce(t.tgrelid::regclass::text, ''), x.message, x.detail, x.statement, x.lineno
              from pg_proc p
              join pg_namespace n on n.oid = p.pronamespace
              join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
              left join (select tgfoid, tgrelid, max(tgoldtable::text)::name as was, max(tgnewtable::text)::name as became
                           from pg_trigger where not tgisinternal group by 1, 2) t on t.tgfoid = p.oid
             cross join lateral checker.plpgsql_check_function_tb(p.oid, coalesce(t.tgrelid, 0), performance_warnings => false,
                                                                 extra_warnings => true, oldtable => t.was, newtable => t.became) x
             where n.nspname in ('public', 'api') and (p.prorettype <> 'trigger'::regtype or t.tgrelid is not null)
               and x.level in ('error', 'warning', 'warning extra')
               -- A literal as the first value of a variable, such as '[]' of a jsonb.
               and x.message <> 'target type is different type than source type'
               -- It reads the column that its trigger names, status or state; the other branch is never run.
               and not (p.proname = 'check_state_move' and x.message ~ '^record "(old|new)" has no field')
             order by 1, 2""").fetchall()
    assert found == []
