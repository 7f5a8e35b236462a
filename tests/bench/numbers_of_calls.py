"""What is looked for and what is counted: through nginx, against the SQL that does it barely, in pgbench."""

import json
from urllib.parse import quote

import measure

CONNECTIONS, SECONDS, FEWEST = 4, 4.0, 8
TRANSCRIPTS, CALLS = 100_000, 1_000_000
WORDS = "appointment umbrella"
# Each word as it is or by its stem, which is what an answer holds.
QUESTION = "( 'appoint' | 'appointment' ) & 'umbrella'"
SEARCH, STATS = f"/api/v1/calls/search?q={quote(WORDS)}", "/api/v1/calls/analytics"
NAMES = ("search-100k", "stats-1m")

# As they are where nobody sets them, but that nobody is refused.
LIMITS = {f"HOOKSWITCH_{what}_PER_{whom}": n for whom in ("KEY", "ORGANIZATION", "ADDRESS")
          for what, n in (("RATE", 6000000), ("BURST", 1000000))}

# Calls of thirty days with what was said in them, a tenth of them somebody else's.
CALL_ROWS = """
insert into calls (id, created_at, organization_id, status, to_number, recipient_name, finished_at, ended_at, started_at,
                   duration_seconds, ended_reason, attempts, total_cost_cents)
select gen_random_uuid(), now() - i * interval '2.5 seconds',
       case when %(other)s::uuid is not null and i %% 10 = 0 then %(other)s::uuid else %(org)s::uuid end,
       case when i %% 7 = 0 then 'failed' else 'completed' end, '+1555' || (1000000 + i %% 9000000), 'Pat Doe', now(), now(),
       case when i %% 7 <> 0 then now() end, 61, case when i %% 7 = 0 then 'customer-busy' else 'customer-ended-call' end, 1, 12.5
  from generate_series(1, %(n)s::int) i"""
TRANSCRIPT_ROWS = """
insert into call_transcripts (call_id, call_created_at, organization_id, transcript_text, summary)
select c.id, c.created_at, c.organization_id, 'the and you is your for that ' ||
       (select string_agg('word' || floor(power(random(), 2) * 3000), ' ') from generate_series(1, 80) g where c.id is not null)
       || case when random() < 0.3 then ' appointments' else '' end || case when random() < 0.03 then ' umbrella' else '' end, 'Asked for help'
  from calls c"""

# The least that finds, ranks and shows a page of them, or counts by day: as somebody whom nobody asks who he is.
BARE_SEARCH = """select jsonb_agg(to_jsonb(c) || jsonb_build_object('rank', h.rank, 'transcript', ts_headline('english', t.transcript_text, q, o),
       'summary', ts_headline('english', t.summary, q, o)))
  from cast($${question}$$ as tsquery) q, cast('StartSel=<, StopSel=>, MaxFragments=2, MaxWords=24, MinWords=8' as text) o,
       lateral (select s.call_id, s.call_created_at, ts_rank_cd(s.search, q, 1) as rank from call_transcripts s
                 where s.search @@ q and s.organization_id = '{org}'
                 order by rank desc, s.call_created_at desc, s.call_id desc limit 20) h
  join call_transcripts t using (call_id, call_created_at)
  join calls c on c.id = h.call_id and c.created_at = h.call_created_at;
"""
BARE_STATS = """select jsonb_agg(to_jsonb(x)) from (
    select (c.created_at at time zone 'UTC')::date as day, count(*), count(*) filter (where c.status = 'completed') as completed,
           count(*) filter (where c.status = 'failed') as failed, count(*) filter (where c.status = 'canceled') as canceled,
           count(*) filter (where c.status = 'expired') as expired, count(*) filter (where c.started_at is not null) as answered,
           sum(c.attempts) as attempts, sum(c.duration_seconds) as seconds, avg(c.duration_seconds) as average, sum(c.total_cost_cents) as cents
      from calls c
     where c.organization_id = '{org}' and c.created_at >= now() - interval '30 days' and c.created_at < now()
     group by 1 order by 1) x;
"""


class Asked:
    """One organization's calls, somebody who asks, and the bare SQL."""

    def __init__(self, stack, name, path, bare):
        self.stack, self.name, self.path, self.who = stack, name, path, stack.user("alice")
        self.script = stack.folder / f"{name}.sql"
        self.script.write_text(bare.format(question=QUESTION, org=self.who.organization))

    def fill(self, calls, other=None, said=False):
        """The rows; transcripts are read as workflow-pump does."""
        with self.stack.connect() as db:
            db.execute("set local session_replication_role = replica")
            db.execute(CALL_ROWS, {"org": self.who.organization, "other": other, "n": calls})
            if said:
                db.execute(TRANSCRIPT_ROWS)
        while said and self.stack.value("select public.transcripts_read(5000)"):
            pass
        self.stack.sql("vacuum analyze calls")
        self.stack.sql("vacuum analyze call_transcripts")
        answer = self.who.get(self.path)
        if said:
            self.check(answer["data"])
        measure.note(f"{self.name}: {len(json.dumps(answer))} bytes of answer")

    def check(self, hits):
        """The bare SQL answers the same: these calls in this order, ranked and marked so."""
        shown = [(h["call"]["id"], h["rank"], *("".join(f"<{p['text']}>" if p["match"] else p["text"] for p in h[part])
                                                for part in ("transcript", "summary"))) for h in hits]
        bare = self.stack.value(self.script.read_text())
        assert shown == [(c["id"], c["rank"], c["transcript"], c["summary"]) for c in bare], f"{shown}\nbut barely: {bare}"

    def load(self, n):
        """Through nginx and the program."""
        told = measure.last_json([measure.bench_program(self.stack, "load"), self.stack.port, self.path,
                                  self.who.headers["Authorization"], CONNECTIONS, 0, n, "-"])
        return n / told["seconds"]

    def floor(self, n):
        """By pgbench, as the role that sees all rows anyhow."""
        return measure.pgbench(self.stack, self.script, n, {}, CONNECTIONS, session="-c role=hookswitch_pump")

    def rounds(self, count):
        """Interleaved; each long enough to tell something."""
        slowest = min(self.load(FEWEST), self.floor(FEWEST))
        n = max(FEWEST, int(slowest * SECONDS) // CONNECTIONS * CONNECTIONS)
        loads, floors = [], []
        for _ in range(count):
            loads.append(self.load(n))
            floors.append(self.floor(n))
            measure.note(f"{self.name}: {loads[-1]:.1f}/s, floor {floors[-1]:.1f}/s")
        return loads, floors


def run(new_stack, wanted, rounds):
    """Both rows, each in a stack of its own."""
    for name, path, bare in (("search-100k", SEARCH, BARE_SEARCH), ("stats-1m", STATS, BARE_STATS)):
        if name not in wanted:
            continue
        with new_stack(start=("calls",)) as stack:
            stack.settings_write(**LIMITS)
            stack.start_program("calls")
            asked = Asked(stack, name, path, bare)
            if name == "search-100k":
                asked.fill(TRANSCRIPTS, other=stack.user("bob").organization, said=True)
            else:
                asked.fill(CALLS)
            yield measure.more_is_better(name, *asked.rounds(rounds))
