"""Stripe's webhook: proved, kept once, followed by a run that reads the object anew; nothing that comes makes a 500."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stack import TOP, wait_until
from stack_client import Client, problem
from stack_hooks import Hooks, mac, stripe_signature
from stack_operators import ADMIN, operator

RECORDED = TOP / "tests" / "data" / "stripe"
SUBSCRIPTION, CUSTOMER = "sub_1lhyLKpiFiyGWodsBCYI4I9S", "cus_CBchj2mSdPpoVo"


@pytest.fixture
def hooks(stack):
    """Sends webhooks."""
    return Hooks(stack)


def event(n, kind="invoice.paid", ident="in_1", **more):
    """An event about an invoice."""
    return {"id": f"evt_{n}", "object": "event", "api_version": "2026-10-28.endive", "type": kind,
            "data": {"object": {"id": ident, "object": "invoice", "customer": "cus_1"}}, **more}


def taken(hooks, body, **more):
    """It is answered 200 and {}."""
    answer = hooks.money("stripe", body, **more)
    assert answer.status_code == 200 and answer.json() == {}, answer.text


def refused(hooks, body, headers):
    """It is refused, and nothing is kept."""
    problem(hooks.money("stripe", body, headers), 401, "signature_invalid")
    assert hooks.stack.count("webhook_events") == hooks.stack.count("webhook_event_keys") == 0


def runs(stack):
    """What the runs are told, in the order of their ids."""
    return [row.input for row in stack.sql("select input from workflow_runs where workflow = 'stripe-sync' order by id")]


# ---- kept, and followed --------------------------------------------------------


@pytest.mark.parametrize("version", ["current", "legacy"])
@pytest.mark.parametrize("name,kind,ident,subscription", [
    ("checkout.session.completed", "checkout_session", None, SUBSCRIPTION),
    ("customer.subscription.updated", "subscription", SUBSCRIPTION, SUBSCRIPTION),
    ("invoice.paid", "invoice", "in_13cIyATTgC9qskOMBjHUYwUG", SUBSCRIPTION),
    ("payment_method.detached", "customer", CUSTOMER, None)])
def test_an_event_of_either_version_starts_the_run_that_reads_its_object(stack, hooks, version, name, kind, ident, subscription):
    body = (RECORDED / version / f"event.{name}.json").read_bytes()
    taken(hooks, body)
    told, = runs(stack)
    sent = json.loads(body)
    assert told == {"event": sent["id"], "type": name, "kind": kind, "id": ident or sent["data"]["object"]["id"],
                    "customer": CUSTOMER, "subscription": subscription}
    row, = stack.sql("select organization_id, signer, key, state, body from webhook_events")
    assert tuple(row) == (None, "installation", sent["id"], "waiting", body.decode())


def test_a_hundred_copies_at_once_are_one_event_and_one_run(stack, hooks):
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda _: hooks.money("stripe", event(1)).status_code, range(100)))
    assert set(answers) == {200}
    assert hooks.states() == ["waiting"] and len(runs(stack)) == 1
    taken(hooks, event(1, ident="in_2"))
    assert hooks.states() == ["waiting"] and runs(stack)[0]["id"] == "in_1"


@pytest.mark.parametrize("committed", [True, False])
def test_a_copy_waits_for_what_becomes_of_the_first(stack, hooks, committed):
    """The first is kept by a transaction that is held; the answer to the second depends on how that ends."""
    with stack.connect() as held, ThreadPoolExecutor(1) as pool:
        held.execute("select public.money_keep('stripe', 'evt_1', 'invoice.paid', '{}', '{}')")
        second = pool.submit(hooks.money, "stripe", event(1))
        wait_until(lambda: stack.value("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"),
                   what="the second one waiting for the first")
        assert not second.done()
        held.commit() if committed else held.rollback()  # pylint: disable=expression-not-assigned
        assert second.result().status_code == 200
    assert hooks.states() == (["kept"] if committed else ["waiting"])


def test_events_that_nothing_follows_from_are_kept_counted_and_answered(stack, hooks):
    for n, kind in enumerate(("invoice.upcoming", "customer.created", "charge.succeeded", "of.tomorrow", "v2.core.account.updated")):
        taken(hooks, event(n, kind))
    assert hooks.states() == ["kept"] * 5 and not runs(stack)
    inside = Client(stack.url, {"Authorization": f"Bearer {stack.secrets['internal']}"})

    def counted():
        """Counts are written once a second, with the next event."""
        taken(hooks, event(0))
        found = re.search(r'webhooks_total\{state="kept",provider="stripe"\} (\d+)', inside.ask("GET", "/metrics").text)
        return found and int(found[1]) >= 5
    wait_until(counted, what="the count of kept events")


def test_what_happened_is_shown_to_operators_before_it_is_anybodys(stack, hooks):
    taken(hooks, event(1))
    taken(hooks, {"id": "evt_2"})
    olga = operator(stack)
    waiting, = olga.get(f"{ADMIN}/queue/webhooks?state=waiting")["data"]
    assert (waiting["provider"], waiting["organization_id"], waiting["provider_call_id"]) == ("stripe", None, "in_1")
    unknown, = olga.get(f"{ADMIN}/queue/webhooks?state=unknown")["data"]
    assert (unknown["type"], unknown["organization_id"]) == ("unknown", None)
    # Its run is what can be tried again, not the event.
    problem(olga.ask("POST", f"{ADMIN}/queue/webhooks/{waiting['id']}/apply"), 409, "webhook_event_over")


# ---- whose it is -----------------------------------------------------------------


def test_only_a_signature_of_the_whole_body_that_is_new_counts(stack, hooks):
    body = json.dumps(event(1)).encode()
    secret = stack.secrets["stripe"]
    good = stripe_signature(secret, body)["Stripe-Signature"]
    stamp, signed = good.split(",")
    for wrong in ("", good.upper(), f"{stamp}, {signed}", signed, stamp, good[:-1], f"{stamp},v0={signed[3:]}", f"{stamp};{signed}",
                  f"t={int(stamp[2:]) + 1},{signed}", "t=yesterday,v1=" + mac(secret, b"yesterday." + body).hex(), "x" * 7000):
        refused(hooks, body, {"Stripe-Signature": wrong})
    for headers in ({}, stripe_signature("whsec_wrong", body), stripe_signature("", body), stripe_signature(secret, body + b" "),
                    stripe_signature(secret, body, time.time() - 330), stripe_signature(secret, body, time.time() + 330),
                    {"Paddle-Signature": good}, {"X-Stripe-Signature": good}):
        refused(hooks, body, headers)
    for changed in (body[:-1], body + b"\n", body.replace(b"in_1", b"in_2"), json.dumps(event(1), indent=1).encode(), b""):
        refused(hooks, changed, {"Stripe-Signature": good})
    taken(hooks, body, headers={"stripe-signature": f"{stamp},v1={'0' * 64},{signed},v0=1"})


def test_while_a_secret_is_rolled_both_are_good(stack, hooks):
    old, new = stack.secrets["stripe"], "whsec_new"
    with stack.other_settings("stripe-webhook", STRIPE_WEBHOOK_SECRET=f"{new}, {old}"):
        for n, secret in enumerate((old, new, [old, new], ["whsec_other", new], ["whsec_other", old])):
            body = json.dumps(event(n)).encode()
            taken(hooks, body, headers=stripe_signature(secret, body))
        body = json.dumps(event(9)).encode()
        problem(hooks.money("stripe", body, stripe_signature(f"{new}, {old}", body)), 401, "signature_invalid")
    assert len(hooks.states()) == 5


def test_without_a_secret_nobody_gets_in(stack, hooks):
    body = json.dumps(event(1)).encode()
    with stack.other_settings("stripe-webhook", STRIPE_WEBHOOK_SECRET=""):
        for headers in ({}, stripe_signature("", body), stripe_signature(stack.secrets["stripe"], body)):
            refused(hooks, body, headers)


# ---- odd bodies --------------------------------------------------------------------

NO_JSON = [b"", b"{", b"x", b"\xff", b"\x00", json.dumps(event(1)).encode()[:-1], b'{"id":"evt_1"}{"id":"evt_2"}', b'{"id":"evt_\n', b"\xef\xbb\xbf{}"]
NOT_UNDERSTOOD = [b"{}", b"[]", b"7", b'"evt_1"', b"null", b'{"id":"evt_1"}', b'{"id":7,"type":"invoice.paid"}', b'{"type":"invoice.paid"}',
                  b'{"id":"evt_\\u0000","type":"invoice.paid"}', b'{"id":"evt_9","type":"invoice.paid","data":{"object":{}}}',
                  b'{"id":"evt_2","type":"invoice.paid","data":{"object":{"id":"../v1/refunds"}}}',
                  b'{"id":"evt_3","type":"customer.subscription.updated","data":[{"object":{"id":"sub_1"}}]}',
                  b'{"id":"evt_4","type":"invoice.paid","data":{"object":{"id":"' + b"x" * 300 + b'"}}}', b"[" * 5000 + b"]" * 5000,
                  b'{"id":"evt_5","type":"invoice.paid","data":' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}"]
UNDERSTOOD = [b'{"id":"evt_1","type":"invoice.paid","data":{"object":{"id":"in_1","x":"\\u0000\\ud800","y":1e999999}}}',
              b'{"id":"evt_2","type":"invoice.paid","data":{"object":{"id":"in_1","x":"\xff\xfe\x00\x01"}}}',
              b'{"id":"evt_3","api_version":"1999-01-01","type":"invoice.paid","data":{"object":{"id":"in_1"}}}',
              b'{"id":"evt_4","api_version":7,"type":"invoice.paid","data":{"object":{"id":"in_1","customer":[],"subscription":7,"parent":"x"}}}',
              b'{"id":"evt_5","type":"invoice.paid","type":"x","data":{"object":{"id":"in_1","id":"in_2"}}}',
              b'{"id":"evt_6","type":"invoice.paid","data":{"object":{"id":"in_1","pad":"' + b"x" * (2 * 1024 * 1024 - 100) + b'"}}}']


def test_what_is_no_json_is_refused(stack, hooks):
    for body in NO_JSON:
        problem(hooks.money("stripe", body), 400, "bad_json")
    assert stack.count("webhook_events") == 0


def test_what_is_too_large_is_refused(stack, hooks):
    body = b'{"id":"evt_1","type":"invoice.paid","pad":"' + b"x" * 2 * 1024 * 1024 + b'"}'
    problem(hooks.money("stripe", body), 413, "too_large")
    assert stack.count("webhook_events") == 0


def test_what_we_do_not_understand_is_kept_once(stack, hooks):
    for _ in range(2):
        for body in NOT_UNDERSTOOD:
            taken(hooks, body)
    assert hooks.states() == ["unknown"] * len(NOT_UNDERSTOOD) and not runs(stack)
    assert stack.value("select body from webhook_events order by id limit 1") == "{}"


def test_odd_bytes_in_what_we_do_understand_are_kept_escaped(stack, hooks):
    for body in UNDERSTOOD:
        taken(hooks, body)
    assert hooks.states() == ["waiting"] * len(UNDERSTOOD)
    assert {told["id"] for told in runs(stack)} == {"in_1"} and {told["customer"] for told in runs(stack)} == {None}
    assert '"x":"\\u00ff\\u00fe\\u0000\x01"' in stack.value("select body from webhook_events where key = 'evt_2'")


# ---- the house around it --------------------------------------------------------------


def test_no_rate_limit_stands_in_its_way(stack, hooks):
    with stack.other_settings("stripe-webhook", HOOKSWITCH_RATE_PER_ADDRESS=1, HOOKSWITCH_BURST_PER_ADDRESS=1):
        for n in range(20):
            taken(hooks, event(n))
            problem(hooks.money("stripe", event(n), {}), 401, "signature_invalid")
    assert len(hooks.states()) == 20


def test_without_a_database_stripe_is_told_to_come_again(stack, hooks):
    stack.start_program("stripe-webhook", env={"DATABASE_URL": "postgresql:///none?host=/none"})
    answer = hooks.money("stripe", event(1))
    assert answer.status_code in (500, 503) and int(answer.headers["Retry-After"]) >= 1
    stack.start_program("stripe-webhook")
    taken(hooks, event(1))
    assert hooks.states() == ["waiting"]


def test_the_same_through_plain_cgi(cgi_stack):
    hooks = Hooks(cgi_stack)
    taken(hooks, event(1))
    taken(hooks, event(1))
    taken(hooks, event(2, "of.tomorrow"))
    problem(hooks.money("stripe", event(3), {}), 401, "signature_invalid")
    problem(hooks.money("stripe", b"{"), 400, "bad_json")
    assert hooks.states() == ["waiting", "kept"] and len(runs(cgi_stack)) == 1
    assert cgi_stack.value("select seen from webhook_counts where provider = 'stripe' and type = 'state:duplicate'") == 1
