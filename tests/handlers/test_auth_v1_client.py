"""A client that we did not write: Supabase's own, from npm, signs people up, in, refreshes and out against auth-v1."""

import subprocess
import threading

import pytest

from accounts_v1 import Caller, sent_to, service
from stack_clients import PATIENCE, environment, installed, program


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Node, and a folder with the client."""
    return program("node", "nodejs"), installed(tmp_path_factory)


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
    with subprocess.Popen([found, "supabase_auth.js", stack.url, token], cwd=folder, env=environment(), text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        end = threading.Timer(PATIENCE, process.kill)
        end.start()
        try:
            said = converse(process, Mailbox(stack))
        finally:
            end.cancel()
            process.kill()
    assert process.returncode == 0 and said.endswith("done\n"), said
