"""The curl commands of docs/api.md work: each is run as it is printed, with what a reader would set; and all that the description says of
answers is seen in theirs, or in those of model_openapi.py."""

import json
import re
import subprocess

import pytest

from model_examples import World
from model_openapi import LIKE, SHOWN
from stack import TOP
from stack_openapi import DESCRIPTION
from stack_process import PATIENCE
from stack_routes import routes_of

MANUAL = TOP / "docs" / "api.md"
HEADING = re.compile(r"^#+ .*?\b(GET|POST|PUT|PATCH|DELETE) (/\S*?)`?$", re.M)
COMMAND = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
# What curl says after the body.
STATUS = "\nHTTP %{http_code}"


def printed():
    """(method, path) -> the commands that stand below the heading of each route."""
    text = MANUAL.read_text(encoding="utf-8")
    heads = list(HEADING.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {(head[1], head[2]): COMMAND.findall(text[head.end():end]) for head, end in zip(heads, ends)}


@pytest.fixture(scope="module")
def routes(stack_of_file):
    """All routes of all programs, by method and path."""
    return {(r["method"], r["path"]): r for r in routes_of(stack_of_file)}


@pytest.fixture(scope="module")
def curl(tmp_path_factory):
    """Runs a command as a reader's shell would; answers its status and its output.  The status is asked for by curl's own settings, so
    that nothing of the command is changed."""
    home = tmp_path_factory.mktemp("curl")
    (home / ".curlrc").write_text(f'silent\nmax-time = {PATIENCE}\nnoproxy = "*"\nwrite-out = "{STATUS!r}"\n'.replace("'", ""))

    def run(command, variables):
        done = subprocess.run(["/bin/sh", "-uc", command], env={"PATH": "/usr/bin:/bin", "CURL_HOME": str(home), **variables},
                              capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
        body, _, status = done.stdout.rpartition("\nHTTP ")
        assert done.returncode == 0 and status.isdigit(), f"{command}\nended with {done.returncode}: {done.stdout}{done.stderr}"
        return int(status), body

    return run


@pytest.fixture(scope="module")
def ran(stack_of_file, routes, curl):
    """What became of each: route, command, status, output."""
    commands, done = printed(), []
    stack_of_file.provider("vapi")
    for key, route in routes.items():
        command, = commands[key]
        done.append((route, command, *curl(command, World(stack_of_file, route).variables(command))))
    return done


def test_each_route_of_each_program_has_one_example_and_nothing_else_has(routes):
    commands = printed()
    assert set(commands) == set(routes), f"not in both: {set(commands) ^ set(routes)}"
    assert {key: len(found) for key, found in commands.items() if len(found) != 1} == {}


def test_each_example_does_what_it_says(ran):
    wrong = [f"{command}-> {status} instead of {route['status']}: {body[:600]}"
             for route, command, status, body in ran if status != route["status"]]
    assert not wrong, "\n\n".join(wrong)


def test_each_member_of_an_answer_that_is_described_is_answered(ran, stack, monkeypatch):
    """The other way round, what is answered and not described, is looked for in every answer that any test gets."""
    seen, told = set(), DESCRIPTION.all_members()
    monkeypatch.setattr(DESCRIPTION, "seen", seen)
    for route, command, status, body in ran:
        success = DESCRIPTION.document["paths"][route["path"]][route["method"].lower()]["responses"][str(status)]
        schema = success.get("content", {}).get("application/json", {}).get("schema")
        if schema:
            DESCRIPTION.check_body(command, command, schema, json.loads(body))
    for show in {SHOWN[name] for name, _ in told - seen if name in SHOWN}:
        show(stack)
    seen |= {(name, member) for name, like in LIKE.items() for other, member in seen if other == like}
    unseen = sorted(f"{name}.{member}" for name, member in told - seen)
    assert not unseen, f"described, but nothing answers it (tests/model_openapi.py says how that is shown): {', '.join(unseen)}"


def test_an_example_that_fails_is_seen(stack, routes, curl):
    """So that the tests above can fail: somebody else's token, and no token."""
    stack.provider("vapi")
    key = ("GET", "/api/v1/calls/{call_id}")
    command, = printed()[key]
    world = World(stack, routes[key])
    variables = world.variables(command)
    assert curl(command, variables)[0] == 200
    assert curl(command, {**variables, "TOKEN": World(stack, routes[key]).value("TOKEN")})[0] == 404
    with pytest.raises(AssertionError, match="TOKEN"):
        curl(command, {name: value for name, value in variables.items() if name != "TOKEN"})
