"""Every function of the list says what type it gives; no expression of a contract fills a column of another."""

from __future__ import annotations

import pytest

from contracts import catalog
from contracts.expressions import FUNCTIONS, PATH_FIRST, ExpressionError, parse
from contracts.result_types import ASKS, EXAMPLES, GIVES, fits, result_type, typed

TYPES = {
    "text(payload.a)": "string", "number(payload.a)": "double", "boolean(payload.a)": "boolean", "date(payload.a)": "date",
    "timestamp(payload.a)": "timestamp", "partial_timestamp(payload.a)": "timestamp", "code(payload.a, M='male')": "string",
    "const('x')": "string", "const(1)": "double", "const(1.5)": "double", "const(True)": "boolean", "ucum(payload.q)": "string",
    "first(timestamp(payload.a), partial_timestamp(payload.b))": "timestamp", "first(payload.a, text(payload.b))": "string",
    "choose(exists(payload.a), number(payload.a), const(0))": "double", "first(text(payload.a), 'none')": "string",
    "phone(item(payload.t, 'system', 'phone', 'value'), payload.a[0].country)": "string", "phone(payload.a, 'DE')": "string",
    "prefixed(identifier(payload.a), 'posts/')": "string", "all_of(exists(payload.a), boolean(payload.b))": "boolean",
    "any_of(missing(payload.a), equals(payload.a, 1))": "boolean", "one_of(payload.a, 'x', 'y')": "boolean",
}
REFUSED = {
    "const(text(payload.a))": "const takes a literal", "reference(payload.a, payload.b)": "reference takes a literal",
    "coding(payload.a, payload.b)": "coding takes a literal", "item(payload.a, 'k', payload.v, 'f')": "item takes a literal",
    "code(payload.a, payload.b, 'x')": "code takes a literal", "prefixed('posts/', payload.a)": "prefixed takes a literal",
    "prefixed(number(payload.a), 'x')": "prefixed asks string", "any_of(exists(payload.a), payload.b)": "any_of asks boolean",
    "one_of(payload.a, text(payload.b))": "one_of takes a literal", "first(exists(payload.a), const('x'))": "first gives boolean or string",
    "first(text(payload.a), first(date(payload.b), text(payload.c)))": "first gives date or string",
    "one_of(payload.a, b='x')": "one_of takes no keywords", "text(payload.a, b='x')": "takes 1 arguments",
}


def test_every_function_gives_a_type_and_says_what_it_asks() -> None:
    assert GIVES.keys() | {"first", "choose", "const"} == FUNCTIONS.keys()
    several = {name for name, (_, most, _) in FUNCTIONS.items() if most != 1 or name not in PATH_FIRST}
    assert several == ASKS.keys() | {"first", "const", "all_of", "any_of"}


@pytest.mark.parametrize(("text", "kind"), TYPES.items())
def test_the_type_of_an_expression(text: str, kind: str) -> None:
    assert result_type(parse(text)) == kind
    assert fits(parse(text), kind) and not fits(parse(text), "binary")
    assert fits(parse(text), "long") == (kind == "double")


@pytest.mark.parametrize(("text", "said"), REFUSED.items())
def test_arguments_of_another_type_are_refused(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said):
        typed()(text)


def test_what_is_told_to_write_instead_is_right() -> None:
    for kind, example in EXAMPLES.items():
        assert fits(parse(example.format("a")), kind)


def test_every_mapping_of_every_contract_fits_its_column() -> None:
    known = catalog()
    for source in known.sources.values():
        for feed in source.feeds:
            for mapping in feed.mappings:
                assert mapping.expression is None or fits(mapping.expression, known.table(feed.table).column(mapping.column).type), (source.id, feed.name)
