"""Numbers that can be called: at the sandbox's Twilio, imported at its Vapi, and in our rows, as purchases leave them."""

from accounts import token_of

MESSAGES = ["status-update", "end-of-call-report", "tool-calls", "transfer-destination-request"]


def secret(stack, who):
    """The headers with which Vapi proves itself about the inbound calls of somebody's organization."""
    return {"X-Vapi-Secret": token_of(stack, "inbound", getattr(who, "organization", who))}


class Line:
    """A number of somebody's organization with its assistant.  linked: whether Vapi knows which assistant takes its calls."""

    def __init__(self, stack, who, linked=False, **columns):
        self.stack, self.who = stack, who
        self.server = {"url": f"{stack.url}/api/webhooks/vapi/{who.organization}", "headers": secret(stack, who), "timeoutSeconds": 20,
                       "backoffPlan": {"type": "fixed", "maxRetries": 5, "baseDelaySeconds": 1}}
        if not stack.count("call_service_providers", "provider_type = 'vapi'"):
            stack.provider("vapi", max_concurrent_calls=1000)
        self.provider = stack.value("select id from call_service_providers where provider_type = 'vapi'")
        self.vapi_assistant = self.vapi("POST", "assistant", {"name": "Front desk", "server": self.server, "serverMessages": MESSAGES})["id"]
        self.assistant = stack.insert("assistants", organization_id=who.organization, name="Front desk", status="active",
                                      vapi_assistant_id=self.vapi_assistant, provider_id=self.provider)
        self.number = self.buy()
        body = {"provider": "twilio", "number": self.number, "twilioAccountSid": "AC1", "twilioAuthToken": stack.keys["twilio"],
                "smsEnabled": False, "server": self.server}
        self.voice_id = self.vapi("POST", "phone-number", {**body, **({"assistantId": self.vapi_assistant} if linked else {})})["id"]
        self.id = stack.insert("phone_numbers", organization_id=who.organization, phone_number=self.number, voice_number_id=self.voice_id,
                               provider_id=self.provider, assistant_id=self.assistant, **columns)

    def vapi(self, method, path, body=None):
        """One request to the sandbox's Vapi with our key."""
        answer = self.stack.sandbox.http.request(method, f"{self.stack.sandbox.vapi_url}/{path}", json=body, timeout=60,
                                                 headers={"Authorization": f"Bearer {self.stack.keys['vapi']}"})
        assert answer.status_code < 300, answer.text
        return answer.json()

    def buy(self):
        """Any number; it is ours at Twilio."""
        answer = self.stack.sandbox.http.post(
            f"{self.stack.sandbox.twilio_url}/2010-04-01/Accounts/AC1/IncomingPhoneNumbers.json", data={"AreaCode": "415"},
            auth=("AC1", self.stack.keys["twilio"]), timeout=60)
        assert answer.status_code == 201, answer.text
        return answer.json()["phone_number"]

    def change(self, **columns):
        """Our row says otherwise."""
        for name, value in columns.items():
            self.stack.sql(f"update phone_numbers set {name} = %s where id = %s", value, self.id)

    def ring(self, caller=None, **act):
        """Somebody calls it; answers Vapi's id of the call."""
        return self.stack.sandbox.vapi_call(self.number, caller or self.stack.number(), **act)

    def call(self, ident):
        """Our row of it; None: there is none."""
        rows = self.stack.sql("select * from calls where provider_call_id = %s", ident)
        assert len(rows) < 2, f"{ident} has {len(rows)} rows"
        return rows[0] if rows else None
