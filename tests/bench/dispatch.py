"""Dispatch: queued calls against a provider that answers after 100 ms; and from the API to the provider."""

import statistics
import subprocess
import time

import measure
import requests
from stack_process import wait_until

LATENCY_MS = 100
# Lines, calls, and how often that is measured at most: with ten lines once takes 20 seconds.
CALLS = {"dispatch-10": (10, 2000, 2), "dispatch-100": (100, 2000, 3)}
SINGLE, IDLE_SECONDS, PATIENCE = 200, 20, 300
NAMES = (*CALLS, "enqueue-to-post")


class Provider:
    """tests/bench/provider, running."""

    def __init__(self, program):
        self.popen = subprocess.Popen([str(program), str(LATENCY_MS)], stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.popen.stdout.readline())}"
        self.http = requests.Session()
        self.http.trust_env = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.http.close()
        self.popen.terminate()
        self.popen.wait(10)

    def ask(self, what):
        """Its counts, or its arrivals."""
        return self.http.get(f"{self.url}/{what}", timeout=10).json()

    def reset(self):
        """All counts begin anew."""
        self.http.post(f"{self.url}/reset", timeout=10)


def enqueue(stack, n):
    """So many calls, in pieces, while no pump runs."""
    stack.schedule(n, stack.alice)
    stack.sql("analyze calls, call_queue, call_assignments")


def dispatch(stack, provider, name):
    """One round: calls a second, and what the lines and the provider's own time allow."""
    limit, n, _ = CALLS[name]
    stack.sql("update call_service_providers set max_concurrent_calls = %s", limit)
    enqueue(stack, n)
    provider.reset()
    server = measure.postmaster(stack)
    before = measure.cpu_seconds(server)
    with stack.pumping() as pump:
        wait_until(lambda: provider.ask("stats")["answered"] == n, PATIENCE, "the end of all dials")
        wait_until(stack.all_over, PATIENCE, "the end of all calls")
        cpu = measure.cpu_seconds(pump.pid), measure.cpu_seconds(server) - before
    told = provider.ask("stats")
    ended = stack.count("calls", "status = 'completed'")
    assert told["dials"] == n and ended == n, f"{name}: {told['dials']} dials and {ended} completed of {n}"
    assert told["live_max"] <= limit, f"{name}: {told['live_max']} at once with a limit of {limit}"
    stack.sql("truncate calls, call_queue, events cascade")
    rate, floor = n / (told["last_us"] - told["first_us"]) * 1e6, limit / told["latency_us"] * 1e6
    measure.note(f"{name}: {rate:.1f}/s of {floor:.1f}/s, CPU ms a call: pump {cpu[0] / n * 1000:.3f}, "
                 f"PostgreSQL {cpu[1] / n * 1000:.3f}")
    return rate, floor


def one_by_one(stack, provider):
    """Milliseconds from the moment a client begins to ask until the provider has the dial."""
    took = []
    provider.reset()
    begun = {}
    for _ in range(SINGLE):
        number = stack.number()
        begun[number] = time.clock_gettime(time.CLOCK_BOOTTIME) * 1e6
        stack.alice.post("/api/v1/calls", {"recipient_number": number, "template_id": stack.bench_template},
                         expect=201)
        time.sleep(0.03)  # a pace, not a wait: calls that come one by one
    wait_until(lambda: provider.ask("stats")["dials"] == SINGLE, PATIENCE, "all dials")
    for number, at in provider.ask("arrivals").items():
        took.append((at - begun[number]) / 1000)
    return sorted(took)


def idle_share(stack, pump):
    """Percent of a core that a pump with nothing to do takes, its server process counted in."""
    wait_until(stack.all_over, PATIENCE, "the end of all calls")
    time.sleep(1)
    pids = [pump.pid, *measure.backends(stack, "queue-pump")]
    before, since = {pid: measure.cpu_exact([pid]) for pid in pids}, time.monotonic_ns()
    time.sleep(IDLE_SECONDS)
    there = [pid for pid in pids if measure.stat_of(pid)]  # a connection of more than one needs may have been closed
    return sum(measure.cpu_exact([pid]) - before[pid] for pid in there) / (time.monotonic_ns() - since) * 100


def single_calls(stack, provider):
    """The rows of calls that come one by one."""
    stack.sql("update call_service_providers set max_concurrent_calls = 100")
    with stack.pumping() as pump:
        took = one_by_one(stack, provider)
        share = idle_share(stack, pump)
    yield measure.less_is_better("enqueue-to-post", [statistics.median(took)], [10])
    yield measure.less_is_better("enqueue-to-post-p99", [took[len(took) * 99 // 100]], [50])
    yield measure.less_is_better("pump-idle-cpu-percent", [share], [1])


def run(new_stack, wanted, rounds):
    """The rows of both limits, and of single calls."""
    build = new_stack.keywords["build"]
    with Provider(build / "tests" / "bench" / "provider") as provider, \
            new_stack(settings={**new_stack.keywords["settings"], "VAPI_BASE_URL": provider.url}) as stack:
        stack.alice = stack.user("alice")
        stack.provider("vapi", starts_per_second=None, silence_seconds=120, report_grace_seconds=20)
        stack.bench_template = stack.template(("vapi",))
        for name in (n for n in CALLS if n in wanted):
            dispatch(stack, provider, name)
            values, floors = zip(*[dispatch(stack, provider, name) for _ in range(min(rounds, CALLS[name][2]))])
            yield measure.more_is_better(name, values, floors)
        if "enqueue-to-post" in wanted:
            yield from single_calls(stack, provider)
