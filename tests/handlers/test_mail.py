"""Mails: each is sent once, by Resend or by a mail server; while that cannot be they are kept, and nothing secret is."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from stack import sandbox_client

TO = "pat@example.org"


def send(stack, ident="m1", kind="password_changed", to=TO, data=None):
    """Ask for a mail; answers whether it is a new one."""
    return stack.value("select public.mail_send(%s, %s, %s, %s)", ident, kind, to, json.dumps(data or {}))


def view(stack, ident="m1"):
    """The run that the mail is."""
    return stack.value("select public.work_run_view(%s)", f"mail:{ident}")


def step(stack, ident="m1"):
    """What became of sending it."""
    only, = view(stack, ident)["steps"]
    return only


def by_smtp(stack, **more):
    """Settings of a program that sends by the sandbox's mail server."""
    return {"RESEND_API_KEY": "", "SMTP_URL": stack.sandbox.smtp_url(), **more}


# ---- sent --------------------------------------------------------------------


def test_a_mail_is_sent_by_resend(stack):
    assert send(stack) is True
    mail = stack.wait_mail(TO, "password_changed")
    assert mail.raw["via"] == "resend" and mail.raw["key"] == "mail:m1:1:send"
    assert mail.raw["from"] == "Hookswitch <no-reply@example.com>" and mail.raw["to"] == [TO]
    assert mail.text.startswith("Hello,\n\nthe password of your account was changed just now.\n")
    assert mail.html.startswith("<!doctype html>") and mail.token is mail.code is mail.link is None
    assert view(stack)["state"] == "done"
    assert step(stack)["result"] == {"provider": "resend", "id": mail.raw["id"]}


def test_a_mail_is_sent_by_a_mail_server(stack):
    send(stack, kind="organization_deleted", data={"organization_name": "Zoë & <Söhne>"})
    mail = stack.wait_mail(TO, env=by_smtp(stack))
    assert mail.kind == "organization_deleted" and mail.subject == "Zoë & <Söhne> was deleted"
    assert mail.raw["via"] == "smtp" and mail.raw["defects"] == []
    assert mail.raw["envelope_from"] == "no-reply@example.com" and mail.raw["to"] == [TO]
    assert mail.raw["headers"]["To"] == TO and mail.raw["headers"]["Auto-Submitted"] == "auto-generated"
    assert "Zoë & <Söhne> was deleted." in mail.text and "Zoë &amp; &lt;Söhne&gt; was deleted." in mail.html
    assert step(stack)["result"] == {"provider": "smtp", "id": mail.raw["message_id"]}


def test_asking_twice_sends_once(stack):
    assert [send(stack), send(stack), send(stack, kind="email_changed")] == [True, False, False]
    stack.wait_mail(TO)
    assert send(stack) is False
    stack.work()
    assert len(stack.mails()) == 1


def test_an_account_without_an_address_gets_none(stack):
    assert send(stack, to=None) is False
    assert stack.count("workflow_runs") == 0


def test_pumps_side_by_side_send_each_mail_once(stack):
    for i in range(30):
        send(stack, f"m{i}", to=f"p{i}@example.org")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: stack.work(), range(4)))
    assert sorted(m.raw["key"] for m in stack.mails()) == sorted(f"mail:m{i}:1:send" for i in range(30))
    assert {m.raw["to"][0] for m in stack.mails()} == {f"p{i}@example.org" for i in range(30)}


def test_a_mail_server_is_trusted_by_its_certificate_and_told_who_we_are(stack, tmp_path):
    key, pem = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=127.0.0.1", "-days", "2", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key,
                    "-out", pem], check=True, capture_output=True)
    (tmp_path / "both.pem").write_text(pem.read_text() + key.read_text())
    with sandbox_client.Process(tmp_path, 0, "--smtp-tls", str(tmp_path / "both.pem")) as server:
        server.settings(smtp_user="me@example.com", smtp_password="pass:word")
        plain = server.smtp_url("smtp", "me%40example.com:pass%3Aword") + "?tls=required"
        safe = server.smtp_url("smtps", "me%40example.com:pass%3Aword")
        send(stack)
        stack.work(env=by_smtp(stack, SMTP_URL=plain))
        assert step(stack)["reason"] == "connect_failed" and server.mails() == []
        for n, url in enumerate((plain, safe)):
            stack.mails_due()
            send(stack, f"m{n + 1}")
            stack.work(env=by_smtp(stack, SMTP_URL=url, SMTP_CA_FILE=pem))
            assert view(stack, f"m{n + 1}")["state"] == "done" and len(server.mails(to=TO)) == n + 1
        send(stack, "m3")
        stack.work(env=by_smtp(stack, SMTP_URL=safe.replace("word", "wrong"), SMTP_CA_FILE=pem))
        assert step(stack, "m3")["reason"] == "smtp_535" and step(stack, "m3")["state"] == "retry"
        assert len(server.mails()) == 2


# ---- kept until it can be ----------------------------------------------------


def test_mails_wait_while_nothing_is_configured(stack):
    send(stack)
    nothing = {"RESEND_API_KEY": "", "MAIL_FROM": ""}
    for _ in range(2):
        done = stack.work(env=nothing)
        assert done["claimed"] == done["failed"] == 0 and done["message"] == "Runs of mail wait for settings."
    run = view(stack)
    assert (run["state"], run["steps"], run["known"]) == ("ready", [], True)
    assert stack.mails() == []
    assert stack.wait_mail(TO).kind == "password_changed"


def test_a_wrong_setting_is_named_at_the_start(stack):
    for env, name in (({"MAIL_FROM": ""}, "MAIL_FROM"), ({"MAIL_FROM": "nobody"}, "MAIL_FROM"),
                      (by_smtp(stack, SMTP_URL="http://mail.example.com"), "SMTP_URL")):
        done = stack.run_program("workflow-pump", "--check", env=env)
        assert done.returncode != 0 and name in done.stderr, done.stderr


@pytest.mark.parametrize("way", ["resend", "smtp"])
def test_mails_are_kept_while_the_provider_is_down(stack, way):
    down = {"RESEND_BASE_URL": "http://127.0.0.1:1"} if way == "resend" else by_smtp(stack, SMTP_URL="smtp://127.0.0.1:1")
    up = {} if way == "resend" else by_smtp(stack)
    send(stack)
    for n in (1, 2, 3):
        stack.work(env=down)
        assert (step(stack)["state"], step(stack)["reason"], step(stack)["attempts"]) == ("retry", "connect_failed", n)
        stack.mails_due()
    stack.sandbox.rule({"status": 503} if way == "resend" else {"status": 421}, provider=way, times=1)
    stack.work(env=up)
    assert view(stack)["state"] == "ready" and stack.mails() == []
    stack.mails_due()
    assert stack.wait_mail(TO, env=up).raw["via"] == way
    assert view(stack)["state"] == "done" and len(stack.mails()) == 1


def test_a_later_try_is_made_by_itself(stack):
    stack.sandbox.rule({"status": 503}, provider="resend", times=1)
    send(stack)
    stack.work()
    assert stack.mails() == [] and stack.work()["claimed"] == 0
    assert stack.wait_mail(TO).kind == "password_changed"


def test_the_rate_limit_is_kept(stack):
    stack.sandbox.settings(resend_per_second=2)
    for i in range(4):
        send(stack, f"m{i}", to=f"p{i}@example.org")
    for i in range(4):
        stack.wait_mail(f"p{i}@example.org")
    assert stack.value("select max(attempts) from workflow_steps") > 1, "it was never reached"
    assert len(stack.mails()) == 4 and set(stack.mail_runs().values()) == {("done", None)}


def test_a_quota_is_waited_for(stack):
    stack.sandbox.settings(resend_per_day=0)
    send(stack)
    stack.work()
    assert step(stack)["reason"] == "daily_quota_exceeded"
    assert stack.value("select due_at - now() between '50 minutes' and '70 minutes' from workflow_runs")
    stack.sandbox.settings(resend_per_day=None)
    stack.mails_due()
    assert stack.wait_mail(TO)


def test_what_an_administrator_must_mend_is_waited_for(stack):
    send(stack)
    stack.work(env={"RESEND_API_KEY": "bad"})
    assert (step(stack)["state"], step(stack)["reason"]) == ("retry", "invalid_api_key")
    stack.sandbox.settings(resend_domains=["other.example"])
    stack.mails_due()
    stack.work()
    assert (step(stack)["state"], step(stack)["reason"]) == ("retry", "validation_error")
    stack.sandbox.settings(resend_domains=["example.com"])
    stack.mails_due()
    assert stack.wait_mail(TO)


# ---- perhaps sent --------------------------------------------------------------


@pytest.mark.parametrize("action", [{"answer": "reset"}, {"answer": "cut"}, {"answer": "html"}, {"answer": "empty"},
                                    {"status": 500, "accept": True}])
def test_an_answer_that_is_lost_sends_once_with_resends_key(stack, action):
    stack.sandbox.rule(action, provider="resend", times=1)
    send(stack)
    stack.work()
    assert step(stack)["state"] == "unknown" and len(stack.mails()) == 1
    stack.mails_due()
    stack.work()
    mail, = stack.mails()
    assert step(stack)["result"] == {"provider": "resend", "id": mail.raw["id"]}


def test_an_answer_that_a_mail_server_owes_is_a_repetition_of_the_same_mail(stack):
    stack.sandbox.rule({"answer": "cut", "accept": True}, provider="smtp", times=1)
    send(stack)
    stack.work(env=by_smtp(stack))
    assert step(stack)["state"] == "unknown" and len(stack.mails()) == 1
    stack.mails_due()
    stack.work(env=by_smtp(stack))
    first, second = stack.mails()
    assert first.raw["message_id"] == second.raw["message_id"] and view(stack)["state"] == "done"


def test_a_mail_server_that_breaks_off_before_the_end_has_no_mail(stack):
    for n, operation in enumerate(("connect", "mail", "rcpt", "data")):
        stack.sandbox.rule({"answer": "cut"}, provider="smtp", operation=operation, times=1)
        send(stack, f"m{n}")
        stack.work(env=by_smtp(stack))
        assert step(stack, f"m{n}")["state"] == "retry"
    stack.mails_due()
    stack.work(env=by_smtp(stack))
    assert len(stack.mails()) == 4


# ---- never ---------------------------------------------------------------------


def test_a_refused_address_is_a_dead_letter_that_is_shown(stack):
    stack.sandbox.rule({"status": 550, "body": "5.1.1 nobody here"}, provider="smtp", operation="rcpt", number=TO)
    stack.sandbox.rule({"status": 400}, provider="resend", number="two@example.org")
    send(stack, "m1")
    send(stack, "m2", to="two@example.org")
    send(stack, "m3", to="no address")
    stack.work(env=by_smtp(stack))
    assert (view(stack, "m1")["state"], step(stack, "m1")["reason"]) == ("failed", "smtp_550")
    assert (view(stack, "m3")["state"], step(stack, "m3")["reason"]) == ("failed", "not_built")
    assert view(stack, "m2")["state"] == "done"
    send(stack, "m4", to="two@example.org")
    stack.work()
    assert (view(stack, "m4")["state"], step(stack, "m4")["reason"]) == ("failed", "validation_error")
    dead = stack.value("select api.workflow_run_list('failed', 'mail', null, 20)")
    assert {r["id"] for r in dead["data"]} == {"mail:m1", "mail:m3", "mail:m4"}
    stack.sandbox.clear_rules()
    assert stack.value("select public.work_redrive('mail:m1')")
    assert stack.wait_mail(TO).kind == "password_changed"


def test_nothing_about_people_is_logged(stack):
    send(stack)
    send(stack, "m2", to="refused")
    stack.sandbox.rule({"status": 503}, provider="resend", times=1)
    stack.work()
    stack.mails_due()
    stack.wait_mail(TO)
    log = (stack.folder / "work.log").read_text()
    assert TO not in log and "refused" not in log and stack.keys["resend"] not in log
