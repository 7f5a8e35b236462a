"""Rules for C: its sizes, its words, and who may include what."""

import re

from registry import at, rule

LAYERS = ("base", "lib", "web", "peers", "work")
# What each directory of common/ may include from.  web/ and peers/ do not know each other.
ALLOWED = {
    "base": {"base"},
    "lib": {"base", "lib"},
    "web": {"base", "lib", "web"},
    "peers": {"base", "lib", "peers"},
    "work": set(LAYERS),
}
FOREIGN = {
    r"libpq-fe\.h|postgres_ext\.h": r"common/lib/db(_\w+)?\.[ch]",
    r"curl/.*": r"common/lib/fetch(_\w+)?\.[ch]",
    r"json-c/.*|json\.h": r"common/lib/json(_\w+)?\.[ch]",
    r"openssl/.*": r"common/lib/crypto(_\w+)?\.[ch]",
    r"fcgi.*\.h": r"common/lib/fcgi(_\w+)?\.[ch]",
    r"hiredis/.*": r"common/lib/redis(_\w+)?\.[ch]",
}
BANNED = r"\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atoll|gets|system|popen|alloca|goto)\b"
MEMORY = r"\b(malloc|calloc|realloc|reallocarray|strdup|strndup|asprintf|vasprintf)\s*\("
HEADER = "/*\n * x.c - what it is for.\n */\n"


def _layer(name):
    parts = name.split("/")
    return parts[1] if parts[0] == "common" and len(parts) > 2 else None


@rule("a directory of common/ includes only from those before it",
      bad={"common/lib/x.c": HEADER + '#include "web/reply.h"\n'},
      good={"common/web/x.c": HEADER + '#include "lib/db.h"\n#include "x.h"\n'})
def layers(tree):
    for f in tree.c_files:
        own = _layer(f.name)
        if own not in ALLOWED:
            continue
        for line, what, _ in f.includes:
            other = what.split("/")[0] if "/" in what else own
            if other in LAYERS and other not in ALLOWED[own]:
                yield at(f.name, line, f"{own}/ may not include {what}")


@rule("each foreign library's header is included by its one module only",
      bad={"handlers/x.c": HEADER + "#include <libpq-fe.h>\n"},
      good={"common/lib/db_pool.c": HEADER + "#include <libpq-fe.h>\n"})
def foreign_headers(tree):
    for f in tree.product_c:
        for line, what, angle in f.includes:
            for header, home in FOREIGN.items():
                if angle and re.fullmatch(header, what) and not re.fullmatch(home, f.name):
                    yield at(f.name, line, f"<{what}> belongs to {home} alone")


@rule("the includes of a file are project headers by their path below common/",
      bad={"handlers/x.c": HEADER + '#include "../common/lib/db.h"\n'},
      good={"handlers/x.c": HEADER + '#include "lib/db.h"\n'})
def include_paths(tree):
    for f in tree.c_files:
        for line, what, angle in f.includes:
            if not angle and what.startswith(("..", "/")):
                yield at(f.name, line, f"include {what} by its path below common/")


@rule("functions that nobody should use are not used",
      bad={"common/base/x.c": HEADER + "static int\nf(const char *s)\n{\n\treturn atoi(s);\n}\n"},
      good={"common/base/x.c": HEADER + 'static const char *s = "atoi"; /* atoi */\n'})
def banned(tree):
    for f in tree.c_files:
        for line, word in f.words(BANNED):
            yield at(f.name, line, f"{word} is not used here")


@rule("memory is asked for in base/mem.c and base/text.c only",
      bad={"common/lib/x.c": HEADER + "void *p = malloc(1);\n"},
      good={"common/base/mem.c": HEADER + "void *p = malloc(1);\n"})
def memory(tree):
    for f in tree.product_c:
        if f.name in ("common/base/mem.c", "common/base/text.c"):
            continue
        for line, word in f.words(MEMORY):
            yield at(f.name, line, f"{word.rstrip('( ')} belongs to base/mem.c and base/text.c")


@rule("no #ifdef outside common/base",
      bad={"common/lib/x.c": HEADER + "#ifdef SOMETHING\n#endif\n"},
      good={"common/lib/x.h": HEADER + "#ifndef LIB_X_H\n#define LIB_X_H\n#endif\n"})
def conditionals(tree):
    for f in tree.product_c:
        if f.name.startswith("common/base/"):
            continue
        guard = re.sub(r"[^A-Z0-9]", "_", re.sub(r"^common/", "", f.name).upper())
        for number, line in enumerate(f.code_lines, 1):
            if re.match(r"\s*#\s*(if|ifdef|ifndef|elif)\b", line) and guard not in line:
                yield at(f.name, number, "conditional compilation belongs to common/base")


@rule("a function has at most 40 lines",
      bad={"common/base/x.c": HEADER + "int\nf(void)\n{\n" + "\tg();\n" * 41 + "}\n"},
      good={"common/base/x.c": HEADER + "int\nf(void)\n{\n" + "\tg();\n" * 40 + "}\n"})
def function_length(tree):
    for f in tree.c_files:
        for fn in f.functions:
            if fn.lines > 40:
                yield at(f.name, fn.line, f"{fn.name} has {fn.lines} lines")


@rule("a function has at most five parameters",
      bad={"common/base/x.c": HEADER + "int\nf(int a, int b, int c, int d, int e, int g)\n{\n}\n"},
      good={"common/base/x.c": HEADER + "int\nf(int a, int (*b)(int, int), int c, int d, int e)\n{\n}\n"})
def parameters(tree):
    for f in tree.c_files:
        for fn in f.functions:
            if fn.parameters > 5:
                yield at(f.name, fn.line, f"{fn.name} has {fn.parameters} parameters")


@rule("nesting is at most three deep",
      bad={"common/base/x.c": HEADER + "int\nf(void)\n{\n\tif (a) {\n\t\tfor (;;) {\n\t\t\twhile (b) {\n"
           "\t\t\t\tif (c)\n\t\t\t\t\tg();\n\t\t\t}\n\t\t}\n\t}\n}\n"},
      good={"common/base/x.c": HEADER + "int\nf(void)\n{\n\tif (a) {\n\t\tfor (;;) {\n\t\t\tif (b)\n"
            "\t\t\t\tg();\n\t\t}\n\t}\n}\n"})
def nesting(tree):
    for f in tree.c_files:
        for fn in f.functions:
            if fn.depth > 3:
                yield at(f.name, fn.line, f"{fn.name} is nested {fn.depth} deep")


@rule("a file has at most 400 lines",
      bad={"common/base/x.c": HEADER + "int a;\n" * 400, "tests/x.py": "a = 1\n" * 401},
      good={"common/base/x.c": HEADER + "int a;\n" * 397})
def file_length(tree):
    for name in tree.names(r"(common|handlers|tests|sql/functions)/.*\.(c|h|py|sql)"):
        lines = tree.text(name).count("\n")
        if lines > 400 and "/data/" not in name:
            yield at(name, lines, f"{lines} lines")


@rule("a line has at most 100 columns",
      bad={"common/base/x.c": HEADER + "/* " + "x" * 100 + " */\n"},
      good={"common/base/x.c": HEADER + "/* " + "x" * 94 + " */\n"})
def line_length(tree):
    for f in tree.c_files:
        for number, line in enumerate(f.text.split("\n"), 1):
            if len(line.expandtabs(8)) > 100:
                yield at(f.name, number, f"{len(line.expandtabs(8))} columns")


@rule("a C file begins with a comment that names it and says what it is for",
      bad={"common/base/x.c": '#include "base/base.h"\n', "common/base/y.c": "/* z.c - wrong. */\n"},
      good={"common/base/x.h": "/*\n * x.h - small things.\n */\n"})
def header_comment(tree):
    for f in tree.c_files:
        name = f.name.rsplit("/", 1)[1]
        if not re.match(r"/\*\s*(\n \* )?" + re.escape(name) + r" - \S", f.text):
            yield at(f.name, 1, f"the file should begin with: /* {name} - what it is for")


@rule("an exported function has a sentence of contract in its header",
      bad={"common/base/x.h": "/*\n * x.h - x.\n */\n\nint x_do(int a);\n"},
      good={"common/base/x.h": "/*\n * x.h - x.\n */\n\n/* x_do: does. */\nint x_do(int a);\nint x_undo(int a);\n"})
def contracts(tree):
    for f in tree.names(r"common/.*\.h"):
        lines = tree.text(f).split("\n")
        for i, line in enumerate(lines):
            if re.match(r"[a-z][\w \*]*\b\w+\([^;]*\)[^;]*;", line) and not has_sentence(lines, i):
                yield at(f, i + 1, "say in one sentence what the caller gets")


def has_sentence(lines, i):
    """Declarations that stand together share the sentence above them, or beside one of them."""
    while i > 0 and lines[i].strip():
        if "*/" in lines[i]:
            return True
        i -= 1
    return False
