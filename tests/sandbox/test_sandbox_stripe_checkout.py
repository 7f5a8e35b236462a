"""People at the sandbox's Stripe: they pay, fail to, come back later, use the portal, and get money back."""
import pytest
import requests

from stripe_helpers import DAY, MARCH, Client


@pytest.fixture(name="stripe")
def _stripe(box, receiver):
    box.settings(stripe_webhook_url=receiver.url)
    box.stripe_clock(to=MARCH)
    return Client(box, receiver)


def press(url, **form):
    """A button of a page."""
    return requests.post(url, data=form, timeout=20, allow_redirects=False)


def control(box, path, expect, **body):
    """A control that may be refused."""
    answer = box.http.post(f"{box.url}/_sandbox/stripe/{path}", json=body, timeout=20)
    assert answer.status_code == expect, answer.text
    return answer.json()


# ---- checkout --------------------------------------------------------------


def test_the_page_takes_the_money_or_refuses_the_card(stripe, box):
    customer = stripe.customer()
    session = stripe.session(customer, stripe.price(), cancel_url="https://app.example.com/back",
                             **{"subscription_data[metadata][org_id]": "42", "metadata[org_id]": "42"})
    page = requests.get(session["url"], timeout=20)
    assert page.status_code == 200 and "49.00 USD" in page.text and "https://app.example.com/back" in page.text
    failed = press(session["url"], do="fail")
    assert failed.status_code == 402 and "Your card was declined." in failed.text
    assert stripe.get("checkout/sessions/" + session["id"])["status"] == "open" and stripe.get("subscriptions")["data"] == []
    paid = press(session["url"], do="pay")
    assert (paid.status_code, paid.headers["Location"]) == (303, "https://app.example.com/?s=" + session["id"])
    after = stripe.get("checkout/sessions/" + session["id"])
    assert (after["status"], after["payment_status"], after["url"]) == ("complete", "paid", None)
    sub = stripe.get("subscriptions/" + after["subscription"])
    assert (sub["status"], sub["metadata"], sub["latest_invoice"]) == ("active", {"org_id": "42"}, after["invoice"])
    assert press(session["url"], do="pay").status_code == requests.get(session["url"], timeout=20).status_code == 410
    assert requests.get(session["url"] + "x", timeout=20).status_code == 404
    assert box.stripe()["charged"] == {customer["id"]: 4900} and box.stripe()["declined_at_checkout"] == 1


def test_by_control_it_is_the_same(stripe, box):
    session = stripe.session(stripe.customer(), stripe.price())
    assert box.stripe_do("checkout", session["id"], pay=False)["status"] == "open"
    assert box.stripe_do("checkout", session["id"], pay=True)["status"] == "complete"
    assert "complete" in control(box, "checkout/" + session["id"], 400, pay=True)["error"]
    control(box, "checkout/cs_none", 404, pay=True)


def test_who_is_no_customer_yet_becomes_one(stripe, box):
    session = stripe.post("checkout/sessions", mode="subscription", success_url="https://app.example.com/",
                          customer_email="new@example.com", **{"line_items[0][price]": stripe.price()["id"],
                                                               "line_items[0][quantity]": 2})
    assert session["amount_total"] == 9800 and session["customer"] is None
    told = box.stripe_do("checkout", session["id"], pay=True)
    assert stripe.get("customers/" + told["customer"])["email"] == "new@example.com" == told["customer_details"]["email"]


def test_two_sessions_may_both_be_paid(stripe, box):
    customer, price = stripe.customer(), stripe.price()
    sessions = [stripe.session(customer, price) for _ in range(2)]
    for session in sessions:
        box.stripe_do("checkout", session["id"], pay=True)
    assert box.stripe()["subscriptions"] == {"active": 2} and box.stripe()["charges_by_customer"] == {customer["id"]: 2}


def test_a_session_ends_when_told_or_after_a_day(stripe, box):
    customer, price = stripe.customer(), stripe.price()
    told, late = (stripe.session(customer, price) for _ in range(2))
    assert late["expires_at"] == late["created"] + DAY
    assert stripe.post(f"checkout/sessions/{told['id']}/expire")["status"] == "expired"
    assert "`expired`" in stripe.refused("POST", f"checkout/sessions/{told['id']}/expire", 400)["message"]
    box.stripe_clock(advance=DAY + 60)
    assert stripe.get("checkout/sessions/" + late["id"])["status"] == "expired"
    assert [e["data"]["object"]["id"] for e in stripe.events("checkout.session.expired")] == [told["id"], late["id"]]
    assert [s["id"] for s in stripe.get("checkout/sessions", status="expired")["data"]] == [late["id"], told["id"]]


def test_a_session_is_for_what_can_be_sold(stripe):
    customer, price = stripe.customer(), stripe.price()
    good = {"mode": "subscription", "customer": customer["id"], "success_url": "https://app.example.com/",
            "line_items[0][price]": price["id"], "line_items[0][quantity]": 1}
    meter = stripe.metered(stripe.meter())
    for more, param in (({"line_items[0][price]": "price_none"}, "line_items[0][price]"), ({"customer": "cus_none"}, "customer"),
                        ({"customer_email": "a@example.com"}, "customer_email"), ({"expires_at": MARCH}, "expires_at"),
                        ({"payment_method_types[0]": "card"}, "payment_method_types"),
                        ({"line_items[0][price]": meter["id"]}, "line_items[0][quantity]"),
                        ({"client_reference_id": "x" * 201}, "client_reference_id")):
        assert stripe.refused("POST", "checkout/sessions", 400, **{**good, **more})["param"] == param
    stripe.bought(customer, price)
    yen = stripe.price(500, currency="jpy")["id"]
    assert "combine currencies" in stripe.refused("POST", "checkout/sessions", 400, **{**good, "line_items[0][price]": yen})["message"]
    stripe.post("prices/" + price["id"], active="false")
    assert "inactive" in stripe.refused("POST", "checkout/sessions", 400, **good)["message"]


@pytest.mark.parametrize("good", (True, False))
def test_a_method_that_takes_days_pays_later_or_not(stripe, box, good):
    customer = stripe.customer()
    session = stripe.session(customer, stripe.price())
    told = box.stripe_do("checkout", session["id"], pay=True, method="delayed")
    assert (told["status"], told["payment_status"]) == ("complete", "unpaid") and box.stripe()["charges"] == 0
    assert stripe.get("subscriptions/" + told["subscription"])["status"] == "incomplete"
    told = box.stripe_do("checkout", session["id"], settle=good)
    assert told["payment_status"] == ("paid" if good else "unpaid")
    assert stripe.get("subscriptions/" + told["subscription"])["status"] == ("active" if good else "incomplete")
    kind = "checkout.session.async_payment_" + ("succeeded" if good else "failed")
    assert [e["data"]["object"]["id"] for e in stripe.events(kind)] == [session["id"]]
    control(box, "checkout/" + session["id"], 400, settle=True)
    assert box.stripe()["charges"] == good


def test_a_subscription_may_be_active_while_the_money_is_on_its_way(stripe, box):
    box.settings(stripe_delayed_status="active")
    session = stripe.session(stripe.customer(), stripe.price())
    told = box.stripe_do("checkout", session["id"], pay=True, method="delayed")
    assert stripe.get("subscriptions/" + told["subscription"])["status"] == "active"
    box.stripe_do("checkout", session["id"], settle=False)
    assert stripe.get("subscriptions/" + told["subscription"])["status"] == "past_due"


def test_a_promotion_code_takes_something_off(stripe, box):
    customer, price = stripe.customer(), stripe.price()
    coupon = stripe.post("coupons", percent_off="25", duration="once")
    stripe.post("promotion_codes", code="SPRING", **{"promotion[type]": "coupon", "promotion[coupon]": coupon["id"]})
    closed = stripe.session(customer, price)
    assert "invalid" in control(box, "checkout/" + closed["id"], 400, pay=True, promotion_code="SPRING")["error"]
    session = stripe.session(customer, price, allow_promotion_codes="true")
    assert press(session["url"], do="pay", promotion_code="WINTER").status_code == 400
    assert press(session["url"], do="pay", promotion_code="spring").status_code == 303
    after = stripe.get("checkout/sessions/" + session["id"])
    assert (after["amount_subtotal"], after["amount_total"], after["total_details"]["amount_discount"]) == (4900, 3675, 1225)
    first = stripe.get("invoices/" + after["invoice"])
    assert (first["subtotal"], first["total"], first["total_discount_amounts"][0]["amount"]) == (4900, 3675, 1225)
    box.stripe_clock(advance=32 * DAY)
    assert [i["total"] for i in stripe.invoices({"id": after["subscription"]})] == [3675, 4900]
    assert stripe.get("promotion_codes", code="SPRING")["data"][0]["times_redeemed"] == 1


# ---- the portal ------------------------------------------------------------


def test_the_portal_cancels_resumes_and_changes_the_card(stripe, box):
    customer = stripe.customer()
    sub = stripe.bought(customer, stripe.price())
    url = stripe.post("billing_portal/sessions", customer=customer["id"], return_url="https://app.example.com/")["url"]
    page = requests.get(url, timeout=20)
    assert page.status_code == 200 and "Starter: active" in page.text and "https://app.example.com/" in page.text
    assert press(url, do="cancel", subscription=sub["id"]).status_code == 303
    assert stripe.get("subscriptions/" + sub["id"])["cancel_at_period_end"] is True
    assert press(url, do="resume", subscription=sub["id"]).status_code == 303
    assert stripe.get("subscriptions/" + sub["id"])["cancel_at_period_end"] is False
    assert press(url, do="declines").status_code == 303
    box.stripe_clock(advance=32 * DAY)
    assert stripe.get("subscriptions/" + sub["id"])["status"] == "past_due"
    stranger = stripe.bought(stripe.customer(), stripe.price())
    assert press(url, do="cancel", subscription=stranger["id"]).status_code == 400
    assert requests.get(url + "x", timeout=20).status_code == 404


def test_the_portal_wants_a_configuration_where_there_is_no_default(stripe, box):
    box.settings(stripe_portal_default=False)
    customer = stripe.customer()
    sub = stripe.bought(customer, stripe.price())
    assert "configuration" in stripe.refused("POST", "billing_portal/sessions", 400, customer=customer["id"])["message"]
    made = stripe.post("billing_portal/configurations", **{"features[subscription_cancel][enabled]": "true",
                                                           "features[subscription_cancel][mode]": "immediately"})
    session = stripe.post("billing_portal/sessions", customer=customer["id"])
    assert session["configuration"] == made["id"] and made["is_default"]
    assert press(session["url"], do="cancel", subscription=sub["id"]).status_code == 303
    assert stripe.get("subscriptions/" + sub["id"])["status"] == "canceled"


# ---- money back ------------------------------------------------------------


def test_money_is_given_back_once(stripe, box):
    customer = stripe.customer()
    stripe.bought(customer, stripe.price())
    charge = stripe.get("charges", customer=customer["id"])["data"][0]
    part = stripe.post("refunds", charge=charge["id"], amount=900, reason="requested_by_customer", key="r1")
    assert stripe.post("refunds", charge=charge["id"], amount=900, reason="requested_by_customer", key="r1") == part
    assert stripe.refused("POST", "refunds", 400, charge=charge["id"], amount=4001)["param"] == "amount"
    rest = stripe.post("refunds", payment_intent=charge["payment_intent"])
    assert (part["amount"], rest["amount"], rest["status"]) == (900, 4000, "succeeded")
    assert stripe.refused("POST", "refunds", 400, charge=charge["id"])["code"] == "charge_already_refunded"
    told = stripe.events("charge.refunded")
    assert [e["data"]["previous_attributes"] for e in told] == [{"amount_refunded": 0}, {"amount_refunded": 900, "refunded": False}]
    assert box.stripe()["refunded"] == {customer["id"]: 4900} and box.stripe()["refunds"] == 2
    assert stripe.get("refunds/" + part["id"]) == part


def test_a_refund_by_hand_and_a_dispute_are_told(stripe, box):
    customer = stripe.customer()
    stripe.bought(customer, stripe.price())
    charge = stripe.get("charges", customer=customer["id"])["data"][0]["id"]
    assert box.stripe_do("charges", charge, refund=100)["amount"] == 100
    dispute = box.stripe_do("charges", charge, dispute="product_not_received")
    told, = stripe.events("charge.dispute.created")
    assert told["data"]["object"]["charge"] == charge and told["data"]["object"]["reason"] == "product_not_received"
    assert stripe.get("disputes/" + dispute["id"])["status"] == "needs_response" and stripe.get("charges/" + charge)["disputed"]
    assert box.stripe()["disputes"] == 1
    assert box.stripe_do("charges", charge, close_dispute="lost")["status"] == "lost"
    assert len(stripe.events("charge.dispute.closed")) == 1
    control(box, "charges/" + charge, 400, close_dispute="won")


def test_a_card_that_the_bank_prolongs_is_told(stripe, box):
    customer = stripe.customer()
    stripe.bought(customer, stripe.price())
    box.stripe_do("customers", customer["id"], card="renewed")
    told, = stripe.events("payment_method.automatically_updated")
    assert told["data"]["previous_attributes"] == {"card": {"exp_year": 2030}}
