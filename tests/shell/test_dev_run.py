"""./dev run as somebody uses it who has just got the tree: in a copy of its own, from nothing to a call and back."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
import requests
from stack_process import environment, free_port, wait_until

TOP = Path(__file__).resolve().parents[2]
MADE = shutil.ignore_patterns(".dev", ".git", "autom4te.cache", "__pycache__")


def copy_tree(folder):
    """What belongs to the project, and nothing that was made from it."""
    listed = subprocess.run(["git", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True, check=False) if shutil.which("git") else None
    if not listed or listed.returncode != 0:
        shutil.copytree(TOP, folder, symlinks=True, ignore=MADE, dirs_exist_ok=True)
        return
    for name in listed.stdout.split("\0"):
        if name and (TOP / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, folder / name)


def processes_of(folder):
    """Whatever runs with this folder in its command."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{folder}/" in command:
            found.append((int(process.name), command))
    return found


class Copy:
    """A copy of the tree; its path is short, since sockets lie in it."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="hsd-", dir="/tmp"))
        self.folder.chmod(0o755)
        copy_tree(self.folder)
        self.port = free_port()

    def dev(self, *arguments, expect=0):
        """One ./dev to its end; answers what it said."""
        done = subprocess.run([self.folder / "dev", *map(str, arguments)], cwd=self.folder, env=environment(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=600, check=False)
        assert done.returncode == expect, done.stdout
        return done.stdout

    def shell(self, script, types=lambda: ""):
        """What a script prints that a person would paste, who then types something."""
        with subprocess.Popen(["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, text=True, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=environment(HOOKSWITCH_CONF=self.folder / ".dev" / "hookswitch.conf")) as pasted:
            try:
                said, faults = pasted.communicate(types(), timeout=120)
            finally:
                pasted.kill()
        assert pasted.returncode == 0, said + faults
        return said

    def code(self, to):
        """What a person types who waits for the first mail: its six digits, and enter."""
        port = (self.folder / ".dev" / "sandbox.port").read_text().strip()
        mails = wait_until(lambda: requests.get(f"http://127.0.0.1:{port}/_sandbox/mails", params={"to": to},
                                                timeout=10).json(), what=f"a mail to {to}")
        return re.search(r"code: (\d{6})$", mails[0]["text"], re.M)[1] + "\n"

    def psql(self, *statements):
        """What the database answers its superuser, as it is printed without any frame."""
        words = [word for statement in statements for word in ("-c", statement)]
        return self.dev("psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", *words).rstrip("\n")

    def blocks(self, file, heading, kind="sh"):
        """The commands of one section of a manual, block by block."""
        section = (self.folder / file).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
        return re.findall(rf"^ *```{kind}\n(.*?)^ *```", section, re.S | re.M)

    def remove(self):
        try:
            self.dev("stop")
        finally:
            for pid, _ in processes_of(self.folder):
                os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def copy():
    made = Copy()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture
def up(copy):
    """Started as for a look around; the next test goes on with it."""
    if not (copy.folder / ".dev" / "port").exists():
        copy.said = copy.dev("run", "--port", copy.port, "--calls", "2")
    return copy


def test_once_builds_calls_tells_and_leaves_nothing(copy):
    copy.dev("stop")
    said = copy.dev("run", "--once", "--port", copy.port, "--calls", "25")
    summary = json.loads(said.splitlines()[-1])
    assert {name: summary[name] for name in ("calls", "dialled", "completed", "lost", "double")} == {
        "calls": 25, "dialled": 25, "completed": 25, "lost": 0, "double": 0}
    assert summary["seen"] == 25, "who ordered them does not see them all"
    assert summary["answered"] and summary["number"].startswith("+1"), "the plan brought a number, and its assistant answered"
    assert "==> signing up demo@example.com" in said and "==> making an API key" in said and "==> buying the plan basic" in said
    assert "has the plan basic" in said and "26 of 500 calls and 26 of 1000 minutes are used" in said and "is paid" in said and "29.00 USD" in said
    assert processes_of(copy.folder) == []
    assert "not running" in copy.dev("status", expect=1)


def test_what_runs_is_found_and_stopped_again(up):
    assert f"http://127.0.0.1:{up.port}" in up.said
    before = processes_of(up.folder)
    said = up.dev("run")
    assert "it already runs" in said and f"http://127.0.0.1:{up.port}" in said
    assert processes_of(up.folder) == before, "nothing was started besides"
    assert f"already running on port {up.port}" in up.dev("run", "--port", free_port(), expect=1)
    said = up.dev("status")
    assert f"http://127.0.0.1:{up.port}" in said and "not running" not in said
    said = up.dev("run", "--once", "--calls", "3")
    assert json.loads(said.splitlines()[-1])["completed"] == 3
    assert "signing up" not in said and "making an API key" not in said, "account and key are there already"
    assert "stopped" in up.dev("stop")
    assert processes_of(up.folder) == []
    assert "nothing runs" in up.dev("stop")


def test_the_call_and_the_sign_in_that_it_offers_can_be_made(up):
    call, sign_in, _plan = re.findall(r"curl -K \S+", up.said)
    for name in ("demo.curl", "signin.curl", "plan.curl"):
        kept = up.folder / ".dev" / name
        assert kept.stat().st_mode & 0o077 == 0
        for secret in re.findall(r"Bearer ([^\"]+)|password[\\\": ]+([^\\\"]+)", kept.read_text()):
            assert "".join(secret) not in up.said
    assert json.loads(up.shell(call))["status"] == "queued"
    session = json.loads(up.shell(sign_in))
    me = requests.get(f"http://127.0.0.1:{up.port}/api/v1/auth/me", timeout=10,
                      headers={"Authorization": f"Bearer {session['access_token']}"}).json()
    assert (me["email"], me["status"]) == ("demo@example.com", "active")


def test_its_plan_is_bought_and_told_and_a_greater_one_can_be_taken(up):
    """Also where the database was there before: what the sandbox sold before it was stopped nobody knows there any more."""
    assert "==> buying the plan basic" in up.said
    assert re.search(r"demo@example.com has the plan basic .*: \d+ of 500 calls and \d+ of 1000 minutes are used", up.said)
    key = (up.folder / ".dev" / "secrets" / "demo-key").read_text()

    def billing(path=""):
        return requests.get(f"http://127.0.0.1:{up.port}/api/v1/billing{path}", timeout=30, headers={"Authorization": f"Bearer {key}"}).json()

    assert (billing()["plan"]["name"], billing()["subscription"]["origin"]) == ("basic", "stripe")
    assert json.loads(up.shell(re.findall(r"curl -K \S+", up.said)[2]))["plan"]["name"] == "business"
    wait_until(lambda: sum(invoice["amount_paid"] for invoice in billing("/invoices")["data"]) >= 9900, what="the invoice of what was lacking")


def test_who_signs_up_beside_it_has_what_everybody_begins_with(up):
    assert up.psql("select name from subscription_plans where is_default") == "free"


def test_a_key_that_was_lost_or_revoked_is_made_anew(up):
    kept = up.folder / ".dev" / "secrets" / "demo-key"
    up.psql("update api_keys set revoked_at = now() where name = 'demonstration'")
    before = kept.read_text()
    said = up.dev("run", "--once", "--calls", "1")
    assert "==> making an API key" in said and kept.read_text() != before
    assert kept.stat().st_mode & 0o077 == 0 and kept.read_text() not in said


def test_the_manuals_first_call_can_be_pasted(up):
    blocks = up.blocks("docs/operations.md", "The first call")
    assert len(blocks) == 6
    said = up.shell("\n".join(blocks), lambda: up.code("me@example.com"))
    assert said.count('"status": "queued"') >= 2 and "hsk_" in said and "confirmation_sent" in said
    assert said.count('"+15550100100"') == said.count('"+15550100101"') == 2, "ordered, and listed"
    assert up.psql("select count(*) from webhook_secrets") == "1"
    wait_until(lambda: up.psql("select count(*) from calls where status = 'completed'"
                               " and to_number in ('+15550100100', '+15550100101')") == "2", what="the manual's calls")


# What a reader of README's "Use it" does after a command, by what stands in it: keeps something of its answer, or waits.
UNTIL = "until curl -sS {} -H \"$AS\" | grep -q {}; do sleep 0.2; done"
AFTER = [
    ("auth/signup", "read -r CODE"),
    ("verify-email", "TOKEN=$(field access_token) ORGANIZATION=$(field organization_id)"),
    ("/api-keys", "KEY=$(field key)"),
    ("/call-templates", "TEMPLATE=$(field id)"),
    ("order-4711", "CALL=$(field id); " + UNTIL.format("$API/api/v1/calls/$CALL", "'\"status\": \"completed\"'") + "; "
                   + UNTIL.format("$API/api/v1/calls/search?q=appointment", "'\"rank\"'")),
    ('"name":"customers"', "IMPORT=$(field id)"),
    ("/billing/plans", "PLAN=$(plan basic) GREATER=$(plan business)"),
    ("/billing/checkout", 'curl -sS "$(field url)" -d do=pay -o page; ' + UNTIL.format("$API/api/v1/billing", "'\"origin\": \"stripe\"'")),
    ("/billing/plan -H", UNTIL.format("$API/api/v1/billing/invoices", "'\"billing_reason\": \"subscription_update\"'")),
]
HELP = r"""field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" answer; }
plan() { python3 -c 'import json, sys; print(*[p["id"] for p in json.load(open("answer"))["data"] if p["name"] == sys.argv[1]])' "$1"; }"""


def told(block):
    """A block's commands; of each the answer is kept and shown."""
    lines = []
    for command in re.split(r"\n(?=curl )", block.strip()):
        lines.append(command if not command.startswith("curl ") else f"{command} >answer; cat answer; echo")
        lines += [then for mark, then in AFTER if command.startswith("curl ") and mark in command]
    return lines


def test_what_readme_says_of_its_use_works_as_it_is_told(up):
    """What is said between the commands (what is the code, the token, an id) is done between them."""
    blocks = up.blocks("README.md", "Use it")
    script = [HELP, *(line for block in blocks[:5] for line in told(block))]
    said = up.shell("\n".join(script).replace("http://127.0.0.1:8080", f"http://127.0.0.1:{up.port}").replace("me@example.com", "reader@example.com"),
                    lambda: up.code("reader@example.com"))
    assert "urn:hookswitch:error" not in said, said
    assert "hsk_" in said and '"transcript": "' in said and '"match": true' in said and '"group_by": "outcome"' in said
    assert re.search(r'completed,\+15550100100,.*""who"": ""Ann""', said), "the export"
    assert '"rows_created": 1' in said and '"line": 3' in said and '"phone_number": "+15550100200"' in said
    assert re.search(r'"next_amount": ?9900', said) and '"billing_reason": "subscription_update"' in said and "/p/session/" in said, said
    client, = blocks[5:]
    assert (up.folder / re.search(r"\S+\.json", client)[0]).exists()


def test_the_manuals_commands_for_runs_can_be_pasted(up):
    """For a dead letter: a mail of a kind that nobody knows."""
    look, mend = up.blocks("docs/operations.md", "The pumps")
    up.psql("select work_start('manual:1', 'mail', '{\"kind\":\"nothing\",\"to\":\"x@example.com\",\"data\":{}}')")
    wait_until(lambda: up.psql("select state from workflow_runs where id = 'manual:1'") == "failed", what="a dead letter")
    look = look.replace("HERE=http://127.0.0.1\n", f"HERE=http://127.0.0.1:{up.port}\n")
    said = up.shell(look + mend.replace("the-id-of-a-run", "manual:1"))
    assert said.count('"manual:1"') >= 4
    wait_until(lambda: up.psql("select state from workflow_runs where id = 'manual:1'") == "canceled", what="its end")


def test_the_manuals_sql_can_be_pasted(up):
    blocks = up.blocks("docs/operations.md", "Accounts", "sql")
    assert len(blocks) == 2
    for block in blocks:
        assert up.psql("begin", "set local role hookswitch_pump", block.replace("somebody@", "demo@"), "rollback") == ""


def test_the_commands_of_the_manual_of_money_can_be_pasted(up):
    api = f"http://127.0.0.1:{up.port}"
    token = json.loads(up.shell(re.findall(r"curl -K \S+", up.said)[1]))["access_token"]
    made = requests.post(f"{api}/api/v1/organizations", json={"name": "Partner"}, headers={"Authorization": f"Bearer {token}"}, timeout=30).json()
    plan = up.psql("select id from subscription_plans where name = 'enterprise'")
    blocks = [block for heading in ("Plans", "Plans by hand", "Warnings") for block in up.blocks("docs/billing.md", heading)]
    assert len(blocks) == 4
    pasted = "".join(blocks).replace('"plan_id": "..."', f'"plan_id": "{plan}"').replace("2027-01-01", "2999-01-01")
    said = up.shell(f"API_URL={api} OPERATOR_TOKEN={token} TOKEN={token} PLAN_ID={plan} ORGANIZATION_ID={made['id']}\n{pasted}")
    assert "urn:hookswitch:error" not in said, said
    assert '"price_cents": 3900' in said and '"price_id": "pri_01..."' in said and '"ends_at": "2999-01-01' in said and '"+15550100200"' in said
    pay, = up.blocks("docs/billing.md", "Stripe, step by step")
    said = up.shell(f"API_URL={api} TOKEN={token} PLAN_ID={plan}\n{pay}")
    assert "subscription_exists" in said and '"status": "active"' in said, "who pays for a plan already buys no second one"


def test_the_database_alone_is_started_for_as_long_as_it_is_asked(copy):
    copy.dev("stop")
    said = copy.dev("psql", "-X", "-At", "-c", "select 6 * 7")
    assert "PostgreSQL is started for this alone" in said and "42" in said
    assert processes_of(copy.folder) == []
    copy.dev("psql", "-X", "-c", "select nothing", expect=1)
    assert processes_of(copy.folder) == []
