"""Bad input to every route of every program: what the programs say of themselves (--describe) drives these tests.

The right 4xx in the one shape, nothing stored, no 500, no program that ended.
"""

import json
import re
import uuid

import pytest

from stack import BOTH_WAYS, PROGRAMS
from stack_client import Client, b64, problem, raw_request, sign_token, user_claims
from stack_hooks import synthflow_signature, vapi_event
from stack_operators import CLAIM
from stack_routes import FOR_PEOPLE, GOOD, body_of, good_value, path_of, routes_of

pytestmark = BOTH_WAYS

NO_TEXT = [1, True, [], {}, 0.5]
WRONG = {
    "string": [*NO_TEXT, "a\0b", "\ud800"],
    "e164": [*NO_TEXT, "", "123", "15550001234", "+0555000123", "+1555", "+1555000123456789", "+1555 0001234",
             "+155500٣1234", "+15550001234\n", "+15550001234;ext=1"],
    "uuid": [*NO_TEXT, "", "x", "11111111-1111-4111-8111-11111111111", "11111111-1111-4111-8111-1111111111111",
             "11111111-1111-4111-8111-11111111111g", " 11111111-1111-4111-8111-111111111111"],
    "email": [*NO_TEXT, "", "ann", "@example.com", "ann@", "a b@example.com", "ann@exam\0ple.com"],
    "time": [*NO_TEXT, "", "now", "infinity", "epoch", "tomorrow", "2099-01-01", "2099-01-01T00:00:00",
             "2099-13-01T00:00:00Z", "2099-02-30T00:00:00Z", "2099-01-01T25:00:00Z", "99999-01-01T00:00:00Z",
             "2099-01-01T00:00:00+99:00", "0000-12-31T00:00:00Z", "0000-12-31T23:59:59-01:00",
             "0001-01-01T00:30:00+01:00", "9999-12-31T23:59:59-00:01"],
    "int": ["", "x", "1", True, [], {}, 1.5, 1e40, 10 ** 30],
    "number": ["", "x", True, [], {}],
    "bool": ["", "x", 3, [], {}],
    "object": [1, "x", True, []],
    "array": [1, "x", True, {}, [1], [None], ["x"], [[]]],
    "enum": [1, "", "x"],
    "cursor": [1, "", "!"],
}


def wrong_values(field):
    """What a member of a body may not be; an array without a table of its items may hold anything."""
    loose = field["type"] == "array" and not field.get("fields")
    return [v for v in WRONG[field["type"]] if not (loose and isinstance(v, list))] + numbers_beyond(field)


def numbers_beyond(field):
    """Values just outside of a field's bounds."""
    low, high = field.get("min"), field.get("max")
    if field["type"] == "string" and high:
        return ["x" * (high + 1), "ü" * (high + 1)]
    if field["type"] == "int":
        return [value for value in (low is not None and low - 1, high is not None and high + 1)
                if value is not False]
    return []


# Where each request costs the start of a program, these stand for all.
FOR_CGI = ("calls", "queue-pump", "status", "stripe-webhook", "synthflow-webhook", "vapi-webhook")


@pytest.fixture
def alice(stack):
    """A person who may ask everything, operators' routes too."""
    return stack.user("alice", **CLAIM)


@pytest.fixture
def routes(stack, alice):
    """All routes of all programs; those inside of an organization are inside of alice's."""
    found = routes_of(stack, FOR_CGI if stack.cgi else PROGRAMS)
    assert len(found) >= 17
    for route in (r for r in found if r["access"] in FOR_PEOPLE):
        route["path"] = route["path"].replace("{organization_id}", alice.organization)
    return found


@pytest.fixture
def ground(stack, alice):
    """A provider, a template, and a proof at the end: nothing was stored, nothing ended, nothing was a 500."""
    stack.provider("vapi")
    stack.template(id=GOOD["uuid"])
    pids = {name: program.pid for name, program in stack.programs.items()}
    logs = {log: log.stat().st_size for log in stack.folder.glob("*.log")}
    yield alice
    for table in ("calls", "call_queue", "idempotency_keys", "webhook_events", "webhook_event_keys"):
        assert stack.count(table) == 0, f"{table} holds something"
    assert {name: program.pid for name, program in stack.programs.items() if program.alive} == pids
    for log in stack.folder.glob("*.log"):
        with open(log, encoding="utf-8", errors="replace") as file:
            file.seek(logs.get(log, 0))
            assert not re.search(r"status=5\d\d", file.read()), log


def api_routes(routes):
    """Routes for people, of the house's own manners."""
    return [r for r in routes if r["access"] in FOR_PEOPLE and not r["lenient"]]


def with_body(routes):
    """Those of them that take a body of JSON."""
    return [r for r in api_routes(routes) if r["method"] in ("POST", "PUT", "PATCH") and not r["stream"]]


def some(stack, values):
    """All of them, or a few where each request costs the start of a program."""
    return values[::4] + values[-1:] if stack.cgi else values


def named(answer, field):
    """A 400 that names the field, and only it."""
    body = problem(answer, 400, "bad_fields")
    assert {e["field"] for e in body["errors"]} == {field}, body
    assert all(e["code"] and e["detail"] for e in body["errors"]), body


def test_a_wrong_member_of_a_body_is_named(stack, ground, routes):
    tried = 0
    for route in with_body(routes):
        for field in (f for f in route["fields"] if f["in"] == "body"):
            values = some(stack, wrong_values(field))
            for value in values + ([None] if field["required"] else []):
                body = json.dumps({**body_of(route["fields"]), field["name"]: value}).encode()
                answer = ground.ask(route["method"], path_of(route), body)
                tried += 1
                if b"\\u0000" in body or b"\\ud800" in body or value == 10 ** 30:
                    problem(answer, 400, "bad_json")
                    continue
                if field["type"] == "cursor" and isinstance(value, str):
                    problem(answer, 400, "bad_cursor")
                    continue
                found = problem(answer, 400, "bad_fields")
                assert {e["field"].split(".")[0] for e in found["errors"]} == {field["name"]}, (body, found)
    assert tried > (30 if stack.cgi else 150)


def test_a_wrong_member_of_an_item_is_named_with_its_place(ground, routes):
    for route in with_body(routes):
        for array in (f for f in route["fields"] if f.get("fields") and f["type"] == "array"):
            good, rest = body_of(array["fields"]), body_of(route["fields"])
            for field in array["fields"]:
                bad = {**good, field["name"]: (WRONG[field["type"]][:1] + numbers_beyond(field))[-1]}
                answer = ground.ask(route["method"], path_of(route), {**rest, array["name"]: [good, bad]})
                named(answer, f"{array['name']}.1.{field['name']}")
            named(ground.ask(route["method"], path_of(route), {**rest, array["name"]: [good, {**good, "x": 1}]}),
                  f"{array['name']}.1.x")


def test_missing_and_unknown_members_are_named(ground, routes):
    for route in with_body(routes):
        good = body_of(route["fields"])
        for field in (f for f in route["fields"] if f["in"] == "body" and f["required"]):
            body = {name: value for name, value in good.items() if name != field["name"]}
            named(ground.ask(route["method"], path_of(route), body), field["name"])
        names = {"x", "organization_id", "status", "user_id", "id", "", "x" * 5000, "ü\u2028"}
        for name in names - {f["name"] for f in route["fields"]}:
            body = problem(ground.ask(route["method"], path_of(route), {**good, name: 1}), 400, "bad_fields")
            assert len(body["errors"]) == 1 and body["errors"][0]["code"] == "unknown", body


def test_a_body_that_is_no_json_object_is_refused(stack, ground, routes):
    deep = [b"[" * n + b"]" * n for n in (100, 100000)] + [b'{"a":' * n + b"1" + b"}" * n for n in (100, 30000)]
    for route in with_body(routes):
        good = json.dumps(body_of(route["fields"])).encode()
        bodies = [b"null", b"1", b'"x"', b"[]", b"x", b"{", b"{]", b'{"a":1,}', b"{'a':1}", good + b"x", good + good,
                  b"\xef\xbb\xbf" + good, b'{"metadata":1,"metadata":2}', b'{"a":"\xff"}', b'{"a":"\xc0\x80"}',
                  b'{"a":"\xed\xa0\x80"}', b'{"a":"\\u0000"}', b'{"a\\u0000b":1}', b'{"a":"\\ud800"}', b"\0", b"{}\0",
                  b'{"a":"\0"}', b'{"a":01}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":1e}', b'{"a":"\n"}',
                  b"{" + b" " * 1000, b'{"a":/**/1}', good.decode().encode("utf-16"), *deep]
        for body in some(stack, bodies):
            found = problem(ground.ask(route["method"], path_of(route), body), 400)
            assert found["code"] in ("bad_json", "json_too_deep"), (body[:50], found)


def test_a_body_of_another_type_is_refused(ground, routes):
    for route in with_body(routes):
        body = json.dumps(body_of(route["fields"]) or {"x": 1}).encode()
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json; charset=latin1",
                     "multipart/form-data; boundary=x", "", "application/problem+json"):
            answer = ground.ask(route["method"], path_of(route), body, headers={"Content-Type": kind})
            problem(answer, 415, "unsupported_media_type")


def test_a_body_that_is_too_large_is_refused_by_the_program_and_by_nginx(ground, routes):
    for route in with_body(routes):
        for size in (route["body_max"] + 1, 3 * 1024 * 1024):
            problem(ground.ask(route["method"], path_of(route), b'{"a":"' + b"x" * size + b'"}'), 413, "too_large")


def test_a_body_whose_length_is_a_lie_harms_nobody(stack, ground, routes):
    for route in with_body(routes):
        head = (f"{route['method']} {path_of(route)} HTTP/1.1\r\nHost: x\r\nAuthorization: {ground.headers['Authorization']}\r\n"
                "Content-Type: application/json\r\nConnection: close\r\n")
        for lie in ("Content-Length: -1", "Content-Length: x", "Content-Length: 1\r\nContent-Length: 2",
                    "Content-Length: 99999999999999999999"):
            answer = raw_request(stack.url, f"{head}{lie}\r\n\r\n{{}}".encode())
            assert re.match(rb"HTTP/1.1 4(00|13) ", answer), (lie, answer[:200])
        chunked = raw_request(stack.url, f"{head}Transfer-Encoding: chunked\r\n\r\n3\r\n{{]x\r\n0\r\n\r\n".encode())
        assert chunked.startswith(b"HTTP/1.1 400 ") and b'"bad_json"' in chunked, chunked[:300]


def askers(stack, routes, person):
    """Each route that is asked without a body, with somebody who may ask: (route, who)."""
    inside = Client(stack.url, {"Authorization": f"Bearer {stack.secrets['internal']}"})
    who = {"api": person, "person": person, "internal": inside, "local": inside, "public": stack.anybody(), "operator": person}
    found = [(r, who[r["access"]]) for r in routes
             if (r["method"] == "GET" or r["access"] == "internal") and not r["lenient"]
             and not any(f["in"] == "body" for f in r["fields"])]
    assert {"/internal/queue-pump", "/healthz", "/readyz", "/metrics", "/api/v1/calls"} <= {r["path"] for r, _ in found}
    return found


def test_wrong_query_parameters_are_named(stack, ground, routes):
    for route, who in askers(stack, routes, ground):
        path, method = path_of(route), route["method"]
        for field in (f for f in route["fields"] if f["in"] == "query" and f["type"] != "cursor"):
            wrong = [w for w in WRONG[field["type"]] if isinstance(w, str) and "\0" not in w and "\ud800" not in w]
            wrong = [w for w in wrong if w != "1" or field["type"] != "int"] + numbers_beyond(field)
            wrong += ["0x1", "1 ", " 1"] if field["type"] != "string" else []
            needed = {f["name"]: good_value(f) for f in route["fields"] if f["in"] == "query" and f["required"] and f != field}
            for value in wrong:
                answer = who.ask(method, path, params={**needed, field["name"]: value})
                named(answer, field["name"])
            named(who.ask(method, path, params={**needed, field["name"]: ["1", "1"]}), field["name"])
            # A client makes a lonely % whole, and then it is a word like any other.
            lonely = ("%zz", "%") if field["type"] != "string" else ()
            for bytes_ in ("%00", "%ff", "a%00b", "%c0%80", *lonely):
                found = problem(who.ask(method, f"{path}?{field['name']}={bytes_}"), 400)
                assert found["code"] in ("bad_fields", "bad_request", "bad_path"), found
        own = {f["name"] for f in route["fields"] if f["in"] == "query"}
        for query in ("x=1", "organization_id=" + GOOD["uuid"], "limit[]=1", "x"):
            if query.partition("=")[0] in own:
                continue  # operators look for one organization's
            assert problem(who.ask(method, f"{path}?{query}"), 400, "bad_fields")["errors"][0]["code"] == "unknown"


def test_a_webhook_is_kept_whatever_its_query_and_its_content_type_are(stack, alice):
    """A provider that sends more than we know of must not lose its events."""
    events = {"vapi": ({"X-Vapi-Secret": stack.secrets["vapi"]}, vapi_event("hang", "c1")),
              "synthflow": (synthflow_signature(stack.secrets["synthflow"], "c1"),
                            {"status": "completed", "call": {"call_id": "c1", "status": "completed"}})}
    for kind, (headers, event) in events.items():
        for query in ("", "?x=1", "?x=1&x=1&organization_id=1", "?%zz=%00"):
            for media in ("text/plain", "application/x-www-form-urlencoded", "x"):
                stack.sql("truncate webhook_events, webhook_event_keys")
                answer = Client(stack.url, {**headers, "Content-Type": media}).ask(
                    "POST", f"/api/webhooks/{kind}/{alice.organization}{query}", json.dumps(event).encode())
                assert answer.status_code == 200, (kind, query, media, answer.text)
                assert stack.count("webhook_events") == 1, (kind, query, media)


def test_wrong_paths_are_refused(stack, ground, routes):
    for route in (r for r in routes if "{" in r["path"]):
        name = re.search(r"\{(\w+)\}", route["path"])[1]
        kind = next((f["type"] for f in route["fields"] if f["name"] == name), "string")
        for value, statuses in [("x", (400,)), ("%00", (400,)), ("a%00b", (400,)), ("%2F", (400,)), ("%ff", (400,)),
                                ("%zz", (400,)), ("..", (400, 404)), ("%2e%2e", (400, 404)), ("x" * 4000, (400,)),
                                ("*", (400,)), (GOOD["uuid"] + "%20", (400,)), (GOOD["uuid"] + "/x/y", (404,))]:
            head = (f"{route['method']} {path_of(route, **{name: value})} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                    f"Authorization: {ground.headers['Authorization']}\r\nContent-Length: 0\r\n\r\n")
            answer = raw_request(stack.url, head.encode())
            status = int(answer.split(b" ", 2)[1])
            # A path that is no route at all may be answered before a signature is looked at.
            allowed = statuses if route["access"] in FOR_PEOPLE and kind == "uuid" else (*statuses, 401, 404)
            assert status in allowed, (route["path"], value, answer[:300])
            if status != 400 or b"nginx" not in answer:
                body = json.loads(answer.split(b"\r\n\r\n", 1)[1])
                assert (route["own_errors"] or body["status"] == status) and body["code"], answer


def test_other_methods_are_refused_with_the_right_ones_named(ground, routes):
    paths, own = {}, {path_of(r) for r in routes if r["own_errors"]}
    for route in routes:
        paths.setdefault(path_of(route), set()).add(route["method"])
    for path, methods in paths.items():
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "BREW"):
            if method in methods or (method == "HEAD" and "GET" in methods):
                continue
            answer = ground.ask(method, path)
            assert answer.status_code == 405, (method, path, answer.status_code)
            if method != "HEAD" and path not in own:
                problem(answer, 405, "method_not_allowed")
            if method not in ("TRACE",):
                allowed = set(answer.headers["Allow"].split(", "))
                assert methods <= allowed and "OPTIONS" in allowed and method not in allowed, answer.headers
        options = ground.ask("OPTIONS", path)
        assert (options.status_code, options.content) == (204, b"") and methods <= set(options.headers["Allow"].split(", "))


def test_a_token_that_is_not_good_opens_nothing(stack, ground, routes):
    claims, secret = user_claims("alice"), stack.secrets["jwt"]
    good = sign_token(secret, claims)
    head, payload, signature = good.split(".")
    none = ".".join([b64(b'{"alg":"none","typ":"JWT"}'), payload, ""])
    tokens = {
        "token_invalid": [
            "x", "a.b.c", "..", "", good[:-2], good + "x", f"{head}.{payload}.", f"{head}.{payload}", none,
            f"{head}.{b64(json.dumps({**claims, 'sub': str(uuid.uuid4())}).encode())}.{signature}",
            sign_token("another secret", claims), sign_token("", claims),
            sign_token(secret, claims, {"alg": "HS512", "typ": "JWT"}), sign_token(secret, claims, {"typ": "JWT"}),
            sign_token(secret, user_claims("alice", exp=None)), sign_token(secret, user_claims("alice", sub="alice")),
            sign_token(secret, user_claims("alice", role="hookswitch_pump")), "x" * 7000, "\xff\xfe"],
        "token_expired": [sign_token(secret, user_claims("alice", exp=1000000000))],
        "api_key_invalid": ["hsk_", "hsk_x", "hsk_" + "x" * 40, "hsk_" + "x" * 1000],
    }
    route = next(r for r in with_body(routes) if r["path"] == "/api/v1/calls")
    for code, words in tokens.items():
        for word in words:
            who = Client(stack.url, {"Authorization": f"Bearer {word}".encode("latin1")})
            answer = who.ask("POST", route["path"], body_of(route["fields"]))
            body = problem(answer, 401)
            assert body["code"] in (code, "unauthenticated") if not word else body["code"] == code, (word[:80], body)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    problem(Client(stack.url, {"Authorization": "Bearer " + "x" * 20000}).ask("GET", "/api/v1/calls"), 400, "bad_request")
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": good}, {"X-API-Key": ""}):
        found = problem(Client(stack.url, headers).ask("GET", "/api/v1/calls"), 401)
        assert found["code"] in ("unauthenticated", "api_key_invalid")
    for route in api_routes(routes):
        problem(stack.anybody().ask(route["method"], path_of(route), b"{" if route["method"] == "POST" else None), 401,
                "unauthenticated")
