"""nginx/alerts.yml: each alert fires when it should, by Prometheus' own promtool, and none while all is well."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
ALERTS = TOP / "nginx" / "alerts.yml"
PROMTOOL = shutil.which("promtool")

pytestmark = pytest.mark.skipif(not PROMTOOL and not os.environ.get("CI"), reason="promtool is not installed (Debian: prometheus)")

NAMES = re.findall(r"- alert: (\w+)", ALERTS.read_text())
MINUTES = 24 * 60 * 3

# An installation in which all is well, a sample a minute: counters that grow, gauges that stay.
HEALTHY = {
    'hookswitch_queue_depth{state="ready"}': f"3x{MINUTES}",
    "hookswitch_queue_age_seconds": f"0.5x{MINUTES}",
    'hookswitch_assignments_live{provider="V",state="accepted"}': f"7x{MINUTES}",
    'hookswitch_query_seconds_count{query="turn_due"}': f"0+240x{MINUTES}",
    'hookswitch_query_seconds_count{query="work_due"}': f"0+240x{MINUTES}",
    "hookswitch_database_connect_failures_total": f"3x{MINUTES}",
    'hookswitch_timeouts_total{what="database"}': f"2x{MINUTES}",
    'hookswitch_timeouts_total{what="request"}': f"0x{MINUTES}",
    'hookswitch_requests_total{method="GET",route="/api/v1/calls",status="2xx"}': f"0+1000x{MINUTES}",
    'hookswitch_requests_total{method="GET",route="/api/v1/calls",status="4xx"}': f"0+300x{MINUTES}",
    'hookswitch_requests_total{method="GET",route="/api/v1/calls",status="5xx"}': f"0+9x{MINUTES}",
    "hookswitch_redis_up": f"1x{MINUTES}",
    'hookswitch_webhooks_pending{state="waiting"}': f"5x{MINUTES}",
    "hookswitch_workflow_oldest_due_seconds": f"1x{MINUTES}",
    "hookswitch_workflow_dead_letters": f"0x{MINUTES}",
    "hookswitch_workflow_unknown": f"0x{MINUTES}",
    'hookswitch_provisioning_total{outcome="completed"}': f"0+100x{MINUTES}",
    'hookswitch_provisioning_total{outcome="failed"}': f"0+5x{MINUTES}",
    'hookswitch_provisioning_total{outcome="skipped"}': f"0+50x{MINUTES}",
    "hookswitch_provisioning_open": f"2x{MINUTES}",
    "hookswitch_provisioning_oldest_seconds": f"20x{MINUTES}",
    'hookswitch_number_search_total{outcome="found"}': f"0+100x{MINUTES}",
    'hookswitch_number_search_total{outcome="empty"}': f"2x{MINUTES}",
    'hookswitch_provider_requests_total{system="twilio",operation="buy",code="ok"}': f"0+80x{MINUTES}",
    'hookswitch_provider_requests_total{system="twilio",operation="buy",code="twilio_21422"}': f"0+20x{MINUTES}",
    'hookswitch_provider_requests_total{system="twilio",operation="buy",code="http_503"}': f"0+10x{MINUTES}",
    'hookswitch_provider_requests_total{system="vapi",operation="dial",code="ok"}': f"0+80x{MINUTES}",
    'hookswitch_provider_requests_total{system="vapi",operation="dial",code="http_400"}': f"0+20x{MINUTES}",
    'hookswitch_provider_requests_total{system="vapi",operation="dial",code="no_answer"}': f"0+5x{MINUTES}",
    'hookswitch_provider_requests_total{system="stripe",operation="invoice",code="ok"}': f"0+90x{MINUTES}",
    'hookswitch_provider_requests_total{system="stripe",operation="invoice",code="http_402"}': f"0+20x{MINUTES}",
    'hookswitch_provider_requests_total{system="stripe",operation="invoice",code="http_500"}': f"0+9x{MINUTES}",
    'hookswitch_numbers{status="active"}': f"100x{MINUTES}",
    'hookswitch_numbers{status="lost"}': f"1x{MINUTES}",
    'hookswitch_number_differences{kind="orphan"}': f"0x{MINUTES}",
    'hookswitch_number_differences{kind="stranger"}': f"4x{MINUTES}",
    'hookswitch_billing_differences{kind="stranger"}': f"0x{MINUTES}",
    "hookswitch_billing_reconciled_total": f"0+0.01x{MINUTES}",
    "hookswitch_usage_report_age_seconds": f"60x{MINUTES}",
    'hookswitch_usage_reports{state="refused"}': f"0x{MINUTES}",
}

# What goes wrong from the second hour on, or None: the series ends then; and how many minutes later it fires, and does not yet.
CASES = {
    "HookswitchSilent": ('hookswitch_queue_depth{state="ready"}', None, 9, 6),
    "HookswitchQueuePumpStill": ('hookswitch_query_seconds_count{query="turn_due"}', "28800", 11, 8),
    "HookswitchWorkflowPumpStill": ('hookswitch_query_seconds_count{query="work_due"}', "28800", 11, 8),
    "HookswitchDatabaseUnreachable": ("hookswitch_database_connect_failures_total", "4", 2, -1),
    "HookswitchTimeouts": ('hookswitch_timeouts_total{what="request"}', "5", 2, -1),
    "HookswitchServerErrors": ('hookswitch_requests_total{method="GET",route="/api/v1/calls",status="5xx"}', "1080+20", 12, 3),
    "HookswitchRedisAway": ("hookswitch_redis_up", "0", 7, 4),
    "HookswitchCallsLate": ("hookswitch_queue_age_seconds", "61", 4, 1),
    "HookswitchAttemptsUnknown": ('hookswitch_assignments_live{provider="V",state="unknown"}', "1", 32, 28),
    "HookswitchWebhooksFail": ('hookswitch_webhooks_pending{state="failed"}', "1", 12, 8),
    "HookswitchRunsLate": ("hookswitch_workflow_oldest_due_seconds", "61", 7, 4),
    "HookswitchDeadLetters": ("hookswitch_workflow_dead_letters", "1", 7, 4),
    "HookswitchRunsUnknown": ("hookswitch_workflow_unknown", "1", 32, 28),
    "HookswitchProvisioningFails": ('hookswitch_provisioning_total{outcome="failed"}', "600+20", 40, 3),
    "HookswitchProvisioningStuck": ("hookswitch_provisioning_oldest_seconds", "901", 7, 4),
    "HookswitchNoNumbersFound": ('hookswitch_number_search_total{outcome="empty"}', "6", 2, -1),
    "HookswitchTwilioErrors": ('hookswitch_provider_requests_total{system="twilio",operation="buy",code="twilio_20003"}', "0+30", 25, 3),
    "HookswitchVapiFailures": ('hookswitch_provider_requests_total{system="vapi",operation="dial",code="http_500"}', "0+20", 25, 3),
    "HookswitchProviderErrors": ('hookswitch_provider_requests_total{system="stripe",operation="invoice",code="no_answer"}', "0+40", 30, 8),
    "HookswitchNumbersLost": ('hookswitch_numbers{status="lost"}', "2", 2, -1),
    "HookswitchNumberDifferences": ('hookswitch_number_differences{kind="orphan"}', "1", 122, 118),
    "HookswitchMoneyDiffers": ('hookswitch_billing_differences{kind="stranger"}', "1", 122, 118),
    "HookswitchNotReconciled": ("hookswitch_billing_reconciled_total", "1.2", 48 * 60 + 65, 48 * 60 - 5),
    "HookswitchUsageUnbilled": ("hookswitch_usage_report_age_seconds", "14401", 12, 8),
}
BEGIN = 120


def promtool(*arguments):
    assert PROMTOOL, "promtool is not installed (Debian: prometheus)"
    return subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)


def firing(minute, *names):
    return {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": f"{minute}m",
            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names]}


def changed(series, values):
    """Healthy until BEGIN, then as told: a number that stays, or `first+step`."""
    before = HEALTHY.get(series, "_")
    first = before.replace(f"x{MINUTES}", f"x{BEGIN - 1}") if series in HEALTHY else f"_x{BEGIN}"
    if values is None:
        return {**HEALTHY, series: f"{first} _x{MINUTES - BEGIN}"}
    start, _, step = values.partition("+")
    return {**HEALTHY, series: f"{first} {start}+{step or 0}x{MINUTES - BEGIN}"}


def check(folder, series, expected, **more):
    """By promtool: rules on these series, and what is to be so at which time."""
    file = folder / "alerts-test.yml"
    test = {"interval": "1m", "input_series": [{"series": k, "values": v} for k, v in series.items()], "promql_expr_test": expected, **more}
    file.write_text(json.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [test]}))
    done = promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_prometheus_own():
    done = promtool("check", "rules", str(ALERTS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(NAMES)} rules found" in done.stdout and len(set(NAMES)) == len(NAMES)


def test_nothing_fires_while_all_is_well(tmp_path):
    check(tmp_path, HEALTHY, [firing(minute) for minute in (10, BEGIN, 600)])


def test_each_alert_is_tried():
    assert set(CASES) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_fires_alone_and_not_too_soon(tmp_path, name):
    series, values, late, soon = CASES[name]
    check(tmp_path, changed(series, values), [firing(BEGIN + soon), firing(BEGIN + late, name)])


def test_a_refused_report_is_usage_unbilled_too(tmp_path):
    check(tmp_path, changed('hookswitch_usage_reports{state="refused"}', "1"), [firing(BEGIN + 12, "HookswitchUsageUnbilled")])


def test_what_is_said_names_figures(tmp_path):
    said = {"summary": "Somebody has waited for a number for 16m 40s; 2 wait.", "runbook": "docs/operations.md#hookswitchprovisioningstuck"}
    check(tmp_path, changed("hookswitch_provisioning_oldest_seconds", "1000"), [], alert_rule_test=[
        {"eval_time": f"{BEGIN + 10}m", "alertname": "HookswitchProvisioningStuck",
         "exp_alerts": [{"exp_labels": {"severity": "critical"}, "exp_annotations": said}]}])


def test_each_alert_has_its_place_in_the_manual():
    headings = {x.lower() for x in re.findall(r"^#+ (\w+)$", (TOP / "docs/operations.md").read_text(), re.M)}
    runbooks = re.findall(r"runbook: docs/operations\.md#(\w+)", ALERTS.read_text())
    assert runbooks == [name.lower() for name in NAMES]
    assert not set(runbooks) - headings
