"""A real Redis of one test's own, on a socket in the test's folder."""

import subprocess

from stack_process import Process, environment, wait_until


class Redis:
    """redis-server; started, stopped and started again, each time with nothing in it."""

    def __init__(self, folder):
        self.folder, self.server = folder, None
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"

    def start(self):
        """Start it unless it runs."""
        if self.server and self.server.alive:
            return
        self.server = Process("redis", ["/usr/bin/redis-server", "--port", 0, "--unixsocket", self.socket, "--save", "",
                                        "--appendonly", "no", "--dir", self.folder],
                              self.folder / "redis.log", environment())
        wait_until(lambda: self.ask("ping") == "PONG", what="redis")

    def ask(self, *words):
        """What redis-cli says."""
        done = subprocess.run(["/usr/bin/redis-cli", "-s", self.socket, *words], capture_output=True, text=True,
                              check=False, timeout=30)
        return done.stdout.strip()

    def flush(self):
        """Forget all, scripts too."""
        self.ask("flushall")
        self.ask("script", "flush")

    def stop(self):
        """End it."""
        if self.server:
            self.server.stop()
            self.server = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
