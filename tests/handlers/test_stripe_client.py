"""A client that we did not write: Stripe's own, from npm, drives the sandbox, which is thereby no fancy of ours, and verifies what it signs."""

import json
import subprocess
import threading

import pytest

from stack import sandbox_client
from stack_clients import PATIENCE, environment, installed, program
from sandbox_helpers import Receiver

SECRETS = ["whsec_first", "whsec_second"]
OLDEST = 20


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Node, new enough for the client, and a folder with it."""
    found = program("node", "nodejs")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=PATIENCE, check=True).stdout.strip()
    if int(said.lstrip("v").partition(".")[0]) < OLDEST:
        pytest.skip(f"SKIPPED: Stripe's own client needs Node {OLDEST}, and this is {said}, so it was not tried")
    return found, installed(tmp_path_factory)


@pytest.fixture
def sandbox(tmp_path):
    """A sandbox and somebody who takes its events."""
    receiver = Receiver()
    try:
        with sandbox_client.Process(tmp_path) as box:
            box.reset(stripe_webhook_url=receiver.url, stripe_webhook_secret=SECRETS)
            yield box, receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()


def events(box, receiver):
    """All that was sent, a line each."""
    box.idle()
    return "".join(json.dumps({"body": raw.decode(), "header": headers["Stripe-Signature"]}) + "\n" for headers, raw, _ in receiver.got)


def test_stripes_own_client_drives_the_sandbox_and_verifies_what_it_signs(node, sandbox):
    (found, folder), (box, receiver) = node, sandbox
    with subprocess.Popen([found, "stripe.js", box.url], cwd=folder, env=environment(), text=True, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        end = threading.Timer(PATIENCE, process.kill)
        end.start()
        said = []
        try:
            for line in process.stdout:
                said.append(line)
                if line == "? webhooks\n":
                    process.stdin.write(events(box, receiver))
                    process.stdin.close()
        finally:
            end.cancel()
            process.kill()
    said = "".join(said)
    assert process.returncode == 0 and said.endswith("done\n"), said
    asked = box.stripe_requests()
    assert {"2026-10-28.endive", "2023-08-16"} <= {one["version"] for one in asked}
