"""The life of a contract: draft, proposed, reviewed, active, deprecated, retired; when it may run, and what a review is about.

A review is about what a contract says, not how: comments, white space and the order of keys are left out of the fingerprint.
So is the status, which only says whether the contract runs: proposed becomes active without a second review.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from contracts import hierarchies, jurisdictions, matching
from contracts.load import KINDS, folders, table_files
from contracts.majors import has_ended
from contracts.model import Contract, Product
from contracts.reading import ContractError, text, yaml_of

SERVED = ("active", "deprecated")
REVIEWABLE = ("proposed", *SERVED)
# Contracts of the lake's own tables (platform) are no promise to anybody: they change with the code, as the code does.
REVIEWED_KINDS = ("core", *KINDS)
RULES = ("jurisdictions", "matching")  # They decide who is one person, and whose yes counts.


class Environment(StrEnum):
    """What a lake is for: made-up data on which anything may be tried, or people."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


def environment(said: str) -> Environment:
    """What CONCORD_ENVIRONMENT says; silence is production. Raises ContractError for anything else."""
    try:
        return Environment(said or Environment.PRODUCTION)
    except ValueError:
        raise ContractError(f"CONCORD_ENVIRONMENT is {said!r}; write {' or '.join(Environment)}. Production is what counts when "
                            "nothing is said: contracts run there with a review only") from None


def may_run(contract: Contract, where: Environment, today: date) -> bool:
    """Whether its status, and the last day of a product, let a contract run; in production a review must hold too, which the
    ledger knows."""
    if isinstance(contract, Product) and has_ended(contract, today):
        return False
    return contract.status in SERVED or (where is Environment.DEVELOPMENT and contract.status != "retired")


def reviewable() -> dict[str, tuple[Path, ...]]:
    """What a review can be about: kind/id and its files, one in each folder of contracts that has it; and the rules that decide
    with all of them."""
    roots = folders()
    rules = tuple(root / jurisdictions.FILE for root in roots if (root / jurisdictions.FILE).exists())
    found: dict[str, tuple[Path, ...]] = dict(zip(RULES, (rules, (matching.FILE,)), strict=True))
    for kind in REVIEWED_KINDS:
        for path in (path for root in roots for path in sorted((root / kind).glob("*.yaml"))):
            found[f"{kind}/{path.stem}"] = (*found.get(f"{kind}/{path.stem}", ()), path, *_named_by(path, kind, roots))
    return found


def _named_by(path: Path, kind: str, roots: tuple[Path, ...]) -> tuple[Path, ...]:
    """The files of the hierarchies that a recipient names: who edits one edits what was reviewed."""
    return hierarchies.files_of(yaml_of(path, text(path))[0], roots) if kind == "recipients" else ()


def declaring(table: str) -> str:
    """Which reviewable contract declares a table of core."""
    return f"core/{table_files()[table].stem}"


def fingerprint(paths: tuple[Path, ...]) -> str:
    """SHA-256 of what files say: canonical JSON of their YAML without the status; a list of values as it is."""
    return hashlib.sha256(json.dumps([_said(path) for path in paths], sort_keys=True, separators=(",", ":"),
                                     ensure_ascii=False, default=str).encode()).hexdigest()


def stated(path: Path, key: str) -> str:
    """What a file says of itself under a key of the standard, such as status; "-" where it is no contract of the standard."""
    if path.suffix != ".yaml":
        return "-"
    data = yaml_of(path, text(path))[0]
    return str(data.get(key, "-")) if isinstance(data, dict) else "-"


def _said(path: Path) -> Any:
    if path.suffix != ".yaml":
        return text(path)
    data = yaml_of(path, text(path))[0]
    return {key: value for key, value in data.items() if key != "status"} if isinstance(data, dict) else data
