"""Contract expressions as engine columns: each gives a value and, where the payload is wrong, a reason.

The payload is a column of JSON text. Paths are read with ``get_json_object``; a value whose JSON type matters is
parsed from its parent with ``from_json``, which gives null for any other type, so that "95" is no number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from contracts.expressions import Call, Node, Path
from contracts.vocabulary import RejectReason

OFFSET = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.]\d+)?)?([Zz]|[+-]\d{2}:?\d{2})$"
FULL_DATE = r"^\d{4}-\d{2}-\d{2}$"
PARTIAL = r"^\d{4}(-\d{2}){0,2}$"
EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
# Country calling codes and trunk prefixes of ITU-T E.164, for the countries Concord's sources serve.
CALLING_CODES = {"AT": "43", "BE": "32", "CH": "41", "DE": "49", "DK": "45", "ES": "34", "FR": "33", "GB": "44",
                 "IE": "353", "IT": "39", "NL": "31", "PL": "48", "PT": "351", "SE": "46", "US": "1"}


@dataclass(frozen=True)
class Cell:
    """An expression's value and the reason why it is wrong, null where it is right."""

    value: Column
    problem: Column


def compile_call(call: Call, text: Column) -> Cell:
    """The engine columns of an expression over the JSON text of the payload.

    Raises NotImplementedError for a function of the fixed list that has no translation (a test holds that none is).
    """
    match call.function:
        case "first":
            return _first([_argument(a, text) for a in call.arguments])
        case "choose":
            condition, yes, no = (_argument(a, text) for a in call.arguments)
            return Cell(F.when(condition.value, yes.value).otherwise(no.value),
                        F.when(condition.value, yes.problem).otherwise(no.problem))
        case "const":
            return Cell(F.lit(call.arguments[0]), _fine())
        case "equals" | "exists" | "missing" | "all_of" | "any_of" | "one_of":
            return _condition(call, text)
        case "coding" | "item" | "ucum" | "reference" | "prefixed" | "code" | "email" | "phone" | "country":
            return _structured(call, text)
        case _:
            return _scalar(call.function, _argument_path(call, 0), text)


def json_at(text: Column, path: Path) -> Column:
    """The text of the JSON value at a path; null where it is missing or null."""
    return F.get_json_object(text, path.json_path)


def _scalar(function: str, path: Path, text: Column) -> Cell:
    raw = json_at(text, path)
    match function:
        case "text":
            return Cell(raw, _when(raw.isNotNull() & ~_is_string(path, text), RejectReason.WRONG_TYPE))
        case "identifier":
            return Cell(raw, _when(raw.rlike(r"^\s*[\[{]") | (raw == ""), RejectReason.WRONG_TYPE))
        case "plain_text":
            return Cell(_plain(raw), _when(raw.isNotNull() & ~_is_string(path, text), RejectReason.WRONG_TYPE))
        case "number" | "boolean":
            typed = _typed(path, text, "double" if function == "number" else "boolean")
            return Cell(typed, _when(raw.isNotNull() & typed.isNull(), RejectReason.WRONG_TYPE))
        case "date":
            value = F.when(raw.rlike(FULL_DATE), raw.try_cast("date"))
            return Cell(value, _when(raw.isNotNull() & value.isNull(), RejectReason.BAD_FORMAT))
        case "timestamp" | "partial_timestamp":
            value = _timestamp(raw, partial=function == "partial_timestamp")
            return Cell(value, _when(raw.isNotNull() & value.isNull(), RejectReason.BAD_FORMAT))
    raise NotImplementedError(f"expression function {function!r} has no translation")


def _structured(call: Call, text: Column) -> Cell:
    first = _argument(call.arguments[0], text)
    match call.function:
        case "coding":
            return _item(first.value, "system", str(call.arguments[1]), "code")
        case "item":
            key, value, field = (str(a) for a in call.arguments[1:])
            return _item(first.value, key, value, field)
        case "ucum":
            path = _argument_path(call, 0)
            system, code = (json_at(text, Path((*path.steps, s))) for s in ("system", "code"))
            is_ucum = F.coalesce(system == "http://unitsofmeasure.org", F.lit(False))
            return Cell(F.when(is_ucum, code), _when(first.value.isNotNull() & ~is_ucum, RejectReason.WRONG_UNIT))
        case "reference":
            kind = str(call.arguments[1])
            return Cell(F.when(first.value.rlike(rf"(^|/){kind}/[A-Za-z0-9.-]+(/_history/.*)?$"),
                               F.regexp_extract(first.value, rf"{kind}/([A-Za-z0-9.-]+)", 1)), _fine())
        case "prefixed":
            return Cell(F.concat(F.lit(str(call.arguments[1])), first.value), first.problem)
        case "code":
            return _code(call, first.value)
        case "email":
            trimmed = F.lower(F.trim(first.value))
            return Cell(F.when(trimmed.rlike(EMAIL), trimmed), _fine())
        case "country":
            trimmed = F.upper(F.trim(first.value))
            return Cell(F.when(trimmed.rlike("^[A-Z]{2}$"), trimmed), _fine())
        case _:
            return Cell(_phone(first.value, F.upper(F.trim(_argument(call.arguments[1], text).value))), _fine())


def _condition(call: Call, text: Column) -> Cell:
    if call.function in ("all_of", "any_of"):
        parts = [_argument(a, text).value for a in call.arguments]
        whole = parts[0]
        for part in parts[1:]:
            whole = (whole & part) if call.function == "all_of" else (whole | part)
        return Cell(whole, _fine())
    value = json_at(text, _argument_path(call, 0))
    is_one = F.coalesce(value.isin([str(a) for a in call.arguments[1:]]), F.lit(False)) if call.arguments[1:] else None
    match call.function:
        case "exists":
            return Cell(value.isNotNull(), _fine())
        case "missing":
            return Cell(value.isNull(), _fine())
        case "equals":
            assert is_one is not None
            return Cell(is_one, _fine())
        case _:
            assert is_one is not None
            fits = value.isNull() | is_one
            return Cell(fits, _when(~fits, RejectReason.UNKNOWN_CODE))


def _code(call: Call, value: Column) -> Cell:
    words = [str(a) for a in call.arguments[1:]]
    pairs = [*zip(words[::2], words[1::2], strict=True), *((k, str(v)) for k, v in call.options)]
    mapped = F.lit(None).cast("string")
    for known, code in reversed(pairs):
        mapped = F.when(value == known, F.lit(code)).otherwise(mapped)
    return Cell(mapped, _when(value.isNotNull() & mapped.isNull(), RejectReason.UNKNOWN_CODE))


def _first(cells: list[Cell]) -> Cell:
    return Cell(F.coalesce(*[c.value for c in cells]), F.coalesce(*[c.problem for c in cells]))


def _item(array: Column, key: str, value: str, field: str) -> Cell:
    items = F.from_json(array, f"array<struct<`{key}`:string,`{field}`:string>>")
    fitting = F.filter(items, lambda item: item[key] == value)
    return Cell(F.get(fitting, F.lit(0))[field], _fine())


def _timestamp(raw: Column, partial: bool) -> Column:
    whole = F.regexp_replace(raw, r"([+-]\d{2})(\d{2})$", "$1:$2")
    value = F.when(raw.rlike(OFFSET), whole.try_cast("timestamp"))
    if not partial:
        return value
    filled = F.concat(F.substring(F.concat(raw, F.lit("-01-01")), 1, 10), F.lit("T00:00:00Z"))
    return F.when(raw.rlike(PARTIAL), filled.try_cast("timestamp")).otherwise(value)


def _phone(raw: Column, country: Column) -> Column:
    digits = F.regexp_replace(F.trim(raw), r"[\s()./-]", "")
    code = F.lit(None).cast("string")
    for name, number in CALLING_CODES.items():
        code = F.when(country == name, F.lit(number)).otherwise(code)
    trunk = F.when(country == "IT", digits).otherwise(F.regexp_replace(digits, "^0", ""))
    international = (F.when(digits.startswith("+"), F.regexp_replace(digits, r"^(\+\d{2,3})\(0\)", "$1"))
                     .when(digits.startswith("00"), F.concat(F.lit("+"), F.substring(digits, 3, 20)))
                     .otherwise(F.concat(F.lit("+"), code, trunk)))
    return F.when(international.rlike(r"^\+[1-9][0-9]{6,14}$"), international)


def _plain(html: Column) -> Column:
    text = F.regexp_replace(F.regexp_replace(html, r"(?i)<br\s*/?>|</p>\s*<p>", "\n"), r"<[^>]*>", "")
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")):
        text = F.regexp_replace(text, entity, sign)
    return F.trim(text)


def _typed(path: Path, text: Column, kind: str) -> Column:
    leaf, parent = path.steps[-1], json_at(text, Path(path.steps[:-1]))
    if isinstance(leaf, int):
        return F.get(F.from_json(parent, f"array<{kind}>"), F.lit(leaf))
    return F.from_json(parent, f"`{leaf}` {kind}")[leaf]


def _is_string(path: Path, text: Column) -> Column:
    leaf = path.steps[-1]
    if isinstance(leaf, int):
        return ~json_at(text, path).rlike(r"^\s*[\[{]")
    return json_at(text, Path(path.steps[:-1])).rlike(rf'"{re.escape(leaf)}"\s*:\s*"')


def _argument(argument: Node, text: Column) -> Cell:
    if isinstance(argument, Call):
        return compile_call(argument, text)
    if isinstance(argument, Path):
        return Cell(json_at(text, argument), _fine())
    return Cell(F.lit(argument), _fine())


def _argument_path(call: Call, index: int) -> Path:
    path = call.arguments[index]
    assert isinstance(path, Path)
    return path


def _when(condition: Column, reason: RejectReason) -> Column:
    return F.when(condition, F.lit(str(reason)))


def _fine() -> Column:
    return F.lit(None).cast("string")
