"""Mails of a stack: turns of workflow-pump that send them, and what was sent as its receiver reads it."""

import re
import time

from stack_process import PATIENCE
from stack_rows import summary_of

# A kind is known by its subject.
SUBJECTS = {
    "verify_email": r"Confirm your address", "email_change": r"Confirm your new address",
    "email_changed": r"Your address was changed", "reset_password": r"Set a new password",
    "magic_link": r"Your link to sign in", "password_changed": r"Your password was changed",
    "invitation": r".* invites you to .*", "organization_deleted": r".* was deleted",
}


class Mail:
    """One mail: raw is all that the sandbox tells of it."""

    def __init__(self, raw):
        self.raw, self.subject, self.text, self.html = raw, raw["subject"], raw["text"], raw["html"]

    @property
    def kind(self):
        """Its kind; None for one that is not ours."""
        return next((kind for kind, subject in SUBJECTS.items() if re.fullmatch(subject, self.subject)), None)

    @property
    def link(self):
        """The address to follow; None without one."""
        found = re.search(r"^https?://\S+$", self.text, re.M)
        return found and found[0]

    @property
    def token(self):
        """The token that the link carries, or that stands there by itself."""
        found = re.search(r"\b[0-9a-f-]{36}\.[0-9a-f]{64}\b", self.text)
        return found and found[0]

    @property
    def code(self):
        """The six digits."""
        found = re.search(r"code: (\d{6})$", self.text, re.M)
        return found and found[1]


class Mails:
    """What a stack knows of mails.  It needs sandbox, sql and run_program of Stack."""

    def work(self, wait=None, expect=0, deadline=PATIENCE, **more):
        """workflow-pump --once [--wait]; answers its summary."""
        words = ["--once", *(["--wait", wait] if wait is not None else [])]
        done = self.run_program("workflow-pump", *words, deadline=deadline + (wait or 0), **more)
        with open(self.folder / "work.log", "a", encoding="utf-8") as log:
            log.write(done.stderr)
        assert expect is None or done.returncode == expect, \
            f"workflow-pump ended with {done.returncode}: {done.stdout}{done.stderr[-3000:]}"
        return summary_of(done.stdout) if done.returncode in (0, 1) else None

    def mails(self, to=None, kind=None):
        """All mails so far, or those to somebody, or of a kind; oldest first."""
        found = [Mail(raw) for raw in self.sandbox.mails(to=to)]
        return [mail for mail in found if kind in (None, mail.kind)]

    def wait_mail(self, to, kind=None, n=1, deadline=PATIENCE, **more):
        """Work until the n-th mail of that kind to somebody is there, and answer it."""
        until = time.monotonic() + deadline
        while True:
            found = self.mails(to, kind)
            if len(found) >= n:
                return found[n - 1]
            assert time.monotonic() < until, f"no {kind or 'mail'} to {to} in {deadline} s; {self.mail_runs()}"
            if self.work(**more)["claimed"] == 0:
                time.sleep(0.02)

    def mail_runs(self):
        """The runs that mails are, by id: state and what went wrong last."""
        return {r.id: (r.state, r.last_error) for r in self.sql(
            "select id, state, last_error from workflow_runs where workflow = 'mail' order by created_at, id")}

    def mails_due(self):
        """What waits for a later try is due now."""
        self.sql("update workflow_steps set due_at = now() where due_at > now()")
        self.sql("update workflow_runs set due_at = now() where state = 'ready' and due_at > now()")
