"""sql/check-backup: a backup is restored and compared, to the row where its sums are there; what is broken is said, and nothing is left behind."""

import os
import subprocess
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

ROOT = Path(__file__).resolve().parents[2]
ADMIN = os.environ.get("HOOKSWITCH_TEST_DATABASE_URL", "")

pytestmark = pytest.mark.skipif(not ADMIN, reason="no cluster for tests at hand (./dev test makes one)")


class Installation:
    """A database with something in it."""

    def __init__(self):
        self.name = f"backup_{uuid.uuid4().hex[:10]}"
        subprocess.run([ROOT / "tests/make-database", ADMIN, self.name], check=True, capture_output=True)
        self.sql("""with o as (insert into public.organizations (name) values ('Zoë & Söhne | "quoted"') returning id),
                         c as (insert into public.calls (organization_id, to_number, status) select id, '+15550100100', 'completed' from o returning *)
                    insert into public.usage_entries (organization_id, call_id, call_created_at, kind, quantity, billable, billed_at, occurred_at)
                    select c.organization_id, c.id, c.created_at, 'seconds', 61, 120, now(), now() from c""")
        self.sql("insert into public.timings (kind, name, n) values ('query', 'x', 1)")

    def url(self, **more):
        return make_conninfo(**{**conninfo_to_dict(ADMIN), "dbname": self.name, **more})

    def sql(self, text):
        with psycopg.connect(self.url(), autocommit=True) as c:
            return c.execute(text)

    def check(self, *arguments, expect=0, **more):
        with subprocess.Popen([ROOT / "sql/check-backup", *arguments, self.url(**more)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as done:
            said, _ = done.communicate(timeout=300)
        assert done.returncode == expect, said
        with psycopg.connect(ADMIN) as c:
            left = c.execute("select count(*) from pg_database where datname like %s", [f"hookswitch_check_{done.pid}_%"]).fetchone()
        assert left == (0,), "nothing is left behind"
        return said


@pytest.fixture(name="place", scope="module")
def _place():
    place = Installation()
    yield place
    with psycopg.connect(ADMIN, autocommit=True) as c:
        c.execute(f"drop database {place.name} with (force)")


@pytest.fixture(name="backup", scope="module")
def _backup(place, tmp_path_factory):
    file = tmp_path_factory.mktemp("backup") / "hookswitch.dump"
    assert "1 rows" not in place.check("--save", file)
    return file


def test_a_backup_is_the_same_to_the_row(place, backup):
    said = place.check(backup)
    assert "the same:" in said and "migrations" in said and "as of the backup" not in said
    sums = Path(f"{backup}.sums").read_text()
    assert "ledger seconds|1 61 120" in sums and "table public.organizations|1|" in sums
    assert "table public.timings|" not in sums, "figures are not in it"
    assert "migration 0001_foundation" in sums and "function public.timings_add(" in sums


def test_it_stays_what_it_was_while_work_goes_on(place, backup):
    place.sql("insert into public.organizations (name) values ('later')")
    assert "the same:" in place.check(backup)


@pytest.mark.parametrize("old,new,word", [
    ("ledger seconds|1 61 120", "ledger seconds|1 61 60", "ledger seconds: saved as 1 61 60, restored as 1 61 120"),
    ("migration 0001_foundation|", "migration 9999_gone|", "migration 9999_gone: saved as done, restored as missing"),
])
def test_what_differs_is_named(place, backup, tmp_path, old, new, word):
    copy = tmp_path / "copy.dump"
    copy.write_bytes(backup.read_bytes())
    sums = Path(f"{backup}.sums").read_text()
    assert old in sums
    Path(f"{copy}.sums").write_text("\n".join(sorted(sums.replace(old, new).splitlines())) + "\n")
    assert word in place.check(copy, expect=1)


def test_a_row_that_was_changed_is_seen(place, backup, tmp_path):
    """Not only how many there are."""
    copy = tmp_path / "copy.dump"
    copy.write_bytes(backup.read_bytes())
    lines = Path(f"{backup}.sums").read_text().splitlines()
    Path(f"{copy}.sums").write_text("".join((f"{x}1" if x.startswith("table public.organizations|") else x) + "\n" for x in lines))
    assert "table public.organizations: saved as" in place.check(copy, expect=1)


def test_a_backup_without_sums_is_compared_with_what_is_there_now(place, backup, tmp_path):
    copy = tmp_path / "copy.dump"
    copy.write_bytes(backup.read_bytes())
    place.sql("insert into public.organizations (name) values ('later still')")
    said = place.check(copy)
    assert "rows as of the backup" in said and "table public.organizations: " in said
    place.sql("create function public.only_here() returns integer language sql as 'select 1'")
    try:
        assert "function public.only_here(): now" in place.check(copy, expect=1)
    finally:
        place.sql("drop function public.only_here()")


def test_a_plain_dump_is_restored_too(place, tmp_path):
    file = tmp_path / "plain.sql"
    subprocess.run(["pg_dump", "--no-unlogged-table-data", "-f", file, place.url()], check=True)
    assert "the same:" in place.check(file)


def test_a_broken_file_is_no_backup(place, backup, tmp_path):
    broken = tmp_path / "broken.dump"
    broken.write_bytes(backup.read_bytes()[:-2000])
    assert "cannot be restored" in place.check(broken, expect=1)
    broken.write_text("select 1;\n")
    assert "no database of ours" in place.check(broken, expect=1)
    assert "there is no" in place.check(tmp_path / "none", expect=2)


def test_who_does_not_see_all_rows_takes_no_backup(place, tmp_path):
    said = place.check("--save", tmp_path / "x.dump", expect=1, user="hookswitch_owner")
    assert "bypasses row security" in said and not list(tmp_path.iterdir())


def test_a_wrong_call_is_told_how(place):
    done = subprocess.run([ROOT / "sql/check-backup"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "check-backup FILE" in done.stderr
