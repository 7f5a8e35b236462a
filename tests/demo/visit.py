"""visit.py - the demonstration's first visit: sign up, confirm the address by its mail, sign in, make an API key.

Once there is an account it signs in only, and goes on with its key while that works.
"""

import os
import re
import sys
import time

import requests

EMAIL = "demo@example.com"
AUTH = "/api/v1/auth"
PATIENCE = 30
SCOPES = ["calls:read", "calls:write", "billing:read", "billing:write", "usage:read", "numbers:read"]
TOKEN = re.compile(r"\b[0-9a-f-]{36}\.[0-9a-f]{64}\b")


class Api:
    """The API as a client uses it, for somebody with a token or key, or for nobody."""

    def __init__(self, url, bearer=None):
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False
        if bearer:
            self.http.headers["Authorization"] = f"Bearer {bearer}"

    def send(self, method, path, **more):
        """The answer, whatever it is; who is told to come back in a moment does."""
        while True:
            answer = self.http.request(method, f"{self.url}{path}", timeout=30, **more)
            pause = int(answer.headers.get("Retry-After", 0)) if answer.status_code == 429 else 0
            if not 0 < pause <= 10:
                return answer
            time.sleep(pause)

    def ask(self, method, path, **more):
        """What a good answer holds; any other one ends the demonstration."""
        answer = self.send(method, path, **more)
        if not answer.ok:
            sys.exit(f"demo: {method} {path} was answered {answer.status_code}: {answer.text[:500]}")
        return answer.json()


def write_private(path, text):
    """For its owner only, and whole or not at all."""
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    os.replace(f"{path}.new", path)


def mails(sandbox):
    """What was sent to us so far, oldest first."""
    return requests.get(f"{sandbox}/_sandbox/mails", params={"to": EMAIL}, timeout=30).json()


def sign_up(api, sandbox, password):
    """An account, confirmed with the token in the mail's link."""
    before = len(mails(sandbox))
    print(f"==> signing up {EMAIL} (POST {api.url}{AUTH}/signup)", flush=True)
    api.ask("POST", f"{AUTH}/signup", json={"email": EMAIL, "password": password, "first_name": "Demo"})
    until = time.monotonic() + PATIENCE
    while len(found := mails(sandbox)) == before:
        if time.monotonic() > until:
            sys.exit(f"demo: no mail came to {EMAIL} in {PATIENCE} s: see ./dev logs workflow-pump (if the account has "
                     "another password than .dev/secrets holds: ./dev stop, remove .dev, begin anew)")
        time.sleep(0.02)
    print(f"    its mail: \"{found[-1]['subject']}\" (POST {AUTH}/verify-email)", flush=True)
    api.ask("POST", f"{AUTH}/verify-email", json={"token": TOKEN.search(found[-1]["text"])[0]})


def sign_in(url, sandbox, password):
    """A session; somebody who is not known here, or who did not get to the mail, signs up first."""
    api, who = Api(url), {"email": EMAIL, "password": password}
    answer = api.send("POST", f"{AUTH}/signin", json=who)
    if answer.status_code in (401, 403) and answer.json()["code"] in ("credentials_invalid", "email_not_confirmed"):
        sign_up(api, sandbox, password)
        return api.ask("POST", f"{AUTH}/signin", json=who)
    return answer.json() if answer.ok else sys.exit(f"demo: sign-in was answered {answer.status_code}: {answer.text[:500]}")


def api_key(person, organization, file):
    """The one that was kept, or a new one."""
    if os.path.exists(file):
        with open(file, encoding="utf-8") as kept:
            key = kept.read()
        if all(Api(person.url, key).send("GET", f"/api/v1/{path}").ok for path in ("calls?limit=1", "billing", "phone-numbers?limit=1")):
            return key
    path = f"/api/v1/organizations/{organization}/api-keys"
    print(f"==> making an API key (POST {person.url}{path})", flush=True)
    key = person.ask("POST", path, json={"name": "demonstration", "scopes": SCOPES})["key"]
    write_private(file, key)
    return key
