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

from contracts import consent_loss, deidentification, differencing, hierarchies, jurisdictions
from contracts.explain import problems
from contracts.jurisdictions import Jurisdiction
from contracts.model import Product, Recipient, Source, Table
from contracts.places import Places
from contracts.queries import unaskable
from contracts.reading import ContractError, odcs_of, text, yaml_of
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
    if not paths:
        deidentification.check(roots)
        hierarchies.check(roots)
    products, own = dict(known.products), {p.resolve() for p in every}
    for path in sorted(paths, key=_order) or every:
        kind = path.resolve().parent.name
        if kind in KINDS:
            contract = load(path, kind, known.tables)
            _hold_together(path, contract, known.tables, products, known.recipients.values())
            products |= {contract.id: contract} if kind == "products" else {}
            _refuse_unaskable(path, _tables_of(contract))
        elif path.resolve() not in own:
            beside = dict(_tables(roots)[0])
            _refuse_unaskable(path, _read_tables(path, beside)[0])
            for table in _add_tables(beside, {}, path):
                _hold_together(path, table, beside, {}, ())
        else:
            tables, declared = _tables(roots)
            _refuse_unaskable(path, [tables[n] for n, at in declared.items() if at.resolve() == path.resolve()])
        data, places = yaml_of(path, text(path))
        wrong = [f"{path}:{places.at(at)}: {'.'.join(map(str, at)) or 'contract'}: {said}"
                 for at, said in violations(data)]
        if wrong:
            raise ContractError("\n".join(wrong))
    return len(paths or every)


def one(path: Path) -> Any:
    """The contract in a file, by the kind of its folder: a Source, a Product, a Recipient, or a list of Tables.

    It may be another version of one that is in force. It is read beside the tables of its own tree of contracts where it
    lies in a whole one, else beside those in force. Raises ContractError.
    """
    _order(path)
    kind, root = path.resolve().parent.name, path.resolve().parents[1]
    roots = (root,) if all((root / name).is_dir() for name in TABLE_KINDS) else folders()
    if kind in KINDS:
        contract = load(path, kind, _catalog(roots).tables)
        _refuse_unaskable(path, _tables_of(contract))
        return contract
    found, places = _read_tables(path, _tables(roots)[0])
    if not found:
        raise ContractError(f"{path}:{places.at(['schema'])}: declares no table; write a schema entry for one")
    _refuse_unaskable(path, found)
    return found


def _tables_of(contract: Any) -> list[Table]:
    """The table that a product or a recipient is; a source has none of its own."""
    return [] if isinstance(contract, Source) else [contract.table]


def _refuse_unaskable(path: Path, found: Iterable[Table]) -> None:
    """Raise ContractError at the line of the first query that cannot be asked."""
    for wrong in filter(None, map(unaskable, found)):
        raise ContractError(f"{path}:{yaml_of(path, text(path))[1].line(*wrong.words)}: {wrong}")


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
    report, cells = all_tables.pop(consent_loss.TEMPLATE), all_tables.pop(differencing.TEMPLATE)
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
        if product.is_aggregate:
            name = differencing.table_of(product.id)
            all_tables[name] = cells.model_copy(update={"name": name})
        _hold_together(declared[product.id], product, all_tables, found["products"], ())
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
    for name, table in found.items():
        _hold_together(declared[name], table, found, {}, ())
    return found, declared


def table_files() -> dict[str, Path]:
    """The file that declares each table of core and platform contracts."""
    return _tables(folders())[1]


def _hold_together(path: Path, contract: Any, tables: dict[str, Table], products: dict[str, Product],
                   recipients: Iterable[Recipient]) -> None:
    """Raise ContractError unless a contract fits the others."""
    try:
        refuse_misfit(contract, tables, products, recipients)
        _refuse_other_than_profile(contract, products)
    except TranslationError as error:
        raise ContractError(f"{path}:{yaml_of(path, text(path))[1].line(*error.words)}: {error}") from None


def load(path: Path, kind: str, known: dict[str, Table]) -> Any:
    """Read one source, product or recipient contract; ``known`` are the tables it may refer to.

    Raises ContractError naming the file, the line, what is wrong and what to write instead.
    """
    model, fields = KINDS[kind]
    said = text(path)
    data, places = yaml_of(path, said)
    odcs = odcs_of(path, data, places)
    values: dict[str, Any] = {}
    try:
        values = fields(odcs, known)
        named = _hierarchies(path, values.get("anonymity"))
        whole = "".join([said, *(each.sha256 for each in named)])
        values |= {"hierarchies": named} if model is Recipient else {}
        return model(**values, path=path.name, sha256=hashlib.sha256(whole.encode()).hexdigest())
    except TranslationError as error:
        raise ContractError(f"{path}:{places.line(*error.words)}: {error}") from None
    except pydantic.ValidationError as error:
        wrong = [f"{path}:{places.line(*words)}: {what}" for words, what in problems(error, model, values)]
        raise ContractError("\n".join(wrong)) from None


def _hierarchies(path: Path, asked: Any) -> tuple[hierarchies.Declared, ...]:
    """The hierarchies that a contract's anonymity names: of its own tree, else of those in force. Raises TranslationError."""
    quasi = asked.get("quasiIdentifiers") if isinstance(asked, dict) else None
    names = sorted({str(name) for name in quasi.values()} if isinstance(quasi, dict) else set())
    roots, found = (path.resolve().parents[1], *folders()), []
    for name in (name for name in names if name not in (hierarchies.MADE, hierarchies.EXACT)):
        try:
            found.append(hierarchies.named(name, roots))
        except ContractError as error:
            raise TranslationError(f"anonymity names hierarchy {error}", "anonymity", name) from None
    return tuple(found)


def _refuse_other_than_profile(contract: Any, products: dict[str, Product]) -> None:
    """Raise TranslationError unless the columns of a product or a recipient keep to the profile that it names."""
    if getattr(contract, "profile", None):
        made_of = products[contract.product].table if isinstance(contract, Recipient) else None
        try:
            asked = deidentification.profile(contract.profile, folders())
            deidentification.refuse_other_treatment(asked, contract.table, made_of)
        except deidentification.NotAllowed as error:
            raise TranslationError(str(error), "schema", error.column) from None
        except ContractError as error:
            raise TranslationError(str(error), "profile") from None


def _files(roots: tuple[Path, ...], kind: str) -> list[Path]:
    for root in roots:
        for path in (root / kind).glob("*.yml"):
            raise ContractError(f"{path}:1: contracts end in .yaml; rename it to {path.stem}.yaml")
    return [p for root in roots for p in sorted((root / kind).glob("*.yaml"))]


def _read_tables(path: Path, known: dict[str, Table]) -> tuple[list[Table], Places]:
    data, places = yaml_of(path, text(path))
    try:
        return tables(odcs_of(path, data, places), known), places
    except TranslationError as error:
        raise ContractError(f"{path}:{places.line(*error.words)}: {error}") from None


def _add_tables(into: dict[str, Table], declared: dict[str, Path], path: Path) -> list[Table]:
    found, places = _read_tables(path, into)
    for table in found:
        if table.name in into:
            line, other = places.line("schema", table.name.split(".")[1]), declared.get(table.name, "another contract")
            raise ContractError(f"{path}:{line}: table {table.name} is declared by {other} already; choose another name")
        into[table.name], declared[table.name] = table, path
    return found
