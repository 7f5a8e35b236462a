"""How a rule is declared: a sentence, a check, and samples that it must catch and must let pass."""

from dataclasses import dataclass
from typing import Callable


@dataclass
class Rule:
    sentence: str
    check: Callable
    bad: dict
    good: dict


RULES = []


def rule(sentence, bad, good=None):
    """Declare a rule; the check yields one line for each breach of it in a Tree."""

    def declare(check):
        RULES.append(Rule(sentence, check, bad, good or {}))
        return check

    return declare


def at(name, line, what):
    return f"{name}:{line}: {what}"
