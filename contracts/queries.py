"""SQL in rules of quality: one SELECT of one value, of the rows to be written and those that their source brought before."""

from __future__ import annotations

import re
from typing import Any

from contracts.quality import HISTORY, MOMENT, RuleError
from contracts.table import Column

OBJECT = "rows_of_the_table"  # What ${object} is while a query is read.
VIEWS = "known_"  # How views of other tables begin, which references are looked up in; a query may name none.


def query(text: str, column: str | None, known: dict[str, Column], name: str, place: tuple[str, ...],
          has_history: bool = False) -> str:
    """A rule's query as it is asked, ``{batch}`` for the rows, HISTORY for the source's earlier ones and MOMENT for ${as_of}.

    ``has_history``: whether there are earlier ones. Raises RuleError.
    """
    if "${history}" in text and not has_history:
        raise RuleError(f"query of {name} reads ${{history}}, but only core tables have rows of earlier batches; take it out",
                        *place)
    said = text.replace("${object}", OBJECT).replace("${table}", OBJECT).replace("${history}", HISTORY)
    for word in ("${property}", "${column}"):
        if word in said and column is None:
            raise RuleError(f"query of {name} says {word}, but stands at the table; name the column", *place)
        said = said.replace(word, str(column))
    said = said.strip().rstrip(";")
    _refuse_unaskable(said.replace("${as_of}", "current_timestamp()"), known, name, place)
    return said.replace("${as_of}", MOMENT).replace("{", "{{").replace("}", "}}").replace(OBJECT, "{batch}")


def condition_of(text: str, known: dict[str, Column], name: str, place: tuple[str, ...]) -> None:
    """Raise RuleError unless a condition can be asked of a row."""
    query(f"SELECT count(*) FROM ${{object}} WHERE ({text})", None, known, name, place)  # noqa: S608  # It is read only.


def _refuse_unaskable(said: str, known: dict[str, Column], name: str, place: tuple[str, ...]) -> None:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.qualify import qualify

    try:
        parsed = sqlglot.parse(said, read="spark")
        if len(parsed) != 1 or not isinstance(parsed[0], exp.Query) or len(parsed[0].selects) != 1:
            raise RuleError(f"query of {name} is no single SELECT of one value; write one that gives a number", *place)
        if any(node.comments for node in parsed[0].walk()):
            raise RuleError(f"query of {name} has a comment; take it out, and say it in the description", *place)
        _refuse_other_tables(parsed[0], name, place)
        types = {c.name: c.type for c in known.values()}
        qualify(parsed[0].copy(), schema={OBJECT: types, HISTORY: types}, dialect="spark")
    except SqlglotError as error:
        what = str(error).splitlines()[0].replace(OBJECT, "${object}").replace(HISTORY, "${history}")
        raise RuleError(f"query of {name} cannot be asked: {what}; the table has {', '.join(known)}", *place) from None


def _refuse_other_tables(parsed: Any, name: str, place: tuple[str, ...]) -> None:
    """Raise RuleError where a query reads a table, a path, a view or a function that gives rows from elsewhere."""
    from sqlglot import exp

    own = {cte.alias for cte in parsed.find_all(exp.CTE)}
    tables = list(parsed.find_all(exp.Table))
    strange = [alias for alias in own
               if not re.fullmatch(r"[a-z]\w*", alias) or alias.startswith(VIEWS) or alias in (OBJECT, HISTORY)]
    others = [t for t in tables if t.db or not isinstance(t.this, exp.Identifier) or t.name not in {OBJECT, HISTORY, *own}]
    rows = [made for made in parsed.find_all(exp.Lateral) if not isinstance(made.this, exp.Explode)]
    if strange or others or rows or not any(t.name == OBJECT for t in tables):
        raise RuleError(f"query of {name} must read ${{object}}, the rows to be written, and beside them only ${{history}}, "
                        "those that the source brought before; other tables are named by relationships", *place)
