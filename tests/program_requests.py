"""For each program requests that it answers in many ways: what test_programs.py hammers programs with."""

from stack_client import Client
from stack_hooks import Hooks, synthflow_signature, vapi_event
from stack_operators import operator

UUID = "11111111-1111-4111-8111-111111111111"
# These are asked by somebody who is signed in.
FOR_PEOPLE = ("assistants", "billing", "calls", "checkout", "contacts", "organizations", "phone-numbers", "templates", "voices")


def requests_for(stack, alice):
    """For each program a request that it answers in different ways, by its number."""
    hooks, olga, voice = Hooks(stack), operator(stack), stack.insert("voice_options", voice_id="x", name="x")
    template, provider = (str(stack.value(f"select id from {table}")) for table in ("call_templates", "call_service_providers"))
    basic, wrong = str(stack.value("select id from subscription_plans where name = 'basic'")), {"X-Vapi-Secret": "wrong"}
    inside = Client(stack.url, {"Authorization": f"Bearer {stack.secrets['internal']}"})

    def calls(who, n):
        order = {"recipient_number": f"+1555{n:07d}", "template_id": template, "metadata": {"n": "x" * (n % 3000)}}
        return [lambda: who.ask("POST", "/api/v1/calls", order), lambda: who.ask("GET", "/api/v1/calls?limit=100"),
                lambda: who.ask("POST", "/api/v1/calls", {"x": n}), lambda: who.ask("GET", f"/api/v1/calls/{UUID}"),
                lambda: who.ask("POST", "/api/v1/calls", order, headers={"Idempotency-Key": f"k{n % 50}"}),
                lambda: who.ask("GET", "/api/v1/calls", headers={"Authorization": "Bearer x"})][n % 6]()

    def vapi(_, n):
        event = vapi_event(("end-of-call-report", "status-update.ringing", "model-output", "tool-calls")[n % 4], f"c{n}")
        body = b"{" if n % 17 == 0 else event
        return hooks.send("vapi", alice.organization, body, wrong if n % 13 == 0 else {
            "X-Vapi-Secret": stack.secrets["vapi"]})

    def synthflow(_, n):
        signed = synthflow_signature(stack.secrets["synthflow"], f"c{n}" if n % 5 else "wrong")
        return hooks.send("synthflow", alice.organization, {"call": {"call_id": f"c{n}", "status": "completed"}}, signed)

    def money(provider):
        def send(_, n):
            event = {"id": f"evt_{n % 40}", "event_id": f"evt_{n % 40}", "type": "x" * (n % 300), "event_type": "customer.updated",
                     "data": {"object": {"id": f"in_{n}"}, "x": "y" * (n % 3000)}}
            return hooks.money(provider, b"{" if n % 17 == 0 else event, {} if n % 13 == 0 else None)
        return send

    def twilio(_, n):
        tail, form = [("/sms", {"MessageSid": f"SM{n}", "From": "+15550100001", "To": "+15550100002", "Body": "x" * (n % 3000)}),
                      ("/message", {"MessageSid": f"SM{n % 40}", "MessageStatus": "sent"}),
                      ("/status", {"CallSid": f"CA{n}", "CallStatus": "completed"}),
                      ("/voice", {"CallSid": f"CA{n}", "To": "+15550100002"})][n % 4]
        return hooks.twilio(tail, form, {} if n % 13 == 0 else None)

    def auth(who, n):
        ann = {"email": f"ann{n % 7}@example.com", "password": "correct horse"}
        return [lambda: who.ask("POST", "/api/v1/auth/signup", ann), lambda: who.ask("POST", "/api/v1/auth/signin", ann),
                lambda: who.ask("POST", "/api/v1/auth/refresh", {"refresh_token": f"t{n}"}), lambda: who.ask("GET", "/api/v1/auth/me"),
                lambda: who.ask("POST", "/api/v1/auth/totp", {"password": "x"}, headers={"Idempotency-Key": f"k{n}"}),
                lambda: who.ask("PATCH", "/api/v1/auth/me", {"preferences": {"n": "x" * (n % 3000)}})][n % 6]()

    def organizations(who, n):
        path = f"/api/v1/organizations/{alice.organization}"
        return [lambda: who.ask("GET", path), lambda: who.ask("PATCH", path, {"name": f"N{n}", "settings": {"max_concurrent_calls": n}}),
                lambda: who.ask("GET", f"{path}/audit-log/export?format=csv"), lambda: who.ask("POST", f"{path}/members", {"role": n}),
                lambda: who.ask("POST", f"{path}/api-keys", {"name": "x", "scopes": ["*"]}, headers={"Idempotency-Key": f"k{n % 50}"}),
                lambda: who.ask("POST", "/api/v1/organizations/invitations/accept", {"token": "x" * n})][n % 6]()

    def auth_v1(who, n):
        ann = {"email": f"ann{n % 7}@example.com", "password": "correct horse"}
        return [lambda: who.ask("POST", "/auth/v1/signup", ann), lambda: who.ask("POST", "/auth/v1/token?grant_type=password", ann),
                lambda: who.ask("POST", "/auth/v1/token?grant_type=refresh_token", {"refresh_token": f"t{n}"}),
                lambda: who.ask("GET", "/auth/v1/user"), lambda: who.ask("GET", "/auth/v1/verify?type=signup&token=x"),
                lambda: who.ask("POST", "/auth/v1/otp", {**ann, "data": {"n": "x" * (n % 3000)}})][n % 6]()

    def voices(who, n):
        return [lambda: who.ask("GET", f"/api/v1/voices?name={'x' * (n % 9)}"), lambda: who.ask("PUT", "/api/v1/voices/preferences", {
            "languages": [{"language": "de", "voice_id": UUID}] * (n % 60)}), lambda: who.ask(
                "POST", f"/api/v1/voices/{voice}/sample", {"text": "x" * (n % 600)}, headers={"Idempotency-Key": f"k{n % 50}"})][n % 3]()

    def numbers(who, n):
        path, code = "/api/v1/phone-numbers", {"code": f"{n:06}"}
        return [lambda: who.ask("GET", path), lambda: who.ask("POST", path + "/search", {"area_code": str(200 + n % 700)}),
                lambda: who.ask("POST", path + "/verify", {"phone_number": f"+1555{n:07d}"}), lambda: who.ask("GET", f"{path}/{UUID}/log"),
                lambda: who.ask("POST", path, {"name": "x" * (n % 200)}, headers={"Idempotency-Key": f"k{n % 50}"}),
                lambda: who.ask("POST", f"{path}/verify/{UUID}/confirm", code)][n % 6]()

    def assistants(who, n):
        path, wish = "/api/v1/assistants", {"name": "A", "system_prompt": "Be brief. " * (n % 300)}
        return [lambda: who.ask("GET", f"{path}?limit=100"), lambda: who.ask("POST", path, wish, headers={"Idempotency-Key": f"k{n % 50}"}),
                lambda: who.ask("POST", path, {"template": "receptionist", "variable_values": {"x": "x" * n}}),
                lambda: who.ask("PATCH", f"{path}/{UUID}", wish)][n % 4]()

    def templates(who, n):
        path, wish = "/api/v1/call-templates", {"name": "T", "first_message": "Hello " * (n % 300)}
        return [lambda: who.ask("GET", path), lambda: who.ask("POST", path, wish), lambda: who.ask("PUT", f"{path}/{template}/favorite"),
                lambda: who.ask("POST", "/api/v1/templates/receptionist/render", {"variable_values": {"x": "x" * n}})][n % 4]()

    def contacts(who, n):
        path, one, csv = "/api/v1/contacts", {"phone_number": f"+1555{n:07d}"}, {"Content-Type": "text/csv"}
        return who.ask(*[("POST", path, one), ("GET", path + "?q=a&limit=100"), ("POST", path + "/do-not-call", one), ("GET", path + "/export"),
                         ("PUT", f"{path}/imports/{n % 6 > 3 and who.post(path + '/imports', expect=201)['id']}/file",
                          b"phone_number\n%d\n,\n" % n), ("PUT", f"{path}/imports/{UUID}/file", b"x" * n)][n % 6], headers=csv if n % 6 > 3 else {})

    def billing(who, n):
        path = "/api/v1/billing"
        return [lambda: who.ask("GET", path), lambda: who.ask("GET", f"{path}/usage/calls?limit=100"), lambda: who.ask("GET", f"{path}/plans"),
                lambda: who.ask("POST", f"{path}/cancel", {"reason": "x" * (n % 600)}), lambda: who.ask("POST", f"{path}/plan", {"plan_id": UUID}),
                lambda: who.ask("POST", f"{path}/portal", headers={"Idempotency-Key": f"k{n % 50}"})][n % 6]()

    def checkout(who, n):
        wish = {"plan_id": (basic, UUID)[n % 2]}
        return [lambda: who.ask("POST", "/api/v1/billing/checkout", wish, headers={"Idempotency-Key": f"k{n % 50}"}),
                lambda: who.ask("GET", f"/api/v1/billing/checkout/{UUID}"),
                lambda: who.ask("POST", "/api/v1/billing/checkout", {**wish, "success_url": "x" * n})][n % 3]()

    def admin(who, n):
        path = f"/api/v1/admin/providers/{provider}"
        return [lambda: olga.ask("GET", "/api/v1/admin/usage/export"), lambda: who.ask("GET", path), lambda: olga.ask("GET", f"{path}/check"),
                lambda: olga.ask("PUT", f"{path}/key", {"api_key": f"key-{n:010d}"})][n % 4]()

    return {"admin": admin, "assistants": assistants, "auth": auth, "auth-v1": auth_v1, "billing": billing, "calls": calls, "checkout": checkout, "contacts": contacts, "organizations": organizations,
            "phone-numbers": numbers, "templates": templates,
            "voices": voices, "vapi-webhook": vapi, "synthflow-webhook": synthflow,
            "stripe-webhook": money("stripe"), "paddle-webhook": money("paddle"), "twilio-webhook": twilio,
            "queue-pump": lambda _, n: stack.pump_ask(wait="x" if n % 9 == 0 else None),
            "workflow-pump": lambda _, n: inside.ask("GET" if n % 3 else "POST", (
                "/internal/workflow-pump", "/internal/workflow-runs?limit=5", "/internal/workflow-runs/none")[n % 3]),
            "status": lambda who, n: who.ask("GET", ("/healthz", "/readyz", "/nowhere", "/metrics")[n % 4])}
