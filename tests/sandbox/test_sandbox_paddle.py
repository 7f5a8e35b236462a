"""The sandbox's Paddle lets subscriptions live, tells of it in the recorded shapes, truly signed, and answers for them."""
import hashlib
import hmac
import json

import pytest
import requests

from sandbox_helpers import fixture
from stripe_helpers import DAY, differences

DATA = {"organization_id": "42"}


class Client:
    """A client of the sandbox's Paddle."""

    def __init__(self, box, receiver):
        self.box, self.receiver = box, receiver

    def ask(self, method, path, expect=200, token="pdl_key", **more):
        """Any request."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = requests.request(method, f"{self.box.paddle_url}/{path}", headers=headers, timeout=20, **more)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def bought(self, **more):
        """A subscription for 30.00 a month."""
        self.box.paddle_do("prices", id="pri_small", amount=3000)
        self.box.paddle_do("prices", id="pri_large", amount=9000)
        return self.box.paddle_do("subscriptions", items=[{"price_id": "pri_small"}], custom_data=DATA, **more)

    def do(self, sub, deed, **more):
        """Something becomes of a subscription."""
        return self.box.paddle_do("subscriptions", sub["id"], do=deed, **more)

    def told(self, kind=None):
        """The notifications that came."""
        self.box.idle()
        came = [json.loads(raw) for _, raw, _ in self.receiver.got]
        return [e for e in came if kind in (None, e["event_type"])]


@pytest.fixture(name="paddle")
def _paddle(box, receiver):
    box.settings(paddle_webhook_url=receiver.url, paddle_webhook_secret="pdl_one", backoff_scale=0.01)
    return Client(box, receiver)


def is_signed(headers, raw, secret):
    """Whether one of the marks is of this secret."""
    parts = [part.split("=", 1) for part in headers["Paddle-Signature"].split(";")]
    mark = hmac.new(secret.encode(), dict(parts)["ts"].encode() + b":" + raw, hashlib.sha256).hexdigest()
    return mark in [value for name, value in parts if name == "h1"]


def test_a_life_is_told_in_the_recorded_shapes(paddle, box):
    sub = paddle.bought()
    paddle.do(sub, "update", custom_data={"organization_id": "43"})
    box.paddle_do("customers", sub["customer_id"], card="declines")
    paddle.do(sub, "renew")
    box.paddle_do("customers", sub["customer_id"], card="good")
    for deed in ("recover", "pause", "resume", "cancel"):
        paddle.do(sub, deed)
    paddle.bought(status="trialing")
    for kind in ("subscription.created", "subscription.activated", "subscription.updated", "subscription.past_due",
                 "subscription.paused", "subscription.resumed", "subscription.canceled", "subscription.trialing",
                 "transaction.completed", "transaction.payment_failed"):
        assert paddle.told(kind), kind
        assert differences(fixture("paddle/webhook." + kind), paddle.told(kind)[-1]) == [], kind
    moments = [e["occurred_at"] for e in paddle.told() if sub["customer_id"] in (e["data"].get("customer_id"), e["data"]["id"])]
    assert moments == sorted(set(moments)), "each later than the one before it"


def test_the_statuses_follow(paddle):
    sub = paddle.bought()
    seen = [paddle.do(sub, deed)["status"] for deed in ("past_due", "recover", "pause", "resume", "cancel_at_period_end", "renew")]
    assert seen == ["past_due", "active", "paused", "active", "active", "canceled"]
    told = paddle.told("subscription.updated")[-1]["data"]
    assert told["scheduled_change"]["action"] == "cancel" and told["custom_data"] == DATA
    assert paddle.told("subscription.canceled")[-1]["data"]["current_billing_period"] is None
    created, = paddle.told("subscription.created")
    assert created["data"]["transaction_id"] == paddle.told("transaction.completed")[0]["data"]["id"]


def test_periods_follow_the_calendar(paddle, box):
    box.stripe_clock(to=1801389600)
    sub = paddle.bought()
    ends = [paddle.do(sub, "renew")["current_billing_period"]["ends_at"][:10] for _ in range(2)]
    assert (sub["current_billing_period"]["ends_at"][:10], *ends) == ("2027-02-28", "2027-03-31", "2027-04-30")


def test_it_answers_for_what_there_is(paddle):
    sub, other = paddle.bought(), paddle.bought()
    shown = paddle.ask("GET", "subscriptions/" + sub["id"])
    assert shown["data"] == sub and shown["meta"]["request_id"]
    first = paddle.ask("GET", "subscriptions", params={"per_page": 1})
    assert [s["id"] for s in first["data"]] == [other["id"]] and first["meta"]["pagination"]["has_more"]
    second = requests.get(first["meta"]["pagination"]["next"], headers={"Authorization": "Bearer k"}, timeout=20).json()
    assert [s["id"] for s in second["data"]] == [sub["id"]] and not second["meta"]["pagination"]["has_more"]
    bill, = paddle.ask("GET", "transactions", params={"subscription_id": sub["id"]})["data"]
    assert bill["details"]["totals"]["grand_total"] == "3000" and bill["status"] == "completed"
    assert paddle.ask("GET", "customers/" + sub["customer_id"])["data"]["email"] == "owner@example.com"
    missing = paddle.ask("GET", "subscriptions/sub_none", 404)
    assert differences(fixture("paddle/error.404"), missing) == [] and missing["error"]["code"] == "not_found"
    paddle.ask("GET", "subscriptions", 403, token="bad")
    paddle.ask("GET", "subscriptions", 403, token=None)


def test_items_are_changed_with_proration_and_only_when_paid(paddle, box):
    sub = paddle.bought()
    start = box.stripe_clock()
    box.stripe_clock(to=start + 10 * DAY)
    asked = {"items": [{"price_id": "pri_large", "quantity": 1}], "proration_billing_mode": "prorated_immediately"}
    box.paddle_do("customers", sub["customer_id"], card="declines")
    refused = paddle.ask("PATCH", "subscriptions/" + sub["id"], 400, json=asked)
    assert refused["error"]["code"] == "subscription_payment_declined"
    assert paddle.ask("GET", "subscriptions/" + sub["id"])["data"]["items"][0]["price"]["id"] == "pri_small"
    box.paddle_do("customers", sub["customer_id"], card="good")
    changed = paddle.ask("PATCH", "subscriptions/" + sub["id"], json=asked)["data"]
    assert changed["items"][0]["price"]["id"] == "pri_large"
    bill = paddle.ask("GET", "transactions", params={"subscription_id": sub["id"]})["data"][0]
    assert bill["origin"] == "subscription_update" and 3500 < int(bill["details"]["totals"]["total"]) < 4200
    for given in ({"items": []}, {"colour": "red"}, {**asked, "items": [{"price_id": "pri_none"}]}, {"scheduled_change": {}},
                  {"items": asked["items"]}):
        paddle.ask("PATCH", "subscriptions/" + sub["id"], 400, json=given)


def test_it_is_canceled_with_its_period_or_at_once(paddle):
    sub = paddle.bought()
    later = paddle.ask("POST", f"subscriptions/{sub['id']}/cancel", json={})["data"]
    assert (later["status"], later["scheduled_change"]["action"]) == ("active", "cancel")
    kept = paddle.ask("PATCH", "subscriptions/" + sub["id"], json={"scheduled_change": None})["data"]
    assert kept["scheduled_change"] is None
    now = paddle.ask("POST", f"subscriptions/{sub['id']}/cancel", json={"effective_from": "immediately"})["data"]
    assert now["status"] == "canceled" and now["canceled_at"]
    again = paddle.ask("POST", f"subscriptions/{sub['id']}/cancel", 400, json={})
    assert again["error"]["code"] == "subscription_is_canceled_action_invalid"


def test_while_a_secret_is_rotated_both_sign(paddle, box, receiver):
    box.settings(paddle_webhook_secret=["pdl_one", "pdl_two"])
    paddle.bought()
    box.idle()
    box.rule({"sign": "wrong"}, provider="paddle", operation="webhook")
    paddle.bought()
    box.idle()
    marks = [(is_signed(h, raw, "pdl_one"), is_signed(h, raw, "pdl_two")) for h, raw, _ in receiver.got]
    half = len(marks) // 2
    assert marks == [(True, True)] * half + [(False, False)] * half and half == 4


def test_it_misbehaves_and_sends_again_when_told(paddle, box, receiver):
    receiver.answers.append(500)
    sub = paddle.bought()
    assert len(paddle.told("customer.created")) == 2
    box.rule({"status": 500}, provider="paddle", operation="get", type="subscriptions", times=1)
    paddle.ask("GET", "subscriptions/" + sub["id"], 500)
    paddle.ask("GET", "subscriptions/" + sub["id"])
    ids = [e["event_id"] for e in paddle.told()[1:]]
    receiver.got.clear()
    box.resend(provider="paddle", events=ids[::-1])
    assert [e["event_id"] for e in paddle.told()] == ids[::-1]
    box.paddle_send("subscription.updated", {"id": "sub_x", "status": "odd"}, event_id="evt_x")
    assert paddle.told()[-1]["event_id"] == "evt_x"
    assert box.paddle()["charged"] == {sub["customer_id"]: 3000}
