"""How a route may refuse: what follows from its row in the table, and its own errors.

What is here is what common/web does for every route of a kind; tests compare it with all answers that they get.
"""

from described import fields_in, params_of

TOKEN = {"unauthenticated", "token_invalid", "token_expired", "session_revoked"}
# By who may ask: what is refused before the route itself is asked.
ACCESS = {
    "public": set(),
    "api": TOKEN | {"api_key_invalid", "account_inactive", "totp_needed", "organization_inactive", "organization_mismatch",
                    "organization_not_found", "role_missing", "scope_missing"},
    "person": TOKEN | {"account_inactive", "totp_needed", "person_needed"},
    "operator": TOKEN | {"account_inactive", "totp_needed", "person_needed", "operator_needed"},
    "local": {"unauthenticated", "token_invalid", "forbidden"},
    "internal": {"unauthenticated", "token_invalid", "forbidden"},
}
# What the web server itself refuses, in our shape whatever the program's is: status and code.
SERVER = {(400, "bad_request"), (502, "unavailable"), (503, "unavailable"), (504, "unavailable")}


def takes_body(route):
    """Whether a body is read."""
    return route["method"] in ("POST", "PUT", "PATCH")


def takes_bytes(route):
    """Whether its body is no JSON of fields: as it came, or of any size."""
    return takes_body(route) and bool(route["raw"] or route.get("stream"))


def body_type(route):
    """Of what type such a body is."""
    return route.get("body_type", "text/csv" if route.get("stream") else "application/json")


def is_limited(route):
    """Whether requests are counted."""
    return route["access"] not in ("local", "internal") and not route["unlimited"]


def is_keyed(route):
    """Whether an Idempotency-Key is looked at."""
    return route["method"] == "POST" and route["access"] not in ("public", "local", "internal")


def is_tagged(route):
    """Whether its answers have an ETag."""
    return route["method"] == "GET" and (route.get("returns") or {"form": "file"})["form"] != "file"


def _of_input(route):
    codes = {"bad_request"}
    if params_of(route["path"]):
        codes.add("bad_path")
    if route["fields"] or not (route["raw"] or route["lenient"]):
        codes.add("bad_fields")
    if any(field["type"] == "cursor" for field in route["fields"]):
        codes.add("bad_cursor")
    if takes_body(route):
        codes.add("too_large")
        if not takes_bytes(route):
            codes |= {"bad_json", "json_too_deep", "unsupported_media_type"}
    return codes


def _of_kind(route):
    codes = set(ACCESS[route["access"]])
    if route["access"] == "person" and "organization_id" in params_of(route["path"]):
        codes |= {"organization_inactive", "organization_mismatch", "organization_not_found"}
    if is_limited(route):
        codes.add("rate_limited")
    if is_keyed(route):
        codes |= {"bad_idempotency_key", "idempotency_key_reused", "idempotency_in_use"}
    if route["method"] in ("PUT", "PATCH", "DELETE"):
        codes.add("precondition_failed")
    if route["method"] != "GET":
        codes.add("outcome_unknown")
    return codes | {"internal", "unavailable"}


def general(route):
    """The codes that every route of its kind refuses with."""
    return _of_input(route) | _of_kind(route)


def refusals(program, route, errors):
    """By status, the codes that a route may refuse with, as the program tells them."""
    found = {}
    for code in errors:
        if code not in general(route) and code not in route["errors"]:
            continue
        told = program.get("codes", {}).get(code, {"code": code, "status": errors[code][0]})
        codes = found.setdefault(told["status"], [])
        if told["code"] not in codes:
            codes.append(told["code"])
    return {status: found[status] for status in sorted(found)}


def own_codes(program, route, errors):
    """The codes that it refuses with and others of its kind do not, as the program tells them."""
    own = [code for code in errors if code in route["errors"] and code not in general(route)]
    return {program.get("codes", {}).get(code, {"code": code})["code"] for code in own}


def server_refusals(route):
    """By status, the codes that only come from the web server in front."""
    found = set(SERVER)
    if takes_body(route):
        found.add((413, "too_large"))
    if is_limited(route):
        found.add((429, "rate_limited"))
    if route["access"] in ("local", "internal"):
        found.add((403, "forbidden"))
    return {status: code for status, code in sorted(found)}
