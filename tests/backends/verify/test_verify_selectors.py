"""Label selectors: the same ones parse as in Kubernetes, to the same requirements, and nothing makes the parser fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubc.backends.argo.verify.depends import DependsError
from hubc.backends.argo.verify.depends import parse as parse_depends
from hubc.backends.argo.verify.selectors import Requirement, SelectorError, parse

# What stands next to each other in a selector, and what breaks it.
PIECES = st.sampled_from([
    "status.conditions.0.type", "a", "in", "notin", "a/b", "1", "99999999999999999999", "-", ".", "x" * 64, "é", "\0", "#(",
    "=", "==", "!=", "!", ">", "<", "(", ")", ",", " ", "\t", "\n", "",
])  # fmt: skip
KEYS = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,20}[A-Za-z0-9])?", fullmatch=True)
VALUES = st.one_of(st.just(""), KEYS)


@st.composite
def requirements(draw: st.DrawFn) -> Requirement:
    key, operator = draw(KEYS), draw(st.sampled_from(["exists", "!", "=", "==", "!=", "in", "notin", ">", "<"]))
    match operator:
        case "exists" | "!":
            return Requirement(key, operator)
        case "in" | "notin":
            return Requirement(key, operator, tuple(sorted(draw(st.sets(VALUES, min_size=1, max_size=3)))))
        case ">" | "<":
            return Requirement(key, operator, (str(draw(st.integers(0, 2**63 - 1))),))
        case _:
            return Requirement(key, operator, (draw(VALUES),))


def text(found: list[Requirement]) -> str:
    return ",".join(map(str, found))


# Those of k8s.io/apimachinery, pkg/labels/selector_test.go, are among them.
@pytest.mark.parametrize(
    ("given", "again"),
    [
        ("", ""),
        ("x=a,y=b,z=c", "x=a,y=b,z=c"),
        ("x!=a,y=b", "x!=a,y=b"),
        ("x=", "x="),
        ("x= ", "x="),
        ("x=,z= ", "x=,z="),
        ("x= ,z= ", "x=,z="),
        ("!x", "!x"),
        ("x>1", "x>1"),
        ("x>1,z<5", "x>1,z<5"),
        ("x in (a)", "x in (a)"),
        ("x in ()", "x in ()"),
        ("x in (,)", "x in ()"),
        ("x in (a,)", "x in (,a)"),
        ("x in (,a)", "x in (,a)"),
        ("x in (a,,b)", "x in (,a,b)"),
        ("x in (a,,,b)", "x in (,a,b)"),
        ("x notin (b,a),y", "x notin (a,b),y"),
        ("notin in (in, notin)", "notin in (in,notin)"),
        ("in", "in"),
        ("b,a", "a,b"),
        ("a/b == c", "a/b==c"),
        ("  x\t==\na ", "x==a"),
        ("x == a\0, y", "x==a,y"),
        ("x == a,\0", None),
        ("status.conditions.0.type in (Failed, FailureTarget)", "status.conditions.0.type in (Failed,FailureTarget)"),
        ("x=a||y=b", None),
        ("x==a==b", None),
        ("!x=a", None),
        ("x<a", None),
        ("x>", None),
        ("x>9223372036854775808", None),
        ("x in (a,,)", None),
        ("x in (a", None),
        ("x in a", None),
        ("x in (a b)", None),
        ("x in (=)", None),
        ("x a", None),
        ("x,", None),
        (",x", None),
        ("=x", None),
        ("!", None),
        ("(x)", None),
        ("x==a y==b", None),
        ("x=-a", None),
        ("x=" + "a" * 64, None),
        ("a/b/c", None),
        ("/a", None),
        ("A/a", None),
        ("status.conditions.#(type==Failed)", None),
        ("status.conditions.#.type=x", None),
    ],
)
def test_selectors(given: str, again: str | None) -> None:
    if again is None:
        with pytest.raises(SelectorError):
            parse(given)
    else:
        assert text(parse(given)) == again


@given(st.one_of(st.lists(PIECES).map("".join), st.text()))
def test_any_text_parses_or_is_refused(given: str) -> None:
    try:
        found = parse(given)
    except SelectorError:
        return
    assert parse(text(found)) == found


@given(st.lists(requirements(), max_size=4))
def test_requirements_come_back(given: list[Requirement]) -> None:
    assert parse(text(given)) == sorted(given, key=lambda each: each.key)


@pytest.mark.parametrize(
    ("given", "operands"),
    [
        ("a", [("a", None)]),
        ("a && b-1.Failed", [("a", None), ("b-1", "Failed")]),
        ("!(a || b.Succeeded)&&!c", [("a", None), ("b", "Succeeded"), ("c", None)]),
        ("((a))", [("a", None)]),
        ("", None),
        ("a b", None),
        ("a &&", None),
        ("&& a", None),
        ("a !b", None),
        ("(a", None),
        ("a)", None),
        ("()", None),
        ("a & b", None),
        ("a.b", None),
        ("a.Failed.b", None),
        ("a == b", None),
    ],
)
def test_depends(given: str, operands: list[tuple[str, str | None]] | None) -> None:
    if operands is None:
        with pytest.raises(DependsError):
            parse_depends(given)
    else:
        assert parse_depends(given) == operands


@given(st.lists(st.sampled_from(["a", "b-1", ".", "Failed", "&&", "||", "!", "(", ")", " ", "&", "é"])).map("".join))
def test_any_condition_parses_or_is_refused(given: str) -> None:
    try:
        assert parse_depends(given)
    except DependsError as error:
        assert str(error)
