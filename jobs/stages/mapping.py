"""Contract expressions as engine columns: each gives a value and, where the payload is wrong, a reason.

The payload is a column of JSON text. Paths are read with ``get_json_object``; a value whose JSON type matters is
parsed from its parent with ``from_json``, which gives null for any other type, so that "95" is no number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import Column
from pyspark.sql import functions as F

from contracts.expressions import Call, Node, Path
from contracts.vocabulary import RejectReason

OFFSET = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}([.]\d+)?([Zz]|[+-]\d{2}:?\d{2})$"
FULL_DATE = r"^\d{4}-\d{2}-\d{2}$"
PARTIAL = r"^\d{4}(-\d{2}){0,2}$"
EMAIL = r'^[^@\s"<>()\[\],;:\\]+@[^@\s"<>()\[\],;:\\]+\.[^@\s"<>()\[\],;:\\]+$'
# In this order: what an escaped ampersand leaves behind is no entity any more.
ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&apos;": "'", "&nbsp;": " ", "&amp;": "&"}
LEAP_SECOND = r":59:60([.]\d+)?"
# How the text of a JSON value that may be no string begins, and the type to tell it by.
OTHER_TYPES = {r"^[-\d]": "double", "^(true|false)$": "boolean", r"^\[": "array<string>", r"^\{": "map<string,string>"}
# A whole number may identify; of others the engines do not write the same text.
NO_IDENTIFIERS = {**{k: v for k, v in OTHER_TYPES.items() if v != "double"}, r"^-?\d+[.eE]": "double"}
# Country calling codes and trunk prefixes of ITU-T E.164, for the countries Concord's sources serve.
CALLING_CODES = {"AT": "43", "BE": "32", "CH": "41", "DE": "49", "DK": "45", "ES": "34", "FR": "33", "GB": "44",
                 "IE": "353", "IT": "39", "NL": "31", "PL": "48", "PT": "351", "SE": "46", "US": "1"}


@dataclass(frozen=True)
class Cell:
    """An expression's value and the reason why it is wrong, null where it is right."""

    value: Column
    problem: Column


@dataclass(frozen=True)
class Json:
    """JSON text, and the columns that hold what lies at some of its paths already."""

    text: Column
    found: Mapping[Path, Column] = field(default_factory=dict)

    def at(self, path: Path) -> Column:
        """The text of the value at a path; null where it is missing or null."""
        if path in self.found:
            return self.found[path]
        found = F.get_json_object(self.text, path.json_path)
        if not path.steps or not isinstance(path.steps[-1], int):
            return found
        # Apache Spark gives a null element of an array as the text null.
        return F.when((found != "null") | self.typed(path, "string").isNotNull(), found)

    def typed(self, path: Path, kind: str) -> Column:
        """The value at a path as a type of the engine; null where the JSON value is of another type."""
        leaf, parent = path.steps[-1], self.at(Path(path.steps[:-1])) if path.steps[1:] else self.text
        if isinstance(leaf, int):
            return F.get(F.from_json(parent, f"array<{kind}>"), F.lit(leaf))
        return F.from_json(parent, f"`{leaf}` {kind}")[leaf]


def compile_call(call: Call, payload: Json) -> Cell:
    """The engine columns of an expression over the payload.

    Raises NotImplementedError for a function of the fixed list that has no translation (a test holds that none is).
    """
    match call.function:
        case "first":
            return _first([_argument(a, payload) for a in call.arguments])
        case "choose":
            condition, yes, no = (_argument(a, payload) for a in call.arguments)
            return Cell(F.when(condition.value, yes.value).otherwise(no.value),
                        F.when(condition.value, yes.problem).otherwise(no.problem))
        case "const":
            return Cell(F.lit(call.arguments[0]), _fine())
        case "equals" | "exists" | "missing" | "all_of" | "any_of" | "one_of":
            return _condition(call, payload)
        case "coding" | "item" | "ucum" | "reference" | "prefixed" | "code" | "email" | "phone" | "country":
            return _structured(call, payload)
        case _:
            return _scalar(call.function, _argument_path(call, 0), payload)


def _scalar(function: str, path: Path, payload: Json) -> Cell:
    raw = payload.at(path)
    match function:
        case "text":
            return Cell(raw, _when(_is_other(path, payload, raw), RejectReason.WRONG_TYPE))
        case "identifier":
            return Cell(raw, _when(_is_other(path, payload, raw, NO_IDENTIFIERS) | (raw == ""), RejectReason.WRONG_TYPE))
        case "plain_text":
            return Cell(_plain(raw), _when(_is_other(path, payload, raw), RejectReason.WRONG_TYPE))
        case "number" | "boolean":
            typed = _finite(payload.typed(path, "double")) if function == "number" else payload.typed(path, "boolean")
            return Cell(typed, _when(raw.isNotNull() & typed.isNull(), RejectReason.WRONG_TYPE))
        case "date":
            value = F.when(raw.rlike(FULL_DATE), raw.try_cast("date"))
            return Cell(value, _when(raw.isNotNull() & value.isNull(), RejectReason.BAD_FORMAT))
        case "timestamp":
            value = _timestamp(raw)
            return Cell(value, _when(raw.isNotNull() & value.isNull(), RejectReason.BAD_FORMAT))
        case "partial_timestamp":
            number = F.when(raw.rlike(r"^\d{4}$"), _is_other(path, payload, raw)).otherwise(F.lit(False))
            value = F.when(~number, _partial_timestamp(raw))
            return Cell(value, _when(raw.isNotNull() & value.isNull(), RejectReason.BAD_FORMAT))
    raise NotImplementedError(f"expression function {function!r} has no translation")


def _structured(call: Call, payload: Json) -> Cell:
    first = _argument(call.arguments[0], payload)
    match call.function:
        case "coding":
            return _item(first.value, "system", str(call.arguments[1]), "code")
        case "item":
            key, value, field = (str(a) for a in call.arguments[1:])
            return _item(first.value, key, value, field)
        case "ucum":
            path = _argument_path(call, 0)
            system, code = (payload.at(Path((*path.steps, s))) for s in ("system", "code"))
            is_ucum = F.coalesce(system == "http://unitsofmeasure.org", F.lit(False))
            return Cell(F.when(is_ucum, code), _when(first.value.isNotNull() & ~is_ucum, RejectReason.WRONG_UNIT))
        case "reference":
            kind = str(call.arguments[1])
            place = rf"(?:^|/){kind}/([A-Za-z0-9.-]+)(?:/_history/.*)?$"
            return Cell(F.when(first.value.rlike(place), F.regexp_extract(first.value, place, 1)), _fine())
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
            return Cell(_phone(first.value, F.upper(F.trim(_argument(call.arguments[1], payload).value))), _fine())


def _condition(call: Call, payload: Json) -> Cell:
    if call.function in ("all_of", "any_of"):
        parts = [_argument(a, payload).value for a in call.arguments]
        whole = parts[0]
        for part in parts[1:]:
            whole = (whole & part) if call.function == "all_of" else (whole | part)
        return Cell(whole, _fine())
    value = payload.at(_argument_path(call, 0))
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
    fitting = F.filter(items, lambda item: (item[key] == value) & item[field].isNotNull())
    return Cell(F.get(fitting, F.lit(0))[field], _fine())


def _timestamp(raw: Column) -> Column:
    whole = F.regexp_replace(F.upper(raw), r"([+-]\d{2})(\d{2})$", "$1:$2")
    before_leap = F.regexp_replace(whole, LEAP_SECOND, ":59:59").try_cast("timestamp") + F.expr("INTERVAL 1 SECOND")
    return F.when(raw.rlike(OFFSET), F.when(raw.rlike(LEAP_SECOND), before_leap).otherwise(whole.try_cast("timestamp")))


def _partial_timestamp(raw: Column) -> Column:
    filled = F.concat(F.substring(F.concat(raw, F.lit("-01-01")), 1, 10), F.lit("T00:00:00Z"))
    return F.when(raw.rlike(PARTIAL), filled.try_cast("timestamp")).otherwise(_timestamp(raw))


def _phone(raw: Column, country: Column) -> Column:
    digits = F.regexp_replace(F.regexp_replace(raw, r"\(0\)", ""), r"[\s()./-]", "")
    code = F.lit(None).cast("string")
    for name, number in CALLING_CODES.items():
        code = F.when(country == name, F.lit(number)).otherwise(code)
    trunk = (F.when(country == "IT", digits).when(country == "US", F.regexp_replace(digits, "^1", ""))
             .otherwise(F.regexp_replace(digits, "^0", "")))
    international = (F.when(digits.startswith("+"), digits)
                     .when(digits.startswith("00"), F.concat(F.lit("+"), F.substring(digits, 3, 20)))
                     .otherwise(F.concat(F.lit("+"), code, trunk)))
    return F.when(international.rlike(r"^\+[1-9][0-9]{6,14}$"), international)


def _plain(html: Column) -> Column:
    text = F.regexp_replace(F.regexp_replace(html, r"(?i)<br\s*/?>|</p>\s*<p>", "\n"), r"<[^>]*>", "")
    for entity, sign in ENTITIES.items():
        text = F.regexp_replace(text, entity, sign)
    return F.trim(text)


def _finite(number: Column) -> Column:
    return F.when((number > float("-inf")) & (number < float("inf")), number)


def _is_other(path: Path, payload: Json, raw: Column, types: Mapping[str, str] = OTHER_TYPES) -> Column:
    """Whether the JSON value at a path, ``raw`` as text, is of one of the types: by how such a text begins."""
    answer = F.lit(False)
    for begins, kind in types.items():
        answer = F.when(raw.rlike(begins), payload.typed(path, kind).isNotNull()).otherwise(answer)
    return answer


def _argument(argument: Node, payload: Json) -> Cell:
    if isinstance(argument, Call):
        return compile_call(argument, payload)
    if isinstance(argument, Path):
        return Cell(payload.at(argument), _fine())
    return Cell(F.lit(argument), _fine())


def _argument_path(call: Call, index: int) -> Path:
    path = call.arguments[index]
    assert isinstance(path, Path)
    return path


def _when(condition: Column, reason: RejectReason) -> Column:
    return F.when(condition, F.lit(str(reason)))


def _fine() -> Column:
    return F.lit(None).cast("string")
