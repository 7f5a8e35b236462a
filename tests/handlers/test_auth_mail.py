"""Accounts and their mails, all the way: what is mailed can be followed, and waits while no mail can be sent."""

from accounts import AUTH, PASSWORD, Person, person, sign_up

ANN = "ann@example.com"
NO_MAIL = {"RESEND_BASE_URL": "http://127.0.0.1:1"}


def test_the_link_and_the_code_of_the_mail_are_good(stack):
    for email in (ANN, "bob@example.com"):
        sign_up(stack, email)
    session = stack.anybody().post(f"{AUTH}/verify-email", {"token": stack.wait_mail(ANN, "verify_email").token})
    assert Person(stack, ANN, session).get(f"{AUTH}/me")["email"] == ANN
    code = stack.wait_mail("bob@example.com", "verify_email").code
    stack.anybody().post(f"{AUTH}/verify-email", {"email": "bob@example.com", "code": code})


def test_a_sign_up_while_mail_is_down_is_kept_and_its_mail_sent_later(stack):
    assert sign_up(stack, ANN)["status"] == "confirmation_sent"
    stack.work(env=NO_MAIL)
    assert stack.mails() == [] and {state for state, _ in stack.mail_runs().values()} == {"ready"}
    stack.mails_due()
    stack.work(env=NO_MAIL)
    stack.mails_due()
    mail = stack.wait_mail(ANN, "verify_email")
    assert len(stack.mails()) == 1
    stack.anybody().post(f"{AUTH}/verify-email", {"token": mail.token})
    Person(stack, ANN).sign_in()


def test_each_step_that_matters_is_mailed_to_the_right_address(stack):
    ann = person(stack)
    stack.anybody().post(f"{AUTH}/forgot-password", {"email": ANN}, expect=202)
    stack.anybody().post(f"{AUTH}/reset-password", {"token": stack.wait_mail(ANN, "reset_password").token,
                                                    "password": "the new password"})
    ann.sign_in("the new password")
    ann.post(f"{AUTH}/change-email", {"email": "new@example.com", "password": "the new password"}, expect=202)
    stack.anybody().post(f"{AUTH}/verify-email", {"token": stack.wait_mail("new@example.com", "email_change").token})
    for kind in ("password_changed", "email_changed"):
        mail = stack.wait_mail(ANN, kind)
        assert mail.token is None and mail.link is None
    assert stack.mails("new@example.com", "password_changed") == []


def test_a_link_that_was_replaced_is_not_mailed_late(stack):
    person(stack)
    stack.anybody().post(f"{AUTH}/forgot-password", {"email": ANN}, expect=202)
    Person(stack, ANN).sign_in().post(f"{AUTH}/change-password", {"password": PASSWORD, "new_password": "the new password"})
    stack.wait_mail(ANN, "password_changed")
    assert stack.mails(ANN, "reset_password") == []


def test_what_is_over_is_taken_away_once_a_day(stack):
    person(stack)
    stack.sql("update hookswitch_auth.sessions set expires_at = now() - interval '31 days'")
    stack.sql("select public.work_start('auth-upkeep-now', 'auth_upkeep')")
    stack.work()
    view = stack.value("select public.work_run_view('auth-upkeep-now')")
    assert view["state"] == "done" and view["steps"][0]["result"]["sessions"] == 1
    assert stack.value("select count(*) from hookswitch_auth.sessions") == 0
    assert stack.value("select cron from workflow_schedules where workflow = 'auth_upkeep'") == "23 3 * * *"
