"""A client that we did not write: Supabase's own, from npm, signs people up, in, refreshes and out against auth-v1."""

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from accounts_v1 import Caller, sent_to, service

CLIENTS = Path(__file__).resolve().parents[1] / "clients"
FILES = ("package.json", "package-lock.json", ".npmrc", "supabase_auth.js")
NO_NETWORK = re.compile(r"ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONN\w+|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT")
PATIENCE = 180


def program(*names):
    """The first of these that is installed; else the tests are skipped, and say why."""
    found = next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip(f"SKIPPED: {names[0]} is not installed (Debian: nodejs and npm), so Supabase's own client was not tried")
    return found


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Node, and a folder with the client: out of npm's cache, or out of its registry where there is a network."""
    found, npm = program("node", "nodejs"), program("npm")
    folder = tmp_path_factory.mktemp("clients")
    for name in FILES:
        shutil.copy(CLIENTS / name, folder)
    done = subprocess.run([npm, "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1",
                           "--fetch-timeout=30000", "--loglevel=error"], cwd=folder, capture_output=True, text=True,
                          timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL)
    words = done.stdout + done.stderr
    if done.returncode and NO_NETWORK.search(words):
        pytest.skip(f"SKIPPED: npm has no network and no copy of the packages ({NO_NETWORK.search(words)[0]}), "
                    "so Supabase's own client was not tried")
    assert done.returncode == 0, words
    return found, folder


class Mailbox:
    """Answers what the client asks for: what only a mail tells."""

    def __init__(self, stack):
        self.stack = stack

    def answer(self, what, to):
        """The code, the token, or the code that a link leads to."""
        kind = {"code": "verify_email", "pkce": "magic_link", "recovery": "reset_password"}[what]
        mail = self.stack.wait_mail(to, kind)
        if what == "code":
            return mail.code
        if what == "recovery":
            return mail.token
        # API_URL is all that is set: the link leads here, and on to the application.
        assert mail.link.startswith(self.stack.url), mail.link
        to, query, _ = sent_to(Caller(self.stack).ask("GET", mail.link.removeprefix(self.stack.url)))
        assert to == f"{self.stack.url}/in"
        return query["code"]


def converse(process, mailbox):
    """Answers until the client ends; all that it said."""
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("? "):
            process.stdin.write(mailbox.answer(*line[2:].split()) + "\n")
            process.stdin.flush()
    return "".join(said)


def test_supabases_own_client_works_unchanged(stack, node):
    found, folder = node
    token = service(stack).headers["Authorization"].removeprefix("Bearer ")
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with subprocess.Popen([found, "supabase_auth.js", stack.url, token], cwd=folder, env=env, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        end = threading.Timer(PATIENCE, process.kill)
        end.start()
        try:
            said = converse(process, Mailbox(stack))
        finally:
            end.cancel()
            process.kill()
    assert process.returncode == 0 and said.endswith("done\n"), said
