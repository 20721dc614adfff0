"""A subset of SOQL: SELECT fields FROM object [WHERE a AND b] [ORDER BY f] [LIMIT n], over records of one object.

Conditions: = != < <= > >= IN, NOT IN, LIKE; literals: strings, numbers, booleans, null, dates and date-times.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .versions import Record, instant

SYSTEM = {"Id": "id", "IsDeleted": "boolean", "CreatedDate": "datetime", "SystemModstamp": "datetime"}
OBJECTS: dict[str, dict[str, str]] = {
    "Contact": {"FirstName": "string", "LastName": "string", "Birthdate": "date", "GenderIdentity": "string",
                "Email": "string", "MobilePhone": "string", "MailingPostalCode": "string", "MailingCity": "string",
                "MailingCountryCode": "string", **SYSTEM},
    "ContactPointEmail": {"ParentId": "id", "EmailAddress": "string", "IsPrimary": "boolean",
                          "IsVerified__c": "boolean", **SYSTEM},
    "ContactPointPhone": {"ParentId": "id", "TelephoneNumber": "string", "IsPrimary": "boolean",
                          "IsSmsCapable": "boolean", "IsVerified__c": "boolean", "CountryCode__c": "string", **SYSTEM},
    "ContactPointTypeConsent": {"PartyId": "id", "ContactPointType": "string", "DataUsePurpose__c": "string",
                                "Recipient__c": "string", "PrivacyConsentStatus": "string",
                                "EffectiveFrom": "datetime", "EffectiveTo": "datetime", "CaptureDate": "datetime",
                                "CaptureSource": "string", "Country__c": "string", **SYSTEM},
    "Case": {"ContactId": "id", "Type": "string", "Origin": "string", "Subject": "string", "Description": "string",
             "FirstResponseAt__c": "datetime", "ClosedDate": "datetime", **SYSTEM},
}
_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*')"
    r"|(?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))"
    r"|(?P<date>\d{4}-\d\d-\d\d)|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][\w.]*)"
    r"|(?P<sign><=|>=|!=|<>|=|<|>|\(|\)|,))")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b), "!=": lambda a, b: bool(a != b), "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b), ">": lambda a, b: bool(a > b), ">=": lambda a, b: bool(a >= b)}


class SoqlError(Exception):
    """A query the CRM refuses, with Salesforce's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. `matches` are tests a record must all pass; `order` holds (field, descending, nulls last)."""

    entity: str
    fields: tuple[str, ...]
    matches: tuple[Callable[[Record], bool], ...] = ()
    order: tuple[tuple[str, bool, bool], ...] = ()
    limit: int | None = None
    is_count: bool = False

    def run(self, records: Iterable[Record]) -> list[Record]:
        """The records that match, in order, whole; the caller picks the fields."""
        found = [record for record in records if all(match(record) for match in self.matches)]
        for name, descending, nulls_last in reversed(self.order):
            kind = OBJECTS[self.entity][name]
            filled = [record for record in found if record[name] is not None]
            empty = [record for record in found if record[name] is None]
            filled.sort(key=lambda record: _comparable(kind, record[name]), reverse=descending)
            found = filled + empty if nulls_last else empty + filled
        return found if self.limit is None else found[: self.limit]


def select(entity: str, rest: str = "") -> str:
    """A query for all fields of an object; `rest` is what follows its name."""
    return " ".join(("SELECT", ", ".join(OBJECTS[entity]), "FROM", entity, rest)).strip()


def parse(text: str) -> Query:
    """Read a query. Raises SoqlError with MALFORMED_QUERY, INVALID_TYPE or INVALID_FIELD."""
    return _Parser(text).query()


def _comparable(kind: str, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case "datetime":
            return instant(value)
        case "string":
            return value.casefold()
        case _:
            return value


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = list(self._scan(text))
        self.at = 0
        self.entity = ""

    @staticmethod
    def _scan(text: str) -> Iterable[tuple[str, str]]:
        position, text = 0, text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise SoqlError("MALFORMED_QUERY", f"unexpected token at position {position}")
            yield str(found.lastgroup), found.group(str(found.lastgroup))
            position = found.end()

    def _next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise SoqlError("MALFORMED_QUERY", "unexpected end of query")
        self.at += 1
        return self.tokens[self.at - 1]

    def _accept(self, *words: str) -> bool:
        ahead = [value.upper() for _, value in self.tokens[self.at : self.at + len(words)]]
        if ahead != list(words):
            return False
        self.at += len(words)
        return True

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise SoqlError("MALFORMED_QUERY", f"expected {word} at token {self.at + 1}")

    def _word(self) -> str:
        kind, value = self._next()
        if kind != "word":
            raise SoqlError("MALFORMED_QUERY", f"expected a name at token {self.at}")
        return value

    def _column(self) -> str:
        name = self._word()
        for known in OBJECTS[self.entity]:
            if known.casefold() == name.casefold():
                return known
        raise SoqlError("INVALID_FIELD", f"No such column '{name}' on entity '{self.entity}'.")

    def query(self) -> Query:
        """The whole query. Fields are looked up last, when the object they belong to is known."""
        self._expect("SELECT")
        is_count = self._accept("COUNT", "(", ")")
        names = [] if is_count else self._names()
        self._expect("FROM")
        self.entity = self._entity(self._word())
        after, self.at, listed = self.at, 1, []
        for _ in names:
            listed.append(self._column())
            self.at += 1
        self.at = after
        matches = self._conditions() if self._accept("WHERE") else []
        order = self._ordering() if self._accept("ORDER", "BY") else []
        limit = int(self._literal("number")) if self._accept("LIMIT") else None
        if self.at < len(self.tokens):
            raise SoqlError("MALFORMED_QUERY", f"unexpected token at token {self.at + 1}")
        return Query(self.entity, tuple(listed), tuple(matches), tuple(order), limit, is_count)

    def _names(self) -> list[str]:
        names = [self._word()]
        while self._accept(","):
            names.append(self._word())
        return names

    @staticmethod
    def _entity(name: str) -> str:
        for known in OBJECTS:
            if known.casefold() == name.casefold():
                return known
        raise SoqlError("INVALID_TYPE", f"sObject type '{name}' is not supported.")

    def _conditions(self) -> list[Callable[[Record], bool]]:
        found = [self._condition()]
        while self._accept("AND"):
            found.append(self._condition())
        return found

    def _condition(self) -> Callable[[Record], bool]:
        if self._accept("("):
            inner = self._conditions()
            self._expect(")")
            return lambda record: all(match(record) for match in inner)
        name = self._column()
        kind = OBJECTS[self.entity][name]
        if self._accept("NOT", "IN"):
            outside = self._list(kind)
            return lambda record: _comparable(kind, record[name]) not in outside
        if self._accept("IN"):
            inside = self._list(kind)
            return lambda record: _comparable(kind, record[name]) in inside
        if self._accept("LIKE"):
            pattern = _like(str(self._literal("string")))
            return lambda record: record[name] is not None and pattern.fullmatch(record[name]) is not None
        return self._comparison(name, kind)

    def _comparison(self, name: str, kind: str) -> Callable[[Record], bool]:
        sign = {"<>": "!="}.get(self.tokens[self.at][1], self.tokens[self.at][1]) if self.at < len(self.tokens) else ""
        if sign not in _COMPARE:
            raise SoqlError("MALFORMED_QUERY", f"unknown operator at token {self.at + 1}")
        self.at += 1
        compare, right = _COMPARE[sign], self._literal(kind)

        def test(record: Record) -> bool:
            left = _comparable(kind, record[name])
            if left is None or right is None:
                return compare(left, right) if sign in ("=", "!=") else False
            return compare(left, right)

        return test

    def _list(self, kind: str) -> set[Any]:
        self._expect("(")
        values = {self._literal(kind)}
        while self._accept(","):
            values.add(self._literal(kind))
        self._expect(")")
        return values

    def _literal(self, kind: str) -> Any:
        found, text = self._next()
        if found == "word" and text.lower() == "null":
            return None
        match kind, found:
            case ("string" | "id"), "string":
                plain = re.sub(r"\\(.)", r"\1", text[1:-1])
                return _comparable(kind, plain)
            case "datetime", "datetime":
                return instant(text)
            case "date", "date":
                return dt.date.fromisoformat(text).isoformat()
            case "boolean", "word" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "number", "number":
                return int(float(text))
            case _:
                raise SoqlError("INVALID_FIELD", f"value of filter criterion must be of type {kind}, got {found}")

    def _ordering(self) -> list[tuple[str, bool, bool]]:
        found = [self._order()]
        while self._accept(","):
            found.append(self._order())
        return found

    def _order(self) -> tuple[str, bool, bool]:
        name = self._column()
        descending = self._accept("DESC") or (self._accept("ASC") and False)
        nulls_last = self._accept("NULLS", "LAST") or (self._accept("NULLS", "FIRST") and False)
        return name, descending, nulls_last


def _like(pattern: str) -> re.Pattern[str]:
    escaped = "".join({"%": ".*", "_": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.compile(escaped, re.IGNORECASE | re.DOTALL)
