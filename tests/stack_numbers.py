"""The engine with the workflows of numbers: workflow-pump, a database, and the sandbox's Twilio and Vapi.

    with Numbers(folder) as numbers:
        numbers.reset()
        whose = numbers.organization()
        number = numbers.make(whose)
        numbers.work(lambda: numbers.settled())
"""

import base64
import uuid

from psycopg.types.json import Jsonb

from sandbox.client import Process as Sandbox
from trial import Trial

ACCOUNT, TOKEN, KEY = "AC00000000000000000000000000000001", "twilio-token", "vapi-key"
API = "https://hooks.example.com"
WORKFLOWS = ("phone-number", "phone-provision", "assistant-sync", "number-sweep", "number-release", "provision-catchup")


class Numbers(Trial):
    """Programs of a build (HOOKSWITCH_CRASH_BUILD_DIR: those that die where they are told)."""

    def __init__(self, folder, admin=None, build="HOOKSWITCH_BUILD_DIR", **settings):
        super().__init__(folder, None, admin, build, **settings)
        self.program = self.program.parents[2] / "handlers" / "workflow-pump"
        self.sandbox = Sandbox(folder)
        self.settings = {"HOOKSWITCH_SECRET_KEY": "test:" + base64.b64encode(b"k" * 32).decode(), "API_URL": API,
                         "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_BASE_URL": f"{self.sandbox.url}/twilio",
                         "VAPI_BASE_URL": f"{self.sandbox.url}/vapi", "RESEND_BASE_URL": self.sandbox.resend_url, "RESEND_API_KEY": "re_1",
                         "MAIL_FROM": "Hookswitch <no-reply@example.com>", "APP_URL": "https://app.example.com", **settings}

    def __enter__(self):
        try:
            return super().__enter__()
        except BaseException:
            self.sandbox.stop()
            raise

    def __exit__(self, *what):
        super().__exit__(*what)
        self.sandbox.stop()

    def reset(self, **settings):
        """No rows, no runs; Twilio and Vapi have nothing of ours, and an account of ours; numbers are given by themselves to nobody."""
        self.forget_rows()
        self.sql("insert into number_policy (enabled) values (false) on conflict (id) do update set enabled = false")
        self.sandbox.reset(twilio_tokens=[TOKEN], vapi_keys=[KEY], **settings)
        self.provider = self.value("""insert into call_service_providers (name, provider_type, api_key, base_url)
            values ('vapi', 'vapi', %s, %s) returning id""", KEY, f"{self.sandbox.url}/vapi")

    # ---- who ---------------------------------------------------------------

    def organization(self, plan="business", assistant=True):
        """An organization with an owner who has an address, on that plan, and with an assistant that Vapi knows."""
        owner, ident = uuid.uuid4(), uuid.uuid4()
        self.sql("insert into user_profiles (id, email, city, state) values (%s, %s, 'Austin', 'TX')", owner, f"owner-{ident}@example.com")
        self.sql("insert into organizations (id, name) values (%s, 'Acme')", ident)
        self.sql("insert into organization_members (organization_id, user_id, role, is_default) values (%s, %s, 'owner', true)", ident, owner)
        whose = {"id": ident, "owner": owner, "mail": f"owner-{ident}@example.com"}
        self.on_plan(whose, plan)
        if assistant:
            whose["vapi"] = self.assistant_at_vapi(ident)
            whose["assistant"] = self.value("""insert into assistants (organization_id, name, vapi_assistant_id, status, version, synced_version, provider_id)
                values (%s, 'Front desk', %s, 'active', 1, 1, %s) returning id""", ident, whose["vapi"], self.provider)
        return whose

    def on_plan(self, whose, plan):
        """By hand: its current subscription is to that plan from now on."""
        tier = self.value("select id from subscription_plans where name = %s", plan)
        self.sql("update subscriptions set current = false where organization_id = %s and current", whose["id"])
        whose["subscription"] = self.value("""insert into subscriptions (organization_id, user_id, plan_id, status, tier_type, current)
            values (%s, %s, %s, 'active', %s, true) returning id""", whose["id"], whose["owner"], tier, plan)

    def assistant_at_vapi(self, ident):
        """An assistant that Vapi has."""
        answer = self.sandbox.http.post(f"{self.sandbox.url}/vapi/assistant", json={"name": "Front desk", "metadata": {"organizationId": str(ident)}},
                                        headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    # ---- numbers -----------------------------------------------------------

    def make(self, whose, **asked):
        """Asks for a number; its id."""
        return self.value("select (number_make(%s, %s)).id", whose["id"], Jsonb(asked))

    def want(self, number, wanted, reason="requested", until=None):
        """It shall be that."""
        return self.value("select number_want(%s, %s, %s, %s)", number, wanted, reason, until)

    def number(self, ident):
        """Its row."""
        return self.value("select to_jsonb(n) from phone_numbers n where n.id = %s", ident)

    def settled(self, workflows=WORKFLOWS):
        """No run of these workflows is under way; none of them waits for another try."""
        self.hurry(workflows)
        return not self.value("select count(*) from workflow_runs where workflow = any (%s) and state in ('ready', 'working', 'waiting')", list(workflows))

    def hurry(self, workflows=WORKFLOWS):
        """What is to be tried again later is tried again now."""
        self.sql("""with r as (select r.id from workflow_runs r where r.workflow = any (%s) and r.state = 'ready' and r.due_at > now() order by r.id for update),
                         s as (update workflow_steps s set due_at = now() from r where r.id = s.run_id and s.due_at > now())
                    update workflow_runs x set due_at = now() from r where r.id = x.id""", list(workflows))

    def free(self):
        """What a dead worker held, as if its lease had run out: it is next.  Runs are locked in their order, as the engine locks them."""
        self.sql("""with r as (select r.id from workflow_runs r where r.state = 'working' order by r.id for update)
                    update workflow_runs x set due_at = now() - interval '1 hour', rescues = least(x.rescues, 1) from r where r.id = x.id""")

    def work(self, over, **how):
        """As Trial's; who does not come to an end says at which steps."""
        try:
            super().work(over, **how)
        except AssertionError as e:
            stuck = self.sql("""select r.id, r.state, r.step as at, s.step, s.state as how, s.reason, s.attempts from workflow_runs r
                left join workflow_steps s on s.run_id = r.id where r.state <> 'done' order by 1, s.started_at""")
            raise AssertionError(f"{e}: {stuck}") from None

    def brought(self, ident):
        """Works until all is as it shall be; the number's row."""
        self.work(self.settled)
        return self.number(ident)

    def during(self, under_way, act):
        """Works; when that is so, once, acts; then works until all is as it shall be."""
        acted = []

        def over():
            if not acted and under_way():
                acted.append(act())
            return acted and self.settled()
        self.work(over)

    def mails(self, whose):
        """The kinds of mails about its numbers that its owner was sent, in order."""
        return [row[0] for row in self.sql("""select input ->> 'kind' as kind from workflow_runs where workflow = 'mail' and organization_id = %s
            and input ->> 'kind' like 'number%%' order by created_at, id""", whose["id"])]

    # ---- outside -----------------------------------------------------------

    def at_twilio(self):
        """Numbers that Twilio has for us, by number."""
        return {n["phone_number"]: n for n in self.sandbox.twilio()["numbers"]}

    def twilio(self):
        """What the sandbox's Twilio counted."""
        return self.sandbox.twilio()

    def at_vapi(self):
        """Numbers that Vapi has for us, by number."""
        return {n["number"]: n for n in self.sandbox.vapi()["phone_numbers"]}

    def offered(self):
        """Numbers that Twilio has for sale, as it lists them."""
        answer = self.sandbox.http.get(f"{self.sandbox.url}/twilio/2010-04-01/Accounts/{ACCOUNT}/AvailablePhoneNumbers/US/Local.json",
                                       auth=(ACCOUNT, TOKEN), timeout=60)
        return [n["phone_number"] for n in answer.json()["available_phone_numbers"] if n["address_requirements"] == "none" and not n["beta"]]

    def held(self):
        """A request is held by a rule."""
        return self.sandbox.held()

    def vapi(self, method, path):
        """One request to Vapi behind our back."""
        return self.sandbox.http.request(method, f"{self.sandbox.url}/vapi/{path}", headers={"Authorization": f"Bearer {KEY}"}, timeout=60).json()

    def logged(self, ident, *fields):
        """The lines of its log, oldest first."""
        fields = fields or ("trigger_action", "status", "reason")
        rows = self.sql("select to_jsonb(l) as l from phone_provision_logs l where l.phone_number_id = %s order by l.response_id", ident)
        return [tuple(row[0][f] for f in fields) for row in rows]

    def told(self, whose):
        """The outgoing events about numbers, in order."""
        return [row[0] for row in self.sql("select type from events where organization_id = %s and type like 'number.%%' order by created_at, id", whose["id"])]
