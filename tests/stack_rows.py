"""The database of a stack: rows that a test needs, queries as anybody, and what must hold at the end."""

import hashlib
import json
import re
import secrets
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

HERE = Path(__file__).resolve().parent
KEPT = ("state_moves", "subscription_plans", "subscription_statuses", "subscription_standings", "dunning_steps", "end_reasons", "retry_policies",
        "templates")
OVER = ("completed", "failed", "canceled", "expired")

# Times that a provider's row brings: short, so that a test need not wait.
SHORT = {"silence_seconds": 30, "report_grace_seconds": 0.2, "report_patience_seconds": 60,
         "absence_gap_seconds": 0.2, "absence_after_seconds": 0.2, "absence_slack_seconds": 5,
         "cool_seconds": 0.05, "retry_scale": 0.0001, "starts_per_second": 10000}
TARGETS = {"vapi": ("test-assistant", "phone-number-id"), "synthflow": ("test-model", "+15550009999")}


def database_url(admin, name, user):
    """The same server, another database and user."""
    parts = urlsplit(admin)
    query = dict(parse_qsl(parts.query))
    query["user"] = user
    return f"{parts.scheme}://{parts.netloc}/{name}?{urlencode(query, quote_via=quote, safe='/')}"


class Rows:
    """What a stack knows of its database.  It needs admin, database and the rest of Stack."""

    admin = database = db = plans = None

    def database_make(self, name):
        """The database with its roles and migrations, as the programs' installation makes it: once, and then copied."""
        self.database = name
        with psycopg.connect(self.admin, autocommit=True) as db:
            db.execute("select pg_advisory_lock(hashtext('tests/make-database'))")
            template = self.template_make(db)
            db.execute(f'create database "{name}" template "{template}" owner hookswitch_owner')
        self.db = self.connect(autocommit=True)
        self.plans = self.db.execute("select jsonb_agg(to_jsonb(p)) from public.subscription_plans p").fetchone()[0]
        self.tables = [row[0] for row in self.db.execute(
            """select quote_ident(c.relname) from pg_class c where c.relnamespace = 'public'::regnamespace
                  and c.relkind in ('r', 'p') and c.relname <> all (%s)""", (list(KEPT),))]

    def template_make(self, db):
        """The database that others are copied from, made anew when anything under sql/ is other than it was, or the day."""
        words = hashlib.sha256(time.strftime("%Y-%m-%d", time.gmtime()).encode())
        for file in sorted(f for f in (HERE.parent / "sql").rglob("*") if f.is_file()):
            words.update(file.read_bytes())
        name = "template_" + words.hexdigest()[:16]
        there = [row[0] for row in db.execute(r"select datname from pg_database where datname ~ '^template_[0-9a-f]{16}$'")]
        if name not in there:
            for old in (*there, "half_made"):
                db.execute(f'drop database if exists "{old}"')
            done = subprocess.run([HERE / "make-database", self.admin, "half_made"], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            db.execute(f'alter database half_made rename to "{name}"')
        return name

    def database_drop(self):
        """The whole database goes."""
        if self.db:
            self.db.close()
            self.db = None
            with psycopg.connect(self.admin, autocommit=True) as db:
                db.execute(f'drop database if exists "{self.database}" with (force)')

    def database_open(self, wanted):
        """Whether new connections are let in; connections that there are stay."""
        with psycopg.connect(self.admin, autocommit=True) as db:
            db.execute(f'alter database "{self.database}" allow_connections {wanted}')

    def url_of(self, user="postgres"):
        """How a user reaches the database; postgres: whoever the tests' own address names."""
        own = dict(parse_qsl(urlsplit(self.admin).query)).get("user") or urlsplit(self.admin).username or "postgres"
        return database_url(self.admin, self.database, own if user == "postgres" else user)

    def connect(self, **more):
        """A connection of its own, as superuser; for tests that race."""
        return psycopg.connect(self.url_of(), row_factory=namedtuple_row, **more)

    def forget_rows(self):
        """All rows but those that the migrations brought; plans are as they were, and bring no numbers by themselves.

        A few rows are deleted faster than tables are truncated."""
        with self.connect() as db:
            db.execute("set local session_replication_role = replica")
            for table in self.tables:
                db.execute(f"delete from public.{table}")
            for table in ("sessions", "refresh_tokens", "one_time_tokens", "factors", "recovery_codes", "credentials",
                          "throttles"):
                db.execute(f"delete from hookswitch_auth.{table}")
            db.execute("delete from auth.users")
            db.execute("delete from public.subscription_plans")
            db.execute("insert into public.subscription_plans select * from jsonb_populate_recordset(null::public.subscription_plans, %s)", (Jsonb(self.plans),))
            db.execute("insert into public.number_policy (enabled) values (false)")

    # ---- queries -----------------------------------------------------------

    def sql(self, query, *args, role=None, claims=None):
        """One query, as superuser or as a role with claims; answers the rows, by name or by place."""
        if role is None and claims is None:
            cursor = self.db.execute(query, args or None)
            return cursor.fetchall() if cursor.description else []
        with self.identity(role, claims) as db:
            cursor = db.execute(query, args or None)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def identity(self, role, claims=None):
        """A transaction as a role with claims, as PostgREST makes it."""
        with self.connect() as db:
            db.execute("select set_config('role', %s, true) as r, set_config('request.jwt.claims', %s, true) as c",
                       (role or "none", json.dumps(claims) if claims else ""))
            yield db

    def value(self, query, *args, **more):
        """The first column of the first row; None without one."""
        rows = self.sql(query, *args, **more)
        return rows[0][0] if rows else None

    def count(self, table, where="true", *args):
        """How many rows."""
        return self.value(f"select count(*) from {table} where {where}", *args)

    # ---- rows ----------------------------------------------------------------

    def insert(self, table, **columns):
        """One row; answers its id.  dict and list become jsonb."""
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join(["%s"] * len(columns))
        values = [Jsonb(v) if isinstance(v, dict) else v for v in columns.values()]
        key = "id" if table != "call_template_targets" else "template_id"
        return str(self.value(f"insert into public.{table} ({names}) values ({marks}) returning {key}", *values))

    def provider(self, kind="vapi", **columns):
        """A provider with short times; answers its id."""
        row = {"name": f"{kind} {secrets.token_hex(3)}", "provider_type": kind,
               "api_key": getattr(self, "keys", {}).get(kind, "key"), **SHORT, **columns}
        return self.insert("call_service_providers", **row)

    def template(self, kinds=("vapi", "synthflow"), **columns):
        """A template that these kinds of provider can say: everybody's, or with organization_id all of an organization's."""
        row = {"name": "Reminder", "visibility": "organization" if "organization_id" in columns else "public", **columns}
        ident = self.insert("call_templates", **row)
        for kind in kinds:
            assistant, caller = TARGETS[kind]
            self.insert("call_template_targets", template_id=ident, provider_type=kind, assistant=assistant,
                        caller_number=caller)
        return ident

    def key(self, organization, scopes=("*",), **columns):
        """An API key of an organization; answers its text."""
        text = "hsk_" + secrets.token_urlsafe(30)
        self.insert("api_keys", organization_id=organization, name="test", prefix=text[:8], scopes=list(scopes),
                    key_hash=hashlib.sha256(text.encode()).hexdigest(), **columns)
        return text

    def call(self, ident):
        """The calls row."""
        rows = self.sql("select * from calls where id = %s", ident)
        assert rows, f"there is no call {ident}"
        return rows[0]

    def queued(self, ident):
        """The call_queue row."""
        return self.sql("select * from call_queue where id = %s", ident)[0]

    def attempts(self, ident):
        """The call's attempts, the first first."""
        return self.sql("select * from call_assignments where call_id = %s order by attempt", ident)

    def all_over(self):
        """True when no call waits or lives, and no ended attempt waits for its report."""
        return self.value("""select not exists (select from calls where finished_at is null)
            and not exists (select from call_assignments where finished_at is null)""")

    # ---- what must hold ------------------------------------------------------

    def invariants(self, dials=None):
        """What must hold when all is over, however it came to that.  dials: of a sandbox, else this stack's own."""
        dials = (dials or self.sandbox.dials())["by_assignment"]
        wrong = []
        wrong += [f"call {c.id} has not ended: {c.status}" for c in self.sql(
            "select id, status from calls where finished_at is null or status <> all (%s)", list(OVER))]
        wrong += [f"queue and call disagree about {c.id}" for c in self.sql(
            """select c.id from calls c left join call_queue q on q.id = c.id
                where c.direction = 'outbound' and (q.id is null or q.status <> c.status)""")]
        wrong += [f"attempt {a.id} still holds a line: {a.state}" for a in self.sql(
            "select id, state from call_assignments where state in ('leased', 'sent', 'accepted', 'unknown')")]
        wrong += [f"attempt {a.id} was never settled" for a in self.sql(
            "select id from call_assignments where finished_at is null")]
        wrong += self._dials_wrong(dials)
        wrong += [f"the ledger has {u.kinds} for call {u.id} with {u.attempts} attempts" for u in self.sql(
            """select c.id, c.attempts, array_agg(u.kind order by u.kind) filter (where u.kind is not null) as kinds
                 from (select x.id, case when x.direction = 'outbound' or x.started_at is not null or x.status = 'completed' then x.attempts else 0 end
                              as attempts from calls x) c
                 left join usage_entries u on u.call_id = c.id group by c.id, c.attempts
               having array_agg(u.kind order by u.kind) filter (where u.kind is not null) is distinct from
                      case when c.attempts > 0 then array['calls', 'seconds'] end""")]
        wrong += [f"call {e.id} ended as {e.status} and told of {e.told}" for e in self.sql(
            """select c.id, c.status, array_agg(e.type) as told from calls c left join events e on e.subject_id = c.id
                group by c.id, c.status having array_agg(e.type) is distinct from array['call.' || c.status]""")]
        assert not wrong, "\n".join(wrong[:20])

    def _dials_wrong(self, dials):
        """Telephones that rang though they should not have."""
        attempts = self.sql("select id::text, call_id, state, outcome from call_assignments")
        known = {a.id for a in attempts}
        wrong = [f"{mark} was dialled and is no attempt of ours" for mark in dials if mark not in known]
        wrong += [f"attempt {a.id} was dialled {dials[a.id]} times" for a in attempts if dials.get(a.id, 0) > 1]
        wrong += [f"attempt {a.id} was dialled and is {a.state}" for a in attempts
                  if dials.get(a.id) and a.state in ("refused", "absent")]
        rang = {}
        for a in attempts:
            if dials.get(a.id) and a.outcome != "retry":
                rang.setdefault(a.call_id, []).append(a.id)
        return wrong + [f"call {call} was dialled for good by {marks}" for call, marks in rang.items() if len(marks) > 1]


def summary_of(text):
    """The JSON line that a pump printed last."""
    lines = [line for line in text.strip().split("\n") if re.match(r"\{.*\}$", line)]
    assert lines, f"the pump printed no summary: {text[:500]!r}"
    return json.loads(lines[-1])
