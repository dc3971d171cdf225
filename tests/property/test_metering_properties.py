"""Random programs of the subset: metering changes what they cost, never what they mean."""

from __future__ import annotations
import __future__

import ast
import importlib.util
import re
import sys
import textwrap
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from interfirm.base.errors import Refusal
from interfirm.contracts import language
from interfirm.contracts.functions import Functions
from interfirm.contracts.metering import Meter, contained, instrument, load, unload
from interfirm.contracts.subset import check_source

LANGUAGE = "interfirm.contracts.language"
IMPORTS = {LANGUAGE: {name: getattr(language, name) for name in language.__all__}}
MODULE = "generated_contract"
HEAD = f"""from __future__ import annotations
from {LANGUAGE} import Code, Money, Record, require
WEIGHTS = {{"a": 3, "b": 5, "é": 7}}
class Kind(Code):
    A = "a"
    B = "b"
class Line(Record):
    count: int
    title: str = "t"
    @property
    def doubled(self):
        return self.count + self.count
def helper(n, text="h"):
    if n > 3:
        return helper(n // 2, text=text) + 1
    return n + len(text)
"""
STEPS = 100_000


GRAMMAR = {
    "i": (
        "«i» + «i»", "«i» - «i»", "«i» * «i»", "«i» // «i»", "«i» % «i»", "«i» & «i»", "«i» | «i»", "«i» ^ «i»",
        "«i» ** 3", "«i» << 2", "«i» >> 1", "-«i»", "«i» if «p» else «i»", "len(«s»)", "len(«l»)", "sum(«l»)",
        "min(«i», «i», «i»)", "abs(«i»)", "max(«l», default=«i»)", "«l»[«i»]", "«l»[0]", "«d».get(«s», «i»)",
        "«d»[«s»]",
        "int(«s»)", "«l».count(«i»)", "«s».find(«s»)", "helper(«i»)", "Line(«i»).doubled", "Line(«i», «s»).count",
        "sum(«i» + i for i in «l» if «p»)", "divmod(«i», «i»)[1]", "WEIGHTS[«s»]", "(«i»).bit_length()",
        "max(«l», key=lambda v: v % «i»)", "sum(«d».values())",
    ),
    "p": (
        "«i» < «i»", "«i» == «i»", "«i» != «i»", "«i» <= «i» < «i»", "a > «i» >= t > «i»", "«i» == b != «i»",
        "«p» and «p»",
        "«p» or «p»", "not «p»", "«i» in «l»", "«s» in «s»", "«s» not in «d»", "«l» < «l»", "«l» == «l»", "«s» <= «s»",
        "«d» == «d»", "any(v == «i» for v in «l»)", "all(«l»)", "isinstance(«i», int | str)", "«s».startswith(«s»)",
        "Line(«i», «s») == Line(«i», «s»)", "s is not None", "«i» in (1, 2, 7)", "«i» in range(«i»)",
    ),
    "l": (
        "[«i», «i»]", "«l» + «l»", "[*«l», «i»]", "«l»[«i»:«i»]", "«l»[::-1]", "«l» * 2",
        "[v + «i» for v in «l» if «p»]",
        "[v * w for v in «l» for w in «l»]", "list(«d».values())", "sorted(«l», reverse=«p»)", "list(range(«i» % 9))",
        "sorted(«l», key=lambda v: (v % 3, «i»))", "[i * v for i, v in enumerate(«l»)]", "list(«l»)", "«l».copy()",
        "[v - w for v, w in zip(«l», reversed(«l»))]", "[len(v) for v in «s».split(',')]", "«l» if «p» else «l»",
    ),
    "s": (
        "«s» + «s»", "f'{a}:{s}'", "f'{a + t}{Kind.A}{l[0]}'", "f'{len(s) * b}-'", "«s» * («i» % 4)", "«s»[«i»:]",
        "str(«i»)", "«s».join([«s», s])", "','.join(str(v) for v in «l»)", "«s».replace('a', «s»)",
        "«s» if «p» else «s»",
        "«s».strip('a')", "«s».removeprefix(«s»)", "«s».upper()", "«s».partition(',')[0]", "str(«p»)", "«s».zfill(4)",
    ),
    "d": (
        "{«s»: «i», 'b': «i»}", "{**«d», «s»: «i»}", "«d» | «d»", "{str(v): v for v in «l»}", "dict(«d»)",
        "{k: v + «i» for k, v in «d».items()}", "dict(zip(«s», «l»))",
    ),
}  # fmt: skip
LEAVES = {
    "i": ("a", "b", "t", "0", "1", "-2", "7", "100"),
    "p": ("True", "False", "a < b", "t == 3", "Kind.A == 'a'"),
    "l": ("l", "[]", "[3, 1, 2]", "[a, b]"),
    "s": ("s", "''", "'a'", "'b,a'", "'12'", "'é'", "Kind.B"),
    "d": ("d", "{}", "{'a': 1}", "WEIGHTS"),
}
SIMPLE = (
    "a = «i»", "b = «i»", "t = «i»", "l = «l»", "s = «s»", "d = dict(«d»)", "l.append(«i»)", "l += «l»", "l *= 2",
    "t += «i»", "t -= «i»", "t *= «i»", "t %= «i»", "t //= «i»", "t |= «i»", "d[«s»] = «i»", "d['a'] = «i»",
    "l[0] = «i»",
    "l[a] += «i»", "s += «s»", "d |= «d»", "a, b = b, a", "require(«p», 'no')", "d.update(«d»)", "l.extend(«l»)",
    "d['z'] = d.get('z', «i»)", "d['a'] *= 2", "l.insert(«i», t)", "t = l.pop()",
)  # fmt: skip
NESTED = (
    "if «p»:\n«+»\nelse:\n«+»",
    "for i in range(«i» % 5):\n«+»\n    t += i",
    "for v in «l»[:4]:\n    t = t + v\n«+»\n    if «p»:\n        break\n    if «p»:\n        continue\n«+»\nelse:\n«+»",
    "match «s»:\n    case Kind.A | 'x':\n        t = 1\n    case _ if «p»:\n        t -= «i»",
    "match «i»:\n    case 1 | -2:\n        s = «s»\n    case n if n > t:\n        t = n",
)


def filled(draw: DrawFn, template: str, depth: int) -> str:
    """A template with its holes filled; a shallow hole by a leaf."""

    def hole(found: re.Match[str]) -> str:
        kind = found.group(1)
        if depth <= 0:
            return draw(st.sampled_from(LEAVES[kind]))
        return f"({filled(draw, draw(st.sampled_from(LEAVES[kind] + GRAMMAR[kind])), depth - 1)})"

    return re.sub("«([a-z])»", hole, template)


def suite(draw: DrawFn, depth: int) -> str:
    """A few statements, indented by one level."""
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        template = draw(st.sampled_from(SIMPLE + (NESTED * 3 if depth else ())))
        statement = filled(draw, template, 3)
        lines.append(re.sub("«[+]»", lambda _: suite(draw, depth - 1), statement))
    return textwrap.indent("\n".join(lines), "    ")


@st.composite
def programs(draw: DrawFn) -> str:
    body = suite(draw, 2)
    return f"{HEAD}def f(a, b, s, l):\n    t = 0\n    d = {{'a': a, s: b}}\n{body}\n    return a, b, t, s, l, d\n"


def outcome(function: Any, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        with contained():
            return "answer", function(*arguments)
    except Refusal as refusal:
        return refusal.code, refusal.values.get("reason")


def arguments_of(a: int, b: int, text: str) -> tuple[Any, ...]:
    return a, b, text, [b, a, 5]


def plain(source: str) -> dict[str, Any]:
    """The module as its author imports it."""
    spec = importlib.util.spec_from_loader(MODULE, loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    exec(source, module.__dict__)
    return module.__dict__


def metered(source: str, meter: Meter) -> dict[str, Any]:
    return load(source, module=MODULE, imports=IMPORTS, meter=meter)


@given(programs(), st.integers(-9, 99), st.integers(-9, 9), st.sampled_from(["", "a", "b,a", "33"]))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
def test_a_metered_program_answers_as_the_plain_one_and_costs_the_same_every_time(
    source: str, a: int, b: int, text: str
) -> None:
    meter = Meter()
    found = []
    for _ in range(2):
        namespace = metered(source, meter)
        meter.start(STEPS)
        found.append((outcome(namespace["f"], arguments_of(a, b, text)), meter.used))
        assert meter.used <= STEPS
        assert meter.depth == 0
        unload(MODULE)
    assert found[0] == found[1]
    (code, answer), used = found[0]
    if code in {"answer", "contract.require", "contract.failed"}:
        assert outcome(plain(source)["f"], arguments_of(a, b, text)) == (code, answer)
        unload(MODULE)
    if code == "answer":
        meter.start(used - 1)
        assert outcome(namespace["f"], arguments_of(a, b, text)) == ("contract.fuel", None)
    unload(MODULE)


@given(programs(), st.integers(-9, 99), st.integers(-9, 9))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
def test_the_text_of_the_instrumented_source_runs_as_its_tree_does(source: str, a: int, b: int) -> None:
    text = ast.unparse(instrument(check_source(source, module=MODULE, imports_allowed=IMPORTS)))
    found = []
    for from_text in (False, True):
        meter = Meter()
        if from_text:
            namespace = plain("")
            namespace.update(Functions(meter).names(IMPORTS))
            exec(compile(text, MODULE, "exec", flags=__future__.annotations.compiler_flag), namespace)
        else:
            namespace = metered(source, meter)
        meter.start(STEPS)
        found.append((outcome(namespace["f"], arguments_of(a, b, "a,b")), meter.used))
        unload(MODULE)
    assert found[0] == found[1]
