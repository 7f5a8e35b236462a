"""docs/openapi.json is what the programs say, keeps to OpenAPI 3.1, and an answer that it does not know is seen."""

import copy
import json
import re
import subprocess
import sys

import pytest
import requests
from jsonschema import Draft202012Validator

from stack import PROGRAMS, TOP
from stack_hooks import Hooks, mac, synthflow_signature, vapi_hmac
from stack_openapi import DESCRIPTION, Description, NotDescribed
from stack_routes import METHODS, routes_of

REF = re.compile(r"#/components/(\w+)/([\w.-]+)")
STATUS = re.compile(r"[2-5]\d\d")
CALL = "/api/v1/calls/11111111-1111-4111-8111-111111111111"


# ---- it is what the programs say -------------------------------------------------

def described(stack):
    """What all programs say of themselves."""
    return "".join(stack.run_program(name, "--describe").stdout for name in PROGRAMS)


def tables(said, *words):
    """Runs docs/api-tables."""
    return subprocess.run([sys.executable, TOP / "docs" / "api-tables", *words, TOP / "common" / "base" / "errors.def"],
                          input=said, capture_output=True, text=True, check=False)


def test_the_description_and_the_manual_are_what_the_programs_say(stack):
    done = tables(described(stack), "--check", TOP / "docs")
    assert done.returncode == 0, done.stderr


def test_a_description_that_is_not_what_the_programs_say_is_named(stack, tmp_path):
    said = described(stack)
    assert tables(said, tmp_path).returncode == 0
    assert tables(said, "--check", tmp_path).returncode == 0
    for old, new in (('"name":"oldest_due_at"', '"name":"oldest"'), ('"errors":["call_not_found"]', '"errors":[]'),
                     ('"path":"/readyz"', '"path":"/ready"')):
        assert old in said
        done = tables(said.replace(old, new, 1), "--check", tmp_path)
        assert done.returncode == 1 and "openapi.json and api.md" in done.stderr, (new, done.stderr)


def test_a_route_that_does_not_say_what_it_answers_is_named(stack, tmp_path):
    said = re.sub(r'"returns":\{"form":"file","type":"text/plain"\},', "", described(stack))
    done = tables(said, tmp_path)
    assert done.returncode == 1 and "(RETURNS): GET /metrics" in done.stderr, done.stderr


@pytest.mark.parametrize("word, who", [('"about":"Order calls, follow them, hear, judge, search and count them.",', "calls"),
                                       ('"about":"Where a call\'s recording can be heard.",', "recording_out")])
def test_a_program_and_an_answer_that_do_not_say_what_they_are_are_named(stack, tmp_path, word, who):
    said = described(stack)
    assert word in said
    done = tables(said.replace(word, ""), tmp_path)
    assert done.returncode == 1 and f"(.about, ABOUT): {who}" in done.stderr, done.stderr


def test_every_route_of_every_program_is_described_and_nothing_else(stack):
    routes = {(r["method"], r["path"]) for r in routes_of(stack)}
    assert routes == {(method.upper(), path) for path, item in DESCRIPTION.document["paths"].items() for method in item}
    for method, path in routes:
        assert DESCRIPTION.find(path)[0] == path, f"{method} {path} is found as another"


# ---- it keeps to OpenAPI 3.1 ------------------------------------------------------

def each(thing):
    """All objects in a document."""
    if isinstance(thing, dict):
        yield thing
    for one in thing.values() if isinstance(thing, dict) else thing if isinstance(thing, list) else ():
        yield from each(one)


def operations(document):
    """All operations: method, path, operation."""
    return [(method, path, one) for path, item in document["paths"].items() for method, one in item.items()]


def wrong_names(document):
    """References and names of components."""
    used, components = set(), document["components"]
    for thing in each(document):
        if "$ref" in thing:
            found = REF.fullmatch(thing["$ref"])
            if not set(thing) <= {"$ref", "description"} or not found or found[2] not in components.get(found[1], {}):
                yield f"a reference to nothing: {thing}"
            used.add(found and found.groups())
    for kind, those in components.items():
        for name in those:
            if not re.fullmatch(r"[a-zA-Z0-9._-]+", name):
                yield f"the name {name} of {kind}"
            if kind not in ("securitySchemes",) and (kind, name) not in used:
                yield f"{kind} {name} is used by nobody"


def wrong_parameters(path, operation, named):
    """What is asked for in the path, the query and the headers."""
    asked = [named(one) for one in operation.get("parameters", ())]
    if {one["name"] for one in asked if one["in"] == "path"} != set(re.findall(r"\{(\w+)\}", path)):
        yield "its path's parameters are not the described ones"
    if len({(one["name"], one["in"]) for one in asked}) != len(asked):
        yield "a parameter twice"
    for one in asked:
        if one["in"] not in ("path", "query", "header") or "schema" not in one or (one["in"] == "path" and not one["required"]):
            yield f"the parameter {one['name']}"


def wrong_operation(document, path, operation, named):
    """One operation."""
    if not operation.get("summary") or not isinstance(operation["security"], list):
        yield "without a sentence, or without a word on security"
    if not set().union(*map(set, operation["security"])) <= set(document["components"]["securitySchemes"]):
        yield "an unknown security scheme"
    yield from wrong_parameters(path, operation, named)
    if not any(status < "400" and status != "304" for status in operation["responses"]):
        yield "no success"
    for status, response in operation["responses"].items():
        if not STATUS.fullmatch(status) or not named(response)["description"]:
            yield f"the answer {status}"
    for holder in [operation.get("requestBody", {"content": {"x/x": {}}}), *map(named, operation["responses"].values())]:
        if not all(re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind) for kind in holder.get("content", {})):
            yield "a type of a body"


def wrong(document):
    """Everything that OpenAPI 3.1 would not have so."""
    named = Description(document).named
    if document["openapi"] != "3.1.0" or not {"title", "version"} <= set(document["info"]):
        yield "no head"
    yield from wrong_names(document)
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    yield from (f"the operationId {one} twice" for one in set(ids) if ids.count(one) > 1)
    tags = {tag["name"] for tag in document["tags"]}
    for method, path, operation in operations(document):
        if method.upper() not in METHODS or not path.startswith("/") or not set(operation["tags"]) <= tags:
            yield f"{method} {path}: method, path or tag"
        yield from (f"{method} {path}: {what}" for what in wrong_operation(document, path, operation, named))


def wrong_schemas(document):
    """Schemas that are none."""
    meta, found = Draft202012Validator(Draft202012Validator.META_SCHEMA), dict(document["components"]["schemas"])
    found.update({json.dumps(thing["schema"]): thing["schema"] for thing in each(document) if isinstance(thing.get("schema"), dict)})
    for name, schema in found.items():
        yield from (f"{name}: {error.message}" for error in meta.iter_errors(schema))


def test_the_description_reads_well():
    """Whatever has a name says what it is, and no name is a sentence."""
    document = DESCRIPTION.document
    told = {**document["components"]["schemas"], **{tag["name"]: tag for tag in document["tags"]}}
    assert not [name for name, thing in told.items() if not thing.get("description")]
    assert not [name for kind in document["components"].values() for name in kind if len(name) > 30]


def test_the_description_keeps_to_openapi():
    assert not list(wrong(DESCRIPTION.document))


def test_every_schema_of_the_description_is_one():
    assert not list(wrong_schemas(DESCRIPTION.document))
    document = copy.deepcopy(DESCRIPTION.document)
    document["components"]["schemas"] = {"Thing": {"type": "object", "properties": {"a": {"type": "thing"}}}}
    document["paths"] = {}
    assert [one for one in wrong_schemas(document) if one.startswith("Thing: 'thing' is not valid")]


DOCTORED = {
    "a reference to nothing": lambda d: d["components"]["schemas"].pop("CallRetry"),
    "used by nobody": lambda d: d["components"]["schemas"].update({"Nobody": {"type": "object"}}),
    "the operationId": lambda d: d["paths"]["/healthz"]["get"].update(operationId="get_readyz"),
    "parameters are not": lambda d: d["paths"]["/api/v1/calls/{call_id}"]["get"].update(parameters=[]),
    "unknown security scheme": lambda d: d["paths"]["/healthz"]["get"].update(security=[{"magic": []}]),
    "no success": lambda d: d["paths"]["/healthz"]["get"]["responses"].pop("200"),
    "the answer 20": lambda d: d["paths"]["/healthz"]["get"]["responses"].update({"20": {"description": "x"}}),
}


@pytest.mark.parametrize("what", DOCTORED)
def test_what_openapi_would_not_have_is_found(what):
    document = copy.deepcopy(DESCRIPTION.document)
    DOCTORED[what](document)
    assert any(what in one for one in wrong(document))


# ---- what it does not know is seen ---------------------------------------------------

def answer(status, body=None, kind="application/json", **headers):
    """An answer as requests gives it."""
    made = requests.Response()
    made.status_code = status
    made._content = b"" if body is None else json.dumps(body).encode()  # pylint: disable=protected-access
    made.headers.update({"X-Request-Id": "r", **({"Content-Type": kind} if body is not None else {}), **headers})
    return made


def problem(status, code):
    """An error in our shape."""
    return answer(status, {"type": "urn:hookswitch:error:" + code, "title": "x", "status": status, "code": code, "detail": "",
                           "errors": [], "request_id": "r"}, "application/problem+json")


STATS = {"from": "2030-01-01T00:00:00.000Z", "to": "2030-01-02T00:00:00.000Z", "average_duration_seconds": None, "cost_cents": 1.5,
         "ended_reasons": {"customer-busy": 1},
         **{name: 0 for name in ("total", "completed", "failed", "canceled", "expired", "queued", "in_progress", "attempts",
                                 "duration_seconds")}}
STATS_PATH = "/api/v1/calls/stats"


def stats(**changes):
    """Statistics, changed; None takes a member out."""
    return answer(200, {k: v for k, v in {**STATS, **changes}.items() if v is not None or k not in changes}, ETag='"x"')


SIGNIN = "/api/v1/auth/signin"
CHALLENGE = {"totp_required": True, "challenge": "x", "expires_in": 300}


def test_what_is_described_passes():
    DESCRIPTION.check("POST", SIGNIN, answer(200, CHALLENGE))
    DESCRIPTION.check("GET", STATS_PATH + "?from=2030-01-01T00:00:00Z", stats())
    DESCRIPTION.check("GET", CALL, problem(404, "call_not_found"))
    DESCRIPTION.check("GET", "/no/such/path", problem(404, "not_found"))
    DESCRIPTION.check("PATCH", "/healthz", problem(405, "method_not_allowed"))
    DESCRIPTION.check("HEAD", STATS_PATH, answer(200, ETag='"x"', **{"Content-Type": "application/json"}))
    DESCRIPTION.check("GET", STATS_PATH, answer(304, ETag='"x"'))
    DESCRIPTION.check("OPTIONS", STATS_PATH, answer(204))


@pytest.mark.parametrize("method, path, got, why", [
    ("GET", "/no/such/path", answer(200, {}), "no such route"),
    ("PUT", STATS_PATH, answer(200, {}), "no such route"),
    ("GET", STATS_PATH, problem(422, "number_invalid"), "422 is not described"),
    ("GET", STATS_PATH, problem(404, "call_not_found"), "'call_not_found' is not one of"),
    ("GET", CALL, problem(403, "call_not_found"), "'call_not_found' is not one of"),
    ("GET", STATS_PATH, stats(surprise=1), "'surprise' was unexpected"),
    ("GET", STATS_PATH, stats(total=None), "'total' is a required property"),
    ("GET", STATS_PATH, stats(total="7"), "total: '7' is not of type 'integer'"),
    ("GET", STATS_PATH, stats(to="yesterday"), "to: 'yesterday' is not a 'date-time'"),
    ("GET", STATS_PATH, stats(ended_reasons={"busy": "1"}), "ended_reasons.busy: '1' is not of type"),
    ("GET", STATS_PATH, answer(200, STATS), "without the ETag"),
    ("GET", STATS_PATH, answer(200, STATS, "text/plain", ETag='"x"'), "the type 'text/plain'"),
    ("POST", "/api/v1/auth/signout", answer(204, {"surprise": 1}), "a body"),
    ("GET", "/auth/v1/user", answer(401, {"code": 401, "error_code": "bad_moon", "msg": "x"}), "is not valid under any"),
    ("GET", "/healthz", answer(200, {"status": "fine"}, ETag='"x"'), "'fine' is not one of"),
    ("POST", SIGNIN, answer(200, {"expires_in": 300}), "is not valid under any"),
    ("POST", SIGNIN, answer(200, {**CHALLENGE, "access_token": "x"}), "is not valid under any"),
])
def test_what_is_not_described_is_seen(method, path, got, why):
    with pytest.raises(NotDescribed) as caught:
        DESCRIPTION.check(method, path, got)
    assert why in str(caught.value), caught.value


MISSING = {
    "no such route": lambda d: d["paths"].pop("/api/v1/organizations"),
    "200 is not described": lambda d: d["paths"][STATS_PATH]["get"]["responses"].pop("200"),
    "'total' was unexpected": lambda d: [d["components"]["schemas"]["CallStats"]["properties"].pop("total"),
                                         d["components"]["schemas"]["CallStats"]["required"].remove("total")],
    "'more' is a required property": lambda d: d["components"]["schemas"]["CallStats"]["required"].append("more"),
}


@pytest.mark.parametrize("why", MISSING)
def test_what_is_missing_from_the_description_fails_a_request_of_the_tests(alice, monkeypatch, why):
    """The whole way: a real answer, asked for as all tests do, and a description that lacks something."""
    document = copy.deepcopy(DESCRIPTION.document)
    MISSING[why](document)
    path = "/api/v1/organizations" if why == "no such route" else STATS_PATH
    alice.get(path)
    monkeypatch.setattr("stack_client.DESCRIPTION", Description(document))
    with pytest.raises(NotDescribed) as caught:
        alice.get(path)
    assert why in str(caught.value), caught.value


# ---- webhooks ------------------------------------------------------------------------------

def schemes(kind):
    """The ways in which such a webhook may be proved: the names of the headers of each."""
    document = DESCRIPTION.document
    ways = document["paths"][f"/api/webhooks/{kind}/{{organization_id}}"]["post"]["security"]
    named = document["components"]["securitySchemes"]
    return [[named[name].get("name", "Authorization") for name in way] for way in ways]


@pytest.mark.parametrize("kind", ["vapi", "synthflow"])
def test_each_way_to_prove_a_webhook_that_is_described_is_taken_and_no_other_is(stack, kind):
    """Each header that is described is enough, and there is no header that is taken and not described."""
    hooks, organization, call, secret = Hooks(stack), stack.user("hears").organization, "call-described", stack.secrets[kind]
    body = json.dumps({"message": {"type": "hang", "call": {"id": call}}, "call": {"call_id": call}}).encode()
    made = {**vapi_hmac(secret, body), "x-vapi-signature": mac(secret, body).hex(), "x-vapi-secret": secret,
            "authorization": f"Bearer {secret}"}
    for name in ("synthflow-signature", "x-synthflow-signature", "http-synthflow-signature"):
        made.update(synthflow_signature(secret, call, name))
    for headers in schemes(kind):
        sent = {name: made[name.lower()] for name in headers}
        assert hooks.send(kind, organization, body, sent).status_code != 401, headers
        assert hooks.send(kind, organization, body, {name: value[::-1] for name, value in sent.items()}).status_code == 401, headers
    source = (TOP / "common" / "web" / "signature.c").read_text()
    table = re.search(rf"signature_{kind}\[.*?^}};", source, re.M | re.S)[0]
    known = {name.lower() for name in re.findall(r'(?:header = |PLAN\()"([^"]+)"', table)}
    assert known == {name.lower() for headers in schemes(kind) for name in headers}
