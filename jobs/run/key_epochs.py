"""Rotation of the keys that pseudonyms are made with: a new epoch begins, and an old one is destroyed when nobody needs it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from contracts.load import Catalog, catalog
from jobs import keys
from jobs.errors import ConfigurationError, StillHeld
from jobs.lake import Lake
from jobs.run import asking, epochs
from jobs.run.asking import Question
from jobs.run.epoch_holders import holders
from jobs.run.epochs import Epoch
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.turn import turn

REFUSED = "epoch {} of {} cannot be retired: its pseudonyms are held by\n  {}"


def rotate(settings: Settings, domain: str, question: Question) -> Report:
    """Begin a new epoch of a domain, whose key makes all pseudonyms from now on; the old one lives beside it.

    Nothing is done while the newest epoch has a key and no pseudonyms, so a run again begins no other. Raises NotAuthorised
    unless an officer asks, ConfigurationError for an unknown domain or one without pseudonyms, KeysUnreadable.
    """
    epochs.refuse_unknown(catalog(), domain)
    with open_shell(settings, "keys.rotate", domain, with_engine=False) as shell:
        asking.authorised(shell, question, asking.Proved)
        with turn(settings.home / "turns", f"pseudonyms.{domain}"):
            epoch = _newest(shell, domain)["epoch"]
            if epochs.people(shell.lake, domain, epoch) or not keys.has_salt(settings.keys, domain, epoch):
                epoch += 1
                epochs.key(shell, domain, epoch, by=shell.trail.proved_actor)
        shell.report.facts.update(domain=domain, epoch=epoch, living=_living(shell.lake, domain),
                                  again=_again(shell.catalog, domain))
        return shell.report


def retire(settings: Settings, domain: str, epoch: int, question: Question) -> Report:
    """Destroy the pseudonyms of an epoch in the vault, their history included, then its key, and say so.

    A run that was killed is completed by the next. Raises NotAuthorised unless an officer asks, ConfigurationError for an epoch
    that there is not or that is the newest, StillHeld while a release or an extract holds its pseudonyms.
    """
    epochs.refuse_unknown(catalog(), domain)
    with open_shell(settings, "keys.retire", f"{domain}.{epoch}", with_engine=False) as shell:
        asking.authorised(shell, question, asking.Proved)
        with ExitStack() as stack:
            for name in _turns(shell.catalog, domain):
                stack.enter_context(turn(settings.home / "turns", name))
            row = _old(shell, domain, epoch)
            if row["retired_at"] is None:
                row = _destroyed(shell, row)
        shell.report.facts.update(domain=domain, epoch=epoch, retired_at=row["retired_at"], living=_living(shell.lake, domain))
        return shell.report


def overview(settings: Settings) -> list[Epoch]:
    """Every epoch of every domain, with its state, how many pseudonyms the vault has of it, and whether its salt is there."""
    lake, found = Lake(settings.lake_root, catalog().tables), list[Epoch]()
    for domain in epochs.domains(catalog()):
        rows = epochs.of(lake, domain)
        for row in rows:
            state = "retired" if row["retired_at"] else "newest" if row is rows[-1] else "bridge"
            found.append({**row, "state": state, "people": epochs.people(lake, domain, row["epoch"]),
                          "has_salt": keys.has_salt(settings.keys, domain, row["epoch"])})
        if not rows:
            nothing = dict.fromkeys(("epoch", "started_at", "started_by", "retired_at", "retired_by"))
            found.append({"domain": domain, **nothing, "state": "not begun", "people": 0, "has_salt": False})
    return found


def _destroyed(shell: Shell, row: Epoch) -> Epoch:
    """The rows go first, then what could make them again; only then is it said that they went."""
    domain, epoch, now = row["domain"], row["epoch"], datetime.now(UTC)
    if found := holders(shell, domain, epoch, now):
        raise StillHeld(REFUSED.format(epoch, domain, "\n  ".join(found)))
    shell.lake.drop_part(epochs.PSEUDONYM, {"domain": domain, "epoch": epoch})
    shell.report.change(epochs.PSEUDONYM)
    shell.trail.writes(epochs.PSEUDONYM)
    keys.end_epoch(shell.settings.keys, domain, epoch)
    gone = {**row, "retired_at": now, "retired_by": shell.trail.proved_actor}
    epochs.write(shell, gone)
    return gone


def _newest(shell: Shell, domain: str) -> Epoch:
    there = epochs.of(shell.lake, domain)
    if not there:
        raise ConfigurationError(f"{domain} has no pseudonyms yet, so no key to rotate; its first epoch begins with them")
    return there[-1]


def _old(shell: Shell, domain: str, epoch: int) -> Epoch:
    """An epoch that is not the newest. Raises ConfigurationError."""
    there = epochs.of(shell.lake, domain)
    row = next((row for row in there if row["epoch"] == epoch), None)
    if row is None:
        known = ", ".join(str(r["epoch"]) for r in there) or "none yet"
        raise ConfigurationError(f"{domain} has no epoch {epoch}; there are {known}")
    if row is there[-1]:
        raise ConfigurationError(f"epoch {epoch} is the newest of {domain}, whose key makes its pseudonyms; begin another one "
                                 f"first: concord keys rotate {domain}")
    return row


def _turns(known: Catalog, domain: str) -> list[str]:
    """Who waits meanwhile: what could bring pseudonyms of an old epoch among readers, and what writes the vault's table anew."""
    groups = {p.release_group for p in known.products.values() if p.pseudonym_domain == domain}
    recipients = {r.id for r in known.recipients.values() if r.pseudonym_domain == domain}
    return [*(f"release.{group}" for group in sorted(groups)), *(f"extract.prepare.{name}" for name in sorted(recipients)),
            "deliveries", "maintain.all", f"pseudonyms.{domain}"]


def _living(lake: Lake, domain: str) -> list[int]:
    return [row["epoch"] for row in epochs.of(lake, domain) if row["retired_at"] is None]


def _again(known: Catalog, domain: str) -> list[str]:
    """What a domain's products and recipients are made anew by."""
    products: list[Any] = [p for p in known.products.values() if p.pseudonym_domain == domain]
    return [*(f"concord build {p.id}" for p in products), *sorted({f"concord release {p.release_group}" for p in products}),
            *(f"an extract for {r.id}" for r in known.recipients.values() if r.pseudonym_domain == domain)]
