"""The whole stack for one test: a database, the sandbox, the programs, nginx; all of it on loopback and our own.

    with Stack(folder) as stack:
        stack.provider("vapi"), stack.template()
        stack.schedule(3)
        stack.drain()
        stack.invariants()

Everything is started here and ended by its process id.  Stack(cgi=True) runs the programs as plain CGI below
fcgiwrap.  HOOKSWITCH_TEST_DATABASE_URL names a cluster for tests, HOOKSWITCH_BUILD_DIR the build.
"""

import base64
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

import stack_process as process
from stack_client import Client, sign_token, user_claims
from stack_mail import Mails
from stack_process import wait_until
from stack_rows import HERE, Rows, summary_of

sys.path.append(str(HERE / "sandbox"))
import client as sandbox_client  # noqa: E402 - found by the line above

TOP = HERE.parent
# pytestmark of a file whose tests run with FastCGI and with plain CGI.
BOTH_WAYS = pytest.mark.parametrize("stack", ["fastcgi", "cgi"], indirect=True)
PROGRAMS = tuple(line.split()[0] for line in (TOP / "nginx" / "programs").read_text().split("\n")
                 if line and not line.startswith("#"))
# Counted all the same, but hardly ever too much.
GENEROUS = {f"HOOKSWITCH_{what}_PER_{whom}": n for whom in ("KEY", "ORGANIZATION", "ADDRESS")
            for what, n in (("RATE", 6000000), ("BURST", 1000000))}
DURATIONS = {"queued": 0.02, "ringing": 0.02, "in_progress": 0.02, "forwarding": 0.02, "report": 0.02}


def build_dir(name="HOOKSWITCH_BUILD_DIR"):
    """Where the programs are; the crash points' build is HOOKSWITCH_CRASH_BUILD_DIR."""
    return Path(os.environ.get(name) or TOP / ".dev" / "build")


def render(template, **values):
    """A configuration of nginx from its template."""
    words = [f"{name}={value}" for name, value in values.items()]
    return subprocess.run([TOP / "nginx" / "render", template, *words], check=True, capture_output=True,
                          text=True).stdout


class Stack(Rows, Mails):
    """All of it.  settings: more lines of the settings file, None takes one out; build: another build's folder;
    keeper: a multiwatch starts a program again when it dies; sandbox: settings of the sandbox."""

    def __init__(self, folder=None, *, cgi=False, keeper=False, build=None, admin=None, settings=None, sandbox=None,
                 start=PROGRAMS):
        self.made = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="hookswitch-"))
        self.cgi, self.keeper, self.build = cgi, keeper, Path(build or build_dir())
        self.admin = admin or os.environ["HOOKSWITCH_TEST_DATABASE_URL"]
        self.first, self.sandbox_settings = tuple(start), dict(sandbox or {})
        self.run = self.folder / "run"
        self.run.mkdir(mode=0o700, exist_ok=True)
        self.conf, self.port = self.folder / "hookswitch.conf", process.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.keys = {kind: "key-" + secrets.token_hex(8) for kind in ("vapi", "synthflow", "resend", "stripe", "twilio")}
        self.secrets = {kind: "secret-" + secrets.token_hex(8) for kind in ("vapi", "synthflow", "stripe", "paddle", "internal", "jwt")}
        self.programs, self.pumps, self.nginx, self.wrap, self.sandbox = {}, [], None, None, None
        self.more_settings, self.number_at, self.unclean = dict(settings or {}), 0, []

    # ---- start and end -------------------------------------------------------

    def start(self):
        """Start all of it."""
        try:
            self.database_make(f"test_{os.getpid()}_{secrets.token_hex(4)}")
            self.sandbox = sandbox_client.Process(self.folder)
            self.settings_write()
            self.sandbox_reset()
            self.all_at_once(self.start_program, self.first if not self.cgi else ())
            if self.cgi:
                self.wrap_start()
            self.nginx_start()
        except BaseException:
            self.stop(check=False)
            raise
        return self

    def stop(self, check=True):
        """End all of it; an error if a program ended badly or a sanitizer found something."""
        self.end_pumps()
        if self.nginx:
            self.nginx.stop()
        self.all_at_once(self.stop_program, list(self.programs))
        if self.wrap:
            self.wrap.stop()
        if self.sandbox:
            self.sandbox.stop()
        self.database_drop()
        faults = process.sanitizer_faults(self.folder)
        if self.made and not faults and not self.unclean:
            shutil.rmtree(self.folder, ignore_errors=True)
        if check:
            assert not faults, "\n\n".join(faults)
            assert not self.unclean, f"programs ended badly: {self.unclean}; logs are in {self.folder}"

    __enter__ = start

    def __exit__(self, kind, *_):
        self.stop(check=kind is None)

    def reset(self):
        """As at the start: no rows, no calls, the settings of the first moment, all programs there."""
        self.end_pumps()
        self.sandbox_reset()
        if not self.cgi:
            for name in self.first:
                if name not in self.programs or not self.programs[name].alive:
                    self.start_program(name)
        self.forget_rows()

    def sandbox_reset(self, **settings):
        """Forget all that the sandbox saw; short calls, numbers mean nothing, our keys and secrets."""
        self.sandbox.reset(**{
            "durations": DURATIONS, "first_event_delay": 0.005, "backoff_scale": 0.05,
            "vapi_keys": [self.keys["vapi"]], "synthflow_keys": [self.keys["synthflow"]],
            "resend_keys": [self.keys["resend"]], "twilio_tokens": [self.keys["twilio"]],
            "synthflow_webhook_secret": self.secrets["synthflow"], **self.sandbox_settings, **settings})

    def settings_write(self, **more):
        """The settings file; programs that are started from now on read it."""
        self.more_settings.update(more)
        values = {
            "DATABASE_URL": self.url_of("hookswitch_app"), "HOOKSWITCH_RUN_DIR": self.run,
            "HOOKSWITCH_SECRET_KEY": "test:" + base64.b64encode(self.secrets["jwt"].ljust(32)[:32].encode()).decode(),
            "HOOKSWITCH_JWT_SECRET": self.secrets["jwt"], "HOOKSWITCH_INTERNAL_TOKEN": self.secrets["internal"],
            "API_URL": self.url, "VAPI_BASE_URL": self.sandbox.vapi_url,
            "VAPI_WEBHOOK_SECRET": self.secrets["vapi"], "SYNTHFLOW_BASE_URL": self.sandbox.synthflow_url,
            "SYNTHFLOW_WEBHOOK_SECRET": self.secrets["synthflow"], "HOOKSWITCH_PUMP_QUIET_MS": 50,
            "STRIPE_BASE_URL": self.sandbox.stripe_url, "STRIPE_SECRET_KEY": self.keys["stripe"],
            "STRIPE_WEBHOOK_SECRET": self.secrets["stripe"], "PADDLE_WEBHOOK_SECRET": self.secrets["paddle"],
            "RESEND_BASE_URL": self.sandbox.resend_url, "RESEND_API_KEY": self.keys["resend"],
            "MAIL_FROM": "Hookswitch <no-reply@example.com>",
            "TWILIO_BASE_URL": self.sandbox.twilio_url, "TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": self.keys["twilio"],
            "TWILIO_SMS_FROM": "+15550109999",
            "HOOKSWITCH_PASSWORD_COST": 4, "HOOKSWITCH_REFRESH_GRACE_SECONDS": 60, "HOOKSWITCH_IMPORT_WAIT_SECONDS": 600, **GENEROUS,
            **self.more_settings}
        self.conf.write_text("".join(f"{name}={value}\n" for name, value in values.items() if value is not None))

    def nginx_start(self, **values):
        """nginx in front of the programs, or of fcgiwrap."""
        server, conf = self.folder / "server.conf", self.folder / "nginx.conf"
        server.write_text(render("hookswitch.conf.in", **{
            "SOCKETS": self.run, "LISTEN": f"127.0.0.1:{self.port}", "SERVER_NAME": "_", "API_RATE": 100000,
            "API_BURST": 100000, "ACCESS_LOG": self.folder / "access.txt", "PROGRAMS": self.build / "handlers",
            "CONF": self.conf, "CGI": self.run / "wrap.sock" if self.cgi else "", **values}))
        conf.write_text(render("nginx.conf.in", STATE=self.folder, INCLUDE=server,
                               USER="user root;" if os.geteuid() == 0 else ""))
        self.nginx = process.Process("nginx", ["/usr/sbin/nginx", "-e", "stderr", "-p", self.folder, "-c", conf],
                                     self.folder / "nginx.log", process.environment())
        wait_until(self._listens, what="nginx")

    def _listens(self):
        assert self.nginx.alive, self.nginx.text()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def wrap_start(self):
        """fcgiwrap, which starts a program for each request."""
        path = self.run / "wrap.sock"
        self.wrap = process.Process("fcgiwrap", ["/usr/sbin/fcgiwrap", "-c", 8, "-s", f"unix:{path}"],
                                    self.folder / "fcgiwrap.log", process.environment())
        wait_until(path.exists, what="fcgiwrap's socket")

    # ---- programs --------------------------------------------------------------

    @staticmethod
    def all_at_once(do, names):
        """Starts or stops programs side by side: most of that is waiting for them."""
        with ThreadPoolExecutor(max(len(names), 1)) as pool:
            list(pool.map(do, names))

    def environment(self, **more):
        """The environment of a program of this stack."""
        return process.environment(**{"HOOKSWITCH_CONF": self.conf, **more})

    def start_program(self, name, env=None, build=None, keeper=None):
        """Start one, or start it anew: env for it alone (crash points), another build, with or without a keeper."""
        if name in self.programs:
            self.stop_program(name)
        program = Path(build or self.build) / "handlers" / name
        self.programs[name] = process.Served(
            name, program, self.run / f"{name}.sock", self.folder / f"{name}.log", self.environment(**(env or {})),
            self.keeper if keeper is None else keeper)
        return self.programs[name]

    @contextmanager
    def other_settings(self, name, **settings):
        """While this lasts a program runs with other settings."""
        before = dict(self.more_settings)
        self.settings_write(**settings)
        self.start_program(name)
        yield
        self.more_settings = before
        self.settings_write()
        self.start_program(name)

    def stop_program(self, name):
        """SIGTERM; answers the exit status, which is to be 0."""
        program = self.programs.pop(name)
        ended = not program.alive
        status = program.stop()
        if not program.killed and not (ended and program.keeper) and status not in (
                (0, -signal.SIGTERM) if program.keeper else (0,)):
            self.unclean.append(f"{name} {status}")
        return status

    def kill_program(self, name):
        """kill -9 of the program; with a keeper the next one comes by itself."""
        self.programs[name].kill_program()

    def run_program(self, name, *arguments, env=None, build=None, deadline=process.PATIENCE, **more):
        """A program from the shell, until it ends: the finished process with its output."""
        return subprocess.run([Path(build or self.build) / "handlers" / name, *map(str, arguments)],
                              env=self.environment(**(env or {})), capture_output=True, text=True, timeout=deadline,
                              check=False, **more)

    # ---- the pump ----------------------------------------------------------------

    def pump(self, wait=None, expect=0, **more):
        """queue-pump --once [--wait]; answers its summary."""
        words = ["--once", *(["--wait", wait] if wait is not None else [])]
        done = self.run_program("queue-pump", *words, deadline=process.PATIENCE + (wait or 0), **more)
        with open(self.folder / "pump.log", "a", encoding="utf-8") as log:
            log.write(done.stderr)
        assert expect is None or done.returncode == expect, \
            f"queue-pump ended with {done.returncode}: {done.stdout}{done.stderr[-3000:]}"
        return summary_of(done.stdout) if done.returncode in (0, 1) else None

    def pump_begin(self, wait=None, env=None, build=None):
        """The same in the background; its out is the file of its summary."""
        words = ["--once", *(["--wait", wait] if wait is not None else [])]
        out = self.folder / f"pump-{secrets.token_hex(4)}.out"
        with open(out, "wb") as file:
            pump = process.Process("queue-pump", [Path(build or self.build) / "handlers" / "queue-pump", *words],
                                   self.folder / "pump.log", self.environment(**(env or {})), stdout=file)
        pump.out = out
        self.pumps.append(pump)
        return pump

    def pump_end(self, pump, expect=0):
        """SIGTERM to a pump of pump_begin; answers its summary."""
        self.pumps.remove(pump)
        status = pump.stop()
        assert expect is None or status == expect, f"queue-pump ended with {status}: {pump.text()[-3000:]}"
        return summary_of(pump.out.read_text()) if status in (0, 1) else None

    @contextmanager
    def pumping(self, env=None, build=None):
        """While this lasts a pump waits and dials what comes in, as it does behind a timer."""
        pump = self.pump_begin(wait=3600, env=env, build=build)
        wait_until(lambda: self.heard() or not pump.alive, what="a waiting pump")
        yield pump
        if pump in self.pumps:
            self.pump_end(pump)

    def heard(self):
        """Whether some turn listens for pokes; a killed one leaves its socket's file behind."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            return s.connect_ex(str(self.run / "pump.poke")) == 0

    def end_pumps(self):
        """Those that a test left behind."""
        for pump in self.pumps[:]:
            self.pumps.remove(pump)
            pump.stop()

    def pump_ask(self, wait=None, **more):
        """POST /internal/queue-pump through nginx; answers the response."""
        headers = {"Authorization": f"Bearer {self.secrets['internal']}", **more.pop("headers", {})}
        return self.anybody().ask("POST", "/internal/queue-pump" + (f"?wait={wait}" if wait is not None else ""),
                                  headers={k: v for k, v in headers.items() if v is not None}, **more)

    def drain(self, deadline=process.PATIENCE):
        """Pump until every call is over and every attempt has its report."""
        with self.pumping():
            wait_until(self.all_over, deadline, "the end of all calls")

    def drain_of(self, *calls, deadline=process.PATIENCE):
        """Pump until these calls are over, whatever becomes of others."""
        with self.pumping():
            wait_until(lambda: all(self.call(c).finished_at for c in calls), deadline, "the end of the calls")

    # ---- people and calls ----------------------------------------------------------

    def anybody(self):
        """Somebody without any credential."""
        return Client(self.url)

    def token(self, name, **claims):
        """A signed token of a person."""
        return sign_token(self.secrets["jwt"], user_claims(name, **claims))

    def user(self, name, **claims):
        """A person with a token, and with a personal organization."""
        who = Client(self.url, {"Authorization": f"Bearer {self.token(name, **claims)}"}, name,
                     user_claims(name, **claims))
        who.get("/api/v1/calls?limit=1")
        who.organization = str(self.value("select id from organizations where personal_of = %s", who.id))
        return who

    def api_key(self, organization, scopes=("*",), **columns):
        """Somebody with an API key of an organization, or of the one that a client acts for."""
        organization = getattr(organization, "organization", organization)
        who = Client(self.url, {"Authorization": f"Bearer {self.key(organization, scopes, **columns)}"})
        who.organization = organization
        return who

    def number(self):
        """A telephone number that no test has had yet, and that means nothing to the sandbox."""
        self.number_at += 1
        return f"+1555{200 + self.number_at // 9000 % 700:03d}{1000 + self.number_at % 9000:04d}"

    def schedule(self, n, who=None, template=None, **fields):
        """So many calls by the API, for somebody (user "alice"), with a template (the newest); answers their ids."""
        who = who or self.user("alice")
        template = template or str(self.value("select id from call_templates order by created_at desc, id limit 1"))
        calls = [{"recipient_number": self.number(), "template_id": template, **fields} for _ in range(n)]
        ids = []
        for at in range(0, n, 500):
            ids += [c["id"] for c in who.post("/api/v1/calls/batch", {"calls": calls[at:at + 500]}, expect=201)["data"]]
        return ids
