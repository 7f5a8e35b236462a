"""sql/numbers: the command that looks at how numbers are given by themselves, and switches it off and on."""

import os
import subprocess
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

ROOT = Path(__file__).resolve().parents[2]
ADMIN = os.environ.get("HOOKSWITCH_TEST_DATABASE_URL", "")

pytestmark = pytest.mark.skipif(not ADMIN, reason="no cluster for tests at hand (./dev test makes one)")


class Database:
    """A database as it is after the installation, and the command against it as its owner."""

    def __init__(self):
        self.name = f"numbers_{uuid.uuid4().hex[:10]}"
        subprocess.run([ROOT / "tests" / "make-database", ADMIN, self.name, "as-installed"], check=True, capture_output=True, timeout=300)
        self.db = psycopg.connect(make_conninfo(**{**conninfo_to_dict(ADMIN), "dbname": self.name}), autocommit=True)

    def value(self, query, *args):
        """The one value of one row."""
        return self.db.execute(query, args or None).fetchone()[0]

    def url(self):
        """As its owner, in the form of an address."""
        parts = conninfo_to_dict(ADMIN)
        return f"postgresql:///{self.name}?" + "&".join(f"{k}={v}" for k, v in {**parts, "user": "hookswitch_owner"}.items() if k != "dbname")

    def run(self, *args, expect=0, url=None, **env):
        """What the command says."""
        done = subprocess.run([ROOT / "sql" / "numbers", *args], capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, "DATABASE_URL": self.url() if url is None else url, **env})
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout if expect == 0 else done.stderr

    def drop(self):
        """It goes."""
        self.db.close()
        with psycopg.connect(ADMIN, autocommit=True) as c:
            c.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(self.name)))


@pytest.fixture(scope="module")
def database():
    """One for all tests of this file."""
    d = Database()
    yield d
    d.drop()


def organization(database):
    """The id of a new organization."""
    return str(database.value("insert into public.organizations (name) values ('Acme') returning id"))


def test_off_and_on_are_one_command_each_and_stand_in_the_audit_log(database):
    assert "numbers by themselves: on" in database.run("status") and "not set up" in database.run("status")
    assert "numbers by themselves: off" in database.run("off")
    assert database.value("select enabled from public.number_policy") is False
    assert "numbers by themselves: on" in database.run("on")
    assert database.value("select enabled from public.number_policy") is True
    assert database.value("select count(*) from public.workflow_runs where workflow = 'provision-catchup'") == 1
    assert [row[0] for row in database.db.execute("""select details -> 'changed' -> 'enabled' ->> 'to' from public.audit_log
        where action = 'number_policy.updated' and details -> 'changed' ? 'enabled' order by created_at""")] == ["false", "true"]


def test_a_share_is_a_number_up_to_a_hundred(database):
    assert "share: 8 %" in database.run("share", "08")
    for bad in (["101"], ["-1"], ["x"], [], ["1", "2"], ["1;drop"]):
        assert "from 0 to 100" in database.run("share", *bad, expect=2)
    assert database.value("select share_percent from public.number_policy") == 8


def test_organizations_are_listed_and_taken_off_the_list(database):
    first, second = organization(database), organization(database)
    database.run("allow", first, second)
    database.run("allow", first.upper())
    assert {str(o) for o in database.value("select organizations from public.number_policy")} == {first, second}
    assert "and 1 listed" in database.run("disallow", second)
    assert [str(o) for o in database.value("select organizations from public.number_policy")] == [first]
    assert "no organization" in database.run("allow", str(uuid.uuid4()), expect=2)
    assert "no id" in database.run("allow", "x'; drop table users", expect=2)
    database.run("disallow", first)


def test_the_log_is_shown_of_all_or_of_one(database):
    one, other = organization(database), organization(database)
    assert one in database.run("log") and other in database.run("log")
    mine = database.run("log", one)
    assert one in mine and other not in mine and "default_plan" in mine
    assert "default_plan" in database.run("status")


def test_who_asks_for_something_else_is_told_what_there_is(database):
    for wrong in ([], ["x"], ["status", "x"], ["allow"], ["log", str(uuid.uuid4()), "x"]):
        assert "disallow ORG..." in database.run(*wrong, expect=2)
    assert "name the database" in database.run("status", expect=2, url="")
    assert "numbers by themselves" in database.run(database.url(), "status", url="")
