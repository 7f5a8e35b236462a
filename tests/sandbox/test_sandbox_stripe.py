"""The sandbox's Stripe answers as the real one does: errors, idempotency, lists, expansion, meters, faults."""
import base64
import threading

import pytest
import requests

from sandbox_helpers import fixture, until
from stripe_helpers import DAY, Client, differences


@pytest.fixture(name="stripe")
def _stripe(box, receiver):
    return Client(box, receiver)


def says(error, name):
    """The error has the recorded shape, type and code."""
    want = fixture("stripe/error." + name)["error"]
    assert {k: error.get(k) for k in ("type", "code")} == {k: want.get(k) for k in ("type", "code")}
    assert set(want) - {"charge"} <= set(error) | {"request_log_url"}


# ---- what is refused -------------------------------------------------------


def test_keys_are_asked_for(stripe, box):
    assert stripe.refused("GET", "customers", 401, token=None)["type"] == "invalid_request_error"
    says(stripe.refused("GET", "customers", 401, token="bad"), "401")
    basic = {"Authorization": "Basic " + base64.b64encode(b"sk_test_2:").decode()}
    assert requests.get(box.stripe_url + "/v1/customers", headers=basic, timeout=20).status_code == 200
    box.settings(stripe_keys=["sk_test_9"])
    says(stripe.refused("GET", "customers", 401), "401")
    assert stripe.ask("GET", "customers", token="sk_test_9").status_code == 200


def test_parameters_are_checked_by_name_and_kind(stripe):
    error = stripe.refused("POST", "checkout/sessions", 400, mode="subscription", success_url="https://app.example.com/")
    says(error, "400.invalid_request")
    assert error["param"] == "line_items" and error["message"] == "Missing required param: line_items."
    price = {"product": stripe.product()["id"], "currency": "usd", "recurring[interval]": "month"}
    for path, given, param, code in (
            ("customers", {"colour": "red"}, "colour", "parameter_unknown"),
            ("customers", {"invoice_settings[colour]": "red"}, "invoice_settings[colour]", "parameter_unknown"),
            ("customers", {"email": "nobody"}, "email", "email_invalid"),
            ("customers", {"metadata[k]": "x" * 501}, "metadata", None),
            ("customers", {"name[a]": "x"}, "name", "parameter_invalid_string"),
            ("products", {}, "name", "parameter_missing"), ("products", {"name": ""}, "name", "parameter_invalid_empty"),
            ("prices", {**price, "unit_amount": "1.5"}, "unit_amount", "parameter_invalid_integer"),
            ("prices", {**price, "unit_amount": "-1"}, "unit_amount", "parameter_invalid_integer"),
            ("prices", {**price, "unit_amount": 1, "currency": "zzz"}, "currency", None),
            ("prices", {**price, "unit_amount": 1, "recurring[interval]": "hour"}, "recurring[interval]", None),
            ("prices", {**price, "unit_amount": 1, "recurring[usage_type]": "metered"}, "recurring[meter]", None),
            ("prices", price, "unit_amount", "parameter_missing"),
            ("prices", {**price, "unit_amount": 1, "product": "prod_none"}, "product", "resource_missing")):
        error = stripe.refused("POST", path, 400, **given)
        assert (error["param"], error.get("code")) == (param, code), given
    assert stripe.get("prices")["data"] == []


def test_what_is_not_there_is_said_so(stripe):
    error = stripe.refused("GET", "subscriptions/sub_none", 404)
    says(error, "404.resource_missing")
    assert error["message"] == "No such subscription: 'sub_none'" and error["request_log_url"]
    assert "Unrecognized request URL (GET: /v1/nowhere)" in stripe.refused("GET", "nowhere", 404)["message"]
    says(stripe.refused("POST", "subscriptions/sub_none", 404, cancel_at_period_end="true"), "404.resource_missing")
    assert stripe.refused("GET", "customers", 400, limit=101)["param"] == "limit"
    assert Client(stripe.box, version="yesterday").refused("GET", "customers", 400)["type"] == "invalid_request_error"


def test_a_deleted_customer_is_told_and_takes_part_in_nothing(stripe):
    customer, price = stripe.customer(), stripe.price()
    sub = stripe.bought(customer, price)
    gone = {"id": customer["id"], "object": "customer", "deleted": True}
    assert stripe.delete("customers/" + customer["id"]) == gone == stripe.get("customers/" + customer["id"])
    assert stripe.get("subscriptions/" + sub["id"])["status"] == "canceled"
    assert stripe.get("customers")["data"] == []
    expanded = stripe.get("subscriptions/" + sub["id"], **{"expand[]": "customer.invoice_settings.default_payment_method"})
    assert expanded["customer"] == gone
    error = stripe.refused("POST", "billing_portal/sessions", 400, customer=customer["id"])
    assert (error["code"], error["param"]) == ("resource_missing", "customer")
    assert stripe.refused("POST", "customers/" + customer["id"], 404, name="x")["code"] == "resource_missing"


# ---- idempotency -----------------------------------------------------------


def test_a_key_gives_the_first_result_again(stripe, box):
    first, again = (stripe.ask("POST", "customers", key="k1", email="a@example.com") for _ in range(2))
    assert first.json() == again.json() and len(stripe.get("customers")["data"]) == 1
    assert "Idempotent-Replayed" not in first.headers and again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"] != again.headers["Request-Id"]
    says(stripe.refused("POST", "customers", 400, key="k1", email="b@example.com"), "400.idempotency_error")
    says(stripe.refused("POST", "products", 400, key="k1", name="x"), "400.idempotency_error")
    assert box.stripe()["idempotency_keys"] == {"k1": 1}
    assert [r["replayed"] for r in box.stripe_requests(idempotency_key="k1")] == [False, True, False, False]


def test_a_key_is_new_again_after_a_day(stripe, box):
    first = stripe.post("customers", key="k1", email="a@example.com")
    box.stripe_clock(advance=DAY - 600)
    assert stripe.post("customers", key="k1", email="a@example.com") == first
    box.stripe_clock(advance=1200)
    assert stripe.post("customers", key="k1", email="b@example.com")["id"] != first["id"]


def test_nothing_is_kept_of_what_was_refused(stripe):
    assert stripe.refused("POST", "customers", 400, key="k1", colour="red")
    assert stripe.post("customers", key="k1", email="a@example.com")["email"] == "a@example.com"
    assert stripe.refused("POST", "products", 400, key="k" * 256, name="x")["type"] == "idempotency_error"


def test_an_error_of_the_server_is_kept_whether_it_was_done_or_not(stripe, box):
    for n, accept in enumerate((True, False)):
        box.rule({"status": 500, "accept": accept}, provider="stripe", type="customers", times=1)
        first, again = (stripe.ask("POST", "customers", key=f"k{n}", email="a@example.com") for _ in range(2))
        assert first.status_code == again.status_code == 500 and again.headers["Idempotent-Replayed"] == "true"
        says(again.json()["error"], "500")
        assert len(stripe.get("customers")["data"]) == 1


def test_a_limit_that_was_met_is_not_kept(stripe, box):
    for status, name in ((429, "429.rate_limit"), (409, "429.lock_timeout")):
        box.rule({"status": status}, provider="stripe", type="customers", times=1)
        says(stripe.refused("POST", "customers", status, key="k1", email="a@example.com"), name)
    assert stripe.post("customers", key="k1", email="a@example.com")["object"] == "customer"


@pytest.mark.parametrize("accept", (True, False))
def test_an_answer_that_was_lost_is_had_by_asking_again(stripe, box, accept):
    box.rule({"answer": "reset", "accept": accept}, provider="stripe", type="customers", times=1)
    with pytest.raises(requests.ConnectionError):
        stripe.ask("POST", "customers", key="k1", email="a@example.com")
    until(lambda: len(stripe.get("customers")["data"]) == accept)
    assert stripe.post("customers", key="k1", email="a@example.com") == stripe.get("customers")["data"][0]
    assert len(stripe.get("customers")["data"]) == 1


def test_while_the_first_is_under_way_another_is_told_so(stripe, box):
    answers = []
    with box.holding("before", provider="stripe", type="customers", operation="create"):
        thread = threading.Thread(target=lambda: answers.append(stripe.ask("POST", "customers", key="k1", email="a@example.com")))
        thread.start()
        until(lambda: box.held() == 1)
        says(stripe.refused("POST", "customers", 409, key="k1", email="a@example.com"), "409.idempotency_key_in_use")
    thread.join()
    assert answers[0].json() == stripe.post("customers", key="k1", email="a@example.com")


def test_a_card_that_declines_is_kept(stripe, box):
    customer, price = stripe.customer(), stripe.price()
    sub = stripe.bought(customer, price)
    box.stripe_do("customers", customer["id"], card="declines")
    box.stripe_clock(advance=32 * DAY)
    failed = stripe.invoices(sub)[-1]
    error = stripe.refused("POST", f"invoices/{failed['id']}/pay", 402, key="k1")
    says(error, "402.card_declined")
    box.stripe_do("customers", customer["id"], card="good")
    assert stripe.refused("POST", f"invoices/{failed['id']}/pay", 402, key="k1")["charge"] == error["charge"]
    assert stripe.post(f"invoices/{failed['id']}/pay", key="k2")["status"] == "paid"


# ---- lists and expansion ---------------------------------------------------


def test_lists_go_on_where_they_stopped(stripe):
    made = [stripe.customer(email=f"{n}@example.com")["id"] for n in range(5)][::-1]
    first = stripe.get("customers", limit=2)
    assert first["object"] == "list" and first["url"] == "/v1/customers" and first["has_more"]
    second = stripe.get("customers", limit=3, starting_after=made[1])
    assert [c["id"] for c in first["data"] + second["data"]] == made and not second["has_more"]
    before = stripe.get("customers", limit=2, ending_before=made[3])
    assert [c["id"] for c in before["data"]] == made[1:3] and before["has_more"]
    assert [c["id"] for c in stripe.get("customers", email="3@example.com")["data"]] == [made[1]]
    assert stripe.refused("GET", "customers", 400, starting_after="cus_none")["param"] == "starting_after"


def test_ids_become_objects_when_asked(stripe):
    customer, price = stripe.customer(), stripe.price()
    sub = stripe.bought(customer, price)
    got = stripe.get("subscriptions/" + sub["id"], **{"expand[0]": "customer", "expand[1]": "latest_invoice.payments",
                                                      "expand[2]": "items.data.price.product"})
    assert got["customer"]["email"] == "owner@example.com" and got["items"]["data"][0]["price"]["product"]["name"] == "Starter"
    payment = got["latest_invoice"]["payments"]["data"][0]["payment"]
    assert stripe.get("payment_intents/" + payment["payment_intent"])["amount_received"] == 4900
    listed = stripe.get("subscriptions", **{"customer": customer["id"], "expand[]": "data.default_payment_method"})
    assert listed["data"][0]["default_payment_method"]["card"]["last4"] == "4242"
    error = stripe.refused("GET", "subscriptions/" + sub["id"], 400, **{"expand[]": "colour"})
    assert error["message"] == "This property cannot be expanded (colour)."
    assert stripe.refused("GET", "subscriptions/" + sub["id"], 400, **{"expand[]": "a.b.c.d.e"})["param"] == "expand"


def test_an_invoice_of_a_charge_is_found_by_its_payment(stripe):
    customer = stripe.customer()
    sub = stripe.bought(customer, stripe.price())
    charge, = stripe.get("charges", customer=customer["id"])["data"]
    found, = stripe.get("invoice_payments", **{"payment[type]": "payment_intent",
                                               "payment[payment_intent]": charge["payment_intent"]})["data"]
    assert found["invoice"] == sub["latest_invoice"] and found["status"] == "paid" and found["amount_paid"] == 4900
    older = Client(stripe.box, version="2023-08-16")
    assert older.get("charges/" + charge["id"])["invoice"] == sub["latest_invoice"]
    assert older.get("invoices/" + sub["latest_invoice"])["charge"] == charge["id"]


# ---- meters ----------------------------------------------------------------


def test_what_is_told_twice_is_counted_once(stripe, box):
    customer, meter = stripe.customer(), stripe.meter()
    first, again = (stripe.used(customer, 7, "call-1").json() for _ in range(2))
    assert first == again
    stripe.used(customer, 5, "call-2")
    assert box.stripe()["meters"]["call_minutes"][customer["id"]] == {"events": 2, "value": 12.0, "identifiers": 2}
    assert box.stripe()["meter_events"] == {"asked": 3, "repeated": 1, "canceled": 0}
    stripe.post("billing/meter_event_adjustments", event_name="call_minutes", type="cancel", **{"cancel[identifier]": "call-2"})
    assert box.stripe()["meters"]["call_minutes"][customer["id"]]["value"] == 7
    box.stripe_clock(advance=DAY + 10)
    stripe.used(customer, 7, "call-1")
    assert box.stripe()["meters"]["call_minutes"][customer["id"]]["value"] == 14, "after a day an identifier is new"
    assert stripe.get(f"billing/meters/{meter['id']}")["event_name"] == "call_minutes"


def test_usage_is_of_the_last_35_days_and_of_a_meter(stripe, box):
    customer = stripe.customer()
    assert stripe.used(customer, 1, "a").json()["error"]["param"] == "event_name"
    stripe.meter()
    now = box.stripe_clock()
    assert stripe.used(customer, 1, "b", timestamp=now - 35 * DAY + 60).status_code == 200
    for at in (now - 35 * DAY - 60, now + 400):
        assert stripe.used(customer, 1, "c", timestamp=at).json()["error"]["param"] == "timestamp"
    assert stripe.used(customer, 1, "d", timestamp=now + 200).status_code == 200
    assert stripe.used(customer, "much", "e").status_code == 400
    assert stripe.refused("POST", "billing/meters", 400, display_name="x", event_name="call_minutes",
                          **{"default_aggregation[formula]": "sum"})["code"] == "resource_already_exists"


def test_summaries_are_by_minute_and_customer(stripe, box):
    customer, meter = stripe.customer(), stripe.meter()
    start = box.stripe_clock() // 60 * 60 - 600
    for n, value in enumerate((3, 4, 5)):
        stripe.used(customer, value, f"call-{n}", timestamp=start + n * 60)
    asked = {"customer": customer["id"], "start_time": start, "end_time": start + 120}
    summary, = stripe.get(f"billing/meters/{meter['id']}/event_summaries", **asked)["data"]
    assert summary["aggregated_value"] == 7
    stripe.refused("GET", f"billing/meters/{meter['id']}/event_summaries", 400, **{**asked, "start_time": start + 1})


# ---- faults ----------------------------------------------------------------


def test_rules_know_the_path_and_the_customer(stripe, box):
    one, other = stripe.customer(), stripe.customer()
    box.rule({"status": 500}, provider="stripe", operation="get", number=one["id"])
    assert stripe.ask("GET", "customers/" + one["id"]).status_code == 500
    assert stripe.ask("GET", "customers/" + other["id"]).status_code == 200
    box.clear_rules()
    box.rule({"answer": "cut"}, provider="stripe", operation="list", type="invoices", times=1)
    with pytest.raises(ValueError):
        stripe.ask("GET", "invoices").json()
    assert stripe.ask("GET", "invoices").status_code == 200


def test_the_version_that_was_asked_for_is_remembered(stripe, box):
    stripe.customer()
    Client(box, version="2024-06-20").get("customers")
    assert [r["version"] for r in box.stripe_requests(path="customers")] == ["2026-10-28.endive", "2024-06-20"]
    assert differences({"a": {"b": 1}}, {"a": {"c": 1}}) == [".a.b: missing", ".a.c: not known"], "the comparison compares"
