"""Stripe's meters: what was used, told by events, each counted once."""
from decimal import Decimal, InvalidOperation

import stripe_objects as objects
from stripe_form import Refused
from stripe_store import DAY


def create(store, p):
    """POST billing/meters."""
    if any(m["event_name"] == p["event_name"] and m["status"] == "active" for m in store.all("billing.meter")):
        raise Refused(f"A meter with event_name {p['event_name']} exists already.", "resource_already_exists", "event_name")
    meter = store.add(objects.meter(store.now(), p))
    store.emit("billing.meter.created", meter)
    return meter


def list_all(store, p):
    """GET billing/meters."""
    return store.list("billing.meter", p, lambda o: p.get("status") in (None, o["status"]))


def deactivate(store, p, ident):
    """POST billing/meters/{id}/deactivate."""
    meter = store.get("billing.meter", ident)
    with store.changing(meter, "billing.meter.deactivated"):
        meter["status"], meter["status_transitions"]["deactivated_at"] = "inactive", store.now()
    return meter


def by_name(store, name):
    """The active meter that counts events of this name."""
    for meter in store.all("billing.meter"):
        if meter["event_name"] == name and meter["status"] == "active":
            return meter
    raise Refused(f"No active meter found for event_name '{name}'.", "resource_missing", "event_name")


def record(store, p):
    """POST billing/meter_events.  A repeated identifier is answered like the first, and not counted."""
    meter, now = by_name(store, p["event_name"]), store.now()
    at = p.get("timestamp", now)
    if at < now - 35 * DAY or at > now + 300:
        raise Refused("The timestamp must be within the past 35 calendar days and at most 5 minutes in the future.",
                      "timestamp_too_far_in_past" if at < now else "timestamp_in_future", "timestamp")
    names = meter["customer_mapping"]["event_payload_key"], meter["value_settings"]["event_payload_key"]
    customer, value = (_part(p["payload"], name) for name in names)
    identifier = p.get("identifier") or objects.new_id("", 24)
    event = {"object": "billing.meter_event", "created": now, "event_name": p["event_name"], "identifier": identifier,
             "livemode": False, "payload": dict(p["payload"]), "timestamp": at, "_value": _number(value, names[1])}
    store.counts["meter_events"] += 1
    known = store.identifiers.get((meter["id"], identifier))
    if known and known["created"] > now - DAY:
        store.counts["meter_events_repeated"] += 1
        return known
    store.identifiers[meter["id"], identifier] = event
    store.usage.setdefault((meter["id"], customer), []).append(event)
    return event


def _part(payload, name):
    if not payload.get(name):
        raise Refused(f"The payload must hold `{name}`.", "parameter_missing", f"payload[{name}]")
    return payload[name]


def _number(value, name):
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise Refused(f"Invalid numeric value: {value}", param=f"payload[{name}]")
    return number


def adjust(store, p):
    """POST billing/meter_event_adjustments: an event of the last day is taken back."""
    meter = by_name(store, p["event_name"])
    identifier = (p.get("cancel") or {}).get("identifier")
    if not identifier:
        raise Refused("Missing required param: cancel[identifier].", "parameter_missing", "cancel[identifier]")
    event = store.identifiers.get((meter["id"], identifier))
    if not event or event["created"] <= store.now() - DAY:
        raise Refused(f"No meter event of the last 24 hours has the identifier '{identifier}'.", "resource_missing",
                      "cancel[identifier]")
    event["_canceled"] = True
    store.counts["meter_events_canceled"] += 1
    return {"object": "billing.meter_event_adjustment", "cancel": {"identifier": identifier},
            "event_name": p["event_name"], "livemode": False, "status": "pending", "type": "cancel"}


def total(store, meter_id, customer, start, end):
    """What a customer used from start to before end."""
    meter = store.objects[meter_id]
    found = [e for e in store.usage.get((meter_id, customer), ())
             if start <= e["timestamp"] < end and not e.get("_canceled")]
    formula = meter["default_aggregation"]["formula"]
    if formula == "count":
        return Decimal(len(found))
    if formula == "last":
        return max(found, key=lambda e: e["timestamp"])["_value"] if found else Decimal(0)
    return sum((e["_value"] for e in found), Decimal(0))


def summaries(store, p, ident):
    """GET billing/meters/{id}/event_summaries."""
    store.get("billing.meter", ident)
    start, end = p["start_time"], p["end_time"]
    if start % 60 or end % 60 or end <= start:
        raise Refused("start_time and end_time must be aligned with minute boundaries, the end after the start", param="start_time")
    step = {None: end - start, "hour": 3600, "day": DAY}[p.get("value_grouping_window")]
    found = []
    for at in range(start, end, step):
        value = total(store, ident, p["customer"], at, min(at + step, end))
        if value or step == end - start:
            found.append({"id": objects.new_id("mtrusg_"), "object": "billing.meter_event_summary",
                          "aggregated_value": float(value), "end_time": min(at + step, end), "livemode": False,
                          "meter": ident, "start_time": at})
    return store.page(found[::-1], p)


def view(store):
    """All usage, for whoever checks it: totals by meter's event name and customer."""
    out = {}
    for (meter_id, customer), events in store.usage.items():
        kept = [e for e in events if not e.get("_canceled")]
        name = store.objects[meter_id]["event_name"]
        out.setdefault(name, {})[customer] = {"events": len(kept), "value": float(sum(e["_value"] for e in kept)),
                                              "identifiers": len({e["identifier"] for e in kept})}
    return out
