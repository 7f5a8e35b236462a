"""People who come through a client of Supabase's: requests to /auth/v1, and its shapes as they were recorded."""

import base64
import hashlib
import json
import re
import secrets
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from accounts import PASSWORD, link
from stack_client import Client, b64, sign_token

V1 = "/auth/v1"
DATA = Path(__file__).resolve().parent / "data" / "supabase"
DATED = {"X-Supabase-Api-Version": "2024-01-01"}
ANN = "ann@example.com"
# What the application and the person put there themselves.
FREE = ("app_metadata", "user_metadata")


def recorded(name):
    """A recorded answer."""
    return json.loads((DATA / f"{name}.json").read_text())


def same_shape(got, want, at="", may=()):
    """The same members of the same types, all the way down; times as times.  may: members that may be there besides."""
    assert type(got) is type(want), (at, got, want)
    if isinstance(want, dict) and at.rsplit(".", 1)[-1] not in FREE:
        assert set(got) - set(may) == set(want), (at, set(got) ^ set(want))
        for name in want:
            same_shape(got[name], want[name], f"{at}.{name}", may)
    elif isinstance(want, list) and want:
        assert len(got) == len(want), (at, got)
        for one, other in zip(got, want):
            same_shape(one, other, f"{at}.0", may)
    elif at.endswith("_at") and isinstance(want, str):
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", got), (at, got)


def refused(answer, status, code, name=None):
    """The answer is an error in Supabase's shape, of both ages; name: it is the recorded one."""
    dated = "X-Supabase-Api-Version" in answer.request.headers
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"] == "application/json" and answer.headers["X-Sb-Error-Code"] == code, answer.text
    body = answer.json()
    more = {"weak_password"} if code == "weak_password" else set()
    if dated:
        assert set(body) == {"code", "message"} | more and body["code"] == code and body["message"], body
        assert answer.headers["X-Supabase-Api-Version"] == "2024-01-01"
    else:
        assert set(body) == {"code", "error_code", "msg"} | more, body
        assert (body["code"], body["error_code"]) == (status, code) and body["msg"], body
    if name:
        want = recorded(f"error.{status}.{name}")
        assert set(want) == set(body) and want["error_code"] == code and want["code"] == status, (body, want)
    return body


class Caller(Client):
    """Anybody, or somebody with a session, at /auth/v1."""

    def __init__(self, stack, session=None, headers=None):
        token = {"Authorization": f"Bearer {session['access_token']}"} if session else {}
        super().__init__(stack.url, {"apikey": "anon", **token, **(headers or {})})
        self.stack, self.session = stack, session
        if session:
            self.id = session["user"]["id"]

    def v1(self, method, path, body=None, **more):
        """A request; answers the response."""
        return self.ask(method, V1 + path, body, **more)

    def fine(self, method, path, body=None, **more):
        """A request that must be answered with 200; answers its body."""
        answer = self.v1(method, path, body, **more)
        assert answer.status_code == 200, (method, path, answer.status_code, answer.text)
        return answer.json()

    def refresh(self, token=None):
        """Trades a refresh token; answers the response."""
        return self.v1("POST", "/token?grant_type=refresh_token",
                       {"refresh_token": token or self.session["refresh_token"]})


def sign_up(stack, email=ANN, password=PASSWORD, **more):
    """POST /signup; answers the body."""
    return Caller(stack).fine("POST", "/signup", {"email": email, "password": password, **more})


def person(stack, email=ANN, password=PASSWORD, **more):
    """Somebody who signed up and confirmed the address, with a session."""
    sign_up(stack, email, password, **more)
    return Caller(stack, Caller(stack).fine("POST", "/verify", {
        "type": "signup", "token_hash": link(stack, email, "verify_email")}))


def sign_in(stack, email=ANN, password=PASSWORD):
    """POST /token?grant_type=password; answers the response."""
    return Caller(stack).v1("POST", "/token?grant_type=password", {"email": email, "password": password})


def signed_in(stack, email=ANN, password=PASSWORD):
    """The same, as somebody with that session."""
    answer = sign_in(stack, email, password)
    assert answer.status_code == 200, answer.text
    return Caller(stack, answer.json())


def service(stack):
    """The application, with its service_role token."""
    token = sign_token(stack.secrets["jwt"], {"role": "service_role", "iss": "supabase", "iat": 1, "exp": 9999999999})
    return Caller(stack, headers={"Authorization": f"Bearer {token}"})


def claims_of(token):
    """What a token says."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def challenge():
    """A verifier, and the challenge that is made from it (RFC 7636)."""
    verifier = secrets.token_urlsafe(48)
    return verifier, b64(hashlib.sha256(verifier.encode()).digest())


def sent_to(answer):
    """Where a 303 leads: the address without query and fragment, the query, the fragment."""
    assert answer.status_code == 303, (answer.status_code, answer.text)
    parts = urlsplit(answer.headers["Location"])
    one = [{name: values[0] for name, values in parse_qs(text).items()} for text in (parts.query, parts.fragment)]
    return f"{parts.scheme}://{parts.netloc}{parts.path}", *one
