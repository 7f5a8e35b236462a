"""A large backlog must not slow a claim: a million queued calls against a thousand of the same shape."""

import os
import secrets
import statistics
import time

import measure
from stack_rows import Rows

BIG, SMALL, ORGANIZATIONS, TRIES, WARM, FREE = 1_000_000, 1_000, 100, 15, 3, 10
NAMES = ("claim-ready-1m", "claim-future-1m", "claim-capped-1m")

# Ready, or due in an hour and later; nine priorities, all organizations in turn.
QUEUE = """
insert into call_queue (id, call_created_at, organization_id, recipient_number, due_at, expires_at, ready, route,
                        template_id, priority)
select c.id, c.created_at, c.organization_id, c.to_number, at.due, now() + interval '3 days', at.due <= now(), 'vapi',
       %(template)s, 1 + k %% 9
  from generate_series(1, %(n)s) k
  join calls c on c.id = ('00000000-0000-4000-9000-' || lpad(k::text, 12, '0'))::uuid
 cross join lateral (select now() + case when %(future)s then interval '1 hour' else interval '-1 hour' end
                            + k %% 3000 * interval '1 second' as due) at"""
CALLS = """
insert into calls (id, created_at, organization_id, to_number, template_id)
select ('00000000-0000-4000-9000-' || lpad(k::text, 12, '0'))::uuid, now(), (%(orgs)s::uuid[])[1 + k %% %(norgs)s],
       '+1555' || lpad((k %% 10000000)::text, 7, '0'), %(template)s from generate_series(1, %(n)s) k"""
# A live call for each organization, so that all are at their cap of one.
LIVE = """
insert into call_assignments (call_id, call_created_at, organization_id, provider_id, provider_type, attempt, state,
                              lease_until, accepted_at, progress)
select gen_random_uuid(), now(), o, %(provider)s, 'vapi', 1, 'accepted', now(), now(), 'queued'
  from unnest(%(orgs)s::uuid[]) o"""


class Backlog(Rows):
    """A database with so many calls."""

    def __init__(self, admin, n):
        self.admin, self.n = admin, n
        self.database_make(f"bench_{os.getpid()}_{secrets.token_hex(4)}")
        self.orgs = [str(self.insert("organizations", name=f"Organization {i}")) for i in range(ORGANIZATIONS)]
        self.vapi, self.words = self.provider("vapi", starts_per_second=None), self.template(("vapi",))
        self.load(CALLS)
        self.sql("vacuum (analyze) calls")

    def load(self, statement, **more):
        """Rows in mass, without their triggers."""
        with self.connect() as db:
            db.execute("set local session_replication_role = replica")
            db.execute(statement, {"orgs": self.orgs, "norgs": len(self.orgs), "n": self.n, "template": self.words,
                                   "provider": self.vapi, **more})

    def shape(self, name):
        """Another backlog."""
        capped = name == "claim-capped-1m"
        self.sql("truncate call_queue, call_assignments")
        self.sql("update organizations set max_concurrent_calls = %s", 1 if capped else None)
        self.sql("update call_service_providers set max_concurrent_calls = %s",
                 FREE + (len(self.orgs) if capped else 0))
        self.load(QUEUE, future=name == "claim-future-1m")
        if capped:
            self.load(LIVE)
        self.sql("vacuum (analyze) call_queue, call_assignments")

    def claim(self, expected):
        """Milliseconds of one look at the queue, as the pump takes it; undone again."""
        with self.db.transaction(force_rollback=True):
            since = time.perf_counter()
            self.db.execute("select public.queue_promote(1000)", prepare=True)
            claimed = self.db.execute("select public.calls_claim(200, 'bench', 30)", prepare=True).fetchone()[0]
            took = (time.perf_counter() - since) * 1000
        assert claimed["claimed"] == expected, f"{claimed['claimed']} claimed, not {expected}: {claimed['waiting']}"
        return took


def compare(name, big, small):
    """Both in turn; the row."""
    expected = FREE if name == "claim-ready-1m" else 0
    since = time.monotonic()
    for backlog in (big, small):
        backlog.shape(name)
    measure.note(f"{name}: loaded in {time.monotonic() - since:.0f} s")
    took = [(big.claim(expected), small.claim(expected)) for _ in range(WARM + TRIES)][WARM:]
    large, little = zip(*took)
    measure.note(f"{name}: {statistics.median(large):.2f} ms (most {max(large):.2f}), "
                 f"small {statistics.median(little):.2f} ms (most {max(little):.2f})")
    return measure.less_is_better(name, large, little)


def run(new_stack, wanted, _rounds):
    """The rows of all shapes that are wanted."""
    made = []
    try:
        for n in (BIG, SMALL):
            made.append(Backlog(os.environ["HOOKSWITCH_TEST_DATABASE_URL"], n))
        for name in (n for n in NAMES if n in wanted):
            yield compare(name, *made)
    finally:
        for backlog in made:
            backlog.database_drop()
