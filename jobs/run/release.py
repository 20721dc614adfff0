"""release: every candidate of a group passes its gate, then all are pinned in one commit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from contracts.life import environment, may_run
from contracts.model import Product
from contracts.zones import PINS
from jobs.errors import GateFailed, IntegrityError, LostRace
from jobs.ledger import accounts, releases
from jobs.run import consent, consent_loss, differencing, match_errors, stopped, superseded
from jobs.run.gated import gate
from jobs.run.product import candidate_id, is_current, use_of
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.turn import turn


def release(settings: Settings, group: str) -> Report:
    """Gate the newest candidates of a group and pin them; readers see the old release until the pin is committed.

    A group whose products have all ended stays as it was released. Another waits for a candidate of each product, made by its
    contract as it is and, where it rests on consent, from what people say and who they are now. Older releases that hold people
    whom the newest leaves out because they do not permit any more are marked then. Raises GateFailed and IntegrityError; the
    release that stands stays.
    """
    with open_shell(settings, "release", group, with_engine=True) as shell:
        now = datetime.now(UTC)
        products = [p for p in shell.catalog.release_groups()[group] if may_run(p, environment(settings.environment), now.date())]
        _pin(shell, group, products, now)
        superseded.mark(shell, products, now)
        return shell.report


def _pin(shell: Shell, group: str, products: list[Product], now: datetime) -> None:
    names = [p.table.name for p in products]
    shell.trail.reads(*names)
    versions = {p.id: shell.lake.version(p.table.name) for p in products}
    waiting = [p.id for p in products if not _is_ready(shell, p, now)]
    held = releases.latest(shell.lake, group)
    shell.report.facts.update(group=group, waiting_for=waiting, number=_number(held),
                              rows={name: pin["rows"] for name, pin in held.items()})
    if not products or waiting or versions == {name: pin["table_version"] for name, pin in held.items()}:
        return
    if any(product.legal_basis.rests_on_consent for product in products):
        stopped.refuse(shell)
    rows = [_gated_or_back(shell, product, versions[product.id], held, now) for product in products]
    rates = match_errors.of_release(shell, [(product, versions[product.id]) for product in products])
    rows = [{**row, **known} for row, known in zip(rows, rates, strict=True)]
    _refuse_two_epochs(group, rows)
    for name in PINS:
        shell.lake.ensure(name)  # Readers make no table, and on S3 they are refused one that is not there.
    releases.pin(shell.lake, group, _number(held) + 1, rows, now)
    for name in (releases.TABLE, *names):
        shell.report.change(name)
    shell.trail.writes(releases.TABLE)
    shell.report.facts.update(number=_number(held) + 1, rows={r["product"]: r["rows"] for r in rows},
                              frozen={p.id: differencing.counted(shell, p, versions[p.id]) for p in products if p.differencing})


def _is_ready(shell: Shell, product: Product, now: datetime) -> bool:
    """Whether the newest candidate may be released: permits that changed since need a new one first."""
    note = shell.lake.note(product.table.name)
    versions = dict(note.get("inputs", {}))
    if product.legal_basis.rests_on_consent:
        versions.update({name: shell.lake.version(name) for name in consent.SAID})
    return (is_current(product, note, versions, now) and note["use"] == use_of(shell, product, now)
            and differencing.stands(shell, product, shell.lake.version(product.table.name), note))


def _refuse_two_epochs(group: str, rows: list[dict[str, Any]]) -> None:
    """Raise LostRace where products of one domain have pseudonyms of two epochs, which readers could not join."""
    used = {(use["pseudonym_domain"], use["pseudonym_epoch"]) for use in (json.loads(row["use"]) for row in rows)}
    for domain in {domain for domain, _ in used}:
        if len(found := sorted(epoch for of, epoch in used if of == domain)) > 1:
            raise LostRace(f"candidates of {group} have pseudonyms of epochs {', '.join(map(str, found))} of {domain}; nothing "
                           "was pinned: build those of the older one again")


def _number(held: dict[str, dict]) -> int:
    return max((pin["number"] for pin in held.values()), default=0)


def _gated_or_back(shell: Shell, product: Product, version: int, held: Mapping[str, Mapping[str, Any]],
                   now: datetime) -> dict[str, object]:
    """The pin of a candidate; where it fails, its table is as it was released, or empty, and needs a new build."""
    try:
        return _gated(shell, product, version, now)
    except (GateFailed, IntegrityError):
        with turn(shell.settings.home / "turns", f"build.{product.id}"):  # A build may have made a new one meanwhile.
            if shell.lake.version(product.table.name) == version:
                shell.lake.restore(product.table.name, held[product.id]["table_version"] if product.id in held else 0)
                shell.report.change(product.table.name)
        raise


def _gated(shell: Shell, product: Product, version: int, now: datetime) -> dict[str, object]:
    """The pin of a candidate that passed: its contract's expectations hold and its accounts add up."""
    name = product.table.name
    frame = shell.lake.read(name, version)
    gate(shell, candidate_id(product.id, version), frame, product.table, now)
    count = frame.count()
    found = accounts.of(shell.lake, {candidate_id(product.id, version)})
    released = sum(r["rows"] for r in found if r["stage"] == "protect" and r["outcome"] == "released")
    if count != released:
        raise IntegrityError(f"{name} version {version} has {count} rows but its account released {released}; "
                             f"nothing was pinned, run `concord build {product.id}` again")
    note = shell.lake.note(name, version)
    consent_loss.check(shell, product, candidate_id(product.id, version), note, now)
    differencing.check(shell, product, version, note)
    return {"product": product.id, "table_version": version, "rows": count, "contract_version": product.version,
            "contract_sha256": note["contract"], "inputs": json.dumps(note["inputs"], sort_keys=True),
            "use": json.dumps(note["use"], sort_keys=True), "decided_at": datetime.fromisoformat(note["as_of"])}
