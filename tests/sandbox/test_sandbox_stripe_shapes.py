"""The sandbox's Stripe tells what was recorded of the real one, in the shape of today's API and in the older one."""
import os
from urllib.parse import parse_qsl

import pytest

from sandbox_helpers import HERE, fixture
from stripe_helpers import DAY, MARCH, VERSIONS, Client, differences


@pytest.fixture(params=VERSIONS, name="shape")
def _shape(request):
    """Which of the two shapes."""
    return request.param


@pytest.fixture(name="stripe")
def _stripe(box, receiver, shape):
    """A client that asks for it and is told of events in it."""
    box.settings(stripe_webhook_url=receiver.url, stripe_webhook_version=VERSIONS[shape])
    box.stripe_clock(to=MARCH)
    return Client(box, receiver, VERSIONS[shape])


def like(shape, name, got):
    """The shape is the recorded one."""
    assert differences(fixture(f"stripe/{shape}/{name}"), got) == []


def likewise(shape, name, stripe):
    """The last event of this kind has the shape of the recorded one, and tells the same changes."""
    want = fixture(f"stripe/{shape}/event.{name}")
    got = [e for e in stripe.events(want["type"])
           if set(e["data"].get("previous_attributes", {})) >= set(want["data"].get("previous_attributes", {})) - {"latest_invoice"}]
    assert got, name
    assert differences({k: v for k, v in want.items() if k != "data"}, got[-1]) == ["." + "data: not known"]
    assert differences(want["data"]["object"], got[-1]["data"]["object"]) == []
    assert got[-1]["api_version"] == VERSIONS[shape]
    return got[-1]


def test_things_of_the_catalogue_have_the_recorded_shape(stripe, shape):
    like(shape, "customer.response.200", stripe.customer())
    product = stripe.product()
    like(shape, "product.response.200", product)
    like(shape, "price.response.200", stripe.price(product=product["id"], lookup_key="starter"))
    like(shape, "price.metered.response.200", stripe.metered(stripe.meter()))
    like(shape, "invoice.list.empty.response.200", stripe.get("invoices"))


def test_checkout_has_the_recorded_shape(stripe, shape):
    customer, price = stripe.customer(), stripe.price()
    session = stripe.session(customer, price, cancel_url="https://app.example.com/")
    like(shape, "checkout.session.create.response.200", session)
    stripe.box.stripe_do("checkout", session["id"], pay=True)
    like(shape, "checkout.session.retrieve.response.200", stripe.get("checkout/sessions/" + session["id"]))
    likewise(shape, "checkout.session.completed", stripe)
    delayed = stripe.session(customer, price)
    stripe.box.stripe_do("checkout", delayed["id"], pay=True, method="delayed")
    assert likewise(shape, "checkout.session.completed.unpaid", stripe)["data"]["object"]["payment_status"] == "unpaid"
    stripe.post(f"checkout/sessions/{stripe.session(customer, price)['id']}/expire")
    likewise(shape, "checkout.session.expired", stripe)


def test_a_subscription_has_the_recorded_shape_all_its_life(stripe, shape):
    customer, product = stripe.customer(), stripe.product()["id"]
    small, large = stripe.price(4900, product), stripe.price(9900, product)
    sub = stripe.bought(customer, small)
    like(shape, "subscription.retrieve.response.200", sub)
    likewise(shape, "customer.subscription.created", stripe)
    likewise(shape, "customer.subscription.updated", stripe)
    stripe.box.stripe_clock(advance=10 * DAY)
    item = sub["items"]["data"][0]["id"]
    changed = stripe.post("subscriptions/" + sub["id"], **{"items[0][id]": item, "items[0][price]": large["id"],
                                                           "proration_behavior": "always_invoice"})
    like(shape, "subscription.update.plan-change.response.200", changed)
    told = likewise(shape, "customer.subscription.updated.plan-change", stripe)["data"]["previous_attributes"]
    assert told["items"]["data"][0]["price"]["id"] == small["id"]
    stripe.box.stripe_clock(advance=25 * DAY)
    told = likewise(shape, "customer.subscription.updated.renewal", stripe)["data"]["previous_attributes"]
    before = told if shape == "legacy" else told["items"]["data"][0]
    assert before["current_period_start"] == MARCH
    like(shape, "invoice.list.response.200", stripe.get("invoices", customer=customer["id"]))
    likewise(shape, "invoice.paid", stripe)
    stripe.post("subscriptions/" + sub["id"], cancel_at_period_end="true")
    likewise(shape, "customer.subscription.updated.cancel-at-period-end", stripe)
    like(shape, "subscription.cancel.response.200", stripe.delete("subscriptions/" + sub["id"]))
    likewise(shape, "customer.subscription.deleted", stripe)


def test_failures_cards_and_trials_have_the_recorded_shape(stripe, shape):
    customer, price = stripe.customer(), stripe.price()
    trial = stripe.bought(customer, price, **{"subscription_data[trial_period_days]": 14})
    like(shape, "subscription.retrieve.trialing.response.200", trial)
    likewise(shape, "payment_method.attached", stripe)
    stripe.box.stripe_do("customers", customer["id"], card="declines")
    told = likewise(shape, "payment_method.detached", stripe)
    assert told["data"]["previous_attributes"] == {"customer": customer["id"]} and told["data"]["object"]["customer"] is None
    stripe.box.stripe_clock(advance=15 * DAY)
    likewise(shape, "invoice.payment_failed", stripe)
    likewise(shape, "customer.subscription.updated.past-due", stripe)
    like(shape, "billing_portal.session.create.response.200",
         stripe.post("billing_portal/sessions", customer=customer["id"], return_url="https://app.example.com/"))


def test_what_today_alone_knows_has_the_recorded_shape(stripe, shape):
    customer, meter = stripe.customer(), stripe.meter()
    sub = stripe.bought(customer, stripe.price(), stripe.metered(meter))
    like("current", "billing.meter_event.create.response.200", stripe.used(customer, 7, "call-1").json())
    like("current", "billing.meter_event_adjustment.create.response.200", stripe.post(
        "billing/meter_event_adjustments", event_name="call_minutes", type="cancel", **{"cancel[identifier]": "call-1"}))
    if shape == "current":
        like(shape, "invoice.create_preview.response.200", stripe.post("invoices/create_preview", subscription=sub["id"]))


def test_the_recorded_requests_are_taken(stripe):
    """Each with its ids put in the place of the recorded ones."""
    customer, product, meter = stripe.customer(), stripe.product()["id"], stripe.meter()
    small, large = stripe.price(4900, product), stripe.price(9900, product)
    sub = stripe.bought(customer, small)
    names = {"price_1788PlLlpRKNnvchmFags5O9": small["id"], "price_1G2KRhcN5iRbWQM1szMPJh1m": large["id"],
             "cus_CBchj2mSdPpoVo": customer["id"], "prod_hDjS2Z1GqjR6A7": product, "sub_1lhyLKpiFiyGWodsBCYI4I9S": sub["id"],
             "si_lUpqmeRobm27AE": sub["items"]["data"][0]["id"], "mtr_test_DqYHSLkOfi6rwN86vePh": meter["id"],
             "1789996400": str(MARCH)}
    paths = {"billing.meter_event.create": "billing/meter_events", "billing_portal.session.create": "billing_portal/sessions",
             "checkout.session.create": "checkout/sessions", "customer.create": "customers",
             "invoice.create_preview": "invoices/create_preview", "price.create": "prices", "price.create.metered": "prices",
             "product.create": "products", "subscription.update.cancel-at-period-end": "subscriptions/" + sub["id"],
             "subscription.update.plan-change": "subscriptions/" + sub["id"], "subscription.cancel": "subscriptions/" + sub["id"]}
    for name, path in paths.items():
        with open(os.path.join(HERE, "fixtures", "stripe", f"request.{name}.form"), encoding="utf-8") as f:
            form = {k: names.get(v, v) for k, v in parse_qsl(f.read().strip())}
        answer = stripe.ask("DELETE" if name == "subscription.cancel" else "POST", path, **form)
        assert answer.status_code == 200, (name, answer.text)
