"""A PostgreSQL cluster of one test's own, which may be killed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

from stack_process import environment, running, wait_until

OPTIONS = "-c listen_addresses='' -c shared_buffers=64MB -c max_connections=100 -c logging_collector=off"


class Cluster:
    """initdb, start, kill -9, start again.  As root it runs as the user postgres, since PostgreSQL refuses root."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="hookswitch-pg-", dir="/tmp"))
        self.bin = Path(os.environ.get("HOOKSWITCH_PG_BIN") or self._newest())
        self.data = self.folder / "data"
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.folder.chmod(0o711)
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync")
        self.url = f"postgresql:///postgres?host={quote(str(self.folder), safe='/')}&user=postgres"

    @staticmethod
    def _newest():
        return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))

    def _run(self, program, *words):
        more = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        done = subprocess.run([self.bin / program, *map(str, words)], capture_output=True, text=True, check=False,
                              cwd=self.folder, env=environment(), timeout=120, **more)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self):
        """Start it, after a crash too."""
        self._run("pg_ctl", "-D", self.data, "-l", self.folder / "log", "-w", "-t", "60",
                  "-o", f"{OPTIONS} -k {self.folder}", "start")

    def stop(self):
        """As an administrator would who is in a hurry: connections are cut."""
        self._run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")

    def kill(self):
        """kill -9 of the postmaster and all its children, as a power cut would; nothing is said to anybody."""
        pid = int((self.data / "postmaster.pid").read_text().split("\n")[0])
        pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
        for each in pids:
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_until(lambda: not any(running(each) for each in pids), what="the end of PostgreSQL")
        # A dead process that nobody has collected yet still has its number: PostgreSQL would take it for alive.
        for lock in (self.data / "postmaster.pid", *self.folder.glob(".s.PGSQL.*.lock")):
            lock.unlink()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)
