"""What the curl commands of docs/api.md are run with: for each variable of the shell that stands in one, how its value is made.

A variable that is named after an id ($CALL_ID) is a thing of the tenant's, made as THINGS of model_routes.py says; all others are here.
A new route needs something only where the first such thing will not do (a call that still waits, an invitation of somebody else): a row
in ROWS.  Each command that changes something runs with a tenant of its own.
"""

import re
import secrets
from functools import cached_property

from psycopg.types.json import Jsonb

import accounts
import accounts_v1
from model_auth_v1 import row as _row
from model_routes import THINGS, Tenant, missing
from stack import TOP
from stack_billing import plan, subscribe, tells
from stack_hooks import SIGNATURES, twilio_signature
from stack_operators import event, operator


class World:
    """What one command is run in; whatever it asks for is made then."""

    def __init__(self, stack, route):
        self.stack, self.route = stack, route
        self.email = f"{secrets.token_hex(6)}@example.com"

    @cached_property
    def tenant(self):
        """An organization with one of everything, and its owner."""
        return Tenant(self.stack, "ann-" + secrets.token_hex(4))

    @cached_property
    def account(self):
        """Somebody who signed up here and is signed in."""
        accounts.sign_up(self.stack, self.email)
        return accounts.Person(self.stack, self.email, self.stack.anybody().post(
            f"{accounts.AUTH}/verify-email", {"token": self.mailed("verify_email")}))

    @cached_property
    def caller(self):
        """The same at /auth/v1."""
        return accounts_v1.person(self.stack, self.email)

    @cached_property
    def secret(self):
        """One-time codes are switched on for the account: what its app knows."""
        secret = self.enrolled
        self.account.post(f"{accounts.AUTH}/totp/verify", {"code": accounts.app_code(secret)})
        return secret

    @cached_property
    def enrolled(self):
        """They are only begun with."""
        return self.account.post(f"{accounts.AUTH}/totp", {"password": accounts.PASSWORD}, expect=201)["secret"]

    @cached_property
    def factor(self):
        """The same at /auth/v1: its id and its secret."""
        begun = self.caller.fine("POST", "/factors", {"factor_type": "totp"})
        return begun["id"], begun["totp"]["secret"]

    @cached_property
    def team(self):
        """Another organization of the tenant's person, who is not its only owner."""
        ident = self.tenant.person.post("/api/v1/organizations", {"name": "Team"}, expect=201)["id"]
        self.stack.sql("insert into organization_members (organization_id, user_id, role) values (%s, %s, 'owner')",
                       ident, self.stack.user("second" + secrets.token_hex(4)).id)
        return ident

    def mailed(self, kind, to=None):
        """The token in a mail, as its receiver reads it."""
        return self.stack.wait_mail(to or self.email, kind).token

    def signed_up(self):
        """An account that waits for its confirmation; answers what the mail holds."""
        accounts.sign_up(self.stack, self.email)
        return self.mailed("verify_email")

    def forgotten(self):
        """An account whose password is forgotten."""
        email = self.account.email
        self.stack.anybody().post(f"{accounts.AUTH}/forgot-password", {"email": email}, expect=202)
        return self.mailed("reset_password")

    def challenged(self):
        """A sign-in that waits for its second step."""
        self.secret  # pylint: disable=pointless-statement
        return accounts.Person(self.stack, self.account.email).sign_in()["challenge"]

    def invited(self):
        """An invitation to the account, as the mail brings it."""
        self.tenant.person.post(f"/api/v1/organizations/{self.tenant.organization}/members",
                                {"email": self.account.email, "role": "member"}, expect=201)
        return self.mailed("invitation")

    def spoken(self):
        """A call that was made, with its recording at the provider."""
        call, = self.stack.schedule(1, self.tenant.person, self.tenant.ids("template_id")[0])
        self.stack.drain_of(call)
        return call

    def row(self, table, **columns):
        """A new row of the tenant's; its id."""
        return _row(self.tenant, table, organization_id=self.tenant.organization, **columns)

    def voice(self):
        """A voice that can be heard."""
        return self.stack.value("""insert into voice_options (provider_id, name, voice_id, preview_url)
            select id, 'Ann', %s, 'https://example.com/ann.mp3' from call_service_providers limit 1 returning id""", secrets.token_hex(6))

    def sends_codes(self):
        """The tenant's person, where a program says that it sends codes, and others buy numbers."""
        self.stack.sql("insert into number_policy (enabled) values (false) on conflict (id) do nothing")
        self.stack.work()
        return bearer(self.tenant.person)

    @cached_property
    def proving(self):
        """A number that waits for the code that was sent there."""
        self.sends_codes()
        ident = self.tenant.person.post("/api/v1/phone-numbers/verify", {"phone_number": self.stack.number()}, expect=202)["id"]
        self.stack.work()
        return ident

    def code(self):
        """The code that was sent there."""
        self.proving  # pylint: disable=pointless-statement
        return self.stack.sandbox.texts()[-1]["body"][:6]

    def proved(self):
        """A number that is somebody's own."""
        return self.row("verified_numbers", phone_number=self.stack.number(), status="verified")

    def linked_number(self):
        """A number that an assistant answers."""
        assistant = self.row("assistants", name="Front desk", vapi_assistant_id=secrets.token_hex(8), status="active")
        return self.row("phone_numbers", phone_number=self.stack.number(), assistant_id=assistant, provider_id=self.value("PROVIDER_ID"),
                        voice_number_id=secrets.token_hex(8), capabilities=Jsonb({"voice": True, "sms": True, "mms": True}))

    def linked_assistant(self):
        """An assistant that answers a number, which it can call from."""
        return self.stack.value("select assistant_id from phone_numbers where id = %s", self.linked_number())

    def attempt(self):
        """An attempt of which nobody knows what became."""
        call = self.tenant.ids("call_id")[1]
        return self.row("call_assignments", call_id=call, call_created_at=self.stack.call(call).created_at, attempt=1, state="unknown",
                        provider_id=self.value("PROVIDER_ID"), provider_type="vapi", lease_until="2020-01-01", sent_at="2020-01-01")

    def file(self):
        """A table of contacts."""
        path = self.stack.folder / "contacts.csv"
        path.write_text("phone_number,name\n+15550100003,Ann Lee\n+15550100004,Bob Ray\n")
        return path

    def judged(self):
        """A call that ended, with what its person thinks of it."""
        call = self.tenant.ids("call_id")[0]
        self.tenant.person.post(f"/api/v1/calls/{call}/feedback", {"rating": 4}, expect=201)
        return call

    def pays(self):
        """The tenant's person, whose organization pays for the smallest plan."""
        tells(self.stack)
        subscribe(self.stack, self.tenant.person, plan(self.stack, "basic"))
        return bearer(self.tenant.person)

    def deleted(self):
        """An organization that is deleted and can be restored."""
        self.tenant.person.expect("DELETE", f"/api/v1/organizations/{self.team}", None, 200)
        return self.team

    def run(self, state):
        """The id of a run in a state."""
        return self.stack.value(f"""insert into workflow_runs (id, workflow, state, due_at, finished_at)
            values (%s, 'example', %s, {"null, now()" if state == "failed" else "'2099-01-01', null"}) returning id""",
                                secrets.token_hex(8), state)

    def value(self, name):
        """What the reader sets that variable to."""
        row = ROWS.get((self.route["method"], self.route["path"]), {})
        make = row.get(name) or PROGRAMS.get(self.route["program"], {}).get(name) or VARIABLES.get(name)
        if make:
            return str(make(self))
        if name.lower() not in THINGS:
            missing(f"the example of {self.route['method']} {self.route['path']} names ${name}: add it to ROWS or VARIABLES of "
                    "tests/model_examples.py, or how such things are made to THINGS")
        return self.tenant.ids(name.lower())[0]

    def variables(self, command):
        """All variables of a command.  A list of the tenant's has something to show."""
        if self.route["access"] == "api" and (self.route.get("returns") or {}).get("form") in ("list", "data", "file"):
            self.tenant.make_all()
        return {name: self.value(name) for name in sorted(set(re.findall(r"\$([A-Z][A-Z_]+)", command)))}


def listed(world):
    """A number of the tenant's is on its do-not-call list."""
    return world.tenant.person.post("/api/v1/contacts/do-not-call", {"phone_number": "+15550100002"}, expect=201)


def signed(provider):
    """The signature of what the manual's command for that provider sends, made when it is run."""
    def value(world):
        text = (TOP / "docs" / "api.md").read_text(encoding="utf-8")
        body = re.search(rf'API_URL/api/webhooks/{provider}".*?--json \'(.*?)\'', text, re.S)[1].encode()
        header, = SIGNATURES[provider](world.stack.secrets[provider], body).values()
        return header
    return value


def sid(kind):
    """An id of Twilio's, the same each time."""
    return kind + "0" * 31 + "1"


def signed_form(world):
    """The same for a form of Twilio's."""
    path = world.route["path"]
    text = (TOP / "docs" / "api.md").read_text(encoding="utf-8")
    command = re.search(rf'API_URL{path}".*?(?=\n```)', text, re.S)[0]
    pairs = re.findall(r'--data-urlencode "(\w+)=([^"]*)"', command)
    form = [(name, world.value(value[1:]) if value.startswith("$") else value) for name, value in pairs]
    return twilio_signature(world.stack.keys["twilio"], world.stack.url + path, form)["X-Twilio-Signature"]


def bearer(who):
    """The token that somebody shows."""
    return who.headers["Authorization"].removeprefix("Bearer ")


VARIABLES = {
    "API_URL": lambda w: w.stack.url,
    "TOKEN": lambda w: bearer(w.tenant.person),
    "INTERNAL_TOKEN": lambda w: w.stack.secrets["internal"],
    "SERVICE_TOKEN": lambda w: bearer(accounts_v1.service(w.stack)),
    "VAPI_WEBHOOK_SECRET": lambda w: w.stack.secrets["vapi"],
    "SYNTHFLOW_WEBHOOK_SECRET": lambda w: w.stack.secrets["synthflow"],
    "STRIPE_SIGNATURE": signed("stripe"),
    "PADDLE_SIGNATURE": signed("paddle"),
    "TWILIO_SIGNATURE": signed_form,
    "TWILIO_ACCOUNT_SID": lambda w: "AC1",
    "CALL_SID": lambda w: sid("CA"),
    "MESSAGE_SID": lambda w: sid("SM"),
    "RECORDING_SID": lambda w: sid("RE"),
    "PROVIDER_CALL_ID": lambda w: "call-" + secrets.token_hex(6),
    "OPERATOR_TOKEN": lambda w: bearer(operator(w.stack)),
    "PROVIDER_ID": lambda w: w.stack.value("select id from call_service_providers order by created_at limit 1"),
    "PROVIDER_KEY": lambda w: w.stack.keys["vapi"],
    "PLAN_ID": lambda w: w.stack.value("select id from subscription_plans where name = 'basic'"),
    "VOICE_ID": World.voice,
    "ATTEMPT_ID": World.attempt,
    "SLUG": lambda w: "receptionist",
    "PHONE_NUMBER": lambda w: w.stack.value("select phone_number from contacts where id = %s", w.value("CONTACT_ID")),
    "FILE": World.file,
    "EMAIL": lambda w: w.email,
    "NEW_EMAIL": lambda w: "new-" + w.email,
    "PASSWORD": lambda w: accounts.PASSWORD,
    "NEW_PASSWORD": lambda w: "another good horse",
    "RUN_ID": lambda w: w.run("ready"),
    "NUMBER_ID": lambda w: w.tenant.ids("number_id")[0],
}

# What is other for the routes of a program.
PROGRAMS = {
    "admin": {"RUN_ID": lambda w: w.run("failed"), "EVENT_ID": lambda w: event(w.stack, w.tenant.organization),
              "USER_ID": lambda w: w.tenant.person.id, "CALL_ID": lambda w: w.tenant.ids("call_id")[1]},
    "auth": {"TOKEN": lambda w: bearer(w.account), "SESSION_ID": lambda w: w.account.get(f"{accounts.AUTH}/sessions")["data"][0]["id"]},
    "auth-v1": {"TOKEN": lambda w: bearer(w.caller), "FACTOR_ID": lambda w: w.factor[0], "USER_ID": lambda w: w.caller.id,
                "CODE": lambda w: accounts.app_code(w.factor[1])},
}

NUMBERS = "/api/v1/phone-numbers"
AUTH, V1, ONE = accounts.AUTH, accounts_v1.V1, "/api/v1/organizations/{organization_id}"
WAITING_CALL = {"CALL_ID": lambda w: w.tenant.ids("call_id")[1]}
NEW_ACCOUNT = {"EMAIL": lambda w: w.account.email}

# What is other for one route.
ROWS = {
    ("POST", AUTH + "/verify-email"): {"MAIL_TOKEN": World.signed_up},
    ("POST", AUTH + "/reset-password"): {"MAIL_TOKEN": World.forgotten},
    ("POST", AUTH + "/signin"): NEW_ACCOUNT,
    ("POST", AUTH + "/signin/totp"): {"CHALLENGE": World.challenged, "CODE": lambda w: accounts.app_code(w.secret, 1)},
    ("POST", AUTH + "/refresh"): {"REFRESH_TOKEN": lambda w: w.account.session["refresh_token"]},
    ("POST", AUTH + "/totp/verify"): {"CODE": lambda w: accounts.app_code(w.enrolled)},
    **{("POST", AUTH + path): {"TOKEN": lambda w: w.secret and bearer(w.account)} for path in ("/totp/disable", "/recovery-codes")},
    ("POST", V1 + "/token"): {"EMAIL": lambda w: w.caller and w.email},
    **{(method, V1 + "/verify"): {"MAIL_TOKEN": World.signed_up} for method in ("GET", "POST")},
    ("POST", V1 + "/factors/{factor_id}/verify"): {
        "CHALLENGE_ID": lambda w: w.caller.fine("POST", f"/factors/{w.factor[0]}/challenge")["id"]},
    ("DELETE", "/api/v1/contacts/do-not-call/{phone_number}"): {"TOKEN": lambda w: listed(w) and bearer(w.tenant.person)},
    ("GET", "/api/v1/calls/{call_id}/recording"): {"CALL_ID": World.spoken},
    **{(method, "/api/v1/calls/{call_id}/feedback"): {"CALL_ID": World.judged} for method in ("PATCH", "DELETE")},
    ("POST", "/api/v1/calls/{call_id}/cancel"): WAITING_CALL,
    ("POST", "/api/v1/calls/{call_id}/reschedule"): WAITING_CALL,
    ("POST", "/api/v1/call-templates/categories/rename"): {"TOKEN": lambda w: w.tenant.ids("call_template_id") and bearer(w.tenant.person)},
    ("POST", "/api/v1/organizations/invitations/accept"): {"MAIL_TOKEN": World.invited, "TOKEN": lambda w: bearer(w.account)},
    **{("POST", "/api/v1/billing" + path): {"TOKEN": World.pays, "PLAN_ID": lambda w: plan(w.stack, "business")} for path in ("/plan", "/plan/preview", "/cancel")},
    **{("POST", NUMBERS + path): {"TOKEN": World.sends_codes} for path in ("", "/search", "/verify")},
    ("POST", NUMBERS + "/verify/{verified_number_id}/confirm"): {"VERIFIED_NUMBER_ID": lambda w: w.proving, "CODE": World.code},
    ("GET", NUMBERS + "/{number_id}"): {"NUMBER_ID": World.linked_number},
    ("POST", NUMBERS + "/{number_id}/test"): {"NUMBER_ID": World.linked_number, "VERIFIED_NUMBER_ID": World.proved},
    ("POST", "/api/v1/assistants/{assistant_id}/test"): {"ASSISTANT_ID": World.linked_assistant, "VERIFIED_NUMBER_ID": World.proved},
    ("DELETE", ONE): {"ORGANIZATION_ID": lambda w: w.team},
    ("DELETE", ONE + "/members/me"): {"ORGANIZATION_ID": lambda w: w.team},
    ("POST", ONE + "/restore"): {"ORGANIZATION_ID": World.deleted},
    **{("POST", path + "/{run_id}/redrive"): {"RUN_ID": lambda w: w.run("failed")}
       for path in ("/internal/workflow-runs", "/api/v1/admin/runs")},
    ("POST", "/api/v1/admin/queue/calls/{call_id}/cancel"): WAITING_CALL,
    ("DELETE", "/api/v1/admin/providers/{provider_id}"): {"PROVIDER_ID": lambda w: w.stack.provider("vapi", priority=9)},
}
