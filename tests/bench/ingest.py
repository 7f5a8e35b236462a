"""Webhook ingest: signed, unique events through nginx, against pgbench running the same statement."""

import json
import random

import measure

CONNECTIONS, WARM, SECONDS, FEWEST = 16, 512, 2.0, 512
SIZES = {"3k": 3072, "60k": 61440}
HOLE = "@" * 10  # becomes the event's number in ten digits
MARK = "00000000-0000-4000-8000-00"  # and a number: the id of an attempt
AT = "2026-09-21T13:31:58.123Z"
WORDS = """the appointment is on tuesday at nine would you like to book a cleaning or a checkup please tell me your
name and number we will call back when the doctor has time thank you for waiting on the line""".split()
NAMES = tuple(f"ingest-{size}-{kind}" for size in SIZES for kind in ("kept", "move"))

CALL = {
    "id": HOLE, "orgId": "527a4c0a-7e94-7ca7-8bcc-0baba99d5592", "createdAt": "2026-09-21T13:31:30.000Z",
    "updatedAt": "2026-09-21T13:31:30.000Z", "type": "outboundPhoneCall", "status": "ringing", "cost": 0,
    "assistantId": "1a42ee5d-f4fc-7631-874f-5c7b258cdfa6",
    "assistantOverrides": {"variableValues": {"business": "Example Dental", "first_name": "Pat"},
                           "metadata": {"assignment_id": MARK + HOLE}},
    "customer": {"number": "+15550100002", "name": "Pat Doe"}, "name": MARK + HOLE,
    "phoneCallTransport": "pstn", "phoneCallProvider": "twilio"}
HEADS = {
    "kept": {"type": "transcript", "role": "user", "transcriptType": "final",
             "transcript": "I would like to book a cleaning for Tuesday."},
    "move": {"type": "status-update", "status": "ringing"}}

# The same statement with the same arguments.  pgbench would take a colon in a literal for a variable.
HEAD = """\\set k :base + :i * :clients + :client_id
\\set i :i + 1
select public.webhook_keep(:provider, :org::uuid, :signer, :k::text || :rest::text, :type,
    (:mark::text || :k::text)::uuid, :k::text, :body, """
SCRIPTS = {
    "kept": HEAD + "null, :class);\n",
    "move": HEAD + """'{"status":"ringing","provider_call_id":"' || :k::text || '","assignment_id":"' || :mark::text
    || :k::text || '","at":"' || :at::text || '"}', :class);\n"""}
RESTS = {"kept": ":transcript:" + "a" * 64, "move": ":status-update:ringing"}  # of the key, behind the call's id

# So many live calls, as the pump leaves them when the provider has accepted.
LIVE = """
insert into calls (id, created_at, organization_id, status, provider_id, provider_type, provider_call_id, progress,
                   attempts, to_number)
select ('00000000-0000-4000-9000-00' || k)::uuid, now(), %(org)s, 'in-progress', %(provider)s, 'vapi', k::text,
       'queued', 1, '+15550100002' from generate_series(%(first)s::bigint, %(last)s::bigint) k;
insert into call_queue (id, call_created_at, organization_id, recipient_number, expires_at, status, provider_id,
                        call_id, attempts, route)
select ('00000000-0000-4000-9000-00' || k)::uuid, now(), %(org)s, '+15550100002', now() + interval '1 day',
       'in-progress', %(provider)s, k::text, 1, 'vapi' from generate_series(%(first)s::bigint, %(last)s::bigint) k;
insert into call_assignments (id, call_id, call_created_at, organization_id, provider_id, provider_type, attempt,
                              state, lease_until, sent_at, accepted_at, progress, provider_call_id, next_look_at)
select ('00000000-0000-4000-8000-00' || k)::uuid, ('00000000-0000-4000-9000-00' || k)::uuid, now(), %(org)s,
       %(provider)s, 'vapi', 1, 'accepted', now(), now(), now(), 'queued', k::text, now() + interval '1 hour'
  from generate_series(%(first)s::bigint, %(last)s::bigint) k"""


def talk(size):
    """Messages of a conversation, about so many bytes of them; the same at each run."""
    seeded, messages, used, at = random.Random(7), [], 0, 1789999900000
    while True:
        at += seeded.randrange(900, 4000)
        messages.append({"role": seeded.choice(("bot", "user")), "time": at, "endTime": at + 800,
                         "message": " ".join(seeded.choice(WORDS) for _ in range(12)),
                         "secondsFromStart": (at - 1789999900000) / 1000})
        used += len(json.dumps(messages[-1])) + 2
        if used > size:
            return messages[:-1]


def body(kind, size):
    """One event of exactly that size, with holes for its number."""
    message = {**HEADS[kind], "timestamp": 1789999918123, "call": CALL, "artifact": {"messages": []}}
    message["artifact"]["messages"] = talk(size - len(json.dumps({"message": message})))
    text = json.dumps({"message": message})
    return text[:-1] + " " * (size - len(text)) + "}"


class Ingest:
    """One kind of event at one size."""

    def __init__(self, stack, size, kind):
        self.stack, self.size, self.kind = stack, size, kind
        self.name, self.next = f"ingest-{size}-{kind}", 1_000_000_000
        self.body = body(kind, SIZES[size])
        self.file, self.script = stack.folder / f"{self.name}.json", stack.folder / f"{self.name}.sql"
        self.file.write_text(self.body)
        self.script.write_text(SCRIPTS[kind])
        self.org, self.provider = stack.bench_org, stack.bench_provider

    def take(self, n):
        """Numbers for n events; events that move a call find it."""
        first, self.next = self.next, self.next + n
        if self.kind == "move":
            with self.stack.connect() as db:
                db.execute("set local session_replication_role = replica")
                for statement in LIVE.split(";"):
                    db.execute(statement, {"org": self.org, "provider": self.provider, "first": first,
                                           "last": first + n - 1})
        return first

    def load(self, first, n):
        """Sends them through nginx; requests a second, and CPU milliseconds for each."""
        stack = self.stack
        roots = (stack.nginx.pid, stack.programs["vapi-webhook"].pid, measure.postmaster(stack))
        before = measure.cpu_seconds(*roots)
        told = measure.last_json([measure.bench_program(stack, "load"), stack.port,
                                  f"/api/webhooks/vapi/{self.org}", stack.secrets["vapi"], CONNECTIONS, first, n,
                                  self.file])
        return n / told["seconds"], (measure.cpu_seconds(*roots) - before) / n * 1000

    def floor(self, first, n):
        """The same by pgbench; the CPU is PostgreSQL's alone."""
        root = measure.postmaster(self.stack)
        before = measure.cpu_seconds(root)
        tps = measure.pgbench(self.stack, self.script, n, {
            "base": first, "i": 0, "clients": CONNECTIONS, "provider": "vapi", "org": self.org, "mark": MARK,
            "signer": "installation", "type": HEADS[self.kind]["type"], "rest": RESTS[self.kind], "at": AT,
            "class": {"kept": "kept", "move": "moves"}[self.kind], "body": self.body}, CONNECTIONS)
        return tps, (measure.cpu_seconds(root) - before) / n * 1000

    def rounds(self, count):
        """Interleaved; each long enough to tell something."""
        first = self.take(2 * WARM)
        slowest = min(self.load(first, WARM)[0], self.floor(first + WARM, WARM)[0])
        n = max(FEWEST, int(slowest * SECONDS) // CONNECTIONS * CONNECTIONS)
        first = self.take(2 * n * count)
        self.stack.sql("analyze calls, call_queue, call_assignments, webhook_events, webhook_event_keys")
        loads, floors = [], []
        for i in range(count):
            loads.append(self.load(first + 2 * i * n, n))
            floors.append(self.floor(first + (2 * i + 1) * n, n))
            measure.note(f"{self.name}: {loads[-1][0]:.0f}/s {loads[-1][1]:.3f} CPU ms, "
                         f"floor {floors[-1][0]:.0f}/s {floors[-1][1]:.3f} CPU ms")
        self.check(2 * WARM + 2 * n * count)
        return list(zip(*loads)), list(zip(*floors))

    def check(self, n):
        """Nothing may have been left out, or done another way."""
        state = {"kept": "kept", "move": "applied"}[self.kind]
        found = self.stack.sql("select state, count(*) as n from webhook_events group by 1")
        assert [(row.state, row.n) for row in found] == [(state, n)], f"{self.name}: not {n} {state}, but {found}"
        self.stack.sql("truncate webhook_events, webhook_event_keys")


def run(new_stack, wanted, rounds):
    """The rows of all sizes and kinds that are wanted."""
    with new_stack() as stack:
        stack.bench_org = stack.user("alice").organization
        stack.bench_provider = stack.provider("vapi")
        for name in (n for n in NAMES if n in wanted):
            _, size, kind = name.split("-")
            (values, cpus), (floors, floor_cpus) = Ingest(stack, size, kind).rounds(rounds)
            yield measure.more_is_better(name, values, floors)
            yield measure.less_is_better(f"{name}-cpu-ms", cpus, [0.2] if name == "ingest-3k-kept" else floor_cpus)
            stack.sql("truncate calls cascade")
