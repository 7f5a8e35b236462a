#!/usr/bin/python3
"""demo.py - what ./dev run shows: somebody signs up and makes an API key (visit.py), and buys a plan (plan.py), which brings a
phone number that is called (line.py); calls go in by the API, are dialled through the sandbox, and come back by webhook.

Providers and a template are made in the database.  It shows how far the calls are, and says at the end what became of
each.  Exit 0 only if every call ended as it should, and the person sees them all.
"""

import argparse
import json
import sys
import time
import uuid

import psycopg
import requests

import line
import plan
from progress import Progress, table
from visit import AUTH, EMAIL, Api, api_key, sign_in, write_private

PROVIDERS = (
    ("d3300000-0000-4000-8000-0000000000b1", "Demo Vapi", "vapi", 1, "demo-assistant"),
    ("d3300000-0000-4000-8000-0000000000b2", "Demo SynthFlow", "synthflow", 2, "demo-model"),
)
PATIENCE = 120


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--url", required=True, help="where nginx listens")
    parser.add_argument("--database", required=True, help="address of the database, as its superuser")
    parser.add_argument("--sandbox", required=True, help="address of the sandbox")
    parser.add_argument("--settings", required=True, help="the programs' settings file")
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--summary", help="write the summary here, as one line of JSON")
    parser.add_argument("--secrets", required=True, help="folder with demo-password; the API key is kept there")
    parser.add_argument("--curl", help="write options of curl that order one more call here, for its owner only")
    parser.add_argument("--signin", help="the same, that sign in")
    parser.add_argument("--plan", help="the same, that take a greater plan")
    return parser.parse_args()


def read_settings(path):
    with open(path, encoding="utf-8") as lines:
        return dict(line.rstrip("\n").split("=", 1) for line in lines if "=" in line)


def prepare(db, settings, organization):
    """Providers, and a template that both of them can say; doing it again changes nothing.  Answers the template's id.

    They are looked at early: the sandbox forgets its calls when it is stopped in the middle of them.
    """
    for row, name, kind, priority, _ in PROVIDERS:
        db.execute("""insert into call_service_providers
                        (id, name, provider_type, api_key, priority, max_concurrent_calls,
                         silence_seconds, report_grace_seconds, report_patience_seconds)
                      values (%s, %s, %s, %s, %s, 10, 15, 5, 30) on conflict (id) do nothing""",
                   (row, name, kind, settings[f"{kind.upper()}_API_KEY"], priority))
    template = str(uuid.uuid5(uuid.UUID(organization), "reminder"))
    db.execute("""insert into call_templates (id, organization_id, name, description)
                  values (%s, %s, 'Reminder', 'Reminds of an appointment.')
                  on conflict (id) do nothing""", (template, organization))
    for _, _, kind, _, assistant in PROVIDERS:
        db.execute("""insert into call_template_targets (template_id, provider_type, assistant, caller_number)
                      values (%s, %s, %s, '+15550009999') on conflict do nothing""",
                   (template, kind, assistant))
    return template


def write_curl(path, url, body, *headers):
    """For curl -K: one request with that body."""
    lines = [f"# curl -K {path}", f'url = "{url}"', 'header = "Content-Type: application/json"',
             *(f'header = "{header}"' for header in headers), f"data = {json.dumps(json.dumps(body))}",
             "silent", "show-error", 'write-out = "\\n"', ""]
    write_private(path, "\n".join(lines))


def write_curls(args, key, template, password):
    """One more call of the demonstration's, and its sign-in."""
    if args.curl:
        write_curl(args.curl, f"{args.url}/api/v1/calls", {"recipient_number": "+15550102000", "template_id": template},
                   f"Authorization: Bearer {key}")
    if args.signin:
        write_curl(args.signin, f"{args.url}{AUTH}/signin", {"email": EMAIL, "password": password})


def write_plan(args, key):
    """A greater plan than the one that was bought: what is lacking is charged at once."""
    if args.plan:
        write_curl(args.plan, f"{args.url}{plan.BILLING}/plan", {"plan_id": plan.named(Api(args.url, key), plan.GREATER)},
                   f"Authorization: Bearer {key}")


def number(i):
    """The sandbox sends the first call's webhooks three times, and the second's in reverse order."""
    return f"+1555010{('0031', '0032')[i] if i < 2 else 1000 + i % 9000}"


def queue(api, template, count):
    """Each call by a request of its own, as an application would send it."""
    ids = []
    for i in range(count):
        body = {"recipient_number": number(i), "recipient_name": f"Customer {i + 1}",
                "template_id": template, "priority": 1 + i % 9}
        ids.append(api.ask("POST", "/api/v1/calls", json=body,
                           headers={"Idempotency-Key": str(uuid.uuid4())})["id"])
    return ids


COUNTS = """select count(*) filter (where status = 'queued'),
                   count(*) filter (where status = 'in-progress'),
                   count(*) filter (where status not in ('queued', 'in-progress'))
              from calls where id = any(%s)"""


def watch(db, ids):
    """Until all have ended, or our patience has."""
    bar = Progress(len(ids))
    until = time.monotonic() + PATIENCE
    while True:
        waiting, live, ended = db.execute(COUNTS, (ids,)).fetchone()
        bar.show(waiting, live, ended)
        if ended == len(ids) or time.monotonic() > until:
            bar.close()
            return
        time.sleep(0.1)


ROWS = """select c.id::text, c.to_number, c.status, c.provider_type, c.ended_reason,
                 extract(epoch from c.finished_at - c.created_at)::float,
                 array(select a.id::text from call_assignments a where a.call_id = c.id) as assignments,
                 exists (select from call_transcripts t where t.call_id = c.id) as transcript
            from calls c where c.id = any(%s) order by c.created_at, c.id"""


def seen(person, ids):
    """How many of these calls the API lists for somebody; the newest come first."""
    missing, path = set(ids), "/api/v1/calls?limit=100"
    after = ""
    while missing and after is not None:
        page = person.ask("GET", path + after)
        missing -= {call["id"] for call in page["data"]}
        after = page["next_cursor"] and f"&after={page['next_cursor']}"
    return len(ids) - len(missing)


def results(db, sandbox, ids):
    """What the database says of each call, and how often the sandbox let its telephone ring."""
    rows = db.execute(ROWS, (ids,)).fetchall()
    dials = requests.get(f"{sandbox}/_sandbox/dials", timeout=30).json()["by_assignment"]
    names = ("id", "number", "status", "provider", "reason", "seconds", "assignments", "transcript")
    found = [dict(zip(names, row)) for row in rows]
    for call in found:
        call["dials"] = [dials.get(a, 0) for a in call["assignments"]]
    return found


def summarise(found, count):
    """Lost: without a final outcome.  Double: a telephone rang more than once for one call.  Here nobody is dialled
    again for good reason: in the sandbox everybody who is called answers at once."""
    final = [c for c in found if c["status"] in ("completed", "failed", "canceled", "expired")]
    return {
        "calls": count,
        "dialled": sum(1 for c in found if sum(c["dials"]) > 0),
        "completed": sum(1 for c in found if c["status"] == "completed"),
        "transcripts": sum(1 for c in found if c["transcript"]),
        "lost": count - len(final),
        "double": sum(1 for c in found if sum(c["dials"]) > 1),
    }


def show(found, seconds):
    rows = [(c["number"], c["status"], c["provider"] or "-", c["reason"] or "-", str(sum(c["dials"])),
             "-" if c["seconds"] is None else f"{c['seconds']:.1f} s") for c in found]
    print()
    print(table(("number", "outcome", "provider", "reason", "dials", "took"), rows))
    print(f"\n{len(found)} calls in {seconds:.1f} s")


def oversee(person):
    """The settings of ./dev run name this person as an operator, so that all tenants' queue can be looked at."""
    queue = person.ask("GET", "/api/v1/admin/queue")
    print(f"{EMAIL} is an operator here (GET {person.url}/api/v1/admin/queue): {queue['calls']['ready']} calls wait, {queue['stuck']} hang.")


def good(summary):
    """Whether all is as it should be."""
    return (summary["completed"] == summary["dialled"] == summary["seen"] == summary["calls"] and not summary["double"]
            and summary["answered"])


def say(summary, file):
    """The summary, in words and as a line of JSON."""
    if file:
        with open(file, "w", encoding="utf-8") as out:
            out.write(json.dumps(summary) + "\n")
    print("Every call was dialled once and completed, and the number was answered." if good(summary) else f"Not as it should be: {summary}")
    return 0 if good(summary) else 1


def main():
    args = options()
    with open(f"{args.secrets}/demo-password", encoding="utf-8") as file:
        password = file.read()
    session = sign_in(args.url, args.sandbox, password)
    person, organization = Api(args.url, session["access_token"]), session["user"]["organization_id"]
    key = api_key(person, organization, f"{args.secrets}/demo-key")
    with psycopg.connect(args.database, autocommit=True) as db:
        settings = read_settings(args.settings)
        template = prepare(db, settings, organization)
        plan.forget(db, settings, organization)
        line.forget(db, args.sandbox)
        plan.buy(Api(args.url, key))
        number = line.take(Api(args.url, key))
        inbound = line.call(Api(args.url, key), args.sandbox, number)
        write_curls(args, key, template, password)
        write_plan(args, key)
        print(f"==> queueing {args.calls} calls (POST {args.url}/api/v1/calls)", flush=True)
        begin = time.monotonic()
        ids = queue(Api(args.url, key), template, args.calls)
        watch(db, ids)
        found = results(db, args.sandbox, ids)
    show(found, time.monotonic() - begin)
    oversee(person)
    plan.show(person, EMAIL)
    answered = line.show(person, inbound)
    return say({**summarise(found, args.calls), "seen": seen(person, ids), "number": number["phone_number"], "answered": answered}, args.summary)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")
