"""A client in TypeScript that is made from docs/openapi.json compiles, works, and sees mistakes when it is compiled."""

import json
import re
import subprocess

import pytest

from stack import TOP
from stack_clients import CLIENTS, PATIENCE, environment, installed, program

WRONG = "hookswitch_wrong.mts"


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Runs a script of Node in the folder of the clients, which holds the types made from the description; the finished process."""
    found, folder = program("node", "nodejs"), installed(tmp_path_factory)

    def run(*words):
        return subprocess.run([found, *map(str, words)], cwd=folder, env=environment(), capture_output=True, text=True,
                              timeout=PATIENCE, check=False)

    made = run("node_modules/openapi-typescript/bin/cli.js", TOP / "docs" / "openapi.json", "--output", "schema.d.mts")
    assert made.returncode == 0, made.stdout + made.stderr
    return run


def compile_with(node, project):
    """tsc; answers its status and what it says."""
    done = node("node_modules/typescript/bin/tsc", "--project", project)
    return done.returncode, done.stdout + done.stderr


def test_a_client_made_from_the_description_compiles_and_orders_and_lists_calls(stack, node):
    stack.provider("vapi")
    ann = stack.user("ann")
    template = stack.template(organization_id=ann.organization)
    ann.expect("PATCH", f"/api/v1/organizations/{ann.organization}",
               {"settings": {"calling_hours": {"start": "09:00", "end": "20:00", "timezone": "Europe/Berlin"}}}, 200)
    status, said = compile_with(node, "tsconfig.json")
    assert (status, said) == (0, "")
    done = node("hookswitch.mjs", stack.url, ann.headers["Authorization"].removeprefix("Bearer "), template)
    assert done.returncode == 0, done.stdout + done.stderr
    saw = json.loads(done.stdout)
    stored = [str(row.id) for row in stack.sql("select id from calls where organization_id = %s order by created_at desc, id desc",
                                               ann.organization)]
    assert len(stored) == 5 and sorted(saw["ordered"]) == sorted(stored)
    assert [len(page) for page in saw["pages"]] == [2, 2, 1] and sum(saw["pages"], []) == stored
    assert saw["again"] == saw["ordered"][0], "the same Idempotency-Key ordered twice"
    assert saw["variables"] == {"greeting": "Hello", "times": 3}
    assert (saw["canceled"], stack.call(saw["ordered"][0]).status) == ("canceled", "canceled")
    assert saw["refused"] == "call_not_found"
    assert (saw["organizations"], saw["hours"]) == (1, "Europe/Berlin")


def test_what_the_description_does_not_know_does_not_compile(node):
    """Each line that says so is an error, and no other line is."""
    status, said = compile_with(node, "tsconfig.wrong.json")
    lines = (CLIENTS / WRONG).read_text().split("\n")
    wanted = {number for number, line in enumerate(lines, 1) if "// wrong: " in line}
    found = {int(number) for number in re.findall(rf"^{re.escape(WRONG)}\((\d+),\d+\): error TS", said, re.M)}
    assert status != 0 and len(wanted) == 13 and found == wanted, (wanted ^ found, said)
