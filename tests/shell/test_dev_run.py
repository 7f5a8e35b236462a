"""./dev run as somebody uses it who has just got the tree: in a copy of its own, from nothing to a call and back."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from stack_process import environment

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


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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

    def shell(self, script):
        """What a script prints that a person would paste."""
        done = subprocess.run(["bash", "-euc", script], cwd=self.folder, capture_output=True, text=True, timeout=120,
                              env=environment(HOOKSWITCH_CONF=self.folder / ".dev" / "hookswitch.conf"), check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

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
    """Started as for a look around."""
    copy.said = copy.dev("run", "--port", copy.port, "--calls", "2")
    yield copy
    copy.dev("stop")


def test_once_builds_calls_tells_and_leaves_nothing(copy):
    said = copy.dev("run", "--once", "--port", copy.port, "--calls", "25")
    summary = json.loads(said.splitlines()[-1])
    assert {name: summary[name] for name in ("calls", "dialled", "completed", "lost", "double")} == {
        "calls": 25, "dialled": 25, "completed": 25, "lost": 0, "double": 0}
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
    assert json.loads(up.dev("run", "--once", "--calls", "3").splitlines()[-1])["completed"] == 3
    assert "stopped" in up.dev("stop")
    assert processes_of(up.folder) == []
    assert "nothing runs" in up.dev("stop")


def test_the_call_that_it_offers_can_be_made(up):
    offered = re.search(r"curl -K (\S+)", up.said)[0]
    kept = up.folder / ".dev" / "demo.curl"
    assert kept.stat().st_mode & 0o077 == 0
    assert re.search(r"Bearer ([^\"]+)", kept.read_text())[1] not in up.said
    assert json.loads(up.shell(offered))["status"] == "queued"


def test_the_manuals_first_call_can_be_pasted(up):
    manual = (up.folder / "docs" / "operations.md").read_text().split("\n## The first call\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", manual, re.S)
    assert len(blocks) == 4
    said = up.shell("\n".join(blocks))
    assert said.count('"status": "queued"') == 2 and "hsk_" in said
    assert up.dev("psql", "-X", "-At", "-c", "select count(*) from webhook_secrets").endswith("1\n")
    until = time.monotonic() + 60
    while not up.dev("psql", "-X", "-At", "-c", "select count(*) from calls where status = 'completed'"
                     " and to_number in ('+15550100100', '+15550100101')").endswith("2\n"):
        assert time.monotonic() < until, "the manual's calls did not end"
        time.sleep(0.2)


def test_the_database_alone_is_started_for_as_long_as_it_is_asked(copy):
    said = copy.dev("psql", "-X", "-At", "-c", "select 6 * 7")
    assert "PostgreSQL is started for this alone" in said and "42" in said
    assert processes_of(copy.folder) == []
    copy.dev("psql", "-X", "-c", "select nothing", expect=1)
    assert processes_of(copy.folder) == []
