"""People with accounts of ours: what their mails hold, and signing up, in and out as they would."""

import base64
import hashlib
import hmac
import time

from stack_client import Client

PASSWORD = "correct horse battery"
AUTH = "/api/v1/auth"


def signing_key(stack):
    """What tokens in mails are signed with: HKDF-SHA256 of the key in the settings."""
    master = stack.secrets["jwt"].ljust(32)[:32].encode()
    extracted = hmac.new(bytes(32), master, hashlib.sha256).digest()
    return hmac.new(extracted, b"hookswitch call token 1\x01", hashlib.sha256).digest()


def signature(stack, purpose, ident):
    """The signature of a token's id for one purpose."""
    return hmac.new(signing_key(stack), f"{purpose} {ident}".encode(), hashlib.sha256)


def token_of(stack, purpose, ident):
    """The token in a mail's link."""
    return f"{ident}.{signature(stack, purpose, ident).hexdigest()}"


def code_of(stack, purpose, ident):
    """The six digits in the mail."""
    return f"{int.from_bytes(signature(stack, purpose, ident).digest()[:8], 'big') % 1000000:06d}"


def mails(stack, to, kind=None):
    """The mails that wait for an address or were sent to it, oldest first: what each was made from."""
    rows = stack.sql("select input from workflow_runs where workflow = 'mail' and input ->> 'to' = %s order by created_at, id", to)
    return [r.input for r in rows if kind in (None, r.input["kind"])]


PURPOSES = {"verify_email": "signup", "reset_password": "recovery", "email_change": "email_change",
            "magic_link": "magiclink"}


def newest(stack, to, kind):
    """The id of the token in the newest mail of a kind, and its purpose."""
    return PURPOSES[kind], mails(stack, to, kind)[-1]["data"]["token_id"]


def link(stack, to, kind):
    """The token in the newest mail of a kind."""
    return token_of(stack, *newest(stack, to, kind))


def code(stack, to, kind):
    """Its six digits."""
    return code_of(stack, *newest(stack, to, kind))


class Person(Client):
    """Somebody with a session of ours."""

    def __init__(self, stack, email, session=None):
        super().__init__(stack.url, name=email)
        self.stack, self.email, self.session = stack, email, None
        if session:
            self.take(session)

    def take(self, session):
        """Goes on with the tokens of an answer."""
        assert set(session) == {"access_token", "token_type", "expires_in", "expires_at", "refresh_token", "user"}, session
        self.session, self.id = session, session["user"]["id"]
        self.headers["Authorization"] = f"Bearer {session['access_token']}"
        self.http.headers.update(self.headers)
        return self

    def refresh(self, expect=200, token=None):
        """Trades the refresh token; answers the response's body."""
        body = self.post(f"{AUTH}/refresh", {"refresh_token": token or self.session["refresh_token"]}, expect=expect)
        if expect == 200 and token is None:
            self.take(body)
        return body

    def sign_in_again(self, password=PASSWORD):
        """The same person at another device."""
        return Person(self.stack, self.email).sign_in(password)

    def sign_in(self, password=PASSWORD, expect=200):
        """With the password; the body where there is no session."""
        body = self.stack.anybody().post(f"{AUTH}/signin", {"email": self.email, "password": password}, expect=expect)
        return self.take(body) if "access_token" in body else body


def sign_up(stack, email, password=PASSWORD, expect=202, **more):
    """An account that waits for its confirmation."""
    return stack.anybody().post(f"{AUTH}/signup", {"email": email, "password": password, **more}, expect=expect)


def person(stack, email="ann@example.com", password=PASSWORD, **more):
    """Somebody who signed up and confirmed the address."""
    sign_up(stack, email, password, **more)
    return Person(stack, email, stack.anybody().post(
        f"{AUTH}/verify-email", {"token": link(stack, email.lower(), "verify_email")}))


def app_code(secret, step=0):
    """What an app for one-time codes shows, so many steps from now."""
    counter = int(time.time()) // 30 + step
    digest = hmac.new(base64.b32decode(secret), counter.to_bytes(8, "big"), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at:at + 4], 'big') & 0x7fffffff) % 1000000:06d}"
