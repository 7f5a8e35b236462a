"""The curl commands of docs/api.md work: each is run as it is printed, with what a reader would set."""

import re
import subprocess

import pytest

from model_examples import World
from stack import TOP
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


@pytest.fixture
def routes(stack):
    """All routes of all programs, by method and path, and a provider that can say things."""
    stack.provider("vapi")
    return {(r["method"], r["path"]): r for r in routes_of(stack)}


@pytest.fixture
def curl(stack, tmp_path):
    """Runs a command as a reader's shell would; answers its status and its output.  The status is asked for by curl's own settings, so
    that nothing of the command is changed."""
    (tmp_path / ".curlrc").write_text(f'silent\nmax-time = {PATIENCE}\nnoproxy = "*"\nwrite-out = "{STATUS!r}"\n'.replace("'", ""))

    def run(command, variables):
        done = subprocess.run(["/bin/sh", "-uc", command], env={"PATH": "/usr/bin:/bin", "CURL_HOME": str(tmp_path), **variables},
                              capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
        body, _, status = done.stdout.rpartition("\nHTTP ")
        assert done.returncode == 0 and status.isdigit(), f"{command}\nended with {done.returncode}: {done.stdout}{done.stderr}"
        return int(status), body

    return run


def test_each_route_of_each_program_has_one_example_and_nothing_else_has(routes):
    commands = printed()
    assert set(commands) == set(routes), f"not in both: {set(commands) ^ set(routes)}"
    assert {key: len(found) for key, found in commands.items() if len(found) != 1} == {}


def test_each_example_does_what_it_says(stack, routes, curl):
    commands, wrong = printed(), []
    for key, route in routes.items():
        command, = commands[key]
        status, body = curl(command, World(stack, route).variables(command))
        if status != route["status"]:
            wrong.append(f"{command}-> {status} instead of {route['status']}: {body[:600]}")
    assert not wrong, "\n\n".join(wrong)


def test_an_example_that_fails_is_seen(stack, routes, curl):
    """So that the test above can fail: somebody else's token, and no token."""
    key = ("GET", "/api/v1/calls/{call_id}")
    command, = printed()[key]
    world = World(stack, routes[key])
    variables = world.variables(command)
    assert curl(command, variables)[0] == 200
    assert curl(command, {**variables, "TOKEN": World(stack, routes[key]).value("TOKEN")})[0] == 404
    with pytest.raises(AssertionError, match="TOKEN"):
        curl(command, {name: value for name, value in variables.items() if name != "TOKEN"})
