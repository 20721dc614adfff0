"""Reading contracts: YAML to the Open Data Contract Standard's model to Concord's own, or a clear refusal."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pydantic
import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from contracts import consent_loss, jurisdictions
from contracts.explain import problems
from contracts.jurisdictions import Jurisdiction
from contracts.model import Product, Recipient, Source, Table
from contracts.places import Places, near, read
from contracts.promises import unkept
from contracts.standard import violations
from contracts.together import refuse_misfit
from contracts.translate import (
    TranslationError,
    product_fields,
    recipient_fields,
    source_fields,
    tables,
)

KINDS: dict[str, tuple[type[Any], Any]] = {"sources": (Source, source_fields), "products": (Product, product_fields),
         "recipients": (Recipient, recipient_fields)}
TABLE_KINDS = ("platform", "core")
Steps = tuple[str | int, ...]


class ContractError(ValueError):
    """A contract that is refused: which file, which line or path, what is wrong, what to write instead."""


@dataclass(frozen=True)
class Catalog:
    """Every contract, by name. ``tables`` holds each table of the lake by zone.thing, ``jurisdictions`` rules by country."""

    sources: dict[str, Source]
    products: dict[str, Product]
    recipients: dict[str, Recipient]
    tables: dict[str, Table]
    jurisdictions: dict[str, Jurisdiction]

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
    """The contracts that come with Concord, then the folders of ``CONCORD_CONTRACTS`` (split by the path separator)."""
    own = [Path(p) for p in os.environ.get("CONCORD_CONTRACTS", "").split(os.pathsep) if p]
    for path in own:
        if not path.is_dir():
            raise ContractError(f"{path}: is no folder; CONCORD_CONTRACTS names folders that hold sources/, core/, "
                                "products/ or recipients/")
    return (Path(__file__).parent, *own)


def catalog() -> Catalog:
    """Read every contract. Raises ContractError on the first that is broken."""
    return _catalog(folders())


def check_files(paths: list[Path]) -> int:
    """Check contract files by Concord's rules and by the standard's JSON schema; every known one when none is named.

    Returns how many were checked. Raises ContractError for the first file that is broken.
    """
    roots = folders()
    every = [p for kind in (*TABLE_KINDS, *KINDS) for p in _files(roots, kind)]
    known = _catalog(roots)
    products, own = dict(known.products), {p.resolve() for p in every}
    for path in sorted(paths, key=_order) or every:
        kind = path.resolve().parent.name
        if kind in KINDS:
            contract = load(path, kind, known.tables)
            _hold_together(path, contract, known.tables, products, known.recipients.values())
            products |= {contract.id: contract} if kind == "products" else {}
        elif path.resolve() not in own:
            _add_tables(dict(_tables(roots)[0]), {}, path)
        data, places = _yaml(path, _text(path))
        wrong = [f"{path}:{places.at(at)}: {'.'.join(map(str, at)) or 'contract'}: {said}"
                 for at, said in violations(data)]
        if wrong:
            raise ContractError("\n".join(wrong))
    return len(paths or every)


def one(path: Path) -> Any:
    """The contract in a file, by the kind of its folder: a Source, a Product, a Recipient, or a list of Tables.

    It may be another version of one that is in force: it is read beside the tables of those. Raises ContractError.
    """
    kind, known = path.resolve().parent.name, _catalog(folders()).tables
    _order(path)
    return load(path, kind, known) if kind in KINDS else _read_tables(path, _tables(folders())[0])[0]


def _order(path: Path) -> int:
    """Recipients come after the products they name, whatever the order they are named in."""
    kind = path.resolve().parent.name
    if kind not in (*TABLE_KINDS, *KINDS):
        raise ContractError(f"{path}:1: lies in a folder called {kind}; a contract lies in one called "
                            f"{', '.join((*TABLE_KINDS[1:], *KINDS))}")
    return (*TABLE_KINDS, *KINDS).index(kind)


@lru_cache(maxsize=4)
def _catalog(roots: tuple[Path, ...]) -> Catalog:
    found: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    tables, places = _tables(roots)
    all_tables, declared = dict(tables), dict(places)
    templates = {name: all_tables.pop(name) for name in [n for n in all_tables if n.startswith("raw.envelope")]}
    all_tables.pop("core.record")
    report = all_tables.pop(consent_loss.TEMPLATE)
    for kind in KINDS:
        for path in _files(roots, kind):
            contract = load(path, kind, all_tables)
            if contract.id in declared:
                raise ContractError(f"{path}:1: id {contract.id!r} is taken by {declared[contract.id]}; choose another")
            found[kind][contract.id], declared[contract.id] = contract, path
    for source in found["sources"].values():
        for template, table in templates.items():
            name = template.replace("envelope", source.id)
            all_tables[name] = table.model_copy(update={"name": name})
    for product in found["products"].values():
        all_tables[product.table.name] = product.table
        if product.legal_basis.rests_on_consent:
            name = consent_loss.table_of(product.id)
            all_tables[name] = report.model_copy(update={"name": name})
        _hold_together(declared[product.id], product, all_tables, {}, ())
    recipients = list(found["recipients"].values())
    for place, recipient in enumerate(recipients):
        _hold_together(declared[recipient.id], recipient, all_tables, found["products"], recipients[:place])
    return Catalog(found["sources"], found["products"], found["recipients"], all_tables, _jurisdictions(roots))


def _jurisdictions(roots: tuple[Path, ...]) -> dict[str, Jurisdiction]:
    """Rules by country; a folder of one's own may add countries and replace rules."""
    found: dict[str, Jurisdiction] = {}
    for path in (root / jurisdictions.FILE for root in roots):
        try:
            found |= jurisdictions.load(path) if path.exists() else {}
        except jurisdictions.JurisdictionError as error:
            raise ContractError(str(error)) from None
    return found


@lru_cache(maxsize=4)
def _tables(roots: tuple[Path, ...]) -> tuple[dict[str, Table], dict[str, Path]]:
    """Tables of core and platform contracts by name, and the file of each."""
    found: dict[str, Table] = {}
    declared: dict[str, Path] = {}
    for kind in TABLE_KINDS:
        for path in _files(roots, kind):
            _add_tables(found, declared, path)
    return found, declared


def _hold_together(path: Path, contract: Any, tables: dict[str, Table], products: dict[str, Product],
                   recipients: Iterable[Recipient]) -> None:
    """Raise ContractError unless a contract fits the others."""
    try:
        refuse_misfit(contract, tables, products, recipients)
    except TranslationError as error:
        raise ContractError(f"{path}:{_yaml(path, _text(path))[1].line(*error.words)}: {error}") from None


def load(path: Path, kind: str, known: dict[str, Table]) -> Any:
    """Read one source, product or recipient contract; ``known`` are the tables it may refer to.

    Raises ContractError naming the file, the line, what is wrong and what to write instead.
    """
    model, fields = KINDS[kind]
    text = _text(path)
    data, places = _yaml(path, text)
    odcs = _odcs(path, data, places)
    values: dict[str, Any] = {}
    try:
        values = fields(odcs, known)
        return model(**values, path=path.name, sha256=hashlib.sha256(text.encode()).hexdigest())
    except TranslationError as error:
        raise ContractError(f"{path}:{places.line(*error.words)}: {error}") from None
    except pydantic.ValidationError as error:
        said = [f"{path}:{places.line(*words)}: {text}" for words, text in problems(error, model, values)]
        raise ContractError("\n".join(said)) from None


def _files(roots: tuple[Path, ...], kind: str) -> list[Path]:
    for root in roots:
        for path in (root / kind).glob("*.yml"):
            raise ContractError(f"{path}:1: contracts end in .yaml; rename it to {path.stem}.yaml")
    return [p for root in roots for p in sorted((root / kind).glob("*.yaml"))]


def _read_tables(path: Path, known: dict[str, Table]) -> tuple[list[Table], Places]:
    data, places = _yaml(path, _text(path))
    try:
        return tables(_odcs(path, data, places), known), places
    except TranslationError as error:
        raise ContractError(f"{path}:{places.line(*error.words)}: {error}") from None


def _add_tables(into: dict[str, Table], declared: dict[str, Path], path: Path) -> None:
    found, places = _read_tables(path, into)
    for table in found:
        if table.name in into:
            line, other = places.line("schema", table.name.split(".")[1]), declared.get(table.name, "another contract")
            raise ContractError(f"{path}:{line}: table {table.name} is declared by {other} already; choose another name")
        into[table.name], declared[table.name] = table, path


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[:error.start].count(b"\n") + 1
        raise ContractError(f"{path}:{line}: is not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise ContractError(f"{path}:1: cannot be read ({error.strerror}); name a contract's YAML file") from None


def _yaml(path: Path, text: str) -> tuple[Any, Places]:
    try:
        return read(text)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise ContractError(f"{path}:{line}: is not YAML ({getattr(error, 'problem', error)}); compare it with a "
                            "contract beside it, quotes and indentation first") from None


def _odcs(path: Path, data: Any, places: Places) -> OpenDataContractStandard:
    if not isinstance(data, dict):
        raise ContractError(f"{path}:1: is not a mapping; a contract begins with apiVersion: v3.1.0")
    for key, value in {"apiVersion": "v3.1.0", "kind": "DataContract"}.items():
        if data.get(key) != value:
            raise ContractError(f"{path}:{places.at([key])}: {key} is {data.get(key)!r}; write {key}: {value}")
    try:
        contract = OpenDataContractStandard(**data)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        steps = tuple(s for s in first["loc"] if not isinstance(s, str) or s[:1].islower())
        if first["type"] == "extra_forbidden":
            known = [f.alias or n for n, f in OpenDataContractStandard.model_fields.items()]
            raise _strange(path, places, steps, known) from None
        raise ContractError(f"{path}:{places.at(steps)}: {'.'.join(map(str, steps))}: {first['msg']}") from None
    unknown = _unknown_keys(data, contract, ())
    if unknown:
        raise _strange(path, places, *unknown)
    for place, said in unkept(data, path.resolve().parent.name):
        raise ContractError(f"{path}:{places.at(place)}: {said}")
    if contract.id != path.stem:
        raise ContractError(f"{path}:{places.at(['id'])}: id is {contract.id!r} but the file is called {path.stem}.yaml; "
                            "make them the same")
    return contract


def _strange(path: Path, places: Places, steps: Steps, known: list[str]) -> ContractError:
    key = str(steps[-1])
    hint = "; quote the expression, it holds a comma" if ")" in key else near(key, known)
    return ContractError(f"{path}:{places.at(steps)}: {'.'.join(map(str, steps))} is not a key of the Open Data Contract "
                         f"Standard 3.1{hint}; take it out, or write it as a customProperties entry that Concord knows")


def _unknown_keys(data: Any, model: Any, place: Steps) -> tuple[Steps, list[str]] | None:
    """The path of the first key that the model does not have, and those it has; None when it has all."""
    if isinstance(data, list) and isinstance(model, list):
        pairs = [(d, m, (*place, i)) for i, (d, m) in enumerate(zip(data, model, strict=True))]
    elif isinstance(data, dict) and isinstance(model, pydantic.BaseModel):
        names = {(f.alias or n): n for n, f in type(model).model_fields.items()}
        strange = [k for k in data if k not in names]
        if strange:
            return (*place, str(strange[0])), list(names)
        pairs = [(v, getattr(model, names[k]), (*place, k)) for k, v in data.items()]
    else:
        return None
    for below, its_model, where in pairs:
        found = _unknown_keys(below, its_model, where)
        if found:
            return found
    return None
