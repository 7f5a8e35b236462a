"""The sandbox's Stripe signs what it sends, tries again, and misbehaves when told to."""
import json

import pytest

from sandbox_helpers import until
from stripe_helpers import DAY, MARCH, VERSIONS, Client, is_signed

LIFE = ["customer.created", "payment_method.attached", "customer.updated", "customer.subscription.created", "invoice.created",
        "invoice.finalized", "charge.succeeded", "payment_intent.succeeded", "invoice_payment.paid", "invoice.paid",
        "invoice.payment_succeeded", "customer.subscription.updated", "checkout.session.completed"]


@pytest.fixture(name="stripe")
def _stripe(box, receiver):
    box.settings(stripe_webhook_url=receiver.url, stripe_webhook_secret="whsec_one", backoff_scale=0.01)
    box.stripe_clock(to=MARCH)
    return Client(box, receiver)


def bought(stripe):
    """A customer buys; only what is about him is told."""
    price = stripe.price()
    stripe.events()
    stripe.receiver.got.clear()
    customer = stripe.customer()
    return customer, stripe.bought(customer, price)


def test_a_purchase_is_told_in_its_order_and_signed(stripe, receiver):
    customer, _ = bought(stripe)
    told = stripe.events()
    assert [e["type"] for e in told] == LIFE
    assert all(is_signed(headers, raw, "whsec_one") for headers, raw, _ in receiver.got)
    assert not any(is_signed(headers, raw, "whsec_two") for headers, raw, _ in receiver.got)
    asked = told[0]
    assert asked["request"]["id"].startswith("req_") and asked["data"]["object"]["id"] == customer["id"]
    assert [e for e in told if e["type"] == "checkout.session.completed"][0]["request"]["id"] is None
    assert stripe.get("events/" + told[-1]["id"]) == told[-1]
    assert stripe.get("events", type="checkout.session.completed")["data"] == [told[-1]]
    assert len(stripe.get("events", **{"type": "invoice.*", "limit": 100})["data"]) == 4


def test_the_key_of_a_request_is_told(stripe):
    stripe.post("customers", key="k1", email="a@example.com")
    assert stripe.events("customer.created")[0]["request"]["idempotency_key"] == "k1"


def test_while_a_secret_is_rolled_both_sign(stripe, box, receiver):
    box.settings(stripe_webhook_secret=["whsec_one", "whsec_two"])
    stripe.customer()
    stripe.events()
    headers, raw, _ = receiver.got[0]
    assert headers["Stripe-Signature"].count("v1=") == 2
    assert is_signed(headers, raw, "whsec_one") and is_signed(headers, raw, "whsec_two")


@pytest.mark.parametrize("sign", ("wrong", "none"))
def test_a_mark_is_spoiled_or_left_out(stripe, box, receiver, sign):
    box.settings(stripe_webhook_secret=["whsec_one", "whsec_two"])
    box.rule({"sign": sign}, provider="stripe", operation="webhook", type="customer.created")
    stripe.customer()
    stripe.events()
    headers, raw, _ = receiver.got[0]
    if sign == "none":
        assert "Stripe-Signature" not in headers
    else:
        assert not is_signed(headers, raw, "whsec_one") and not is_signed(headers, raw, "whsec_two")


def test_what_is_not_taken_is_sent_again(stripe, box, receiver):
    receiver.answers += [500, 302]
    stripe.customer()
    box.idle()
    assert len(receiver.got) == 3 and len({raw for _, raw, _ in receiver.got}) == 1
    assert [w["status"] for w in box.webhooks(type="customer.created")] == [500, 302, 200]
    box.settings(stripe_webhook_retries=0)
    receiver.answers.append(500)
    stripe.customer()
    box.idle()
    assert len(receiver.got) == 4


def test_rules_lose_copy_reverse_and_corrupt(stripe, box, receiver):
    price = stripe.price()
    customer = stripe.customer()
    stripe.events()
    receiver.got.clear()
    box.rule({"lose": ["invoice.paid"]}, provider="stripe", operation="webhook", number=customer["id"])
    box.rule({"copies": 2}, provider="stripe", operation="webhook", type="checkout.session.completed")
    box.rule({"order": "reverse"}, provider="stripe", operation="webhook", number=customer["id"])
    stripe.bought(customer, price)
    kinds = [e["type"] for e in stripe.events()]
    assert kinds[:2] == ["checkout.session.completed"] * 2 and kinds[-1] == "payment_method.attached"
    assert "invoice.paid" not in kinds and "invoice.payment_succeeded" in kinds
    box.clear_rules()
    box.rule({"corrupt": "cut"}, provider="stripe", operation="webhook")
    stripe.post("customers/" + customer["id"], name="New")
    box.idle()
    headers, raw, _ = receiver.got[-1]
    assert is_signed(headers, raw, "whsec_one")
    with pytest.raises(ValueError):
        json.loads(raw)


def test_a_held_event_holds_up_its_customer_alone(stripe, box):
    one, other = stripe.customer(), stripe.customer()
    stripe.events()
    with box.holding("before", provider="stripe", operation="webhook", number=one["id"]):
        stripe.post("customers/" + one["id"], name="New")
        stripe.post("customers/" + other["id"], name="New")
        until(lambda: box.held() == 1)
        until(lambda: any(json.loads(raw)["data"]["object"]["id"] == other["id"] and json.loads(raw)["type"] == "customer.updated"
                          for _, raw, _ in stripe.receiver.got))
    told = stripe.events("customer.updated")
    assert [e["data"]["object"]["id"] for e in told] == [other["id"], one["id"]]


def test_events_are_sent_again_in_any_order(stripe, box, receiver):
    customer, _ = bought(stripe)
    told = stripe.events()
    receiver.got.clear()
    five = [e["id"] for e in told[-5:]]
    order = [five[n] for n in (4, 0, 3, 3, 1, 2)]
    box.resend(provider="stripe", call_id=customer["id"], events=order)
    assert [e["id"] for e in stripe.events()] == order
    receiver.got.clear()
    box.resend(provider="stripe", types=["invoice.paid"], times=2, sign="wrong")
    assert [e["type"] for e in stripe.events()] == ["invoice.paid"] * 2
    assert not is_signed(receiver.got[0][0], receiver.got[0][1], "whsec_one")


def test_old_events_keep_their_shape(stripe, box):
    customer, sub = bought(stripe)
    box.settings(stripe_webhook_version=VERSIONS["legacy"])
    box.stripe_clock(advance=32 * DAY)
    first, later = stripe.events("invoice.paid")
    assert (first["api_version"], later["api_version"]) == (VERSIONS["current"], VERSIONS["legacy"])
    assert first["data"]["object"]["parent"]["subscription_details"]["subscription"] == sub["id"]
    assert later["data"]["object"]["subscription"] == sub["id"] and "parent" not in later["data"]["object"]
    assert [stripe.get("events/" + e["id"]) for e in (first, later)] == [first, later]
    assert later["data"]["object"]["customer"] == customer["id"]


def test_only_wanted_events_are_sent(stripe, box):
    box.settings(stripe_webhook_events=["invoice.paid"])
    bought(stripe)
    assert [e["type"] for e in stripe.events()] == ["invoice.paid"]
    assert box.stripe()["events"]["checkout.session.completed"] == 1


def test_anything_can_be_sent_truly_signed(stripe, box, receiver):
    box.stripe_send("customer.subscription.updated", {"id": "sub_x", "object": "subscription"}, api_version="2099-01-01.later")
    told, = stripe.events()
    assert told["api_version"] == "2099-01-01.later" and told["data"]["object"]["id"] == "sub_x"
    assert is_signed(receiver.got[0][0], receiver.got[0][1], "whsec_one")


def test_reset_forgets_stripe(stripe, box):
    bought(stripe)
    box.reset()
    assert box.stripe()["customers"] == 0 and stripe.get("events")["data"] == []
    assert stripe.customer()["created"] > MARCH + 30 * DAY, "the clock is the real one again"
