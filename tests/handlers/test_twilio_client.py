"""A client that we did not write: Twilio's own, from npm, drives the sandbox, which is thereby no fancy of ours, and verifies what it signs."""

import subprocess

import pytest

from stack import sandbox_client
from stack_clients import PATIENCE, environment, installed, program

TOKEN = "0123456789abcdef0123456789abcdef"
OLDEST = 20


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Node, new enough for the client, and a folder with it."""
    found = program("node", "nodejs")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=PATIENCE, check=True).stdout.strip()
    if int(said.lstrip("v").partition(".")[0]) < OLDEST:
        pytest.skip(f"SKIPPED: Twilio's own client needs Node {OLDEST}, and this is {said}, so it was not tried")
    return found, installed(tmp_path_factory)


def test_twilios_own_client_drives_the_sandbox_and_verifies_what_it_signs(node, tmp_path):
    found, folder = node
    with sandbox_client.Process(tmp_path) as box:
        box.reset(twilio_tokens=[TOKEN])
        done = subprocess.run([found, "twilio.js", box.url, TOKEN], cwd=folder, env=environment(), capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        assert done.returncode == 0 and done.stdout.endswith("done\n"), done.stdout + done.stderr
        seen = box.twilio()
    assert set(seen["purchases"].values()) == {1} and sum(seen["releases"].values()) == 1
    assert seen["requests"]["list_numbers"] >= 4
