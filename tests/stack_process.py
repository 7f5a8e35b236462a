"""Processes of a stack: started with a clean environment and a log, watched and ended by their id."""

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

# What a test's own surroundings may say to the programs; everything else comes from the stack.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS")
FAULTS = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:")
PATIENCE = 60
KEPT_PORTS = []


def wait_until(condition, deadline=PATIENCE, what=None):
    """Ask again and again until the condition says something true, and answer that; an error after the deadline."""
    until = time.monotonic() + deadline
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"{what or 'what was waited for'} did not happen in {deadline} s")
        time.sleep(0.01)


def at_once(*calls):
    """All of them at the same time; their results in order."""
    results, barrier = [None] * len(calls), threading.Barrier(len(calls))

    def run(i, call):
        barrier.wait()
        results[i] = call()
    threads = [threading.Thread(target=run, args=(i, c)) for i, c in enumerate(calls)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


def free_port():
    """A port of loopback that is kept for us until this process ends: bound, so that nobody else is given it, and not
    listened at, so that a server of ours can."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 0))
    KEPT_PORTS.append(s)
    return s.getsockname()[1]


def environment(**more):
    """The environment of a program; None takes a name out."""
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    env["LC_ALL"] = "C.UTF-8"
    env.update({name: str(value) for name, value in more.items() if value is not None})
    return env


class Process:
    """One process of ours and its log."""

    def __init__(self, name, command, log, env, stdout=None):
        self.name, self.log, self.killed = name, Path(log), False
        with open(self.log, "ab") as err:
            self.popen = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                          stdout=err if stdout is None else stdout, stderr=err, env=env,
                                          start_new_session=True)

    @property
    def pid(self):
        """Its process id."""
        return self.popen.pid

    @property
    def alive(self):
        """Whether it still runs."""
        return self.popen.poll() is None

    def children(self):
        """Ids of the processes that it started itself: those of a keeper's program."""
        return children(self.pid)

    def text(self):
        """All that it logged."""
        return self.log.read_text(errors="replace")

    def signal(self, number):
        """Send it a signal."""
        self.popen.send_signal(number)

    def tell(self, number):
        """Send it a signal that it waits for, and wait until it has taken it."""
        self.signal(number)
        wait_until(lambda: not pending(self.pid, number), what=f"{self.name} taking its signal")

    def kill(self):
        """kill -9, its children too, and wait until they are gone."""
        self.killed = True
        pids = self.children()
        for pid in (self.pid, *pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.popen.wait(PATIENCE)
        wait_until(lambda: not any(running(pid) for pid in pids), what=f"the end of {self.name}'s children")

    def wait(self, deadline=PATIENCE):
        """Wait for its end; answers the exit status."""
        return self.popen.wait(deadline)

    def stop(self, deadline=PATIENCE):
        """SIGTERM and wait; answers the exit status, -9 if it did not listen."""
        workers = self.children() if self.alive else []
        if self.alive:
            self.popen.terminate()
        try:
            status = self.popen.wait(deadline)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL
        end_all(workers)
        return status


class Served(Process):
    """A FastCGI program of ours on its socket, with or without a keeper that starts it again."""

    def __init__(self, name, program, path, log, env, keeper=False):
        self.program, self.socket, self.keeper = Path(program).resolve(), Path(path), keeper
        self.socket.unlink(missing_ok=True)
        watch = ["/usr/bin/multiwatch", "-f", "1", "-r", "10000", "-t", "1000", "-s", "TERM", "--"] if keeper else []
        super().__init__(name, ["/usr/bin/spawn-fcgi", "-n", "-M", "0600", "-s", self.socket, "--", *watch, program],
                         log, env)
        wait_until(lambda: self._hears() or not self.alive, what=f"{name}'s start")

    def _hears(self):
        """The program itself runs, and SIGTERM is one that it waits for: the socket is there, and work will be done."""
        pid = self.program_pid()
        return pid and program_of(pid) == self.program and blocks(pid, signal.SIGTERM)

    def program_pid(self):
        """The id of the program itself; None while the keeper has none."""
        if not self.keeper:
            return self.pid if self.alive else None
        return next((pid for pid in self.children() if program_of(pid) == self.program), None)

    def kill_program(self):
        """kill -9 of the program alone: a keeper starts the next one."""
        pid = wait_until(self.program_pid, what=f"a process of {self.name}")
        if not self.keeper:
            return self.kill()
        os.kill(pid, signal.SIGKILL)
        return wait_until(lambda: self.program_pid() not in (pid, None), what=f"{self.name} being started again")


def end_all(pids):
    """SIGTERM to those that still run, such as the workers that fcgiwrap leaves to themselves, and wait for their end."""
    for pid in filter(running, pids):
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    wait_until(lambda: not any(running(pid) for pid in pids), what=f"the end of {pids}")


def children(pid):
    """Ids of the children of a process."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def program_of(pid):
    """The file that a process runs; None when it is gone.  Between fork and exec it is still its parent's."""
    try:
        return Path(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return None


def blocks(pid, number):
    """Whether a process's main thread has that signal blocked."""
    return in_mask(pid, "SigBlk", number)


def pending(pid, number):
    """Whether that signal waits for the process to take it."""
    return in_mask(pid, "ShdPnd", number)


def in_mask(pid, mask, number):
    """Whether the signal is in that mask of a process; not if there is no such process."""
    try:
        words = Path(f"/proc/{pid}/status").read_text().partition(f"{mask}:")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return bool(words) and bool(int(words[0], 16) >> (number - 1) & 1)


def running(pid):
    """Whether there is such a process that is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def descriptors(pid):
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident(pid):
    """The memory that a process occupies, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().split("\n"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no memory")


def sanitizer_faults(folder):
    """What sanitizers wrote into the logs of a folder."""
    found = []
    for log in sorted(Path(folder).glob("*.log")):
        text = log.read_text(errors="replace")
        at = min((text.find(fault) for fault in FAULTS if fault in text), default=-1)
        if at >= 0:
            found.append(f"{log.name}: {text[max(0, at - 200):at + 3000]}")
    return found
