"""kill -9 of workflow-pump at each named point while it buys, pauses and gives back numbers: in the end each organization has the one it shall have,
and nothing is had that nobody owns."""

import os

import pytest

from faulty import crash_points
from stack_numbers import Numbers
from stack_process import wait_until

POINTS = [name for name in crash_points()
          if name.startswith("work_") and not name.startswith(("work_schedule", "work_renewed", "work_look"))]
AT_ONCE = 3


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """The engine from the build with crash points."""
    if not os.environ.get("HOOKSWITCH_TEST_DATABASE_URL"):
        pytest.skip("no cluster for tests at hand (./dev test makes one)")
    with Numbers(tmp_path_factory.mktemp("numbers"), build="HOOKSWITCH_CRASH_BUILD_DIR", HOOKSWITCH_WORK_BATCH=2) as running:
        yield running


def more(numbers, had):
    """Some more who want a number; of those that are active one is paused, of those that are paused one resumed, and one given back."""
    had.extend(numbers.make(numbers.organization()) for _ in range(AT_ONCE))
    for status, wanted in (("active", "paused"), ("active", "released"), ("paused", "active")):
        found = numbers.value("select id from phone_numbers where status = %s and wanted = status and run_id is null order by updated_at limit 1", status)
        if found:
            assert numbers.want(found, wanted)


def test_a_death_at_each_point_buys_nothing_twice_and_loses_nothing(numbers):
    numbers.reset()
    had = []

    def dies(point, once):
        if not numbers.value("select count(*) from workflow_runs where workflow = 'phone-number' and state in ('ready', 'working')"):
            more(numbers, had)
        numbers.hurry()
        numbers.free()
        numbers.pump(expect=None, HOOKSWITCH_CRASH_POINT=point, HOOKSWITCH_CRASH_ONCE=once)
        return once.exists()

    for point in POINTS:
        once = numbers.folder / f"once-{point}"
        wait_until(lambda p=point, o=once: dies(p, o), what=f"a death at {point}")

    def over():
        numbers.free()
        numbers.pump(expect=None, wait=1)
        return numbers.settled()

    wait_until(over, what="all numbers being what they shall be")
    rows = [numbers.number(ident) for ident in had]
    assert all(n["status"] == n["wanted"] and n["run_id"] is None for n in rows), rows
    kept = sorted(n["phone_number"] for n in rows if n["status"] != "released")
    assert kept == sorted(numbers.at_twilio()) == sorted(numbers.at_vapi()) and len(had) >= AT_ONCE
    linked = {n["phone_number"] for n in rows if n["status"] == "active"}
    assert linked == {number for number, n in numbers.at_vapi().items() if n["assistantId"]}
    assert set(numbers.twilio()["purchases"].values()) == {1}
