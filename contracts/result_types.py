"""What type of column an expression gives, and that its arguments are of the types it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from contracts.expressions import Call, ExpressionError, Node, Path, parse

TEXTS = ("text", "identifier", "plain_text", "email", "phone", "country", "reference", "coding", "item", "code", "ucum",
         "prefixed")
CONDITIONS = ("equals", "exists", "missing", "all_of", "any_of", "one_of")
# Of the functions that give one type; first and choose give that of their arguments, const that of its literal.
GIVES = {**dict.fromkeys(TEXTS, "string"), **dict.fromkeys(CONDITIONS, "boolean"), "boolean": "boolean",
         "number": "double", "date": "date", "timestamp": "timestamp", "partial_timestamp": "timestamp"}
# Functions whose first so many arguments are of a type and the others literals (the list asks for a path where none is).
ASKS = {"email": (1, "string"), "phone": (2, "string"), "country": (1, "string"), "reference": (1, "string"),
        "coding": (1, "string"), "item": (1, "string"), "code": (1, "string"), "prefixed": (1, "string"),
        "equals": (1, "string"), "one_of": (1, "string"), "choose": (1, "boolean")}
# The columns a type fits, and what to write for a column of a type.
FITS = {"double": ("double", "long", "int")}
EXAMPLES = {"string": "text(payload.{})", "double": "number(payload.{})", "long": "number(payload.{})",
            "int": "number(payload.{})", "boolean": "boolean(payload.{})", "date": "date(payload.{})",
            "timestamp": "timestamp(payload.{})"}


def result_type(node: Node) -> str:
    """The type of column a tree gives; a bare path gives its text. Raises ExpressionError where types do not fit."""
    if isinstance(node, Path | str):
        return "string"
    if isinstance(node, bool):
        return "boolean"
    if isinstance(node, int | float):
        return "double"
    name, arguments = node.function, node.arguments
    if node.options and name != "code":
        raise ExpressionError(f"{name} takes no keywords such as {node.options[0][0]}; write its arguments in their order")
    if name == "const":
        _refuse_no_literals(name, arguments)
    elif name in ("all_of", "any_of"):
        _refuse_other_types(name, arguments, "boolean")
    elif name in ASKS:
        count, kind = ASKS[name]
        _refuse_other_types(name, arguments[:count], kind)
        if name != "choose":
            _refuse_no_literals(name, arguments[count:])
    if name in GIVES:
        return GIVES[name]
    found = list(dict.fromkeys(result_type(a) for a in arguments[1 if name == "choose" else 0:]))
    if len(found) > 1:
        raise ExpressionError(f"{name} gives {' or '.join(found)}; write arguments of one type")
    return found[0]


def fits(call: Call, kind: str) -> bool:
    """Whether an expression can fill a column of a type. Raises ExpressionError where its own types do not fit."""
    given = result_type(call)
    return kind in FITS.get(given, (given,))


def typed(kind: str | None = None) -> Callable[[str], Call]:
    """What reads an expression whose types fit, of one type where it is told. It raises ExpressionError."""
    def read(text: str) -> Call:
        call = parse(text)
        given = result_type(call)
        if kind and given != kind:
            example = "exists(payload.id)" if kind == "boolean" else EXAMPLES[kind].format("updated_at")
            raise ExpressionError(f"{text!r} gives {given}, not {kind}; write for example {example}")
        return call
    return read


def _refuse_no_literals(name: str, arguments: Iterable[Node]) -> None:
    for argument in arguments:
        if isinstance(argument, Path | Call):
            raise ExpressionError(f"{name} takes a literal, not {_said(argument)}; write for example " + (
                "const('final')" if name == "const" else "equals(payload.kind, 'reading')" if name in CONDITIONS else "'text'"))


def _refuse_other_types(name: str, arguments: Iterable[Node], kind: str) -> None:
    for argument in arguments:
        given = result_type(argument)
        if given != kind:
            example = "exists(payload.a)" if kind == "boolean" else "text(payload.a)"
            raise ExpressionError(f"{name} asks {kind}, but {_said(argument)} gives {given}; write for example {example}")


def _said(node: Node) -> str:
    return f"{node.function}(...)" if isinstance(node, Call) else str(node)
