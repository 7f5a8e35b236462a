"""What Vapi's end reasons mean: each of its published values is in the table, in the group that was decided for it."""

import json
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data" / "vapi-ended-reasons.json"
FLAT = {"completed": "finished", "failed": "never"}  # states that older senders give for a reason


def test_every_published_end_reason_of_vapi_has_its_class(stack):
    groups = json.loads(DATA.read_text())["values"]
    wanted = {reason: group for group, reasons in groups.items() for reason in reasons}
    assert len(wanted) == sum(map(len, groups.values())) > 500
    rows = stack.sql("select reason, class as kind from end_reasons where provider_type = 'vapi'")
    assert {row.reason: row.kind for row in rows} == {**wanted, **FLAT}


def test_refusals_among_the_end_reasons_are_those_of_money_and_of_lines(stack):
    rows = stack.sql("select reason, refusal from end_reasons where provider_type = 'vapi' and refusal is not null")
    assert {tuple(row) for row in rows} == {
        ("call.start.error-subscription-frozen", "credit"),
        ("call.start.error-subscription-insufficient-credits", "credit"),
        ("call.start.error-subscription-upgrade-failed", "credit"),
        ("call.start.error-subscription-wallet-does-not-exist", "credit"),
        ("call.start.error-subscription-concurrency-limit-reached", "concurrency")}
