"""A progress bar where somebody looks on, plain lines where nobody does; and a table."""

import sys
import time

WIDTH = 40


class Progress:
    def __init__(self, total):
        self.total = total
        self.live = sys.stdout.isatty()
        self.last = None
        self.last_at = 0.0

    def show(self, waiting, live, ended):
        text = f"{ended}/{self.total} ended, {live} on the line, {waiting} waiting"
        if self.live:
            done = WIDTH * ended // self.total
            talking = min(WIDTH - done, -(-WIDTH * live // self.total))
            bar = "#" * done + "~" * talking + "." * (WIDTH - done - talking)
            print(f"\r\033[K[{bar}] {text}", end="", flush=True)
        elif text != self.last and (time.monotonic() - self.last_at > 0.5 or ended == self.total):
            print(text, flush=True)
            self.last, self.last_at = text, time.monotonic()

    def close(self):
        if self.live:
            print()


def table(head, rows):
    """Columns as wide as they need to be."""
    widths = [max(len(str(row[i])) for row in (head, *rows)) for i in range(len(head))]
    lines = ["  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip()
             for row in (head, tuple("-" * width for width in widths), *rows)]
    return "\n".join(lines)
