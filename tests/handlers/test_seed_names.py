"""Routes and settings that applications may know already work under those names.

tests/data/seed-routes.tsv and seed-settings.tsv list them, with where each was named.  A route of a program that is not there yet is passed
over until it is.  Tables, columns and SQL functions: tests/sql/inventory.sql.
"""

import csv
import re
import subprocess

import pytest

from stack import PROGRAMS
from stack_process import environment
from stack_routes import routes_of
from stack_rows import HERE


def named(what):
    """The rows of a list."""
    with open(HERE / "data" / f"seed-{what}.tsv", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("program", sorted({row["program"] for row in named("routes")} & set(PROGRAMS)))
def test_routes_are_there_by_their_names(stack, program):
    there = {(r["method"], re.sub(r"\{\w+\}", "{}", r["path"])) for r in routes_of(stack, [program])}
    missing = [row for row in named("routes") if row["program"] == program and (row["method"], row["path"]) not in there]
    assert not missing, missing


def test_settings_are_taken_by_their_names_and_all_others_are_passed_over(stack, tmp_path):
    rows = named("settings")
    known = set(re.findall(r'"name":\s*"([A-Z_]+)"', stack.run_program("status", "--describe-settings").stdout))
    assert {"DATABASE_URL", "API_URL"} <= known
    for row in rows:
        assert (row["name"] in known) == (row["what"] == "setting"), row
    conf = tmp_path / "hookswitch.conf"
    conf.write_text(stack.conf.read_text() + "".join(f"{row['name']}=whatever is here\n" for row in rows if row["what"] != "setting"))
    for program in PROGRAMS:
        done = subprocess.run([stack.build / "handlers" / program, "--check"], env=environment(HOOKSWITCH_CONF=conf), capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, (program, done.stderr)
