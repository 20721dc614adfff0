"""The expressions a source contract may write: calls from a fixed list over paths of the payload.

``number(payload.body.blood_glucose.value)`` reads like Python and is parsed by Python's own grammar, but only
calls of the functions listed here, paths below ``payload``, and literals are accepted. Nothing is ever evaluated
here: ``jobs.stages.mapping`` turns the parsed tree into engine expressions.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Union

from contracts.places import near

Literal = Union[str, int, float, bool]


@dataclass(frozen=True)
class Path:
    """A place in the payload, for example ``("body", "name", 0, "family")``."""

    steps: tuple[str | int, ...]

    def __str__(self) -> str:
        return "payload" + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in self.steps)

    @property
    def json_path(self) -> str:
        """The same place as a JSON path, as ``get_json_object`` takes it."""
        return "$" + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in self.steps)


@dataclass(frozen=True)
class Call:
    """A function of the fixed list with its arguments."""

    function: str
    arguments: tuple[Node, ...]
    options: tuple[tuple[str, Literal], ...] = ()

    def __str__(self) -> str:
        words = [repr(a) if isinstance(a, str) else str(a) for a in self.arguments]
        return f"{self.function}({', '.join([*words, *(f'{name}={value!r}' for name, value in self.options)])})"

    def option(self, name: str) -> Literal | None:
        """The keyword argument of that name, or None."""
        return dict(self.options).get(name)

    def paths(self) -> tuple[Path, ...]:
        """Every payload path the call reads, in order of appearance."""
        found: list[Path] = []
        for argument in self.arguments:
            if isinstance(argument, Path):
                found.append(argument)
            elif isinstance(argument, Call):
                found.extend(argument.paths())
        return tuple(found)


Node = Union[Path, Call, Literal]

# name -> (fewest arguments, most arguments, what it does). `-1` is any number.
FUNCTIONS: dict[str, tuple[int, int, str]] = {
    "text": (1, 1, "a JSON string"),
    "identifier": (1, 1, "an id as text: a JSON string or number"),
    "plain_text": (1, 1, "HTML as text, its tags and entities taken out"),
    "number": (1, 1, "a JSON number; a number written as a string is the wrong type"),
    "boolean": (1, 1, "a JSON true or false"),
    "date": (1, 1, "a full date YYYY-MM-DD"),
    "timestamp": (1, 1, "an instant with seconds and offset (RFC 3339), kept in UTC; a leap second is the next one"),
    "partial_timestamp": (1, 1, "a FHIR dateTime; a year, month or day is taken at its first instant in UTC"),
    "email": (1, 1, "an e-mail address, trimmed and lower case; null when it is none"),
    "phone": (2, 2, "a phone number as E.164, given the ISO 3166-1 country; null when it is none"),
    "country": (1, 1, "an ISO 3166-1 alpha-2 code; null when it is anything else"),
    "reference": (2, 2, "the id behind a FHIR reference such as Patient/1, given the resource type"),
    "coding": (2, 2, "the first code of that system in an array of codings"),
    "item": (4, 4, "a field of the first object of an array whose key has a value: item(path, key, value, field)"),
    "code": (2, -1, "a code translated by pairs, as keywords or as 'from', 'to', ...; any other is unknown_code"),
    "ucum": (1, 1, "the UCUM code of a FHIR Quantity; another system is wrong_unit"),
    "prefixed": (2, 2, "an id with a text put before it"),
    "first": (2, -1, "the first of its arguments that is not null"),
    "choose": (3, 3, "the second argument where the first is true, else the third"),
    "const": (1, 1, "a fixed value"),
    "equals": (2, -1, "whether the text at the path is one of the values"),
    "exists": (1, 1, "whether the path is there and not null"),
    "missing": (1, 1, "whether the path is not there or null"),
    "all_of": (2, -1, "whether all its arguments are true"),
    "any_of": (2, -1, "whether any of its arguments is true"),
    "one_of": (2, -1, "whether the path is missing or its text one of the values; else unknown_code"),
}


TAKES_EXPRESSIONS = {"first", "choose", "const", "all_of", "any_of", "email", "phone", "country", "coding", "item",
                     "prefixed", "reference", "code"}
PATH_FIRST = FUNCTIONS.keys() - TAKES_EXPRESSIONS


class ExpressionError(ValueError):
    """An expression that is not of the fixed list; its text says what to write instead."""


def parse(text: str) -> Call:
    """Parse an expression into a tree.

    Raises ExpressionError when the text is not one call from ``FUNCTIONS`` over payload paths and literals.
    """
    try:
        body = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f"{text!r} is not an expression ({error.msg}); write for example "
                              "text(payload.id)") from None
    node = _node(body, text)
    if not isinstance(node, Call):
        raise ExpressionError(f"{text!r} names no function; write for example text({text.strip()})")
    return node


def parse_path(text: str) -> Path:
    """Parse a bare path such as ``payload.header.id``. Raises ExpressionError for anything else."""
    try:
        node = _node(ast.parse(text.strip(), mode="eval").body, text)
    except SyntaxError:
        node = None
    if not isinstance(node, Path):
        raise ExpressionError(f"{text!r} is not a path; write for example payload.header.id")
    return node


def _node(node: ast.expr, text: str) -> Node:
    match node:
        case ast.Constant(value=str() | int() | float() | bool() as value):
            return value
        case ast.Name(id="payload"):
            return Path(())
        case ast.Attribute(value=inner, attr=name):
            return Path((*_path(inner, text).steps, name))
        case ast.Subscript(value=inner, slice=ast.Constant(value=int() | str() as step)):
            return Path((*_path(inner, text).steps, step))
        case ast.Call(func=ast.Name(id=name)):
            return _call(name, node, text)
    raise ExpressionError(f"{ast.unparse(node)!r} in {text!r} is not allowed; use payload paths, literals and "
                          f"the functions {', '.join(sorted(FUNCTIONS))}")


def _path(node: ast.expr, text: str) -> Path:
    inner = _node(node, text)
    if not isinstance(inner, Path):
        raise ExpressionError(f"{ast.unparse(node)!r} in {text!r} is not a path; paths begin with payload")
    return inner


def _call(name: str, node: ast.Call, text: str) -> Call:
    if name not in FUNCTIONS:
        raise ExpressionError(f"unknown function {name!r} in {text!r}{near(name, FUNCTIONS)}; known are "
                              f"{', '.join(sorted(FUNCTIONS))}")
    least, most, _ = FUNCTIONS[name]
    options = []
    for keyword in node.keywords:
        if (keyword.arg is None or not isinstance(keyword.value, ast.Constant)
                or not isinstance(keyword.value.value, str | int | float | bool)):
            raise ExpressionError(f"keyword arguments in {text!r} must be literals, for example code(..., M='male')")
        options.append((keyword.arg, keyword.value.value))
    count = len(node.args) + len(options)
    if count < least or (most >= 0 and count > most):
        wanted = f"{least}" if most == least else f"{least} to {most}" if most >= 0 else f"at least {least}"
        raise ExpressionError(f"{name} in {text!r} takes {wanted} arguments, not {count}")
    call = Call(name, tuple(_node(a, text) for a in node.args), tuple(options))
    if name in PATH_FIRST and not (isinstance(call.arguments[0], Path) and call.arguments[0].steps):
        raise ExpressionError(f"{name} in {text!r} takes a path first; write for example {name}(payload.id)")
    if name == "code" and len(node.args) % 2 == 0:
        raise ExpressionError(f"code in {text!r} takes pairs after its path: 'from', 'to', ...")
    return call
