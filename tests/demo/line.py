"""line.py - the demonstration's phone number: it comes with the plan, by itself, linked to an assistant at the sandbox's Vapi; then somebody calls it."""

import sys
import time

import requests

NUMBERS, CALLER = "/api/v1/phone-numbers", "+15550104711"
PATIENCE = 60

# What a Twilio and a Vapi that are gone had of ours.
FORGET = ("""update phone_numbers set status = 'lost', run_id = null, voice_number_id = null, linked_assistant = null
              where origin <> 'manual' and status not in ('released', 'failed', 'lost')""",
          """update assistants set vapi_assistant_id = null, synced_version = 0, status = 'pending', run_id = null
              where deleted_at is null and provider_id is not null""")


def forget(db, sandbox):
    """The sandbox keeps nothing when it is stopped: a new one does not know our numbers and assistants."""
    there = {n["phone_number"] for n in requests.get(f"{sandbox}/_sandbox/twilio", timeout=30).json()["numbers"]}
    ours = {n for n, in db.execute("select phone_number from phone_numbers where provider_sid is not null and status in ('active', 'paused')")}
    if ours - there:
        with db.transaction():
            for statement in FORGET:
                db.execute(statement)


def wait(api):
    """The number that came with the plan."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = api.ask("GET", f"{NUMBERS}?status=active")["data"]
        if found:
            return found[0]
        time.sleep(0.02)
    sys.exit(f"demo: no number came within {PATIENCE} s: see ./dev logs workflow-pump, and sql/numbers log")


def take(api):
    """The number, once it is linked, and how long that took."""
    began = time.monotonic()
    number = wait(api)
    print(f"==> the plan brought the phone number {number['phone_number']} ({number['locality'] or 'anywhere'}, {number['region'] or 'US'}), answered by its "
          f"assistant, within {time.monotonic() - began:.1f} s (GET {api.url}{NUMBERS})", flush=True)
    return number


def call(api, sandbox, number):
    """Somebody calls it; the call, once it has ended."""
    ident = requests.post(f"{sandbox}/_sandbox/vapi/call", json={"to": number["phone_number"], "from": CALLER}, timeout=30).json()["id"]
    print(f"    {CALLER} calls it", flush=True)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for one in api.ask("GET", "/api/v1/calls?limit=100")["data"]:
            if one["provider_call_id"] == ident and one["status"] in ("completed", "failed"):
                return one
        time.sleep(0.1)
    sys.exit(f"demo: the call that came in is not over after {PATIENCE} s: see ./dev logs vapi-webhook")


def show(api, one):
    """What became of the call that came in."""
    print(f"The call from {one['from_number']} to {one['recipient_number']} was {one['status']} after {one['duration_seconds']} s "
          f"({one['ended_reason']}; GET {api.url}/api/v1/calls/{one['id']}).")
    return one["status"] == "completed" and one["direction"] == "inbound"
