"""What every measurement needs: rows, medians, CPU time of trees of processes, the programs for load and floor."""

import json
import os
import re
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

TICKS = os.sysconf("SC_CLK_TCK")
# What a program's connection sets (common/lib/db_conn.c).
SESSION = "-c role=hookswitch_webhook -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off"


@dataclass
class Row:
    """One figure beside its floor (what is possible) or its aim.  ratio: 1 and more is as good as it gets."""

    name: str
    value: float
    floor: float
    ratio: float

    def json(self):
        """One line of JSON."""
        return json.dumps({"name": self.name, "value": round(self.value, 4), "floor": round(self.floor, 4),
                           "ratio": round(self.ratio, 3)})

    def text(self):
        """One line for people."""
        return f"{self.name:<28} {figure(self.value):>12} {figure(self.floor):>12} {self.ratio:>8.2f}"


def figure(x):
    """Enough digits and no more."""
    return f"{x:.0f}" if abs(x) >= 100 else f"{x:.2f}" if abs(x) >= 1 else f"{x:.4f}"


def more_is_better(name, values, floors):
    """A throughput: the ratio is the part of the floor that is reached."""
    value, floor = statistics.median(values), statistics.median(floors)
    return Row(name, value, floor, value / floor if floor else 0)


def less_is_better(name, values, floors):
    """A time or a cost: the ratio is how often it would fit into the floor, or the aim."""
    value, floor = statistics.median(values), statistics.median(floors)
    return Row(name, value, floor, floor / value if value else 1)


def note(*words):
    """What is going on, for people."""
    print("#", *words, file=sys.stderr, flush=True)


# ---- processes ---------------------------------------------------------------


def stat_of(pid):
    """The fields of /proc/PID/stat behind the name; None when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def tree(root):
    """A process and all below it."""
    below = {}
    for entry in os.listdir("/proc"):
        fields = stat_of(entry) if entry.isdigit() else None
        if fields:
            below.setdefault(int(fields[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found += below.get(pid, [])
    return found


def cpu_seconds(*roots):
    """What these processes and all below them have used, those included that have ended and were waited for."""
    ticks = 0
    for root in roots:
        for pid in tree(root):
            fields = stat_of(pid)
            ticks += sum(map(int, fields[11:15])) if fields else 0
    return ticks / TICKS


def cpu_exact(pids):
    """The same of single processes in nanoseconds, without those below them: for what uses next to nothing."""
    used = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            used += int((task / "schedstat").read_text().split()[0])
    return used


def proportional_memory(pid):
    """The part of the memory in use that is a process's own share, in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1)) / 1024


def backends(stack, program=None):
    """Ids of the server processes that work for the programs, or for one of them."""
    return [row[0] for row in stack.sql(
        """select pid from pg_stat_activity where datname = current_database() and usename = 'hookswitch_app'
              and (application_name = %s or %s::text is null)""", program, program)]


def postmaster(stack):
    """The server process above all others."""
    return int(stat_of(stack.value("select pg_backend_pid()"))[1])


# ---- load and floor ------------------------------------------------------------


def bench_program(stack, name):
    """A program of tests/bench, built."""
    return Path(stack.build) / "tests" / "bench" / name


def last_json(command, **more):
    """Runs it; answers the JSON object that it printed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr[-2000:]}"
    return json.loads(done.stdout.strip().split("\n")[-1])


def pgbench(stack, script, transactions, variables, clients=16, session=SESSION):
    """Transactions a second of a script, all of whose transactions must succeed."""
    query = dict(parse_qsl(urlsplit(stack.admin).query))
    where = ["-h", query["host"]] if "host" in query else ["-h", urlsplit(stack.admin).hostname]
    words = [word for name, value in variables.items() for word in ("-D", f"{name}={value}")]
    done = subprocess.run(
        ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-t", str(transactions // clients), *where,
         "-U", "hookswitch_app", "-f", str(script), *words, stack.database],
        env={**os.environ, "PGOPTIONS": session}, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and f"processed: {transactions}/{transactions}" in done.stdout, \
        f"pgbench failed: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return float(re.search(r"tps = ([\d.]+)", done.stdout).group(1))
