"""What each function of contract expressions makes of a payload: a row is an expression, a payload, the value, the reason.

Values are compared as the engine writes them as text; ``None`` is null. Payloads are JSON text, so that what a JSON
library would never write can stand here too.
"""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import functions as F

from contracts.expressions import FUNCTIONS, parse
from jobs.stages.mapping import Json, compile_call

TYPE, FORMAT, UNIT, CODE = "wrong_type", "bad_format", "wrong_unit", "unknown_code"
Case = tuple[str, str, str | None, str | None]


def text(value: str, path: str = "a") -> str:
    return f'{{"{path}": {value}}}'


def over(expression: str, *cases: tuple[str, str | None, str | None]) -> list[Case]:
    """Cases of one expression whose payload is an object with one key ``a`` of that JSON text."""
    return [(expression, text(value), wanted, problem) for value, wanted, problem in cases]


TEXTS = [
    *over("text(payload.a)", ('"x"', "x", None), ("null", None, None), ('""', "", None), ("5", "5", TYPE),
          ('"5"', "5", None), ("true", "true", TYPE), ('"true"', "true", None), ('{"a": "y"}', '{"a": "y"}', TYPE),
          ('["y"]', '["y"]', TYPE), ('"[note]"', "[note]", None), ('"{x}"', "{x}", None), ('"-"', "-", None),
          ('"\\u00e9\\ud83d\\ude00"', "é😀", None), ('"a\\"b\\\\c\\n"', 'a"b\\c\n', None), ('"12 Main St"', "12 Main St", None)),
    ("text(payload.a)", "{}", None, None),
    ("text(payload.a)", '{"a": 5, "b": {"a": "nested"}}', "5", TYPE),
    ("text(payload.a)", '{"b": "\\"a\\": \\"quoted\\"", "a": 5}', "5", TYPE),
    ("text(payload.a)", '{"\\u0061": "escaped key"}', "escaped key", None),
    ("text(payload.n[0].g[0])", '{"n": [{"g": ["Ada", 5]}]}', "Ada", None),
    ("text(payload.n[0].g[0])", '{"n": [{"g": [5]}]}', "5", TYPE),
    ("text(payload.n[0].g[0])", '{"n": [{"g": [["Ada"]]}]}', '["Ada"]', TYPE),
    ("text(payload.n[0].g[0])", '{"n": {"g": ["Ada"]}}', None, None),
    ("text(payload.n[0].g[0])", '{"n": []}', None, None),
    ("text(payload.n[0].g[0])", '{"n": [{"g": [null, "Ada"]}]}', None, None),
    ("text(payload.n[0].g[0])", '{"n": [{"g": ["null"]}]}', "null", None),
    ("missing(payload.n[1])", '{"n": [1, null]}', "true", None),
    *over("identifier(payload.a)", ('"x1"', "x1", None), ("17", "17", None), ('"17"', "17", None), ('""', "", TYPE),
          ("12345678901234567890123", "12345678901234567890123", None), ("true", "true", TYPE), ("1.5", "1.5", TYPE),
          ("1e30", None, TYPE), ('"1.5"', "1.5", None), ('"1e30"', "1e30", None), ("-7", "-7", None),
          ('{"id": 1}', '{"id": 1}', TYPE), ("[1]", "[1]", TYPE), ("null", None, None)),
    *over("plain_text(payload.a)", ('"<p>Hi <b>you</b></p>"', "Hi you", None), ('"a<br />b"', "a\nb", None),
          ('"<p>a</p><p>b</p>"', "a\nb", None), ('"5 &lt; 6 &amp;&amp; 7 &gt; 6"', "5 < 6 && 7 > 6", None),
          ('"&amp;lt;b&amp;gt;"', "&lt;b&gt;", None), ('"&quot;x&#39;y&apos;z&nbsp;!"', "\"x'y'z !", None),
          ("5", "5", TYPE), ("null", None, None)),
    *over("prefixed(identifier(payload.a), 'posts/')", ('"9"', "posts/9", None), ("9", "posts/9", None),
          ("null", None, None), ('{"b": 1}', 'posts/{"b": 1}', TYPE)),
]
NUMBERS = [
    *over("number(payload.a)", ("95", "95.0", None), ("5.5", "5.5", None), ("-0.5", "-0.5", None), ("1e2", "100.0", None),
          ('"95"', None, TYPE), ('"NaN"', None, TYPE), ('"Infinity"', None, TYPE), ("1e400", None, TYPE),
          ("true", None, TYPE), ("[95]", None, TYPE), ('{"value": 95}', None, TYPE), ('""', None, TYPE),
          ("null", None, None)),
    ("number(payload.v[0])", '{"v": [95]}', "95.0", None),
    ("number(payload.v[0])", '{"v": ["95"]}', None, TYPE),
    ("number(payload.v[0])", '{"v": []}', None, None),
    *over("boolean(payload.a)", ("true", "true", None), ("false", "false", None), ('"true"', None, TYPE), ("1", None, TYPE),
          ("0", None, TYPE), ("null", None, None)),
]
TIMES = [
    *over("date(payload.a)", ('"1980-02-29"', "1980-02-29", None), ('"1981-02-29"', None, FORMAT), ('"1980"', None, FORMAT),
          ('"1980-02"', None, FORMAT), ('"29.02.1980"', None, FORMAT), ('"1980-2-9"', None, FORMAT),
          ('"0001-01-01"', "0001-01-01", None), ("19800229", None, FORMAT), ('"1980-02-29T00:00:00Z"', None, FORMAT),
          ("null", None, None)),
    *over("timestamp(payload.a)", ('"2026-01-02T03:04:05Z"', "2026-01-02 03:04:05", None),
          ('"2026-01-02T03:04:05.678901+02:00"', "2026-01-02 01:04:05.678901", None),
          ('"2026-01-02T03:04:05+0000"', "2026-01-02 03:04:05", None),
          ('"2026-01-02T03:04:05.000-0530"', "2026-01-02 08:34:05", None),
          ('"2026-01-02t03:04:05z"', "2026-01-02 03:04:05", None), ('"2026-01-02 03:04:05Z"', "2026-01-02 03:04:05", None),
          ('"2026-01-02T03:04Z"', None, FORMAT), ('"2026-01-02T03:04:05"', None, FORMAT),
          ('"2016-12-31T23:59:60Z"', "2017-01-01 00:00:00", None), ('"2026-01-02T24:00:00Z"', None, FORMAT),
          ('"2026-01-02T03:60:05Z"', None, FORMAT), ('"2026-13-02T03:04:05Z"', None, FORMAT),
          ('"2026-02-30T03:04:05Z"', None, FORMAT), ('"2026-01-02"', None, FORMAT), ("1767322800", None, FORMAT),
          ('"0001-01-01T00:00:00Z"', "0001-01-01 00:00:00", None), ('"yesterday"', None, FORMAT), ('""', None, FORMAT),
          ('"2026-01-02T03:04:05+99:00"', None, FORMAT), ('{"t": 1}', None, FORMAT), ("null", None, None)),
    *over("partial_timestamp(payload.a)", ('"2012"', "2012-01-01 00:00:00", None), ('"2012-05"', "2012-05-01 00:00:00", None),
          ('"2012-05-17"', "2012-05-17 00:00:00", None), ('"2012-13"', None, FORMAT), ('"2012-02-30"', None, FORMAT),
          ('"12"', None, FORMAT), ('"2012-05-17T10:00:00+01:00"', "2012-05-17 09:00:00", None),
          ('"2012-05-17T10:00:00"', None, FORMAT), ("2012", None, FORMAT), ("null", None, None)),
]
ADDRESSES = [
    *over("email(payload.a)", ('" Ada@Example.ORG "', "ada@example.org", None), ('"ada@example"', None, None),
          ('"ada example.org"', None, None), ('"a@b@c.d"', None, None), ("null", None, None), ("5", None, None),
          ('{"x": "ada@example.org"}', None, None), ('["ada@example.org"]', None, None),
          ('"o\'neil+tag@example.co.uk"', "o'neil+tag@example.co.uk", None), ('"Ada <ada@example.org>"', None, None)),
    *[("phone(payload.p, payload.c)", f'{{"p": "{number}", "c": "{country}"}}', wanted, None) for number, country, wanted in [
        ("0151 23456789", "DE", "+4915123456789"), ("+49 (0)151 23456789", "DE", "+4915123456789"),
        ("0049 151 234-567-89", "DE", "+4915123456789"), ("06 12 34 56 78", "FR", "+33612345678"),
        ("06 1234 5678", "IT", "+390612345678"), ("612 345 678", "ES", "+34612345678"),
        ("(020) 7946 0018", "GB", "+442079460018"), ("+44 (0) 20 7946 0018", "GB", "+442079460018"),
        ("020 7946 0018", "gb", "+442079460018"), ("(212) 555-0100", "US", "+12125550100"),
        ("1-212-555-0100", "US", "+12125550100"), ("0612345678", "ZZ", None), ("12", "DE", None),
        ("call me", "DE", None), ("+1 212 555 0100", "ZZ", "+12125550100"), ("+123456789012345678", "DE", None)]],
    ("phone(payload.p, payload.c)", '{"p": "0151 23456789"}', None, None),
    ("phone(payload.p, payload.c)", '{"c": "DE"}', None, None),
    *over("country(payload.a)", ('"de"', "DE", None), ('" FR "', "FR", None), ('"Germany"', None, None), ('"NLD"', None, None),
          ("null", None, None)),
]
LOINC, OTHER = "http://loinc.org", "http://snomed.info/sct"
QUANTITY = '{{"value": 5, "unit": "mg", "system": "{}", "code": "mg"}}'
FHIR = [
    *over(f"coding(payload.a, '{LOINC}')", (f'[{{"system": "{OTHER}", "code": "1"}}, {{"system": "{LOINC}", "code": "2339-0"}}]',
          "2339-0", None), (f'[{{"system": "{OTHER}", "code": "1"}}]', None, None), ("[]", None, None), ("null", None, None),
          (f'{{"system": "{LOINC}", "code": "2339-0"}}', "2339-0", None), ('"2339-0"', None, None), ('[5, "x", null]', None, None),
          (f'[{{"system": "{LOINC}"}}, {{"system": "{LOINC}", "code": "2339-0"}}]', "2339-0", None),
          (f'[{{"system": "{LOINC}", "code": "1-8"}}, {{"system": "{LOINC}", "code": "2339-0"}}]', "1-8", None)),
    *over("item(payload.a, 'system', 'email', 'value')", ('[{"system": "phone", "value": "1"}, {"system": "email", "value": "x"}]',
          "x", None), ('[{"system": "email"}]', None, None), ("[]", None, None), ("null", None, None), ('"email"', None, None)),
    *over("reference(payload.a, 'Patient')", ('"Patient/p-1"', "p-1", None), ('"https://x.org/fhir/Patient/p.1"', "p.1", None),
          ('"Patient/p1/_history/2"', "p1", None), ('"Group/1"', None, None), ('"OtherPatient/1"', None, None),
          ('"https://x.org/MyPatient/9/Patient/7"', "7", None), ('"urn:uuid:1"', None, None), ('"Patient/"', None, None),
          ('"Patient/a b"', None, None), ("null", None, None)),
    *over("ucum(payload.a)", (QUANTITY.format("http://unitsofmeasure.org"), "mg", None), (QUANTITY.format(OTHER), None, UNIT),
          ('{"value": 5, "unit": "mg"}', None, UNIT), ('{"value": 5, "system": "http://unitsofmeasure.org"}', None, None),
          ("null", None, None)),
]
CHOICES = [
    *over("code(payload.a, M='male', F='female')", ('"M"', "male", None), ('"X"', None, CODE), ('"m"', None, CODE),
          ("null", None, None), ("[1]", None, CODE)),
    *over("code(payload.a, 'mg/dL', 'mg_dl', 'mmol/L', 'mmol_l')", ('"mmol/L"', "mmol_l", None), ('"mol/L"', None, CODE)),
    ("first(text(payload.a), text(payload.b))", '{"b": "y"}', "y", None),
    ("first(text(payload.a), text(payload.b))", '{"a": "x", "b": "y"}', "x", None),
    ("first(text(payload.a), text(payload.b))", "{}", None, None),
    ("first(timestamp(payload.a), timestamp(payload.b))", '{"a": "soon", "b": "2026-01-02T03:04:05Z"}', "2026-01-02 03:04:05",
     FORMAT),
    ("choose(equals(payload.s, 'on'), code(payload.a, p='permit'), const('deny'))", '{"s": "on", "a": "p"}', "permit", None),
    ("choose(equals(payload.s, 'on'), code(payload.a, p='permit'), const('deny'))", '{"s": "on", "a": "q"}', None, CODE),
    ("choose(equals(payload.s, 'on'), code(payload.a, p='permit'), const('deny'))", '{"a": "q"}', "deny", None),
    ("const('taken')", "{}", "taken", None),
    *over("equals(payload.a, 'x', 'y')", ('"y"', "true", None), ('"z"', "false", None), ("null", "false", None)),
    *over("exists(payload.a)", ("0", "true", None), ("false", "true", None), ("null", "false", None), ("[]", "true", None)),
    *over("missing(payload.a)", ("0", "false", None), ("null", "true", None)),
    *over("one_of(payload.a, 'x')", ('"x"', "true", None), ('"z"', "false", CODE), ("null", "true", None)),
    ("all_of(exists(payload.a), exists(payload.b))", '{"a": 1, "b": 1}', "true", None),
    ("all_of(exists(payload.a), exists(payload.b))", '{"a": 1}', "false", None),
    ("any_of(exists(payload.a), exists(payload.b))", '{"b": 1}', "true", None),
    ("any_of(exists(payload.a), exists(payload.b))", "{}", "false", None),
]
TABLES = {"texts": TEXTS, "numbers": NUMBERS, "times": TIMES, "addresses": ADDRESSES, "fhir": FHIR, "choices": CHOICES}


@pytest.mark.parametrize("name", TABLES)
def test_value_and_reason(frame: Any, name: str) -> None:
    cases = TABLES[name]
    expressions = list(dict.fromkeys(case[0] for case in cases))
    cells = [compile_call(parse(expression), Json(F.col("payload"))) for expression in expressions]
    made = frame("number int, payload string", [(n, case[1]) for n, case in enumerate(cases)]).select(
        "number", *[cell.value.cast("string").alias(f"value_{i}") for i, cell in enumerate(cells)],
        *[cell.problem.alias(f"problem_{i}") for i, cell in enumerate(cells)])
    rows = {row["number"]: row for row in made.collect()}
    wrong = []
    for number, (expression, payload, value, problem) in enumerate(cases):
        at = expressions.index(expression)
        got = rows[number][f"value_{at}"], rows[number][f"problem_{at}"]
        if got[1] != problem or (problem is None and got[0] != value):
            wrong.append(f"{expression} of {payload}: {got}, not {(value, problem)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_a_good_and_a_bad_example(function: str) -> None:
    """Good gives a value; bad gives a reason, or null or false where the function's own description says so."""
    mine = [case for cases in TABLES.values() for case in cases if parse(case[0]).function == function]
    good = [case for case in mine if case[2] not in (None, "false") and case[3] is None]
    bad = [case for case in mine if case[2] in (None, "false") or case[3] is not None]
    assert good
    assert bad or function == "const"
