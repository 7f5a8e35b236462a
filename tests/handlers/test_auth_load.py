"""Many sign-ins at once: passwords are slow on purpose, and nobody else waits for them."""

import threading

import pytest

from accounts import AUTH, PASSWORD, person
from stack import Stack, wait_until
from stack_client import problem


@pytest.fixture(scope="module")
def stack_of_file(tmp_path_factory):
    """Programs of four threads, with a connection for each."""
    with Stack(tmp_path_factory.mktemp("stack"), settings={
            "HOOKSWITCH_THREADS": "4", "HOOKSWITCH_DB_CONNECTIONS": "8", "HOOKSWITCH_DB_TIMEOUT_MS": "120000"}) as running:
        yield running


@pytest.mark.parametrize("path", [f"{AUTH}/signin", "/auth/v1/token?grant_type=password"])
def test_many_sign_ins_leave_threads_for_everybody_else(stack, path):
    ann, got = person(stack), []

    def sign_in(i):
        got.append(stack.anybody().ask("POST", path, {"email": f"nobody{i}@example.com", "password": PASSWORD}))
    threads = [threading.Thread(target=sign_in, args=(i,)) for i in range(12)]
    with stack.connect() as held:
        # In the middle of a sign-in: its try cannot be counted.
        held.execute("lock table hookswitch_auth.throttles")
        for t in threads:
            t.start()
        wait_until(lambda: len(got) == 9, what="three wait, all others are told to come again")
        assert ann.get(f"{AUTH}/me")["id"] == ann.id
        ann.refresh()
    for t in threads:
        t.join()
    assert sorted(a.status_code for a in got[:9]) == [503] * 9 and got[0].headers["Retry-After"] == "1"
    assert {a.status_code for a in got[9:]} <= {400, 401}
    if path.startswith(AUTH):
        assert problem(got[0], 503)["code"] == "unavailable"
    assert stack.anybody().ask("POST", path, {"email": "nobody@example.com", "password": PASSWORD}).status_code in (400, 401)
