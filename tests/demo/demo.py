#!/usr/bin/python3
"""demo.py - what ./dev run shows: calls go in by the API, are dialled through the sandbox, and come back by webhook.

It signs a token for a demonstration user, makes providers and a template in the database, queues the calls, shows
how far they are, and says at the end what became of each.  Exit 0 only if every call ended as it should.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import sys
import time
import uuid

import psycopg
import requests

from progress import Progress, table

USER = "d3300000-0000-4000-8000-000000000001"
EMAIL = "demo@example.com"
TEMPLATE = "d3300000-0000-4000-8000-0000000000a1"
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
    parser.add_argument("--curl", help="write options of curl that order one more call here, for its owner only")
    return parser.parse_args()


def read_settings(path):
    with open(path, encoding="utf-8") as lines:
        return dict(line.rstrip("\n").split("=", 1) for line in lines if "=" in line)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(secret, seconds=3600):
    """A token as Supabase would sign it."""
    now = int(time.time())
    claims = {"sub": USER, "role": "authenticated", "aud": "authenticated", "email": EMAIL,
              "iat": now, "exp": now + seconds}
    parts = [b64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signature = hmac.new(secret.encode(), b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, b64(signature)]).decode()


class Api:
    """The API as a client uses it."""

    def __init__(self, url, secret):
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"Bearer {token(secret)}"

    def ask(self, method, path, **more):
        answer = self.http.request(method, f"{self.url}{path}", timeout=30, **more)
        if not answer.ok:
            sys.exit(f"demo: {method} {path} was answered {answer.status_code}: {answer.text[:500]}")
        return answer.json()


def prepare(db, settings):
    """Providers, and a template that both of them can say; doing it again changes nothing.

    They are looked at early: the sandbox forgets its calls when it is stopped in the middle of them.
    """
    for row, name, kind, priority, _ in PROVIDERS:
        db.execute("""insert into call_service_providers
                        (id, name, provider_type, api_key, priority, max_concurrent_calls,
                         silence_seconds, report_grace_seconds, report_patience_seconds)
                      values (%s, %s, %s, %s, %s, 10, 15, 5, 30) on conflict (id) do nothing""",
                   (row, name, kind, settings[f"{kind.upper()}_API_KEY"], priority))
    db.execute("""insert into call_templates (id, organization_id, name, description)
                  select %s, organization_id, 'Reminder', 'Reminds of an appointment.'
                    from organization_members where user_id = %s and is_default
                  on conflict (id) do nothing""", (TEMPLATE, USER))
    for _, _, kind, _, assistant in PROVIDERS:
        db.execute("""insert into call_template_targets (template_id, provider_type, assistant, caller_number)
                      values (%s, %s, %s, '+15550009999') on conflict do nothing""",
                   (TEMPLATE, kind, assistant))


def write_curl(path, url, secret):
    """For curl -K: one more call of the demonstration's.  The token is good for a day."""
    body = json.dumps(json.dumps({"recipient_number": "+15550102000", "template_id": TEMPLATE}))
    new = f"{path}.new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(f'# curl -K {path}\nurl = "{url}/api/v1/calls"\n'
                  f'header = "Authorization: Bearer {token(secret, 86400)}"\n'
                  f'header = "Content-Type: application/json"\ndata = {body}\n'
                  'silent\nshow-error\nwrite-out = "\\n"\n')
    os.replace(new, path)


def number(i):
    """The sandbox sends the first call's webhooks three times, and the second's in reverse order."""
    return f"+1555010{('0031', '0032')[i] if i < 2 else 1000 + i % 9000}"


def queue(api, count):
    """Each call by a request of its own, as an application would send it."""
    ids = []
    for i in range(count):
        body = {"recipient_number": number(i), "recipient_name": f"Customer {i + 1}",
                "template_id": TEMPLATE, "priority": 1 + i % 9}
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


def main():
    args = options()
    settings = read_settings(args.settings)
    api = Api(args.url, settings["HOOKSWITCH_JWT_SECRET"])
    api.ask("GET", "/api/v1/calls?limit=1")  # the first valid token makes the user's organization
    with psycopg.connect(args.database, autocommit=True) as db:
        prepare(db, settings)
        if args.curl:
            write_curl(args.curl, args.url, settings["HOOKSWITCH_JWT_SECRET"])
        print(f"==> queueing {args.calls} calls (POST {args.url}/api/v1/calls)", flush=True)
        begin = time.monotonic()
        ids = queue(api, args.calls)
        watch(db, ids)
        found = results(db, args.sandbox, ids)
    show(found, time.monotonic() - begin)
    summary = summarise(found, args.calls)
    if args.summary:
        with open(args.summary, "w", encoding="utf-8") as out:
            out.write(json.dumps(summary) + "\n")
    good = summary["completed"] == summary["dialled"] == args.calls and not summary["double"]
    print("Every call was dialled once and completed." if good else f"Not as it should be: {summary}")
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")
