"""Rules for what people read: the manuals say each thing once, and name what there is."""

import fnmatch
import re

from registry import at, rule

MANUAL = r"(README|CHANGELOG|docs/\w+|nginx/README)\.md"
NAMED = re.compile(r"`((?:[\w*.-]+/)*[\w*.-]+\.(?:c|h|def|sql|py|js))`")


def lines(tree):
    """Name, number and text of each line of the manuals that is not inside a block."""
    for name in tree.names(MANUAL):
        block = False
        for number, line in enumerate(tree.text(name).split("\n"), 1):
            if line.lstrip().startswith("```"):
                block = not block
            elif not block:
                yield name, number, line


# What is told of: a heading, a table's row by what stands in its first column, a step by its name; else the whole line.
TOLD = re.compile(r"#+ .+|\| `[^|]+\||\d+\. \*\*[^*]+\*\*|.{60,}")


@rule("nothing is told twice in one section of a manual",
      bad={"docs/a.md": "| `web/` | a request |\n| `web/` | a request, and webhooks |\n"},
      good={"docs/a.md": "| `A` | one |\n|---|\n|---|\n## Other\n| `A` | two |\n"})
def told_once(tree):
    seen, section = {}, None
    for name, number, line in lines(tree):
        told = TOLD.match(line)
        section = line if line.startswith("#") else section
        if told:
            first = seen.setdefault((name, not line.startswith("#") and section, told[0]), number)
            if first != number:
                yield at(name, number, f"is told in line {first} already")


@rule("a heading of a manual has an empty line before it",
      bad={"README.md": "One.\n## Two\n"}, good={"README.md": "# One\n\n## Two\n"})
def headings(tree):
    before = ("", "")
    for name, number, line in lines(tree):
        if line.startswith("#") and before[0] == name and before[1]:
            yield at(name, number, "an empty line is missing before the heading")
        before = (name, line)


@rule("each file that a manual names is there",
      bad={"docs/a.md": "See `common/web/gone.c`.\n"},
      good={"docs/a.md": "`web/a.c`, `a.c`, `b_*.c`\n", "common/web/a.c": "", "common/web/b_c.c": ""})
def files_named(tree):
    for name, number, line in lines(tree):
        for word in NAMED.findall(line):
            if not any(fnmatch.fnmatch(f"/{file}", f"*/{word}") for file in tree.files):
                yield at(name, number, f"there is no {word}")


@rule("README and the operator's manual name each program",
      bad={"nginx/programs": "calls 1m /api/v1/calls:api\n", "README.md": "Programs: `auth`.\n"},
      good={"nginx/programs": "calls 1m /api/v1/calls:api\n", "README.md": "`calls`", "docs/operations.md": "`calls`"})
def programs_named(tree):
    for program in re.findall(r"^([a-z][\w-]*)\s", tree.text("nginx/programs"), re.M):
        for name in ("README.md", "docs/operations.md"):
            if f"`{program}`" not in tree.text(name):
                yield f"{name}: nothing is said of {program}"


@rule("README and the operator's manual name each package that the build needs",
      bad={"dev": 'packages_run="gcc libpq-dev\n\tpostgresql"\n', "README.md": "apt install gcc\n"},
      good={"dev": 'packages_run="gcc libpq-dev\n\tpostgresql"\n', "README.md": "gcc libpq-dev\n",
            "docs/operations.md": "gcc\nlibpq-dev\n"})
def packages_named(tree):
    wanted = re.search(r'^packages_run="([^"]*?)\n\tpostgresql', tree.text("dev"), re.M)
    for package in wanted[1].split() if wanted else []:
        for name in ("README.md", "docs/operations.md"):
            if package not in tree.text(name).split():
                yield f"{name}: {package} is not among the packages"


EVENT = re.compile(r"`((?:checkout|customer|invoice|payment_method|charge|subscription|transaction)\.[a-z_.]+)`")
READERS = {"Stripe": "common/peers/stripe_event.c", "Paddle": "common/peers/paddle_event.c"}


@rule("the manual names the payment providers' events that something follows from, and no others",
      bad={"docs/billing.md": "## Stripe\n`invoice.paid`\n## Paddle\n`customer.updated`\n", "common/peers/stripe_event.c": '\t{ "invoice.paid", 1 },\n',
           "common/peers/paddle_event.c": '\t{ "customer.created", 1 },\n'},
      good={"docs/billing.md": "## Stripe, how\n`invoice.paid`\n## Paddle\n`customer.created`\n## More\n`invoice.unpaid`\n",
            "common/peers/stripe_event.c": '\t{ "invoice.paid", 1 },\n', "common/peers/paddle_event.c": '\t{ "customer.created", 1 },\n'})
def events_named(tree):
    for provider, file in READERS.items():
        section = re.search(rf"^## {provider}.*?(?=^## |\Z)", tree.text("docs/billing.md"), re.M | re.S)
        named = set(EVENT.findall(section[0])) if section else set()
        followed = set(re.findall(r'^\t\{ "([a-z_.]+)",', tree.text(file), re.M))
        for event in sorted(named ^ followed):
            yield f"docs/billing.md: {provider}'s {event} is named and nothing follows, or the other way round"


ASKED = re.compile(r"[\"']/v1/((?:billing|checkout|billing_portal)/[a-z_]+|[a-z_]+)")


@rule("the manual names each path of Stripe that is asked, so that a restricted key can be made",
      bad={"docs/billing.md": "`/v1/prices`\n", "common/work/flow_a.c": 'ask("/v1/refunds", "/v1/billing/meters/");\n'},
      good={"docs/billing.md": "`/v1/refunds`, `/v1/prices`\n", "common/work/flow_a.c": 'ask("/v1/refunds");\n',
            "sql/functions/34_a.sql": "select ask('/v1/prices/' || id, '/api/v1/calls');\n"})
def paths_named(tree):
    for name in tree.names(r"(common/(work|peers)/.*\.c|sql/functions/.*\.sql)"):
        for path in sorted(set(ASKED.findall(tree.text(name)))):
            if f"`/v1/{path}`" not in tree.text("docs/billing.md"):
                yield f"docs/billing.md: nothing is said of /v1/{path}, which {name} asks"


DIFFERS = re.compile(r"billing_differ\((?:'\w+'|\w+ ->> 'provider'|\w+\.\w+), '(\w+)'")


@rule("the manual says what to do about each kind of difference",
      bad={"docs/billing.md": "| `stranger` |\n", "sql/functions/74_a.sql": "perform public.billing_differ('stripe', 'unreadable', x);\n"},
      good={"docs/billing.md": "| `stranger`, `unreadable` |\n",
            "sql/functions/74_a.sql": "perform public.billing_differ(p ->> 'provider', 'stranger', public.billing_differ(s.origin, 'unreadable'));\n"})
def differences_named(tree):
    for name in tree.names(r"sql/functions/.*\.sql"):
        for kind in sorted(set(DIFFERS.findall(tree.text(name)))):
            if f"`{kind}`" not in tree.text("docs/billing.md"):
                yield f"docs/billing.md: nothing is said of the difference {kind}, which {name} finds"


METRIC = re.compile(r"(?:public\.metric(?:_histogram)?\('|TYPE hookswitch_)(\w+)")


@rule("the operator's manual says what each figure of /metrics is, and no rule for alarms asks for one that is not there",
      bad={"sql/functions/89_a.sql": "public.metric('queue_depth', 'gauge', ...)\n", "handlers/status.c": '"# TYPE hookswitch_redis_up gauge\\n"\n',
           "docs/operations.md": "| `hookswitch_redis_up` | x |\n", "nginx/alerts.yml": "expr: rate(hookswitch_gone_total[1m])\n"},
      good={"sql/functions/89_a.sql": "public.metric_histogram('step_seconds', 'x')\n", "handlers/status.c": '"# TYPE hookswitch_redis_up gauge\\n"\n',
            "docs/operations.md": "| `hookswitch_redis_up`, `hookswitch_step_seconds` | x |\n", "nginx/alerts.yml": "expr: hookswitch_step_seconds_count > hookswitch_redis_up\n"})
def figures_named(tree):
    figures = {figure for name in tree.names(r"sql/functions/.*\.sql|handlers/status\.c") for figure in METRIC.findall(tree.text(name))}
    for figure in sorted(figures):
        if f"`hookswitch_{figure}`" not in tree.text("docs/operations.md"):
            yield f"docs/operations.md: nothing is said of hookswitch_{figure}"
    for asked in sorted(set(re.findall(r"hookswitch_(\w+)", tree.text("nginx/alerts.yml")))):
        if not {asked, re.sub("_(bucket|sum|count)$", "", asked)} & figures:
            yield f"nginx/alerts.yml: there is no figure hookswitch_{asked}"


@rule("each alert says what is wrong, and leads to its heading in the operator's manual",
      bad={"nginx/alerts.yml": "- alert: HookswitchA\n  annotations:\n    runbook: docs/operations.md#hookswitchb\n", "docs/operations.md": "### HookswitchB\n"},
      good={"nginx/alerts.yml": "- alert: HookswitchA\n  annotations:\n    summary: It is.\n    runbook: docs/operations.md#hookswitcha\n",
            "docs/operations.md": "### HookswitchA\n"})
def alerts_told(tree):
    for part in tree.text("nginx/alerts.yml").split("- alert: ")[1:]:
        name = re.match(r"\w+", part)[0]
        if f"runbook: docs/operations.md#{name.lower()}\n" not in part + "\n" or "summary: " not in part:
            yield f"nginx/alerts.yml: {name} has no summary, or its runbook leads elsewhere"
        if not re.search(rf"^### {name}$", tree.text("docs/operations.md"), re.M):
            yield f"docs/operations.md: there is no heading {name}"


@rule("the operator's manual says how each secret among the settings is changed",
      bad={"common/base/settings.def": 'SETTING(TWILIO_AUTH_TOKEN, STR, "", 0, 0, "A token.")\n', "docs/operations.md": "| `TWILIO_AUTH_TOKEN` | x |\n"},
      good={"common/base/settings.def": 'SETTING(TWILIO_AUTH_TOKEN, STR, "", 0, 0, "A token.")\nSETTING(HOOKSWITCH_RATE_PER_KEY, INT, "1", 0, 0, "So many.")\n',
            "docs/operations.md": "## Secrets\n| `X`, `TWILIO_AUTH_TOKEN` | make a new one |\n"})
def secrets_rotated(tree):
    section = re.search(r"^## Secrets.*?(?=^## |\Z)", tree.text("docs/operations.md"), re.M | re.S)
    for name, kind in re.findall(r"SETTING\((\w+), (\w+),", tree.text("common/base/settings.def")):
        if kind != "INT" and re.search(r"(SECRET|TOKEN|_KEY)$", name) and not (section and f"`{name}`" in section[0]):
            yield f"docs/operations.md: how {name} is changed is not said"
