"""A number is brought to what it shall be: bought once, linked, paused, resumed and given back, whatever Twilio and Vapi answer or do not answer."""

import os

import pytest

from stack_numbers import API, Numbers


@pytest.fixture(scope="module")
def numbers_of_file(tmp_path_factory):
    """The engine with the workflows of numbers."""
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    with Numbers(tmp_path_factory.mktemp("numbers")) as running:
        yield running


@pytest.fixture
def numbers(numbers_of_file):
    """Nobody has a number yet."""
    numbers_of_file.reset()
    return numbers_of_file


def test_a_number_is_bought_and_linked(numbers):
    whose = numbers.organization()
    n = numbers.brought(numbers.make(whose))
    assert (n["status"], n["run_id"], n["linked_assistant"], n["assistant_id"]) == ("active", None, whose["vapi"], str(whose["assistant"])), n
    there, linked = numbers.at_twilio()[n["phone_number"]], numbers.at_vapi()[n["phone_number"]]
    assert (there["sid"], there["friendly_name"]) == (n["provider_sid"], f"hookswitch:{n['id']}")
    assert (there["sms_url"], there["status_callback"]) == (f"{API}/api/webhooks/twilio/sms", f"{API}/api/webhooks/twilio/status")
    assert (linked["id"], linked["assistantId"], linked["smsEnabled"]) == (n["voice_number_id"], whose["vapi"], False)
    assert linked["server"]["url"] == f"{API}/api/webhooks/vapi/{whose['id']}" and linked["server"]["headers"]["X-Vapi-Secret"]
    assert numbers.told(whose) == ["number.purchased", "number.active"]
    assert numbers.logged(n["id"]) == [("search", "noted", None), ("buy", "noted", None), ("link", "noted", None), ("commit", "noted", None),
                                       ("provision", "completed", None)]
