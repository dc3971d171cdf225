"""Metering: what contract code may cost, and that nothing it does ends in anything but an answer or a refusal."""

from __future__ import annotations

import ast
import itertools
import sys
import textwrap
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest

from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.contracts import language
from interfirm.contracts.metering import Meter, contained, instrument, load, unload, weigh
from interfirm.contracts.subset import check_source

LANGUAGE = "interfirm.contracts.language"
IMPORTS = {LANGUAGE: {name: getattr(language, name) for name in language.__all__}}
HEAD = f"""from __future__ import annotations
from {LANGUAGE} import Code, Money, Party, Record, Ref, Template, Transaction, choice, require
"""
MODULE = "contract_under_test"


@pytest.fixture(autouse=True)
def _forget_the_module() -> Iterator[None]:
    yield
    unload(MODULE)


def loaded(text: str, meter: Meter | None = None, **imports: Any) -> dict[str, Any]:
    return load(HEAD + textwrap.dedent(text), module=MODULE, imports=IMPORTS | imports, meter=meter or Meter())


def called(text: str, *arguments: Any, meter: Meter | None = None) -> Any:
    """The result of function f in a module."""
    meter = meter or Meter()
    namespace = loaded(text, meter)
    with contained():
        return namespace["f"](*arguments)


def code_of(text: str, *arguments: Any) -> str:
    with pytest.raises(Refusal) as caught:
        called(text, *arguments)
    return caught.value.code


def body(*lines: str) -> str:
    return "def f(x, y, z):\n" + "".join(f"    {line}\n" for line in lines)


# what is counted ------------------------------------------------------------------------------------------------------


def test_fuel_is_the_same_on_every_run() -> None:
    text = "def f(n):\n    total = 0\n    for i in range(n):\n        total += i * i\n    return total\n"
    meter = Meter()
    used = []
    for _ in range(2):
        namespace = loaded(text, meter)
        meter.start(1000)
        assert namespace["f"](10) == 285
        used.append(meter.used)
    assert used[0] == used[1]


def test_a_function_pays_for_its_parts_and_a_loop_for_each_turn() -> None:
    meter = Meter()
    namespace = loaded("def f(n):\n    for i in range(n):\n        g(i)\n\ndef g(i):\n    return i\n", meter)
    used = []
    for turns in (0, 1, 2):
        meter.start(1000)
        namespace["f"](turns)
        used.append(meter.used)
    # for, range(n): statement, call, two names; each turn: target, statement, call, two names; g: return, name
    assert used == [4, 4 + 7, 4 + 14]


def test_exactly_enough_fuel_suffices_and_one_step_less_does_not() -> None:
    meter = Meter()
    namespace = loaded(body("return [v * y for v in range(x)]"), meter)
    meter.start(10_000)
    namespace["f"](20, 3, 0)
    enough = meter.used
    meter.start(enough)
    assert len(namespace["f"](20, 3, 0)) == 20
    assert meter.steps_left == 0
    meter.start(enough - 1)
    with pytest.raises(Refusal) as caught:
        namespace["f"](20, 3, 0)
    assert caught.value.code == "contract.fuel"
    assert meter.used == enough - 1


def test_loading_a_module_is_paid_for_too() -> None:
    with pytest.raises(Refusal) as caught:
        loaded("X = [v for v in range(100000)]\n", Meter(50_000))
    assert caught.value.code == "contract.fuel"
    assert MODULE not in sys.modules


def test_the_instrumented_source_is_text_that_any_engine_can_run() -> None:
    source = HEAD + body(
        "total = 0", "for v in x:", "    total += v", "return f'{total} {[v for v in y]!s}'".replace("!s", "[0]")
    )
    tree = instrument(check_source(source, module="m", imports_allowed=IMPORTS))
    again = instrument(check_source(source, module="m", imports_allowed=IMPORTS))
    assert ast.unparse(tree) == ast.unparse(again)
    assert ast.unparse(ast.parse(ast.unparse(tree))) == ast.unparse(tree)


def test_modules_of_one_engine_share_one_meter() -> None:
    meter = Meter()
    first = loaded("def g(n):\n    return [v for v in range(n)]\n", meter)
    public = {name: value for name, value in first.items() if not name.startswith("_")}
    text = HEAD + "from other import g\ndef f(n):\n    return g(n)\n"
    namespace = load(text, module=MODULE, imports=IMPORTS | {"other": public}, meter=meter)
    meter.start(100)
    with pytest.raises(Refusal, match=r"contract\.fuel"):
        namespace["f"](1000)


# fuel, size and depth bombs -------------------------------------------------------------------------------------------

BOMBS = {
    "nested loops": body("for a in range(10**6):", "    for b in range(10**6):", "        x += 1"),
    "a range beyond the machine's word": body("for a in range(10**70):", "    x += 1"),
    "a comprehension": body("return [a for a in range(10**12)]"),
    "a comprehension of comprehensions": body("return [[b for b in range(60000)] for a in range(60000)]"),
    "clauses of a comprehension": body("return [0 for a in range(60000) for b in range(60000)]"),
    "a map comprehension": body("return {a: a for a in range(10**9)}"),
    "a generator": body("return sum(a for a in range(10**9))"),
    "a generator that never holds": body("return any(a < 0 for a in range(10**9))"),
    "all of a range": body("return all(range(1, 10**12))"),
    "all of a zip": body("return all(zip(range(1, 10**12), range(1, 10**12)))"),
    "the sum of a range": body("return sum(range(10**12))"),
    "the maximum of a range": body("return max(range(10**12))"),
    "a list of a range": body("return list(range(10**12))"),
    "a tuple of a reversed range": body("return tuple(reversed(range(10**12)))"),
    "a sorted range": body("return sorted(range(10**12))"),
    "sorting again and again": body("xs = list(range(60000))", "for a in range(1000):", "    ys = sorted(xs)"),
    "sorting by key": body("return sorted(range(60000), key=lambda v: sorted(range(1000)))"),
    "starred displays": body("xs = [0]", "for a in range(50):", "    xs = [*xs, *xs]"),
    "starred tuples": body("xs = (0,)", "for a in range(50):", "    xs = (*xs, *xs)"),
    "starred range": body("return [*range(10**12)]"),
    "starred arguments": body("return max(*range(10**12))"),
    "unpacked maps": body("d = {a: a for a in range(60000)}", "for a in range(1000):", "    e = {**d}"),
    "joined maps": body("d = {a: a for a in range(60000)}", "for a in range(1000):", "    e = d | d"),
    "growing map": body("d = {}", "for a in range(10**6):", "    d[a] = a"),
    "growing list": body("xs = []", "for a in range(10**6):", "    xs.append(a)"),
    "a list that grows while it is run over": body("xs = [0]", "for a in xs:", "    xs.append(a)"),
    "a comprehension that grows its list": body("xs = [0]", "return [xs.append(a) for b in range(10**6) for a in xs]"),
    "doubling a text": body("s = 'x'", "for a in range(100):", "    s += s"),
    "doubling a text by an f-string": body("s = 'x'", "for a in range(100):", "    s = f'{s}{s}'"),
    "doubling a text by join": body("s = 'x'", "for a in range(100):", "    s = s.join([s, s, s])"),
    "doubling a text by replace": body("s = 'x'", "for a in range(100):", "    s = s.replace('x', 'xx')"),
    "doubling a list": body("xs = [0]", "for a in range(100):", "    xs = xs + xs"),
    "doubling a list in place": body("xs = [0]", "for a in range(100):", "    xs += xs"),
    "extending a list by itself": body("xs = [0]", "for a in range(100):", "    xs.extend(xs)"),
    "repeating a list": body("return [0] * 10**12"),
    "repeating a list in place": body("xs = [0]", "xs *= 10**12"),
    "repeating a text": body("return 'x' * 10**12"),
    "repeating from the left": body("return 10**12 * 'x'"),
    "many large lists": body("return [[0] * 60000 for a in range(10**4)]"),
    "many slices": body("xs = list(range(60000))", "return [xs[:] for a in range(10**4)]"),
    "a sum of lists": body("return sum([[0] * 60000 for a in range(100)], [])"),
    "zeros": body("return bytes(10**12)"),
    "a wide number": body("return '1'.zfill(10**12)"),
    "wide bytes": body("n = 1", "return n.to_bytes(10**12, 'big')"),
    "powers": body("return 10 ** 10 ** 6"),
    "powers of powers": body("n = 3", "for a in range(100):", "    n **= n", "return n"),
    "shifts": body("return 1 << 10**9"),
    "squaring": body("n = 3", "for a in range(1000):", "    n *= n", "return n"),
    "doubling a number": body("n = 3", "for a in range(10**6):", "    n += n", "return n"),
    "doubling by taking away": body("n = 3", "for a in range(10**6):", "    n -= -n", "return n"),
    "a long sum": body("return sum([1 << 255, 1 << 255, 1 << 255])"),
    "looking for a text in a text": body(
        "s = 'a' * 60000", "p = 'a' * 60 + 'b'", "return [p in s for a in range(10**6)]"
    ),
    "looking for an item": body("xs = list(range(60000))", "return [x in xs for a in range(10**6)]"),
    "counting an item": body("xs = list(range(60000))", "return [xs.count(x) for a in range(10**6)]"),
    "colliding keys": body("d = {}", "for a in range(10**6):", "    d[a * (2**61 - 1) * 2**9] = a"),
    "colliding keys in a comprehension": body("return {a * (2**61 - 1) * 2**9: a for a in range(60000)}"),
    "splitting": body("s = 'a,' * 30000", "return [s.split(',') for a in range(10**4)]"),
    "stripping": body("s = 'a' * 60000", "t = 'b' * 60000 + 'a'", "return [s.strip(t) for a in range(1000)]"),
    "recursion": "def f(x, y, z):\n    return f(x, y, z)\n",
    "mutual recursion": "def f(x, y, z):\n    return g(x)\ndef g(x):\n    return f(x, x, x)\n",
    "recursion by a key": "def f(x, y, z):\n    return sorted([1, 2], key=lambda v: f(x, y, z))\n",
    "recursion by a comprehension": "def f(x, y, z):\n    return [f(x, y, z) for a in [1]]\n",
    "branching recursion": "def f(x, y, z):\n    if x == 50:\n        return 0\n"
    "    return f(x + 1, y, z) + f(x + 1, y, z)\n",
    "recursion by a property": "class A(Record):\n    v: int\n    @property\n    def p(self):\n        return self.p\n"
    "def f(x, y, z):\n    return A(1).p\n",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(name: str) -> None:
    assert code_of(BOMBS[name], 0, 0, 0) in {"contract.fuel", "contract.size", "contract.depth"}


@pytest.mark.parametrize(
    "expression",
    [
        "('x' * 40000).replace('x', 'xx')",
        "('x' * 40000).join(['a', 'b', 'c'])",
        "f'{text}{text}'",
        "f'{text}{x}{x}{x}{x}{x}{x}{x}{x}{x}{x}{x}{x}{x}{x}{x}{x}{x}{text}'",
        "text + text",
        "text * 2",
        "'1'.zfill(65537)",
        "bytes(65537)",
        "x.to_bytes(65537, 'big')",
        "[*items, *items]",
        "items + items",
        "items * 2",
        "tuple(items) + tuple(items)",
        "[0 for v in items for w in (1, 2)]",
        "list(range(65537))",
        "sum([items, items], [])",
        "{v: 0 for v in range(65537)}",
        "{**held, **{-1 - v: 0 for v in range(40000)}}",
        "held | {-1 - v: 0 for v in range(40000)}",
        "(',' * 65536).split(',')",
        "1 << 256",
        "2 ** 256",
        "(1 << 255) + (1 << 255)",
        "(1 << 200) * (1 << 56)",
        "-(1 << 255) - (1 << 255)",
        "sum([1 << 255, 1 << 255])",
    ],
)
def test_a_result_beyond_its_limit_is_refused_at_once(expression: str) -> None:
    lines = ("text = 'x' * 40000", "items = [0] * 40000", "held = {v: 0 for v in range(40000)}", f"return {expression}")
    assert code_of(body(*lines), 1, 0, 0) == "contract.size"


DEEP = "v = (1,)\n    w = (1,)\n    for a in range(100000):\n        v = (v,)\n        w = (w,)\n    "
WIDE = "v = (1,)\n    w = (1,)\n    for a in range(40):\n        v = (v, v)\n        w = (w, w)\n    "


@pytest.mark.parametrize(
    "use",
    [
        "return v == w",
        "return v != w",
        "return v < w",
        "return {v: 1}",
        "return {v: 1 for a in [1]}",
        "d = {}\n    d[v] = 1",
        "d = {}\n    return v in d",
        "d = {}\n    return d.get(v)",
        "d = {}\n    return d.setdefault(v, 1)",
        "return dict([(v, 1)])",
        "return v in [w]",
        "return [w].index(v)",
        "xs = [w]\n    xs.remove(v)",
        "return sorted([v, w])",
        "return max(v, w)",
        "return min([1, 2], key=lambda i: v if i == 1 else w)",
        "return Box(v) == Box(w)",
        "return {Box(v): 1}",
        "r = Ref(b'x', v)\n    return f'{r}'",
        "return isinstance(1, v)",
        "match v:\n        case Box.HELD | Box.HELD:\n            pass\n    return v == w",
    ],
)
@pytest.mark.parametrize("made", [DEEP, WIDE], ids=["deep", "wide"])
def test_values_nested_or_shared_without_measure_are_refused_where_they_would_be_walked(made: str, use: str) -> None:
    text = f"class Box(Record):\n    v: int\n    HELD = 1\ndef f():\n    {made}{use}\n"
    assert code_of(text) in {"contract.fuel", "contract.depth", "contract.operation"}


def test_a_list_in_itself_is_refused_where_it_would_be_walked() -> None:
    assert (
        code_of(body("x = [1]", "y = [1]", "x.append(x)", "y.append(y)", "return x == y"), 0, 0, 0) == "contract.depth"
    )


def test_a_deep_constant_of_a_module_is_refused() -> None:
    with pytest.raises(Refusal, match=r"contract\.depth"):
        loaded(f"def f():\n    {DEEP}return v\nX = f()\n")


def test_weigh_pays_for_every_part_however_often_it_is_shared() -> None:
    meter = Meter(100)
    weigh(("a", ["b", {"c": 1}], language.Party(b"x" * 32)), meter)
    assert meter.used == (4 + 3) + (4 + 2) + (4 + 2) + (4 + 1)
    wide: Any = (1,)
    for _ in range(40):
        wide = (wide, wide)
    with pytest.raises(Refusal, match=r"contract\.fuel"):
        weigh(wide, meter)


def test_a_value_may_be_as_deep_as_a_block() -> None:
    value: Any = 1
    for _ in range(LIMITS.depth_max):
        value = [value]
    weigh(value, Meter())
    with pytest.raises(Refusal, match=r"contract\.depth"):
        weigh([value], Meter())


def test_depth_is_counted_down_again_after_a_refusal() -> None:
    meter = Meter()
    namespace = loaded("def f(n):\n    require(n > 0, 'no')\n    return f(n - 1)\n", meter)
    with pytest.raises(Refusal, match=r"contract\.require"):
        namespace["f"](10)
    assert meter.depth == 0


def test_calls_nest_as_deeply_as_allowed() -> None:
    text = "def f(n):\n    return f(n - 1) if n > 1 else 0\n"
    assert called(text, LIMITS.call_depth_max) == 0
    assert code_of(text, LIMITS.call_depth_max + 1) == "contract.depth"


# what values may do ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("return 'a{}'.title()", "contract.operation"),
        ("return x.splitlines", "contract.operation"),
        ("return Kind.title", "contract.operation"),
        ("return Kind.A.encode('x')", "contract.failed"),
        ("return '%99999999d' % y", "contract.operation"),
        ("return x % y", "contract.operation"),
        ("return b'%s' % y", "contract.operation"),
        ("return 2 ** -1", "contract.operation"),
        ("return 'É'.lower()", "contract.text"),
        ("return 'x'.split()", "contract.failed"),
        ("return ' x'.strip()", "contract.failed"),
        ("return 'x'.encode('idna')", "contract.failed"),
        ("return int('1_0')", "contract.failed"),
        ("return int('١')", "contract.failed"),
        ("return int(' 1')", "contract.failed"),
        ("return int('9' * 300)", "contract.failed"),
        ("return int('9' * 100)", "contract.size"),
        ("return str([1])", "contract.operation"),
        ("return str(b'x')", "contract.operation"),
        ("return str(Box)", "contract.operation"),
        ("return f'{f}'", "contract.operation"),
        ("return f'{Box([1])}'", "contract.operation"),
        ("return Ref[x]", "contract.operation"),
        ("return {[1]: 1}", "contract.operation"),
        ("return {f: 1}", "contract.operation"),
        ("return x in Box", "contract.operation"),
        ("return isinstance(x, y)", "contract.operation"),
        ("return Box[0:1]", "contract.operation"),
        ("HELD['a'] = 2", "contract.operation"),
        ("HELD.update({'a': 2})", "contract.mutable"),
        ("HELD.pop('a')", "contract.mutable"),
        ("HELD.setdefault('b', 2)", "contract.mutable"),
        ("d = HELD\n    d |= {'a': 2}", "contract.operation"),
        ("return HELD.clear()", "contract.operation"),
        ("return x[5]", "contract.failed"),
        ("return HELD['b']", "contract.failed"),
        ("return 1 // 0", "contract.failed"),
        ("return 'a' + 1", "contract.failed"),
        ("return Box(1).nothing", "contract.failed"),
        ("return 1 + unset\n    unset = 1", "contract.failed"),
        ("d = {'a': 1}\n    for k in d:\n        d[k + k] = 1", "contract.failed"),
        ("for i in 5: pass", "contract.failed"),
    ],
)
def test_what_a_value_may_not_do_is_refused(line: str, code: str) -> None:
    text = (
        "HELD = {'a': 1}\nclass Box(Record):\n    v: int\nclass Kind(Code):\n    A = 'a'\n"
        + "def f(x, y):\n    " + line + "\n"
    )  # fmt: skip
    assert code_of(text, "%s", 1) == code


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("return x[1:] + x[:1] + x[::-1]", "bcacba"),
        ("return f'{x}-{y}-{None}-{Kind.A}-{Money(150, \"EUR\")}'".replace('"EUR"', "EUR"), "abc-7-None-a-1.50"),
        ("return f'{HELD[x[:1]] if x else y}'", "1"),
        ("return '' + f''", ""),
        ("return [1 <= y < 10, 1 < x.count('a') + 1 <= y, 9 > y > 8 > x]", [True, True, False]),
        ("return [y] == [7] != [8]", True),
        ("return x not in ('a', 'b') and 'a' in x and y not in [x]", True),
        ("return sorted({'b': 1, 'a': 2}.items(), key=lambda p: p[1], reverse=True)", [("a", 2), ("b", 1)]),
        ("return {**{'a': 1}, 'b': 2, **{'a': 3}}", {"a": 3, "b": 2}),
        ("return [*x, *[y]], (*x, y)", (["a", "b", "c", 7], ("a", "b", "c", 7))),
        ("return dict(a=1) | {'b': 2}", {"a": 1, "b": 2}),
        ("return HELD.get('z', 3), HELD.get('a'), HELD.get('z')", (3, 1, None)),
        ("return max(x, key=lambda c: c), min([], default=y), max(y, 9), min(3, y, 5)", ("c", 7, 9, 3)),
        ("return any(c == 'b' for c in x), all([1, 0]), any(reversed((0, 1)))", (True, False, True)),
        ("return [a * 2 + b for a, b in enumerate([1, 2]) if b > 1 for c in x]", [4, 4, 4]),
        ("return {c: i for i, c in enumerate(x)}", {"a": 0, "b": 1, "c": 2}),
        ("return isinstance(x, (int, str)), isinstance(y, int | None), isinstance(HELD, dict)", (True, True, True)),
        ("return int('-12') + int(True) + int()", -11),
        ("return -12 % 5 + y % 4, (y - 9) % 5", (6, 3)),
        ("return x.upper() + ','.join(c + '!' for c in x).replace('!', '', 2)", "ABCa,b,c!"),
        ("return 'a,b,c'.split(',', 1), 'a=b'.partition('='), '007'.strip('0')", (["a", "b,c"], ("a", "=", "b"), "7")),
        ("return Line(1, 'n').count, Line(1, 'n').title, Line(1, 'n').replace(count=2)", None),
        ("return len(bytes([1, 2])) + len(bytes(3)), b'ab'.hex(), 'é'.encode(), y.to_bytes(2, 'big')",
         (5, "6162", b"\xc3\xa9", b"\x00\x07")),
        ("return sum([y, 1]), sum([[1], [2]], []), abs(-y), divmod(y, 2)", (8, [1, 2], 7, (3, 1))),
        ("return 1 << 3 | 1, 2 ** 10, y >> 1, y & 3, y ^ 1, ~y", (9, 1024, 3, 3, 6, -8)),
        ("return zip", None),
    ],
)  # fmt: skip
def test_what_a_value_may_do_means_what_plain_python_means(line: str, result: Any) -> None:
    if result is None and "zip" in line:
        with pytest.raises(Refusal):
            called(f"def f(x, y):\n    {line}\n")
        return
    text = (
        "HELD = {'a': 1}\nEUR = 'EUR'\nclass Line(Record):\n    count: int\n    title: str\n"
        "class Kind(Code):\n    A = 'a'\n" + f"def f(x, y):\n    {line}\n"
    )
    found = called(text, "abc", 7)
    if result is None:
        assert (found[0], found[1], found[2].count) == (1, "n", 2)
    else:
        assert found == result


VALUES = (
    0, 1, -3, 7, True, None, "", "a", "ab", (), (1, 2), (1, 3), [1, 2], {"a": 1}, {1: 2}, b"a", range(3),
    language.Day(1), language.Day(2), language.Money(1, "EUR"),
)  # fmt: skip
OPERATORS = ("+", "-", "*", "//", "%", "|", "&", "^", ">>", "==", "!=", "<", "<=", ">", ">=", "in", "not in")


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_means_what_it_means_in_plain_python(operator: str) -> None:
    """On every pair of values the same result, or a failure in both."""
    function = loaded(f"def f(x, y):\n    return x {operator} y\n")["f"]
    plain = eval(f"lambda x, y: x {operator} y")
    for one, other in itertools.product(VALUES, VALUES):
        try:
            expected = plain(one, other)
        except (ArithmeticError, AttributeError, Refusal, RuntimeError, TypeError, ValueError):
            with pytest.raises(Refusal), contained():
                function(one, other)
            continue
        texted = operator == "%" and isinstance(one, (str, bytes))
        if texted or (operator.endswith("in") and isinstance(one, range) and isinstance(other, dict)):
            with pytest.raises(Refusal, match=r"contract\.operation"):
                function(one, other)
        else:
            assert function(one, other) == expected


def test_a_comprehension_runs_over_a_list_as_it_was() -> None:
    assert called(body("xs = [1, 2]", "ys = [xs.append(v) for v in xs]", "return xs"), 0, 0, 0) == [1, 2, 1, 2]


def test_lists_and_maps_are_changed_in_place_as_in_plain_python() -> None:
    text = body(
        "xs = [1]", "ys = xs", "ys += (2,)", "ys *= 2", "ys.insert(0, 9)", "ys.pop()", "ys[0] = 7", "ys[0] += 1",
        "d = {'a': 1}", "e = d", "e |= {'b': 2}", "e.update({'c': 3}, d=4)", "e['a'] -= 1", "e.pop('c')",
        "e.setdefault('z', []).append(1)", "return xs, d",
    )  # fmt: skip
    assert called(text, 0, 0, 0) == ([8, 1, 2, 1], {"a": 0, "b": 2, "d": 4, "z": [1]})


def test_a_match_takes_the_first_case_that_holds() -> None:
    text = """
        class Kind(Code):
            A = "a"
            B = "b"

        def f(x):
            match x:
                case Kind.A | None:
                    return 1
                case Kind.B if 1 > 2:
                    return 2
                case 5 | "five":
                    return 3
                case Money():
                    return 4
                case other if other == "b":
                    return 5
                case _:
                    return 6
    """
    values = ["a", None, 5, "five", language.Money(1, "EUR"), "b", 7]
    assert [called(text, value) for value in values] == [1, 1, 3, 3, 4, 5, 6]


def test_a_chain_evaluates_its_middle_once_and_stops_at_the_first_link_that_fails() -> None:
    text = body("seen = []", "held = g(seen, x) < g(seen, y) < g(seen, z)", "return held, seen")
    text += "def g(seen, v):\n    seen.append(v)\n    return v\n"
    assert called(text, 1, 2, 3) == (True, [1, 2, 3])
    assert called(text, 1, 0, 3) == (False, [1, 0])


def test_keys_values_and_items_are_no_sets() -> None:
    assert called(body("d = {'b': 1, 'a': 2}", "return d.keys(), d.values(), d.items()"), 0, 0, 0) == (
        ("b", "a"), (1, 2), (("b", 1), ("a", 2)),
    )  # fmt: skip
    assert code_of(body("d = {'b': 1}", "return d.keys() & d.keys()"), 0, 0, 0) == "contract.failed"


# modules --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["[]", "[1 for i in range(3)]", "([],)", "{'a': []}", "Box({})", "Box([])", "f()"])
def test_a_constant_that_could_keep_state_is_refused(value: str) -> None:
    with pytest.raises(Refusal) as caught:
        loaded(f"class Box(Record):\n    v: int\ndef f():\n    return [1]\nX = {value}\n")
    assert caught.value.code == "contract.mutable"


def test_a_map_that_is_a_constant_is_frozen_where_it_is_bound() -> None:
    text = "X = {'a': {'b': 1}}\ndef f(x=X):\n    x['a']['c'] = 1\n"
    assert code_of(text) == "contract.operation"


def test_templates_of_a_loaded_module_are_typed_by_forward_references() -> None:
    namespace = loaded("""
        class Receivable(Template):
            holder: Party
            earlier: Ref["Receivable"] | None = None
            later: tuple[Later, ...] = ()

            @choice(by="holder")
            def assign(self, tx: Transaction, to: Party) -> Ref[Receivable]:
                return tx.create(self.replace(holder=to))

        class Later(Record):
            note: str
    """)
    hints = typing.get_type_hints(namespace["Receivable"])
    assert typing.get_args(hints["later"])[0] is namespace["Later"]
    own, none = typing.get_args(hints["earlier"])
    assert typing.get_args(own) == (namespace["Receivable"],)
    assert none is type(None)
    made = namespace["Receivable"](language.Party(b"x" * 32))
    assert made.assign(types.SimpleNamespace(create=lambda c: c), language.Party(b"y" * 32)).holder.id == b"y" * 32


def test_a_module_sees_nothing_of_python_but_the_built_in_names() -> None:
    namespace = loaded("X = 1\n")
    for name in ("open", "eval", "exec", "__import__", "getattr", "type", "object", "compile", "input", "print"):
        assert name not in namespace["__builtins__"]


@pytest.mark.parametrize("name", ["sys", "nothing"])
def test_an_import_gives_no_module_and_no_name_that_is_not_exported(name: str) -> None:
    exporter = types.ModuleType("other")
    exporter.sys = sys  # type: ignore[attr-defined]  # what a careless module exports
    exporter.hidden = 1  # type: ignore[attr-defined]  # what it does not
    exporter.__all__ = ["sys"]  # type: ignore[attr-defined]  # its exports
    for imports in ({"other": exporter}, {"other": {"sys": sys}}):
        with pytest.raises(Refusal) as caught:
            load(HEAD + f"from other import {name}\n", module=MODULE, imports=IMPORTS | imports, meter=Meter())
        assert caught.value.code == "contract.import"
    with pytest.raises(Refusal, match=r"contract\.import"):
        load(HEAD + "from other import hidden\n", module=MODULE, imports=IMPORTS | {"other": exporter}, meter=Meter())


def test_a_module_that_was_refused_is_not_left_behind() -> None:
    with pytest.raises(Refusal, match=r"contract\.failed"):
        loaded("X = 1 // 0\n")
    assert MODULE not in sys.modules


def test_a_fault_of_the_code_is_told_by_its_kind_alone() -> None:
    with pytest.raises(Refusal) as caught:
        called(body("return x[1]"), {}, 0, 0)
    assert caught.value.as_plain() == {
        "code": "contract.failed", "reason": "the contract's code failed", "values": {"reason": "KeyError"},
    }  # fmt: skip


def test_a_fault_that_is_no_answer_passes_through() -> None:
    with pytest.raises(AssertionError), contained():
        raise AssertionError("a bug of ours")
