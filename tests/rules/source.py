"""What the rules look at: the files of a tree, and C taken apart as far as the rules need it."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SKIPPED = {".git", ".dev", "build-aux", "autom4te.cache", "__pycache__", ".pytest_cache", ".deps"}
MADE = {"configure", "configure~", "Makefile.in", "aclocal.m4", "Makefile", "config.log", "config.status"}


class Tree:
    """The texts of a project, by path; made from a folder or, for samples, from a dict."""

    def __init__(self, files):
        self.files = files

    @classmethod
    def read(cls, root):
        files = {}
        for path in sorted(Path(root).rglob("*")):
            name = path.relative_to(root)
            if SKIPPED.intersection(name.parts) or not path.is_file() or path.is_symlink():
                continue
            if str(name) in MADE or re.search(r"\.(o|a|log|trs|pyc)$", name.name):
                continue
            files[str(name)] = path.read_bytes().decode("utf-8", "replace")
        return cls(files)

    def names(self, pattern):
        return [n for n in self.files if re.fullmatch(pattern, n)]

    def text(self, name):
        return self.files.get(name, "")

    @cached_property
    def c_files(self):
        return [CFile(n, self.files[n]) for n in self.names(r"(common|handlers|tests)/.*\.[ch]")]

    @cached_property
    def product_c(self):
        return [f for f in self.c_files if not f.name.startswith("tests/")]


@dataclass
class Function:
    name: str
    line: int
    lines: int
    parameters: int
    depth: int


def _blank(match):
    """Keep line breaks, so that line numbers stay true."""
    return re.sub(r"[^\n]", " ", match.group(0))


class CFile:
    def __init__(self, name, text):
        self.name = name
        self.text = text

    @cached_property
    def code(self):
        """The text with comments, strings and characters blanked out."""
        pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
        return re.sub(pattern, _blank, self.text, flags=re.S)

    @cached_property
    def code_lines(self):
        return self.code.split("\n")

    @cached_property
    def includes(self):
        """(line, what is named, True for <...>)."""
        found = []
        for number, line in enumerate(self.text.split("\n"), 1):
            m = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
            if m:
                found.append((number, m.group(2), m.group(1) == "<"))
        return found

    def words(self, pattern):
        """(line, the word) for each place where the pattern stands in code."""
        for number, line in enumerate(self.code_lines, 1):
            for m in re.finditer(pattern, line):
                yield number, m.group(0)

    @cached_property
    def functions(self):
        """Function definitions: by the house's style their opening brace stands alone in the first column."""
        found = []
        lines = self.code_lines
        number = 0
        while number < len(lines):
            if lines[number].rstrip() == "{" and _head(lines, number)[0]:
                end = number
                while end + 1 < len(lines) and lines[end].rstrip() != "}":
                    end += 1
                name, parameters = _head(lines, number)
                found.append(Function(name, number + 1, end - number - 1, parameters,
                                      _depth(lines[number:end])))
                number = end
            number += 1
        return found


def _head(lines, brace):
    """The name and the number of parameters of the function whose body opens on that line."""
    start = brace
    while start > 0 and lines[start - 1].strip() and lines[start - 1].strip() != "}":
        start -= 1
    text = " ".join(line.strip() for line in lines[start:brace])
    m = re.search(r"(\w+)\s*\((.*)\)\s*(?:__attribute__.*)?$", text)
    if not m or re.search(r"[=;]\s*$", text):
        return None, 0
    inside = re.sub(r"\([^()]*\)", "", m.group(2)).strip()
    if inside in ("", "void"):
        return m.group(1), 0
    return m.group(1), inside.count(",") + 1


def _depth(lines):
    """The deepest nesting of a body, told by the tabs before its statements."""
    deepest = 0
    for line in lines[1:]:
        m = re.match(r"(\t+)(?:if|for|while|switch|do)\b", line)
        if m:
            deepest = max(deepest, len(m.group(1)))
    return deepest
