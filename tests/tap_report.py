"""A pytest plugin: writes one TAP line for each test to file descriptor 3.

Where pytest shares the files among several processes (pytest-xdist), the one that leads them writes all lines.
"""

import os

_out = None
_count = 0


def pytest_configure(config):
    global _out
    if hasattr(config, "workerinput"):
        return
    _out = os.fdopen(3, "w", buffering=1)
    os.set_inheritable(3, False)


def _line(ok, what, note=""):
    global _count
    if not _out:
        return
    _count += 1
    _out.write(f"{'ok' if ok else 'not ok'} {_count} - {what.replace('#', '%')}{note}\n")


def _reason(report):
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.replace("\n", " ")[:200]


def pytest_runtest_logreport(report):
    if report.skipped:
        _line(True, report.nodeid, f" # SKIP {_reason(report)}")
    elif report.when == "call":
        _line(report.passed, report.nodeid)
    elif report.failed:
        _line(False, f"{report.nodeid} ({report.when})")


def pytest_collectreport(report):
    if report.failed:
        _line(False, f"{report.nodeid} can be read")


def pytest_sessionfinish(session, exitstatus):
    if _out:
        _out.write(f"1..{_count}\n")
