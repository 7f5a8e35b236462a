"""Somebody who asks: signed tokens, API keys, and requests as clients make them."""

import base64
import hashlib
import hmac
import io
import json
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPResponse
from types import SimpleNamespace

import requests

from stack_openapi import DESCRIPTION

NAMESPACE = uuid.UUID("5c3b8f0e-0000-4000-8000-000000000000")
PROBLEM = {"type", "title", "status", "detail", "code", "errors", "request_id"}


def b64(data):
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign_token(secret, claims, header=None):
    """A JSON Web Token with HS256."""
    parts = [b64(json.dumps(part).encode()) for part in (header or {"alg": "HS256", "typ": "JWT"}, claims)]
    signature = hmac.new(secret.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, b64(signature)])


def user_id(name):
    """Each name is always the same person."""
    return str(uuid.uuid5(NAMESPACE, name))


def user_claims(name, **more):
    """Claims as Supabase makes them; None takes one out."""
    now = int(time.time())
    claims = {"sub": user_id(name), "role": "authenticated", "aud": "authenticated",
              "email": f"{name}@example.com", "iat": now - 5, "exp": now + 3600, **more}
    return {key: value for key, value in claims.items() if value is not None}


def problem(answer, status, code=None):
    """The answer is an error in the one shape; answers its body."""
    assert answer.status_code == status, f"{answer.status_code} instead of {status}: {answer.text[:500]}"
    assert answer.headers["Content-Type"] == "application/problem+json", answer.headers
    body = answer.json()
    assert set(body) == PROBLEM, body
    assert body["status"] == status and body["title"] and isinstance(body["errors"], list), body
    assert body["type"] == f"urn:hookswitch:error:{body['code']}", body
    assert body["request_id"] == answer.headers["X-Request-Id"], body
    assert code is None or body["code"] == code, f"{body['code']} instead of {code}: {body}"
    return body


class Client:
    """Somebody with headers of his own.  organization: the one that he acts for, once it is known."""

    def __init__(self, url, headers=None, name=None, claims=None):
        self.url, self.name, self.claims, self.organization = url, name, claims, None
        self.id = claims["sub"] if claims else None
        self.headers = dict(headers or {})
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers.clear()
        self.http.headers.update(self.headers)

    def with_headers(self, **headers):
        """The same one with more headers (_ stands for -); None takes one out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        merged = {k: v for k, v in {**self.headers, **named}.items() if v is not None}
        other = Client(self.url, merged, self.name, self.claims)
        other.organization = self.organization
        return other

    def ask(self, method, path, body=None, **more):
        """Any request; body: JSON, or bytes as they are, or a generator of them.  Answers the response, which is as it is described."""
        headers = dict(more.pop("headers", None) or {})
        if body is not None and not isinstance(body, bytes | Iterator):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        answer = self.http.request(method, self.url + path, data=body, headers=headers,
                                   timeout=more.pop("timeout", 120), allow_redirects=False, **more)
        DESCRIPTION.check(method, path, answer, read=not more.get("stream"))
        return answer

    def expect(self, method, path, body=None, expect=200, **more):
        """A request that must be answered so; answers the JSON body."""
        answer = self.ask(method, path, body, **more)
        if expect >= 400:
            return problem(answer, expect)
        assert answer.status_code == expect, \
            f"{method} {path}: {answer.status_code} instead of {expect}: {answer.text[:1000]}"
        return answer.json() if answer.content else None

    def get(self, path, expect=200, **more):
        """GET; answers the JSON body."""
        return self.expect("GET", path, None, expect, **more)

    def post(self, path, body=None, expect=200, **more):
        """POST; answers the JSON body."""
        return self.expect("POST", path, {} if body is None else body, expect, **more)


def check_response(method, path, raw):
    """An answer that came without a Client, as http.client has it, is as it is described; answers its body."""
    answer = requests.Response()
    answer.status_code, answer.headers = raw.status, requests.structures.CaseInsensitiveDict(raw.getheaders())
    answer._content = raw.read()  # pylint: disable=protected-access
    DESCRIPTION.check(method, path, answer)
    return answer.content


def check_raw(data, got):
    """The same for bytes."""
    method, path = data.decode("latin-1").split()[:2]
    with closing(HTTPResponse(SimpleNamespace(makefile=lambda *_: io.BytesIO(got)))) as raw:
        raw.begin()
        check_response(method, path, raw)


def raw_request(url, data, deadline=60):
    """Bytes over a bare socket; answers the bytes that come back until the other side closes."""
    host, port = url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), deadline) as s:
        s.settimeout(deadline)
        got = b""
        try:
            s.sendall(data)
            while chunk := s.recv(65536):
                got += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
    if got:
        check_raw(data, got)
    return got
