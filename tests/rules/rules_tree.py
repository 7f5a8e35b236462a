"""Rules for the tree as a whole: twins, lists, errors, settings, words."""

import re

from registry import at, rule

ERROR = r'ERROR\((\w+), (\d+), "([^"]*)", "([^"]*)"\)'
SETTING = r'SETTING\((\w+), \w+, "[^"]*", [^"]*"((?:\\.|[^"\\])*)"\)'


def program_names(tree):
    return sorted(n[len("handlers/"):-2] for n in tree.names(r"handlers/[\w-]+\.c"))


@rule("each module of common/ has a twin under tests/ (db_pool.c may be tested by test_db.c)",
      bad={"common/base/text.c": ""},
      good={"common/lib/db_pool.c": "", "tests/lib/test_db.c": ""})
def twins(tree):
    for name in tree.names(r"common/\w+/\w+\.c"):
        _, layer, module = name[:-2].split("/")
        stems = {module, module.split("_")[0]}
        if not any(f"tests/{layer}/test_{s}.{e}" in tree.files for s in stems for e in ("c", "py")):
            yield f"{name}: tests/{layer}/test_{module}.c is missing"


@rule("each program has its test in tests/handlers",
      bad={"handlers/queue-pump.c": "", "tests/handlers/test_queue-pump.py": ""},
      good={"handlers/queue-pump.c": "", "tests/handlers/test_queue_pump.py": ""})
def handler_tests(tree):
    for name in program_names(tree):
        test = f"tests/handlers/test_{name.replace('-', '_')}.py"
        if test not in tree.files:
            yield f"handlers/{name}.c: {test} is missing"


@rule("nginx/programs has one line for each program, and no other",
      bad={"handlers/calls.c": "", "nginx/programs": "# calls\nbilling 1m /api/v1/billing:api\n"},
      good={"handlers/calls.c": "", "nginx/programs": "calls 1m /api/v1/calls:api\n"})
def nginx_programs(tree):
    rows = [line.split() for line in tree.text("nginx/programs").split("\n")]
    listed = [row[0] for row in rows if row and not row[0].startswith("#")]
    for name in program_names(tree):
        if listed.count(name) != 1:
            yield f"nginx/programs: {name} stands there {listed.count(name)} times"
    for name in listed:
        if f"handlers/{name}.c" not in tree.files:
            yield f"nginx/programs: there is no handlers/{name}.c"


@rule("Makefile.am sets each variable once: of two lists the second would be the whole",
      bad={"Makefile.am": "bin_SCRIPTS = a\nbin_SCRIPTS = b\n"},
      good={"Makefile.am": "bin_SCRIPTS = a\nbin_SCRIPTS += b\nall: x\n\ty = 1\n"})
def makefile_lists(tree):
    names = re.findall(r"(?m)^(\w+)\s*=", tree.text("Makefile.am"))
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"Makefile.am: {name} is set {names.count(name)} times"


@rule("nginx/programs gives each path a kind that exists",
      bad={"nginx/programs": "calls 1m /api/v1/calls:public\n"},
      good={"nginx/programs": "calls 1m /api/v1/calls:api\n"})
def nginx_kinds(tree):
    for number, line in enumerate(tree.text("nginx/programs").split("\n"), 1):
        row = line.split()
        if not row or row[0].startswith("#"):
            continue
        if len(row) < 3 or not re.fullmatch(r"\d+[km]", row[1]):
            yield at("nginx/programs", number, "a line is: program limit path:kind ...")
        for path in row[2:]:
            if not re.fullmatch(r"/[\w/.-]*:(api|webhook|open|internal|stream)", path):
                yield at("nginx/programs", number, f"{path} is not path:kind")


@rule("Makefile.am lists each source, each test, each SQL file",
      bad={"Makefile.am": "", "common/base/mem.c": ""},
      good={"Makefile.am": "\tcommon/base/mem.c tests/base/test_mem \\\n", "common/base/mem.c": "",
            "tests/base/test_mem.c": ""})
def makefile_lists(tree):
    listed = set(re.findall(r"[\w./@-]+", tree.text("Makefile.am")))
    wanted = r"common/.*\.(c|h|def)|handlers/.*\.h|sql/.*|nginx/.*|docs/.*\.md"
    for name in tree.names(wanted):
        if name not in listed:
            yield f"Makefile.am: {name} is not listed"
    for name in tree.names(r"handlers/.*\.c|tests/.*/(test|fuzz)_\w+\.c|tests/bench/.*\.c"):
        if not {name, name[:-2]} & listed:
            yield f"Makefile.am: {name[:-2]} is not listed"


@rule("what Makefile.am lists is there",
      bad={"Makefile.am": "x = common/base/gone.c\n"},
      good={"Makefile.am": "x = common/base/mem.c\n", "common/base/mem.c": ""})
def makefile_files(tree):
    """A file that is made from NAME.in counts too, and so does a folder."""
    for name in re.findall(r"(?<![\w/$)-])(?:common|sql|nginx|docs)/[\w./@-]+\w", tree.text("Makefile.am")):
        if not {name, name + ".in"} & set(tree.files) and not tree.names(re.escape(name) + "/.*"):
            yield f"Makefile.am: there is no {name}"


@rule("errors.def: names and codes are unique, each has a status and a sentence",
      bad={"common/base/errors.def": 'ERROR(ERR_A, 404, "gone", "It is gone.")\n'
                                     'ERROR(ERR_B, 404, "gone", "It is gone too.")\n'},
      good={"common/base/errors.def": 'ERROR(ERR_A, 404, "gone", "It is gone.")\n'})
def errors_unique(tree):
    name, seen = "common/base/errors.def", set()
    for number, line in enumerate(tree.text(name).split("\n"), 1):
        if not line.startswith("ERROR("):
            continue
        m = re.fullmatch(ERROR, line.strip())
        if not m:
            yield at(name, number, 'an error is: ERROR(ERR_NAME, status, "code", "Sentence.")')
            continue
        symbol, status, code, sentence = m.groups()
        if symbol in seen or code in seen:
            yield at(name, number, f"{symbol} or {code} stands there twice")
        seen.update((symbol, code))
        if not re.fullmatch(r"[a-z][a-z0-9_]*", code) or not 400 <= int(status) <= 599:
            yield at(name, number, f"{code} {status}: a code is snake_case, a status 400 to 599")
        if not sentence.endswith("."):
            yield at(name, number, "the sentence ends with a full stop")


def known_errors(tree):
    return {m[2]: m[1] for m in re.findall(ERROR, tree.text("common/base/errors.def"))}


@rule("each error that SQL raises is in errors.def, with that status",
      bad={"common/base/errors.def": 'ERROR(ERR_A, 404, "gone", "It is gone.")\n',
           "sql/functions/a.sql": "raise exception 'gone' using errcode = 'PT409';\n"},
      good={"common/base/errors.def": 'ERROR(ERR_A, 404, "gone", "It is gone.")\n',
            "sql/functions/a.sql": "raise exception 'gone'\n    using errcode = 'PT404', detail = 'x';\n"})
def sql_errors(tree):
    known = known_errors(tree)
    statement = r"raise\s+exception\s+(?:'([^']*)'|using)([^;]*?PT(\d{3})[^;]*);"
    for name in tree.names(r"sql/.*\.sql"):
        text = re.sub(r"--[^\n]*", "", tree.text(name))
        for m in re.finditer(statement, text, re.I):
            code = m.group(1) or next(iter(re.findall(r"message\s*=\s*'([^']*)'", m.group(2))), None)
            line = text.count("\n", 0, m.start()) + 1
            if code is None or "%" in code:
                continue
            if known.get(code) != m.group(3):
                yield at(name, line, f"{code} with PT{m.group(3)} is not in errors.def")


def nginx_map(tree, name):
    block = re.search(rf"\${name} \{{(.*?)\n\}}", tree.text("nginx/hookswitch.conf.in"), re.S)
    return re.findall(r'\n\s*(\w+) (?:"([^"]*)"|(\w+));', block.group(1) if block else "")


@rule("each error that nginx answers with is in errors.def, with that sentence",
      bad={"nginx/hookswitch.conf.in": "map $status $hookswitch_code {\n\t429 slow_down;\n}\n"},
      good={"common/base/errors.def": 'ERROR(ERR_A, 429, "slow_down", "Slow down.")\n',
            "nginx/hookswitch.conf.in": "map $status $hookswitch_code {\n\t429 slow_down;\n}\n"
                                        'map $x $hookswitch_title {\n\tslow_down "Slow down.";\n}\n'})
def nginx_errors(tree):
    known = {m[2]: m[3] for m in re.findall(ERROR, tree.text("common/base/errors.def"))}
    titles = {code: title for code, title, _ in nginx_map(tree, "hookswitch_title")}
    for code in {code for _, _, code in nginx_map(tree, "hookswitch_code")}:
        if known.get(code) is None or known[code] != titles.get(code):
            yield f"nginx/hookswitch.conf.in: {code} is not in errors.def, or with another sentence"


@rule("each setting stands in docs/operations.md with its sentence",
      bad={"common/base/settings.def": 'SETTING(API_URL, URL, "", 0, 0, "Where we are.")\n'},
      good={"common/base/settings.def": 'SETTING(API_URL, URL, "", 0, 0, "Where we are.")\n',
            "docs/operations.md": "| `API_URL` | text | | Where we are. |\n"})
def settings_documented(tree):
    manual = tree.text("docs/operations.md")
    for name, sentence in re.findall(SETTING, tree.text("common/base/settings.def")):
        if f"`{name}`" not in manual or sentence not in manual:
            yield f"docs/operations.md: {name} is missing or says something else (make manual)"


@rule("each setting is used somewhere",
      bad={"common/base/settings.def": 'SETTING(API_URL, URL, "", 0, 0, "Where we are.")\n'},
      good={"common/base/settings.def": 'SETTING(API_URL, URL, "", 0, 0, "Where we are.")\n',
            "handlers/x.c": "setting_str(SET_API_URL);\n"})
def settings_used(tree):
    used = " ".join(f.text for f in tree.product_c)
    for name, _ in re.findall(SETTING, tree.text("common/base/settings.def")):
        if not re.search(rf"\bSET_{name}\b", used):
            yield f"common/base/settings.def: nothing uses {name}"


@rule("each crash point stands in the code, once",
      bad={"common/base/crash.def": 'CRASH_POINT(turn_end, "at the end")\n'},
      good={"common/base/crash.def": 'CRASH_POINT(turn_end, "at the end")\n',
            "common/work/x.c": "\tcrash_point(CRASH_turn_end);\n"})
def crash_points(tree):
    used = " ".join(f.code for f in tree.product_c)
    for point in re.findall(r"CRASH_POINT\((\w+),", tree.text("common/base/crash.def")):
        if not re.search(rf"crash_point\(\s*(CRASH_)?{point}\b", used):
            yield f"common/base/crash.def: nothing passes {point}"


@rule("the environment is read by base/settings.c and lib/fcgi.c only",
      bad={"handlers/x.c": 'getenv("HOME");\n'}, good={"common/base/settings.c": 'getenv("HOME");\n'})
def environment(tree):
    for f in tree.product_c:
        if f.name in ("common/base/settings.c", "common/lib/fcgi.c", "common/base/crash.c"):
            continue
        for line, word in f.words(r"\b(secure_)?getenv\b"):
            yield at(f.name, line, "read settings by setting_str and its like")


@rule("no path of one machine stands in the project",
      bad={"dev": "cd /ro" "ot/hookswitch\n"}, good={"dev": "common/wo" "rk/dial.c\n"})
def machine_paths(tree):
    pattern = r"(?<![\w.)}\]\"'*])/(work|farm|ro" r"ot|home/\w+)/"
    for name, text in tree.files.items():
        if name.startswith("tests/rules/"):
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if re.search(pattern, line):
                yield at(name, number, "a path of one machine")


@rule("nothing is left for later without a word",
      bad={"common/base/x.c": "/* TO" "DO: think */\n"}, good={"common/base/x.c": "int todo;\n"})
def unfinished(tree):
    for name in tree.names(r"(common|handlers|sql|nginx|tests)/.*|dev|Makefile.am|configure.ac"):
        if name.startswith("tests/rules/"):
            continue
        for number, line in enumerate(tree.text(name).split("\n"), 1):
            if re.search(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b", line):
                yield at(name, number, "finish it, or file it")


@rule("the buckets of times have the same ends in C and in SQL",
      bad={"common/base/timing.c": "bounds[] = { 5000, 10000 };\n", "sql/functions/89_timings.sql": "select '{0.005,0.02}'::double precision[]\n"},
      good={"common/base/timing.c": "bounds[TIMING_BUCKETS - 1] = { 5000,\n\t2500000 };\n", "sql/functions/89_timings.sql": "select '{0.005,2.5}'::double precision[]\n"})
def same_buckets(tree):
    here = re.search(r"bounds\[[^\]]*\] = \{([^}]*)\}", tree.text("common/base/timing.c"))
    there = re.search(r"'\{([\d.,]+)\}'::double precision\[\]", tree.text("sql/functions/89_timings.sql"))
    if here and there and [int(x) for x in here[1].split(",") if x.strip()] != [round(float(x) * 1e6) for x in there[1].split(",")]:
        yield "common/base/timing.c: its bounds are not those of public.timing_bounds()"
