"""A request waits, before or after it is accepted, until the sandbox is told to let it go."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox_helpers import ALL, until


@pytest.mark.parametrize("provider", ["vapi", "synthflow"])
@pytest.mark.parametrize("when, dials", [("before", 0), ("after", 1)])
@pytest.mark.parametrize("let_go", ["release", "clear_rules", "reset"])
def test_a_request_is_held_until_it_is_released(request, box, provider, when, dials, let_go):
    api = request.getfixturevalue(provider)
    box.rule({"hold": when, "status": 202, "accept": True}, provider=provider)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(api.start) for _ in range(2)]
        until(lambda: box.held() == 2)
        assert box.dials()["dials"] == 2 * dials and not any(a.done() for a in asked)
        getattr(box, let_go)()
        assert [a.result(20).status_code for a in asked] == [202, 202]
    assert box.held() == 0
    assert api.start().status_code == (202 if let_go == "release" else {"vapi": 201, "synthflow": 200}[provider])


def test_lists_and_webhooks_are_held_too(vapi, box, receiver):
    with box.holding("before", provider="vapi", operation="webhook", type="status-update:ringing"):
        vapi.start()
        until(box.held)
        until(lambda: box.calls()[0]["finished"])
        assert receiver.kinds() == ALL[:1]
        with ThreadPoolExecutor(1) as pool, box.holding("before", operation="list"):
            asked = pool.submit(vapi.ask, "GET", "/call")
            until(lambda: box.held() == 2)
            assert not asked.done()
            box.release()
            assert len(asked.result(20).json()) == 1
    box.idle()
    assert receiver.kinds() == ALL


def test_what_came_under_a_rule_goes_when_it_is_released(vapi, box, receiver):
    """Also what stood behind the held one: it does not wait once more."""
    with box.holding("before", provider="vapi", operation="webhook"):
        vapi.start()
        until(lambda: box.calls()[0]["finished"])
        until(lambda: box.held() == 1)
        assert not receiver.kinds()
    until(lambda: receiver.kinds() == ALL)
    assert box.held() == 0
