"""Tokens through the whole stack: our own, and those of a Supabase project by secret or by published key."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from stack import Stack
from stack_client import b64, problem, sign_token, user_claims

from key_server import Key, KeyServer

PATH = "/api/v1/calls?limit=1"
SECRET = "super-secret-jwt-token-with-at-least-32-characters-long"
VECTORS = json.loads((Path(__file__).parent.parent / "data" / "signature-vectors.json").read_text())["vectors"]
ANON_KEY = {"iss": "supabase", "role": "anon", "sub": None, "aud": None}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Keys by their name; "other" and "new" are not published at first."""
    folder = tmp_path_factory.mktemp("keys")
    return {name: Key(folder, alg, name) for name, alg in (("ec", "ES256"), ("rsa", "RS256"), ("other", "ES256"),
                                                           ("new", "ES256"))}


@pytest.fixture(scope="module")
def server():
    """The project's key set."""
    running = KeyServer()
    yield running
    running.close()


def settings(server):
    """A project beside our own tokens."""
    return {"SUPABASE_URL": server.url, "SUPABASE_JWT_SECRET": SECRET}


@pytest.fixture(scope="module")
def stack_of_file(tmp_path_factory, server):
    """Our own tokens and the project's."""
    with Stack(tmp_path_factory.mktemp("tokens"), start=("calls",), settings=settings(server)) as running:
        yield running


@pytest.fixture(scope="module")
def cgi_stack_of_file(tmp_path_factory, server):
    """The same as plain CGI, which forgets everything."""
    with Stack(tmp_path_factory.mktemp("cgi"), cgi=True, settings=settings(server)) as running:
        yield running


@pytest.fixture(autouse=True)
def published(server, keys):
    """Two keys are published, and the server answers."""
    server.keys, server.how, server.asked = [keys["ec"], keys["rsa"]], "well", 0


@pytest.fixture
def fresh(stack):
    """Programs that know no key yet."""
    stack.start_program("calls")
    return stack


def ask(stack, token):
    """The answer to a request with it."""
    return stack.anybody().with_headers(Authorization=f"Bearer {token}").ask("GET", PATH)


def claims(server, **more):
    """A person's claims, issued by the project."""
    return user_claims("alice", **{"iss": server.issuer, **more})


def later(stack, seconds, column="tried_at"):
    """As if so much time had passed for the database."""
    stack.sql(f"update key_sets set {column} = {column} - make_interval(secs => %s)", seconds)


def swapped(token):
    """The same signature under other claims."""
    head, _, signature = token.split(".")
    return ".".join((head, b64(json.dumps({"sub": "x", "role": "service_role", "exp": 4e9}).encode()), signature))


# What each published vector is about, made anew with the time of today.
CASES = {
    "supabase-jwt-hs256-valid": lambda s, k: sign_token(SECRET, claims(s)),
    "supabase-jwt-hs256-expired": lambda s, k: sign_token(SECRET, claims(s, exp=int(time.time()) - 60)),
    "supabase-jwt-hs256-exp-equals-now": lambda s, k: sign_token(SECRET, claims(s, exp=int(time.time()))),
    "supabase-jwt-hs256-wrong-secret": lambda s, k: sign_token(SECRET + "x", claims(s)),
    "supabase-jwt-hs256-no-exp": lambda s, k: sign_token(SECRET, claims(s, exp=None)),
    "supabase-jwt-hs256-wrong-aud": lambda s, k: sign_token(SECRET, claims(s, aud="other")),
    "supabase-jwt-hs256-wrong-iss": lambda s, k: sign_token(SECRET, claims(s, iss="https://x.supabase.co/auth/v1")),
    "supabase-jwt-hs256-aud-array": lambda s, k: sign_token(SECRET, claims(s, aud=["x", "authenticated"])),
    "supabase-jwt-hs256-anon-role": lambda s, k: sign_token(SECRET, claims(s, **ANON_KEY)),
    "supabase-jwt-alg-none": lambda s, k: sign_token(SECRET, claims(s), {"alg": "none"}).rpartition(".")[0] + ".",
    "supabase-jwt-payload-swapped": lambda s, k: swapped(sign_token(SECRET, claims(s))),
    "supabase-jwt-two-parts": lambda s, k: sign_token(SECRET, claims(s)).rpartition(".")[0],
    "supabase-jwt-not-base64url": lambda s, k: sign_token(SECRET, claims(s)) + "+/=",
    "supabase-jwt-empty": lambda s, k: "",
    "supabase-jwt-es256-valid": lambda s, k: k["ec"].sign(claims(s)),
    "supabase-jwt-rs256-valid": lambda s, k: k["rsa"].sign(claims(s)),
    "supabase-jwt-es256-unknown-kid": lambda s, k: k["other"].sign(claims(s)),
    "supabase-jwt-es256-other-key": lambda s, k: k["other"].sign(claims(s), kid="ec"),
    "supabase-jwt-es256-expired": lambda s, k: k["ec"].sign(claims(s, exp=int(time.time()) - 1)),
    "supabase-jwt-alg-confusion": lambda s, k: sign_token(k["rsa"].public_pem, claims(s), {"alg": "HS256",
                                                                                           "kid": "rsa"}),
}
EXPIRED = ("expired", "exp-equals-now")


def test_each_published_vector_has_its_case():
    assert set(CASES) == {v["id"] for v in VECTORS if v["scheme"] == "jwt" and v["id"].startswith("supabase-")}


def test_each_vector_gets_its_verdict(fresh, server, keys):
    for vector in (v for v in VECTORS if v["id"] in CASES):
        answer = ask(fresh, CASES[vector["id"]](server, keys))
        if vector["expected"] == "valid":
            assert answer.status_code == 200, f"{vector['id']}: {answer.text}"
            continue
        body = problem(answer, 401)
        if vector["id"].endswith(EXPIRED):
            assert body["code"] == "token_expired", vector["id"]
        elif vector["id"] != "supabase-jwt-empty":
            assert body["code"] == "token_invalid", vector["id"]
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert server.asked == 1


def test_a_published_key_is_no_secret(fresh, server, keys):
    for key in (keys["ec"], keys["rsa"]):
        for secret in (key.public_pem, key.public_pem.strip(), json.dumps(key.public()), key.public().get("n", "x")):
            for header in ({"alg": "HS256", "kid": key.kid}, {"alg": "HS256"}, {"alg": key.alg, "kid": key.kid}):
                problem(ask(fresh, sign_token(secret, claims(server), header)), 401, "token_invalid")
    problem(ask(fresh, keys["rsa"].sign(claims(server), alg="RS512")), 401, "token_invalid")
    problem(ask(fresh, keys["rsa"].sign(claims(server), kid=None)), 401, "token_invalid")


def test_each_secret_signs_for_its_own_issuer_only(fresh, server):
    own, us = fresh.secrets["jwt"], fresh.url + "/auth/v1"
    assert ask(fresh, sign_token(own, user_claims("alice"))).status_code == 200
    assert ask(fresh, sign_token(own, user_claims("alice", iss=us))).status_code == 200
    for secret, issuer in ((own, server.issuer), (own, "https://elsewhere.example"), (SECRET, us), (SECRET, None),
                           (SECRET, "supabase")):
        problem(ask(fresh, sign_token(secret, user_claims("alice", iss=issuer))), 401, "token_invalid")


def test_a_service_key_of_the_project_acts_for_an_organization(fresh, server):
    alice = fresh.user("alice")
    key = sign_token(SECRET, claims(server, iss="supabase", role="service_role", sub=None, aud=None))
    service = fresh.anybody().with_headers(Authorization=f"Bearer {key}")
    problem(service.ask("GET", PATH), 400)
    assert service.with_headers(X_Organization_Id=alice.organization).ask("GET", PATH).status_code == 200


def test_made_up_names_of_keys_do_not_reach_the_other_side(fresh, server, keys):
    assert ask(fresh, keys["ec"].sign(claims(server))).status_code == 200
    tokens = [keys["other"].sign(claims(server), kid=f"made-up-{i}") for i in range(24)]
    with ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda token: ask(fresh, token), tokens):
            problem(answer, 401, "token_invalid")
    assert server.asked == 1


def test_a_new_key_is_found_once_it_is_published(fresh, server, keys):
    assert ask(fresh, keys["ec"].sign(claims(server))).status_code == 200
    server.keys = [keys["ec"], keys["new"]]
    later(fresh, 20)
    token = keys["new"].sign(claims(server))
    with ThreadPoolExecutor(8) as pool:
        seen = [answer.status_code for answer in pool.map(lambda _: ask(fresh, token), range(16))]
    assert seen == [200] * 16
    assert server.asked == 2
    assert ask(fresh, keys["ec"].sign(claims(server))).status_code == 200
    problem(ask(fresh, keys["rsa"].sign(claims(server))), 401, "token_invalid")


def test_a_set_is_fetched_again_after_ten_minutes(fresh, server, keys):
    assert ask(fresh, keys["rsa"].sign(claims(server))).status_code == 200
    server.keys = [keys["ec"]]
    later(fresh, 601, "fetched_at")
    later(fresh, 601)
    fresh.start_program("calls")
    problem(ask(fresh, keys["rsa"].sign(claims(server))), 401, "token_invalid")
    assert server.asked == 2


@pytest.mark.parametrize("how", ["broken", "nonsense", "silent"])
def test_without_the_set_known_keys_work_for_a_day_and_unknown_ones_wait(fresh, server, keys, how):
    known, unknown = keys["ec"].sign(claims(server)), keys["new"].sign(claims(server))
    assert ask(fresh, known).status_code == 200
    server.how = how
    later(fresh, 3600, "fetched_at")
    later(fresh, 3600)
    for _ in range(2):
        assert ask(fresh, known).status_code == 200
        answer = ask(fresh, unknown)
        problem(answer, 503, "unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        fresh.start_program("calls")
    assert server.asked == 2
    later(fresh, 23 * 3600, "fetched_at")
    fresh.start_program("calls")
    problem(ask(fresh, known), 503, "unavailable")
    assert ask(fresh, sign_token(SECRET, claims(server))).status_code == 200, "secrets need no set"
    server.how = "well"
    server.woken.set()
    later(fresh, 60)
    fresh.start_program("calls")
    assert ask(fresh, known).status_code == 200
    server.woken.clear()


def test_nothing_was_ever_fetched(fresh, server, keys):
    server.how = "broken"
    problem(ask(fresh, keys["ec"].sign(claims(server))), 503, "unavailable")
    problem(ask(fresh, keys["ec"].sign(claims(server))), 503, "unavailable")
    assert server.asked == 1


def test_plain_cgi_remembers_in_the_database(cgi_stack, server, keys):
    for _ in range(3):
        assert ask(cgi_stack, keys["ec"].sign(claims(server))).status_code == 200
        problem(ask(cgi_stack, keys["other"].sign(claims(server))), 401, "token_invalid")
    assert server.asked == 1
