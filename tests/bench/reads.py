"""Reading: an authenticated list through nginx, against pgbench asking the same in the same transaction."""

import json

import measure

CONNECTIONS, WARM, SECONDS, FEWEST = 16, 512, 2.0, 512
CALLS = 1_000_000
PATH = "/api/v1/calls?limit=20"
NAMES = ("read-calls",)

# As they are where nobody sets them, but that nobody is refused.
LIMITS = {f"HOOKSWITCH_{what}_PER_{whom}": n for whom in ("KEY", "ORGANIZATION", "ADDRESS")
          for what, n in (("RATE", 6000000), ("BURST", 1000000))}

ROWS = """
insert into calls (id, created_at, organization_id, status, to_number, recipient_name, finished_at, ended_at, started_at,
                   duration_seconds, ended_reason, attempts, custom_variables)
select gen_random_uuid(), now() - i * interval '100 ms', %(org)s, 'completed', '+1555' || (1000000 + i %% 9000000),
       'Pat Doe', now(), now(), now(), 61, 'customer-ended-call', 1, '{"first_name": "Pat"}'
  from generate_series(1, %(n)s::int) i"""

# What the program sends for the request itself, in one pipeline as it does; the claims are the token's.  (pgbench
# would take a colon in a literal for a variable.)
SCRIPT = """\\startpipeline
begin;
select set_config('role', 'hookswitch_api', true), set_config('request.jwt.claims', i.claims, true),
       set_config('hookswitch.organization_id', i.organization_id::text, true), i.organization_id, i.user_id,
       set_config('hookswitch.request_id', 'bench', true), set_config('hookswitch.address', '127.0.0.1', true)
  from public.request_identity_token(:claims::jsonb, null, :scope) i;
select api.call_list(p_status => null, p_direction => null, p_template_id => null, p_recipient_number => null,
                     p_created_from => null, p_created_to => null, p_after => null, p_limit => 20);
commit;
\\endpipeline
"""


class Reads:
    """A million calls of one organization, and somebody who reads the newest."""

    def __init__(self, stack):
        self.stack, self.who = stack, stack.user("alice")
        self.script = stack.folder / "read-calls.sql"
        self.script.write_text(SCRIPT)
        with stack.connect() as db:
            db.execute("set local session_replication_role = replica")
            db.execute(ROWS, {"org": self.who.organization, "n": CALLS})
        stack.sql("vacuum analyze calls")
        assert len(self.who.get(PATH)["data"]) == 20

    def load(self, n):
        """Through nginx and the program, limits counted."""
        stack = self.stack
        told = measure.last_json([measure.bench_program(stack, "load"), stack.port, PATH,
                                  self.who.headers["Authorization"], CONNECTIONS, 0, n, "-"])
        return n / told["seconds"]

    def floor(self, n):
        """The same by pgbench, without a limit."""
        return measure.pgbench(self.stack, self.script, n, {
            "claims": json.dumps(self.who.claims), "scope": "calls:read"}, CONNECTIONS, session="")

    def rounds(self, count):
        """Interleaved; each long enough to tell something."""
        slowest = min(self.load(WARM), self.floor(WARM))
        n = max(FEWEST, int(slowest * SECONDS) // CONNECTIONS * CONNECTIONS)
        loads, floors = [], []
        for _ in range(count):
            loads.append(self.load(n))
            floors.append(self.floor(n))
            measure.note(f"read-calls: {loads[-1]:.0f}/s, floor {floors[-1]:.0f}/s")
        return loads, floors


def run(new_stack, wanted, rounds):
    """The one row."""
    with new_stack(start=("calls",)) as stack:
        stack.settings_write(**LIMITS)
        stack.start_program("calls")
        yield measure.more_is_better("read-calls", *Reads(stack).rounds(rounds))
