"""Hierarchies that contracts declare: what a value of a quasi-identifier is at each level, below `*`, which tells nobody apart.

A CSV file lists every value, as ARX has them; a YAML file gives a rule for numbers or days. Either lies in a folder
``hierarchies`` beside the contracts, and contracts name it by its stem.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.places import near
from contracts.reading import ContractError, text, yaml_of
from contracts.steps import Step, StepError, steps_of

FOLDER = "hierarchies"
MADE, EXACT = "made", "exact"  # What stands in a contract in the place of a name.
TOP = "*"
Levels = tuple[str | None, ...]


@dataclass(frozen=True)
class Declared:
    """A hierarchy that a contract names. ``listed``: what each value is, level by level; ``steps``: the rule where there is one.

    ``sha256`` is that of its file, by which two are told apart; ``file`` and ``said``: the name and the text of the file.
    """

    name: str
    sha256: str
    listed: Mapping[str, Levels] = field(compare=False)
    steps: tuple[Step, ...] = field(compare=False)
    file: str = field(compare=False, default="")
    said: str = field(compare=False, default="", repr=False)

    def told(self, value: str | None) -> Levels | None:
        """What a value (None: a null) is at each level above itself; None where the hierarchy does not have it."""
        if not self.steps:
            return self.listed.get(value or "")
        try:
            return tuple(None if value is None else step(value) for step in self.steps)
        except StepError:
            return None

    def __str__(self) -> str:
        return f"{self.name} ({self.sha256[:12]})"


def read(path: Path) -> Declared:
    """The hierarchy of a file. Raises ContractError, which quotes no value, where it has a hole or tells apart what it joins."""
    return of_text(path, text(path))


def of_text(path: Path, said: str) -> Declared:
    """The hierarchy that a file of this path says. Raises ContractError as ``read`` does."""
    listed = read_list(path, said) if path.suffix == ".csv" else {}
    steps = _rule(path, said) if path.suffix == ".yaml" else ()
    return Declared(path.stem, hashlib.sha256(said.encode()).hexdigest(), listed, steps, path.name, said)


def read_list(path: Path, said: str) -> dict[str, Levels]:
    """What each value of a CSV file is: a line a value, `value;level 1;level 2;...`, by `;` or `,`, no header, the empty
    value for a null. Raises ContractError, which quotes no value."""
    by = ";" if ";" in said else ","
    lines = [(number, line) for number, line in enumerate(csv.reader(said.removeprefix("\ufeff").splitlines(), delimiter=by), 1)
             if line]
    if not lines:
        raise ContractError(f"{path}:1: is empty; write a line for each value: the value, then what it is at each level")
    width, known = len(lines[0][1]), dict[str, Levels]()
    for number, line in lines:
        if len(line) != width or width < 2:
            raise ContractError(f"{path}:{number}: has {len(line)} levels, the first line {width}; write a value and at least "
                                "one level above it in every line, as many in each")
        if line[0] in known:
            raise ContractError(f"{path}:{number}: has a value that a line above has; keep one")
        if "" in line[1:]:
            raise ContractError(f"{path}:{number}: has an empty level; write what the value is there, for example {TOP}")
        known[line[0]] = tuple(line[1:])
    _refuse_split(path, lines)
    return known


def named(name: str, roots: Iterable[Path]) -> Declared:
    """The hierarchy of a name in folders of contracts, the first that has it. Raises ContractError."""
    roots = tuple(roots)
    for root in roots:
        for path in _files(root):
            if path.stem == name:
                return read(path)
    known = sorted({path.stem for root in roots for path in _files(root)})
    raise ContractError(f"{name!r}, which no file of {FOLDER}/ is called{near(name, known)}; write {MADE}, {EXACT}, or the name "
                        f"of one of {', '.join(known) or 'none yet'}")


def files_of(data: Any, roots: Sequence[Path]) -> tuple[Path, ...]:
    """The files of the hierarchies that the data of a contract's YAML name, as far as they are there."""
    said = data.get("customProperties") if isinstance(data, dict) else None
    values = [entry.get("value") for entry in said or [] if isinstance(entry, dict) and entry.get("property") == "anonymity"]
    quasi = values[0].get("quasiIdentifiers") if values and isinstance(values[0], dict) else None
    names = {str(name) for name in quasi.values()} if isinstance(quasi, dict) else set()
    found: dict[str, Path] = {}
    for path in (path for root in roots for path in _files(root) if path.stem in names):
        found.setdefault(path.stem, path)
    return tuple(found[name] for name in sorted(found))


def check(roots: Iterable[Path]) -> None:
    """Read every hierarchy of folders of contracts, named or not. Raises ContractError."""
    known: dict[str, Path] = {}
    for path in (path for root in roots for path in sorted((root / FOLDER).glob("*"))):
        if path.suffix not in (".csv", ".yaml"):
            raise ContractError(f"{path}:1: is no hierarchy; its name must end in .csv (a list) or .yaml (a rule)")
        if path.stem in (MADE, EXACT):
            raise ContractError(f"{path}:1: {path.stem} is what contracts write where no hierarchy is declared; rename it")
        if path.stem in known:
            raise ContractError(f"{path}:1: is called like {known[path.stem]}; choose another name")
        known[path.stem] = path
        read(path)


def _files(root: Path) -> list[Path]:
    return [path for path in sorted((root / FOLDER).glob("*")) if path.suffix in (".csv", ".yaml")]


def _refuse_split(path: Path, lines: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Each level joins groups of the one below it."""
    for level in range(2, len(lines[0][1])):
        above: dict[str, str] = {}
        for number, line in lines:
            if above.setdefault(line[level - 1], line[level]) != line[level]:
                raise ContractError(f"{path}:{number}: level {level} tells values apart that level {level - 1} joins; each level "
                                    "joins groups of the one below it")


def _rule(path: Path, said: str) -> tuple[Step, ...]:
    data, places = yaml_of(path, said)
    try:
        return steps_of(data)
    except StepError as error:
        raise ContractError(f"{path}:{places.line(*error.words)}: {error}") from None
