"""expand[]: ids become the objects that they name; and the version of the API that shapes an answer."""
import re

from stripe_form import Refused
from stripe_objects import page
from stripe_store import Page

# What is left out unless it is asked for: how to come by it.
LEFT_OUT = {
    ("invoice", "payments"): lambda store, o: page(
        f"/v1/invoice_payments?invoice={o['id']}", [t for t in store.all("invoice_payment") if t["invoice"] == o["id"]]),
    ("checkout.session", "line_items"): lambda store, o: page(
        f"/v1/checkout/sessions/{o['id']}/line_items", store.objects[o["id"]]["_lines"]),
    ("charge", "refunds"): lambda store, o: store.objects[o["id"]]["_refunds"],
    ("customer", "subscriptions"): lambda store, o: page(
        f"/v1/customers/{o['id']}/subscriptions", [s for s in store.all("subscription") if s["customer"] == o["id"]]),
}


def version_of(state, given):
    """The version that a request asks for, else the account's."""
    version = given or state.settings["stripe_webhook_version"]
    if not re.fullmatch(r"20\d\d-[01]\d-[0-3]\d(\.[a-z]+)?(;.*)?", version):
        raise Refused(f"Invalid Stripe API version: {version}")
    return version


def answer(store, result, version, op, p):
    """A result as it is told: its shape by the version, lists as lists, with what is to be expanded."""
    if isinstance(result, Page):
        shown = page("/v1/" + op.path, [store.show(one, version) for one in result.data], result.more)
    else:
        shown = store.show(result, version)
    for path in p.get("expand") or ():
        expand(store, shown, path, version)
    return shown


def expand(store, shown, path, version):
    """Put the objects in the place of their ids along one path."""
    names = path.split(".")
    if len(names) > 4:
        raise Refused("You cannot expand more than 4 levels of a property", "property_expansion_max_depth", "expand")
    _walk(store, [shown], names, version)


def _walk(store, found, names, version):
    for name in names:
        found = [inner for one in found for inner in _step(store, one, name, version)]


def _step(store, one, name, version):
    if one.get("deleted"):
        return []
    maker = LEFT_OUT.get((one.get("object"), name))
    if name not in one and maker:
        one[name] = store.show(maker(store, one), version)
    if name not in one:
        raise Refused(f"This property cannot be expanded ({name}).", param="expand")
    value = one[name]
    if isinstance(value, str) and value in store.objects:
        one[name] = value = store.show(store.objects[value], version)
    elif isinstance(value, list):
        one[name] = value = [store.show(store.objects[v], version) if isinstance(v, str) and v in store.objects else v
                             for v in value]
        return [v for v in value if isinstance(v, dict)]
    return [value] if isinstance(value, dict) else []
