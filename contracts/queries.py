"""SQL in rules of quality: one SELECT of one value, of the rows to be written and those that their source brought before.

To parse every query of every contract takes longer than to load the contracts: it is done where they are checked, and before
a table's rules are asked.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from contracts.quality import HISTORY, MOMENT, AnyRule, CustomRule, RuleError, SqlRule
from contracts.reading import ContractError
from contracts.table import Table

OBJECT = "rows_of_the_table"  # What ${object} is while a query is read.
VIEWS = "known_"  # How views of other tables begin, which references are looked up in; a query may name none.


def query(text: str, column: str | None, name: str, place: tuple[str, ...], has_history: bool = False) -> str:
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
    said = said.strip().rstrip(";").replace("${as_of}", MOMENT)
    return said.replace("{", "{{").replace("}", "}}").replace(OBJECT, "{batch}")


def unaskable(table: Table) -> RuleError | None:
    """What is wrong with a table's queries and row conditions: no single SELECT of one value, of these rows and columns."""
    types = tuple((column.name, column.type) for column in table.columns)
    for rule in table.quality:
        said = _said(rule)
        if said is not None:
            try:
                _refuse_unaskable(said, types, rule.name)
            except RuleError as error:
                at = ("properties", rule.column) if rule.column else ()
                return RuleError(str(error), "schema", table.name.split(".")[1], *at, "quality", rule.name)
    return None


def refuse_unaskable(table: Table) -> None:
    """Raise ContractError where a query of a table cannot be asked, or reads anything else than it may."""
    wrong = unaskable(table)
    if wrong:
        raise ContractError(f"contract of {table.name}: {wrong}")


def _said(rule: AnyRule) -> str | None:
    """The query of a rule as it is read here; None where it has none."""
    if isinstance(rule, SqlRule):
        own = rule.query.replace("{batch}", OBJECT).replace("{{", "{").replace("}}", "}")
        return own.replace(MOMENT, "current_timestamp()")
    condition = rule.kwargs.get("row_condition") if isinstance(rule, CustomRule) else None
    return f"SELECT count(*) FROM {OBJECT} WHERE ({condition})" if isinstance(condition, str) else None  # noqa: S608


@cache
def _refuse_unaskable(said: str, types: tuple[tuple[str, str], ...], name: str) -> None:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.qualify import qualify

    try:
        parsed = sqlglot.parse(said, read="spark")
        if len(parsed) != 1 or not isinstance(parsed[0], exp.Query) or len(parsed[0].selects) != 1:
            raise RuleError(f"query of {name} is no single SELECT of one value; write one that gives a number")
        if any(node.comments for node in parsed[0].walk()):
            raise RuleError(f"query of {name} has a comment; take it out, and say it in the description")
        _refuse_other_tables(parsed[0], name)
        qualify(parsed[0].copy(), schema={OBJECT: dict(types), HISTORY: dict(types)}, dialect="spark")
    except SqlglotError as error:
        what = str(error).splitlines()[0].replace(OBJECT, "${object}").replace(HISTORY, "${history}")
        raise RuleError(f"query of {name} cannot be asked: {what}; the table has {', '.join(n for n, _ in types)}") from None


def _refuse_other_tables(parsed: Any, name: str) -> None:
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
                        "those that the source brought before; other tables are named by relationships")
