"""kill -9 at every step of every workflow of numbers, and inside every request to Twilio and Vapi: in the end each organization has what it shall
have, each number was bought once, each mail sent once, and nobody pays for a number that nobody owns."""

import collections
import os

import pytest
from stack_numbers import Numbers

from faulty import AFTER, BEFORE, Deaths

FULL = os.environ.get("HOOKSWITCH_TEST_FULL") == "1"


@pytest.fixture(scope="module")
def numbers_of_file(tmp_path_factory):
    """The programs from the build with crash points."""
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    with Numbers(tmp_path_factory.mktemp("numbers"), build="HOOKSWITCH_CRASH_BUILD_DIR", HOOKSWITCH_WORK_BATCH=1) as running:
        yield running


@pytest.fixture
def numbers(numbers_of_file):
    """Nobody has a number yet; plans bring them."""
    numbers_of_file.reset()
    numbers_of_file.work(lambda: numbers_of_file.value("select numbers_ready()"))
    return numbers_of_file


def die_on_the_way(numbers, deaths):
    """Somebody upgrades, another pauses, another gives back, another changes his number; then the day's looks."""
    pauses, releases, changes = (numbers.organization() for _ in range(3))
    had = {w["id"]: numbers.make(w) for w in (pauses, releases, changes)}
    numbers.work(numbers.settled)
    numbers.sql("update number_policy set enabled = true")
    upgrades = numbers.organization(plan="free", assistant=False)
    numbers.on_plan(upgrades, "basic")
    numbers.want(had[pauses["id"]], "paused")
    numbers.want(had[releases["id"]], "released")
    numbers.sql("update phone_numbers set name = 'Desk' where id = %s", had[changes["id"]])
    numbers.sql("select number_sync(%s)", had[changes["id"]])
    deaths.until(numbers.settled)
    numbers.want(had[pauses["id"]], "active")
    for workflow in ("number-sweep", "provision-catchup", "number-release"):
        numbers.sql("select work_start(%s, %s)", f"{workflow}:test", workflow)
    deaths.until(lambda: numbers.settled() and not numbers.hurry(["mail"]) and numbers.over())
    check(numbers, upgrades, pauses, releases, changes)


def check(numbers, upgrades, pauses, releases, changes):
    """What must hold of everybody's numbers."""
    assert numbers.states() == {"done": sum(numbers.states().values())}
    assert numbers.kept() == {w["id"]: 1 for w in (upgrades, pauses, changes)}
    assert set(numbers.twilio()["purchases"].values()) == {1}, numbers.twilio()["purchases"]
    assert len(numbers.twilio()["purchases"]) == 4 and len(numbers.twilio()["releases"]) == 1
    linked = numbers.at_vapi()
    for number, assistant in numbers.sql("select n.phone_number, a.vapi_assistant_id from phone_numbers n join assistants a on a.id = n.assistant_id where n.status = 'active'"):
        assert linked[number]["assistantId"] == assistant
    for whose, told in ((upgrades, {"number.purchased": 1, "number.active": 1}), (releases, {"number.purchased": 1, "number.active": 1, "number.released": 1}),
                        (pauses, {"number.purchased": 1, "number.active": 2, "number.paused": 1})):
        assert collections.Counter(numbers.told(whose)) == told
    # Whoever pauses and resumes is told twice that it works: by two mails, each of which was sent once.
    mails = collections.Counter(m["key"] for m in numbers.sandbox.mails())
    assert set(mails.values()) == {1} and len(mails) == numbers.value("select count(*) from workflow_runs where workflow = 'mail'"), mails
    assert numbers.sandbox.mails(to=upgrades["mail"])
    assert not numbers.value("select count(*) from phone_provision_logs where status in ('pending', 'working')")
    assert not numbers.sql("select provider, kind, external_id from number_differences where resolved_at is null")


def test_a_death_at_each_step_leaves_each_with_one_number_and_nobody_without(numbers):
    """At each step some point in turn, and then behind it."""
    deaths = Deaths(numbers)
    die_on_the_way(numbers, deaths)
    wanted = {("phone-number", s) for s in ("search", "buy", "check", "assistant", "import", "find", "configure", "link", "commit", "unlink", "remove", "release")}
    wanted |= {("phone-provision", "(first)"), ("provision-catchup", "(first)"), ("number-release", "(first)"), ("number-sweep", "(first)"), ("mail", "(first)")}
    wanted |= {("phone-number", "(first)"), ("assistant-sync", "(first)")}
    assert wanted <= set(deaths.seen), (wanted - set(deaths.seen), deaths.seen)


if FULL:
    @pytest.mark.parametrize("after", AFTER)
    @pytest.mark.parametrize("before", BEFORE)
    def test_a_death_at_this_point_of_each_step_leaves_each_with_one_number(numbers, before, after):
        """Each point at each step."""
        die_on_the_way(numbers, Deaths(numbers, [before], [after]))
