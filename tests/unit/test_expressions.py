"""Expressions of contracts: what is one, what is none, and what the reader is told."""

from __future__ import annotations

import pytest
from pyspark.sql import Column

from contracts.expressions import FUNCTIONS, Call, ExpressionError, Path, parse, parse_path
from jobs.stages.mapping import Json, compile_call

GOOD = {
    "text": "text(payload.a.b)", "identifier": "identifier(payload.id)", "plain_text": "plain_text(payload.a)",
    "number": "number(payload.a[0].v)", "boolean": "boolean(payload.a)", "date": "date(payload.a)",
    "timestamp": "timestamp(payload.a)", "partial_timestamp": "partial_timestamp(payload.a)", "email": "email(payload.a)",
    "phone": "phone(payload.a, payload.c)", "country": "country(payload.a)", "reference": "reference(payload.a, 'Patient')",
    "coding": "coding(payload.a, 'http://loinc.org')", "item": "item(payload.a, 'k', 'v', 'f')",
    "code": "code(payload.a, M='male')", "ucum": "ucum(payload.q)", "prefixed": "prefixed(payload.a, 'x/')",
    "first": "first(text(payload.a), text(payload.b))", "choose": "choose(exists(payload.a), const('x'), const('y'))",
    "const": "const('x')", "equals": "equals(payload.a, 'x')", "exists": "exists(payload.a)", "missing": "missing(payload.a)",
    "all_of": "all_of(exists(payload.a), exists(payload.b))", "any_of": "any_of(exists(payload.a), exists(payload.b))",
    "one_of": "one_of(payload.a, 'x')",
}
BAD = {
    "text": "text('a')", "identifier": "identifier()", "plain_text": "plain_text(payload)", "number": "number(95)",
    "boolean": "boolean(true)", "date": "date(payload.a, payload.b)", "timestamp": "timestamp(text(payload.a))",
    "partial_timestamp": "partial_timestamp('2012')", "email": "email()", "phone": "phone(payload.a)", "country": "country()",
    "reference": "reference(payload.a)", "coding": "coding(payload.a)", "item": "item(payload.a, 'k')",
    "code": "code(payload.a)", "ucum": "ucum('mg')", "prefixed": "prefixed(payload.a)", "first": "first(payload.a)",
    "choose": "choose(payload.a, 'x')", "const": "const()", "equals": "equals(payload.a)", "exists": "exists('a')",
    "missing": "missing(payload)", "all_of": "all_of(exists(payload.a))", "any_of": "any_of(exists(payload.a))",
    "one_of": "one_of('x', 'y')",
}
REFUSED = [
    ("", "is not an expression"), ("payload.a", "names no function"), ("'x'", "names no function"),
    ("text(payload.a) + text(payload.b)", "is not allowed"), ("text(a.b)", "is not allowed"), ("f'{payload.a}'", "is not allowed"),
    ("text(payload.a if payload.b else payload.c)", "is not allowed"), ("[text(payload.a)]", "is not allowed"),
    ("(lambda: 1)()", "is not allowed"), ("text.format(payload.a)", "is not allowed"), ("text(payload[payload.a])", "is not allowed"),
    ("text(payload.a[0:2])", "is not allowed"), ("text(payload.a[-1])", "is not allowed"), ("code(payload.a, M=payload.b)", "must be literals"),
    ("code(payload.a, **{'M': 'm'})", "must be literals"), ("code(payload.a, 'x')", "takes pairs"), ("txt(payload.a)", "did you mean text?"),
    ("text(*payload.a)", "is not allowed"), ("const(None)", "is not allowed"), ("text(payload.a", "is not an expression"),
    ("text('x'.y)", "paths begin with payload"), ("text(payload.a, b='c')", "takes 1 arguments, not 2"), ("eval('1')", "unknown function"),
    ("const(b'x')", "is not allowed"), ("text(payload.a)\ntext(payload.b)", "is not an expression"),
]


def test_every_function_has_examples_a_description_and_a_translation(spark: object) -> None:
    from pyspark.sql import functions as F

    assert GOOD.keys() == BAD.keys() == FUNCTIONS.keys()
    for name, example in GOOD.items():
        call = parse(example)
        assert call.function == name
        assert isinstance(compile_call(call, Json(F.col("text"))).value, Column), name
        assert FUNCTIONS[name][2]


@pytest.mark.parametrize("text", BAD.values())
def test_wrong_arguments_are_refused_and_named(text: str) -> None:
    with pytest.raises(ExpressionError, match="takes|is not allowed") as caught:
        parse(text)
    assert text.split("(")[0] in str(caught.value)


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_is_no_expression_is_refused(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said.replace("?", "[?]")):
        parse(text)


def test_a_function_without_a_translation_is_an_error(spark: object) -> None:
    from pyspark.sql import functions as F

    with pytest.raises(NotImplementedError, match="'sha256' has no translation"):
        compile_call(Call("sha256", (Path(("a",)),)), Json(F.col("text")))


def test_paths_and_options() -> None:
    path = parse_path("payload.body.name[0].family")
    assert path == Path(("body", "name", 0, "family"))
    assert str(path) == "payload.body.name[0].family"
    assert path.json_path == "$.body.name[0].family"
    assert parse_path("payload['odd key']").steps == ("odd key",)
    call = parse("code(payload.a, 'mg/dL', 'x', M='male')")
    assert call.option("M") == "male" and call.option("F") is None
    assert [str(p) for p in parse("first(text(payload.a), phone(payload.b, payload.c))").paths()] == \
        ["payload.a", "payload.b", "payload.c"]
    for wrong in ("payload.", "header.id", "text(payload.a)", "5", "", "payload.a + 1"):
        with pytest.raises(ExpressionError, match="write for example payload.header.id|is not allowed"):
            parse_path(wrong)
