"""Upgrade to number: from the commit of the change of the plan until the organization's number is active, as the provisioning log says it
(phone_provision_logs.duration_ms).  Twilio and Vapi take as long as they ordinarily do; the assistant is made on the way, too."""

import statistics
import tempfile
from pathlib import Path

import measure
from stack_numbers import Numbers
from stack_process import wait_until

UPGRADES, PATIENCE = 100, 600
AIM, SEED = 5, 30  # seconds: 99 of 100 by our aim, by the seed's
NAMES = ("upgrade-to-number",)
# How long an answer takes, in seconds; what is not named takes OTHER.
OTHER = 0.15
DELAYS = {("twilio", "search"): 0.4, ("twilio", "buy"): 0.8, ("twilio", "update"): 0.3,
          ("vapi", "assistant_create"): 0.4, ("vapi", "number_create"): 0.5, ("vapi", "number_update"): 0.3}
BASIC = """update subscriptions set plan_id = (select id from subscription_plans where name = 'basic')
            where organization_id = any (%s) and current"""
DONE = """select l.duration_ms / 1000.0 from phone_provision_logs l join phone_numbers n on n.id = l.phone_number_id and n.status = 'active'
           where l.organization_id = any (%s) and l.trigger_action = 'update' and (l.status, l.reason) = ('completed', 'bought')"""


def newcomers(numbers):
    """So many who pay for nothing yet; what their beginning set going is over."""
    ids = [numbers.organization("free", assistant=False)["id"] for _ in range(UPGRADES)]
    going = "select count(*) from phone_provision_logs where status in ('pending', 'working')"
    wait_until(lambda: not numbers.value(going), PATIENCE, "the beginning")
    return ids


def upgraded(numbers, ids):
    """They upgrade at once; answers the seconds that each took."""
    numbers.sql(BASIC, ids)
    wait_until(lambda: len(numbers.sql(DONE, ids)) == len(ids), PATIENCE, "the numbers")
    return [float(row[0]) for row in numbers.sql(DONE, ids)]


def rows(name, took):
    """Median and 99 of 100, beside the aim."""
    took = sorted(took)
    median, most = statistics.median(took), took[len(took) * 99 // 100 - 1]
    measure.note(f"{name}: {len(took)} upgrades, median {median:.2f} s, p99 {most:.2f} s, longest {took[-1]:.2f} s; "
                 f"aim: p99 {AIM} s; seed: {SEED} s")
    yield measure.less_is_better(name, [median], [AIM])
    yield measure.less_is_better(f"{name}-p99", [most], [AIM])
    yield measure.less_is_better(f"{name}-p99-seed", [most], [SEED])


def run(new_stack, wanted, _rounds):
    """One after the other, then all at once."""
    if "upgrade-to-number" not in wanted:
        return
    with tempfile.TemporaryDirectory(prefix="hookswitch-bench-") as folder, Numbers(folder, HOOKSWITCH_PUMP_QUIET_MS=None) as numbers:
        numbers.program = Path(new_stack.keywords["build"]) / "handlers" / "workflow-pump"
        numbers.reset(answer_delay=OTHER)
        for (provider, operation), seconds in DELAYS.items():
            numbers.sandbox.rule({"delay": seconds}, provider=provider, operation=operation)
        numbers.sql("update subscription_plans set is_default = false where is_default")
        numbers.sql("update subscription_plans set is_default = true where name = 'free'")
        numbers.begin()
        wait_until(lambda: numbers.value("select is_ready from workflows where name = 'phone-number'"), PATIENCE, "the pump")
        numbers.sql("update number_policy set enabled = true")
        alone, together = newcomers(numbers), newcomers(numbers)
        yield from rows("upgrade-to-number", [s for ident in alone for s in upgraded(numbers, [ident])])
        yield from rows("upgrade-to-number-100", upgraded(numbers, together))
        assert len(numbers.at_twilio()) == 2 * UPGRADES, "each has one"
