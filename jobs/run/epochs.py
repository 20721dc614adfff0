"""Epochs of the keys of pseudonym domains: the newest makes pseudonyms, older ones live beside it until they are retired."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.load import Catalog
from contracts.places import near
from jobs import keys
from jobs.errors import ConfigurationError, IntegrityError
from jobs.lake import Lake
from jobs.run.shell import Shell
from jobs.schema import arrow_schema

TABLE, PSEUDONYM = "vault.key_epoch", "vault.pseudonym"
FIRST = 1
Epoch = dict[str, Any]


def every(lake: Lake) -> list[Epoch]:
    """All epochs of all domains, the oldest of each first."""
    return sorted(lake.arrow(TABLE).to_pylist(), key=lambda row: (row["domain"], row["epoch"]))


def of(lake: Lake, domain: str) -> list[Epoch]:
    """The epochs of a domain, the oldest first; none before its first pseudonym."""
    return [row for row in every(lake) if row["domain"] == domain]


def newest(lake: Lake, domain: str) -> int:
    """The epoch whose key makes the pseudonyms of a domain."""
    return max((row["epoch"] for row in of(lake, domain)), default=FIRST)


def key(shell: Shell, domain: str, epoch: int, by: str | None = None) -> bytes:
    """The key of an epoch, which begins where it has not. Raises KeysUnreadable, IntegrityError.

    The salt is there before the vault knows of the epoch, and the vault knows of it before it has pseudonyms: a kill loses no
    salt that anything was made with.
    """
    folder, place = shell.settings.keys, shell.settings.master
    if any(row["epoch"] == epoch for row in of(shell.lake, domain)):
        return keys.epoch_key(folder, domain, epoch, place)
    if people(shell.lake, domain, epoch):
        raise IntegrityError(f"{PSEUDONYM} has pseudonyms of epoch {epoch} of {domain}, of which {TABLE} knows nothing; restore "
                             f"{TABLE}")
    keys.begin_epoch(folder, domain, epoch)
    made = keys.epoch_key(folder, domain, epoch, place)
    write(shell, {"domain": domain, "epoch": epoch, "started_at": datetime.now(UTC), "started_by": by, "retired_at": None,
                  "retired_by": None})
    return made


def people(lake: Lake, domain: str, epoch: int) -> int:
    """How many pseudonyms of an epoch the vault holds."""
    wanted = (pc.field("domain") == domain) & (pc.field("epoch") == epoch)
    return int(lake.arrow(PSEUDONYM, columns=["epoch"], filters=wanted).num_rows)


def write(shell: Shell, row: Epoch) -> None:
    """Write how an epoch stands."""
    shell.lake.merge_arrow(TABLE, pa.Table.from_pylist([row], schema=arrow_schema(shell.lake.contract(TABLE))))
    shell.report.change(TABLE)
    shell.trail.writes(TABLE)


def retired(epochs: Iterable[Epoch]) -> str:
    """What to say of pseudonyms that may be of an epoch that is no more; empty where none was retired."""
    gone = [f"epoch {row['epoch']} was retired on {row['retired_at']:%Y-%m-%d}" for row in epochs if row["retired_at"]]
    return f"{', '.join(gone)}: whose its pseudonyms were, nobody can tell any more" if gone else ""


def refuse_unknown(known: Catalog, domain: str) -> None:
    """Raise ConfigurationError for a domain that no contract declares."""
    there = domains(known)
    if domain not in there:
        raise ConfigurationError(f"no domain is called {domain!r}{near(domain, there)}; there are {', '.join(there)}")


def domains(known: Catalog) -> list[str]:
    """The pseudonym domains of all products and recipients."""
    found = [p.pseudonym_domain for p in known.products.values()] + [r.pseudonym_domain for r in known.recipients.values()]
    return sorted({domain for domain in found if domain})
