"""Many upgrades at once while a fifth of all requests to Twilio and Vapi fails: each organization ends with exactly one number, and nobody pays
for a number that nobody owns."""

import os

import pytest
from stack_numbers import Numbers

FULL = os.environ.get("HOOKSWITCH_TEST_FULL") == "1"
UPGRADES = 1000 if FULL else 100
# Each with its share of all requests; together a fifth.
LOST = [({"answer": "reset", "accept": True}, 0.04), ({"answer": "reset", "accept": False}, 0.03), ({"answer": "cut", "accept": True}, 0.02),
        ({"status": 429, "accept": False}, 0.04), ({"status": 500, "accept": True}, 0.02), ({"status": 503, "accept": False}, 0.03),
        ({"answer": "hang", "accept": True}, 0.005), ({"answer": "hang", "accept": False}, 0.005)]
GONE = 0.1


@pytest.fixture(scope="module")
def numbers_of_file(tmp_path_factory):
    """The engine with the workflows of numbers."""
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    with Numbers(tmp_path_factory.mktemp("storm"), HOOKSWITCH_STEP_TIMEOUT_MS=3000) as running:
        yield running


@pytest.fixture
def numbers(numbers_of_file):
    """Nobody has a number yet; plans bring them."""
    numbers_of_file.reset()
    numbers_of_file.sql("update number_policy set enabled = true")
    numbers_of_file.work(lambda: numbers_of_file.value("select numbers_ready()"))
    return numbers_of_file


def trouble(numbers):
    """From now on a fifth of all requests fails, in ways that follow from the seed."""
    # Of two rules that fire for one request the earlier one wins each of its keys: who refuses does nothing.
    numbers.sandbox.rule({**numbers.sandbox.twilio_refusal(21422), "accept": False}, provider="twilio", operation="buy", probability=GONE, seed=99)
    for provider, operations in (("twilio", ("search", "buy", "update", "release", "list_numbers")),
                                 ("vapi", ("number_create", "number_update", "number_delete", "number_list", "assistant_create", "assistant_list"))):
        for operation in operations:
            for k, (action, share) in enumerate(LOST):
                numbers.sandbox.rule(action, provider=provider, operation=operation, probability=share, seed=k)


def test_of_many_upgrades_while_a_fifth_of_all_requests_fails_each_ends_with_one_number(numbers):
    everybody = [numbers.organization(plan="free", assistant=False) for _ in range(UPGRADES)]
    trouble(numbers)
    for whose in everybody:
        numbers.on_plan(whose, "basic")
    numbers.work(lambda: numbers.settled(every=1), deadline=900 if FULL else 300)
    numbers.sandbox.clear_rules()
    # What was given up is found by the daily look.
    numbers.sql("select work_start('provision-catchup:after', 'provision-catchup')")
    numbers.work(numbers.settled)
    ours = numbers.kept()
    assert set(ours.values()) == {1}, "nobody has two"
    assert len(ours) >= 0.99 * UPGRADES, len(ours)
    assert not numbers.value("select count(*) from phone_provision_logs where status in ('pending', 'working')"), "the log is complete"
    assert numbers.value("select count(*) from phone_provision_logs where tier_type = 'basic' and status = 'completed' and duration_ms is not null") >= 0.99 * UPGRADES


def test_flips_of_many_plans_at_once_leave_each_with_what_it_shall_have(numbers):
    """Up, down, up within a second, and half of them down again, in trouble."""
    everybody = [numbers.organization(plan="free", assistant=False) for _ in range(20)]
    trouble(numbers)
    numbers.during(lambda: True, lambda: [numbers.on_plan(w, p) for p in ("basic", "free", "business") for w in everybody]
                   + [numbers.on_plan(w, "free") for w in everybody[::2]])
    numbers.sandbox.clear_rules()
    numbers.work(numbers.settled)
    numbers.kept()
    has = dict(numbers.sql("select organization_id, status from phone_numbers where status in ('active', 'paused')"))
    assert all(has.get(w["id"]) == "active" for w in everybody[1::2]), has
    assert all(has.get(w["id"]) in ("paused", None) for w in everybody[::2]), has
    assert not numbers.value("select count(*) from phone_provision_logs where status in ('pending', 'working')")
