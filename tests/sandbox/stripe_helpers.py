"""What the tests of the sandbox's Stripe share: a client of it, and what one mostly needs to exist."""
import hashlib
import hmac
import json

import requests

DAY = 86400
VERSIONS = {"current": "2026-10-28.endive", "legacy": "2023-08-16"}
# 1 March 2026, noon, UTC: a month of 31 days begins.
MARCH = 1772366400


class Client:
    """A client of the sandbox's Stripe."""

    def __init__(self, box, receiver=None, version="2026-10-28.endive"):
        self.box, self.receiver, self.version = box, receiver, version

    def ask(self, method, path, key=None, token="sk_test_1", **params):
        """Any request; params by Stripe's names, with brackets."""
        headers = {"Stripe-Version": self.version, **({"Authorization": f"Bearer {token}"} if token else {}),
                   **({} if key is None else {"Idempotency-Key": key})}
        where = {"data" if method == "POST" else "params": params}
        return requests.request(method, f"{self.box.stripe_url}/v1/{path}", headers=headers, timeout=60, **where)

    def _good(self, answer):
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path, **params):
        """A POST that is taken."""
        return self._good(self.ask("POST", path, **params))

    def get(self, path, **params):
        """A GET that is answered."""
        return self._good(self.ask("GET", path, **params))

    def delete(self, path, **params):
        """A DELETE that is done."""
        return self._good(self.ask("DELETE", path, **params))

    def refused(self, method, path, status, **params):
        """A request that is refused with this status; answers the error."""
        answer = self.ask(method, path, **params)
        assert answer.status_code == status, answer.text
        return answer.json()["error"]

    # ---- what one mostly needs -----------------------------------------

    def customer(self, **params):
        """A customer."""
        return self.post("customers", **{"email": "owner@example.com", "name": "Owner One", "metadata[org_id]": "42", **params})

    def product(self, name="Starter"):
        """A product."""
        return self.post("products", name=name)

    def price(self, amount=4900, product=None, interval="month", currency="usd", **params):
        """A price of so much a month."""
        return self.post("prices", **{"product": product or self.product()["id"], "currency": currency, "unit_amount": amount,
                                      "recurring[interval]": interval, **params})

    def meter(self, name="call_minutes"):
        """A meter that sums."""
        return self.post("billing/meters", **{"display_name": name, "event_name": name, "default_aggregation[formula]": "sum"})

    def metered(self, meter, amount="12", interval="month"):
        """A price of what a meter counts."""
        return self.post("prices", **{"product": self.product("Minutes")["id"], "currency": "usd", "unit_amount_decimal": amount,
                                      "recurring[interval]": interval, "recurring[usage_type]": "metered",
                                      "recurring[meter]": meter["id"]})

    def session(self, customer, *prices, **params):
        """A session of checkout for these prices."""
        lines = {}
        for n, price in enumerate(prices):
            lines[f"line_items[{n}][price]"] = price["id"]
            if price["recurring"]["usage_type"] == "licensed":
                lines[f"line_items[{n}][quantity]"] = 1
        return self.post("checkout/sessions", mode="subscription", customer=customer["id"],
                         success_url="https://app.example.com/?s={CHECKOUT_SESSION_ID}", **lines, **params)

    def bought(self, customer, *prices, **params):
        """A subscription to these prices, bought by checkout."""
        session = self.session(customer, *prices, **params)
        told = self.box.stripe_do("checkout", session["id"], pay=True)
        return self.get("subscriptions/" + told["subscription"])

    def used(self, customer, value, identifier, **params):
        """Something was used."""
        return self.ask("POST", "billing/meter_events", **{
            "event_name": "call_minutes", "payload[stripe_customer_id]": customer["id"], "payload[value]": value,
            "identifier": identifier, **params})

    def invoices(self, subscription):
        """All invoices of a subscription, oldest first."""
        return self.get("invoices", subscription=subscription["id"], limit=100)["data"][::-1]

    # ---- events --------------------------------------------------------

    def events(self, kind=None):
        """All events that came, in the order in which they did."""
        self.box.idle()
        came = [json.loads(raw) for _, raw, _ in self.receiver.got]
        return [e for e in came if kind in (None, e["type"])]


def is_signed(headers, raw, secret):
    """Whether one of the marks is of this secret."""
    parts = [part.split("=", 1) for part in headers["Stripe-Signature"].split(",")]
    text = dict(parts)["t"].encode() + b"." + raw
    mark = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return mark in [value for name, value in parts if name == "v1"]


def differences(want, got, at=""):
    """In what the shape of got is not that of a recorded one: names, kinds of values; null may stand for anything."""
    if want is None or got is None or at.endswith((".metadata", ".payload", ".custom_data")):
        return []
    if type(want) is not type(got) and not {type(want), type(got)} <= {int, float}:
        return [f"{at}: {type(got).__name__}, not {type(want).__name__}"]
    if isinstance(want, dict):
        out = [f"{at}.{name}: missing" for name in sorted(set(want) - set(got))]
        out += [f"{at}.{name}: not known" for name in sorted(set(got) - set(want))]
        return out + [d for name in want if name in got for d in differences(want[name], got[name], f"{at}.{name}")]
    if isinstance(want, list) and want:
        return [d for n, one in enumerate(got) for d in differences(want[0], one, f"{at}[{n}]")]
    return []
