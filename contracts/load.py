"""Reading contracts: YAML to the Open Data Contract Standard's model to Concord's own, or a clear refusal."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pydantic
import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from contracts.model import Product, Recipient, Source, Table
from contracts.translate import (
    TranslationError,
    product_fields,
    recipient_fields,
    source_fields,
    tables,
)

KINDS = {"sources": (Source, source_fields), "products": (Product, product_fields),
         "recipients": (Recipient, recipient_fields)}


class ContractError(ValueError):
    """A contract that is refused: which file, which line or path, what is wrong, what to write instead."""


@dataclass(frozen=True)
class Catalog:
    """Every contract, by name. ``tables`` holds each table of the lake by zone.thing."""

    sources: dict[str, Source]
    products: dict[str, Product]
    recipients: dict[str, Recipient]
    tables: dict[str, Table]

    def table(self, name: str) -> Table:
        """The table of that name. Raises ContractError when no contract declares it."""
        if name not in self.tables:
            raise ContractError(f"no contract declares table {name!r}; declared are {', '.join(sorted(self.tables))}")
        return self.tables[name]

    def release_groups(self) -> dict[str, tuple[Product, ...]]:
        """Products by release group, sorted by id."""
        groups: dict[str, list[Product]] = {}
        for product in sorted(self.products.values(), key=lambda p: p.id):
            groups.setdefault(product.release_group, []).append(product)
        return {name: tuple(members) for name, members in sorted(groups.items())}


def folders() -> tuple[Path, ...]:
    """The contracts that come with Concord, then those of ``CONCORD_CONTRACTS`` (folders split by the path separator)."""
    own = os.environ.get("CONCORD_CONTRACTS", "")
    return (Path(__file__).parent, *(Path(p) for p in own.split(os.pathsep) if p))


def catalog() -> Catalog:
    """Read every contract. Raises ContractError on the first that is broken."""
    return _catalog(folders())


@lru_cache(maxsize=4)
def _catalog(roots: tuple[Path, ...]) -> Catalog:
    found: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    all_tables: dict[str, Table] = {}
    for path in _files(roots, "platform"):
        _add_tables(all_tables, path)
    for path in _files(roots, "core"):
        _add_tables(all_tables, path)
    templates = {name: all_tables.pop(name) for name in ("raw.envelope", "raw.envelope__rejected")}
    all_tables.pop("core.record")
    for kind in KINDS:
        for path in _files(roots, kind):
            contract = load(path, kind, all_tables)
            if contract.id in found[kind]:
                raise ContractError(f"{path}: id {contract.id!r} is taken by {found[kind][contract.id].path}; choose another")
            found[kind][contract.id] = contract
    for source in found["sources"].values():
        for template, table in templates.items():
            name = template.replace("envelope", source.id)
            all_tables[name] = table.model_copy(update={"name": name})
    for product in found["products"].values():
        all_tables[product.table.name] = product.table
    return Catalog(found["sources"], found["products"], found["recipients"], all_tables)


def load(path: Path, kind: str, known: dict[str, Table]) -> Any:
    """Read one source, product or recipient contract; ``known`` are the tables it may refer to.

    Raises ContractError naming the file, the line, what is wrong and what to write instead.
    """
    model, fields = KINDS[kind]
    text = _text(path)
    odcs = _odcs(path, text)
    if odcs.id != path.stem:
        raise ContractError(f"{path}:1: id is {odcs.id!r} but the file is called {path.stem}.yaml; make them the same")
    try:
        values = fields(odcs, known)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return model(**values, path=path.name, sha256=digest)
    except TranslationError as error:
        raise ContractError(f"{path}:{_line(text, error.needle)}: {error}") from None
    except pydantic.ValidationError as error:
        raise ContractError(_explain(path, text, error)) from None


def _files(roots: tuple[Path, ...], kind: str) -> list[Path]:
    return sorted(p for root in roots for p in (root / kind).glob("*.yaml"))


def _add_tables(into: dict[str, Table], path: Path) -> None:
    text = _text(path)
    try:
        for table in tables(_odcs(path, text), into):
            into[table.name] = table
    except TranslationError as error:
        raise ContractError(f"{path}:{_line(text, error.needle)}: {error}") from None
    except pydantic.ValidationError as error:
        raise ContractError(_explain(path, text, error)) from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: cannot be read ({type(error).__name__}); contracts are UTF-8 YAML files") from None


def _odcs(path: Path, text: str) -> OpenDataContractStandard:
    try:
        data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise ContractError(f"{path}:{line}: is not YAML ({getattr(error, 'problem', error)})") from None
    if not isinstance(data, dict):
        raise ContractError(f"{path}:1: is not a mapping; a contract begins with apiVersion: v3.1.0")
    if data.get("apiVersion") != "v3.1.0" or data.get("kind") != "DataContract":
        raise ContractError(f"{path}:1: write apiVersion: v3.1.0 and kind: DataContract")
    try:
        contract = OpenDataContractStandard(**data)
    except pydantic.ValidationError as error:
        raise ContractError(_explain(path, text, error)) from None
    unknown = _unknown_keys(data, contract, "")
    if unknown:
        place, key = unknown
        raise ContractError(f"{path}:{_line(text, key)}: {place}{key} is not a key of the Open Data Contract Standard 3.1; "
                            "take it out, or write it as a customProperties entry that Concord knows")
    return contract


def _unknown_keys(data: Any, model: Any, place: str) -> tuple[str, str] | None:
    if isinstance(data, list) and isinstance(model, list):
        pairs = [(d, m, f"{place}[{i}].") for i, (d, m) in enumerate(zip(data, model, strict=True))]
    elif isinstance(data, dict) and isinstance(model, pydantic.BaseModel):
        names = {(f.alias or n): n for n, f in type(model).model_fields.items()}
        strange = [k for k in data if k not in names]
        if strange:
            return place, str(strange[0])
        pairs = [(v, getattr(model, names[k]), f"{place}{k}.") for k, v in data.items()]
    else:
        return None
    for below, its_model, where in pairs:
        found = _unknown_keys(below, its_model, where.replace(".[", "["))
        if found:
            return found
    return None


def _line(text: str, needle: str) -> int:
    """The first line that mentions the needle, else 1: close enough for a reader to find the place."""
    for number, line in enumerate(text.splitlines(), 1):
        if needle and needle in line:
            return number
    return 1


def _explain(path: Path, text: str, error: pydantic.ValidationError) -> str:
    lines = []
    for issue in error.errors(include_url=False):
        steps = [str(step) for step in issue["loc"]]
        needle = next((s for s in reversed(steps) if s and not s.isdigit() and s in text), "")
        said = issue["msg"].removeprefix("Value error, ")
        if issue["type"] == "missing":
            said = "is missing; it has no default and must be said"
        elif issue["type"] == "extra_forbidden":
            said = "is not known; take it out or correct its spelling"
        lines.append(f"{path}:{_line(text, needle)}: {'.'.join(steps) or 'contract'}: {said}")
    return "\n".join(lines)
