"""How every list of every program looks, and what all answers have in common: generated from --describe."""

import re
from urllib.parse import urlencode

import pytest
from model_routes import SHARED, Tenant, sample
from stack_client import problem
from stack_operators import attempt, dead_letter, difference, event, number_difference
from stack_routes import asker, path_of, routes_of

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


@pytest.fixture
def routes(stack):
    """All GET routes in the house's own shapes."""
    return [r for r in routes_of(stack) if r["method"] == "GET" and not r["own_errors"]]


@pytest.fixture
def ann(stack):
    """An organization with at least two of everything that can be listed."""
    stack.provider("vapi")
    stack.provider("vapi")
    tenant = Tenant(stack, "ann").make_all()
    tenant.call("completed")
    stack.sql("""insert into call_feedback (call_id, call_created_at, organization_id, rating)
                 select call_id, call_created_at, organization_id, 4 from call_feedback""")
    stack.value("select public.transcripts_read(100)")
    for n in range(2):
        attempt(stack, tenant.call("completed"))
        event(stack, tenant.organization)
        dead_letter(stack, tenant.organization)
        difference(stack, tenant.organization)
        number_difference(stack, tenant.organization)
        stack.insert("billing_events", organization_id=tenant.organization, event_type="invoice_paid")
        stack.sql("insert into end_reasons_unlisted (provider_type, reason) values ('vapi', %s)", f"odd-{n}")
    tenant.person.post("/api/v1/organizations", {"name": "Second"}, expect=201)
    for n in range(2):
        stack.insert("voice_options", voice_id=f"voice-{n}", name=f"Voice {n}")
        tenant.person.post(f"/api/v1/organizations/{tenant.organization}/members", {"email": f"{n}@example.com", "role": "viewer"}, expect=201)
    return tenant


def lists(routes):
    """Those with pages."""
    found = [r for r in routes if any(f["name"] == "after" for f in r["fields"])]
    assert len(found) >= 6
    return found


def address(tenant, route):
    """The path, with things of the tenant's in it."""
    path = path_of(route, **{f["name"]: tenant.ids(f["name"])[0] for f in route["fields"]
                             if f["in"] == "path" and f["type"] == "uuid" and f["name"] not in SHARED})
    return path + "?" + urlencode({f["name"]: sample(f, tenant) for f in route["fields"] if f["in"] == "query" and f["required"]})


def walk(value, name=""):
    """Each name and what stands under it."""
    yield name, value
    for key, inner in value.items() if isinstance(value, dict) else ((name, v) for v in value) if isinstance(value, list) else ():
        yield from walk(inner, key)


def test_a_list_goes_on_where_its_own_cursor_says_and_takes_no_other(routes, ann):
    cursors, queries = {}, {route["path"]: route["query"] for route in routes if "query" in route}
    for route in lists(routes):
        page = asker(ann.stack, route, ann.person).get(address(ann, route) + "&limit=1")
        assert set(page) == {"data", "next_cursor"} and len(page["data"]) == 1, route["path"]
        assert page["next_cursor"], f"{route['path']} has one row only: the fixture ann makes two of everything"
        cursors[route["path"]] = page["next_cursor"]
        after = asker(ann.stack, route, ann.person).get(f"{address(ann, route)}&limit=1&after={page['next_cursor']}")
        assert after["data"] and after["data"] != page["data"], route["path"]
    for route in lists(routes):
        for path, cursor in [*cursors.items(), ("nonsense", "MTIz")]:
            # The same list may stand behind two addresses.
            if path == route["path"] or queries.get(path) == route["query"]:
                continue
            for who in (asker(ann.stack, route, ann.person), *([ann.key] if route["access"] == "api" else [])):
                answer = problem(who.ask("GET", f"{address(ann, route)}&after={cursor}"), 400, "bad_cursor")
                assert [e["field"] for e in answer["errors"]] == ["after"], (route["path"], path, answer)


def test_each_list_says_where_it_goes_on_and_each_time_is_utc(routes, ann):
    times = 0
    for route in routes:
        answer = asker(ann.stack, route, ann.person).ask("GET", address(ann, route))
        if answer.status_code != 200 or answer.headers["Content-Type"] != "application/json":
            continue
        body = answer.json()
        assert isinstance(body, dict) and ("next_cursor" in body) == isinstance(body.get("data"), list), (route["path"], list(body))
        for name, value in walk(body):
            if isinstance(value, str) and (name.endswith("_at") or re.match(r"\d{4}-\d\d-\d\d[ T]\d\d", value)):
                times += 1
                assert TIME.fullmatch(value), (route["path"], name, value)
    assert times > 20
