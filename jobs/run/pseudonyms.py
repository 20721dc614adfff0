"""Pseudonyms of a domain: computed once per new person, outside the engine, and kept in the vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from jobs.errors import LostRace
from jobs.run import epochs
from jobs.run.shell import Shell
from jobs.stages.pseudonymise import digest_with_seeds
from jobs.turn import turn

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TABLE = epochs.PSEUDONYM


def named(shell: Shell, domain: str) -> DataFrame:
    """Whose the pseudonyms of a domain are, in whichever of its epochs that live: pseudonym, person_key."""
    return shell.lake.read(TABLE).where(f"domain = '{domain}'").select("pseudonym", "person_key")


def of(shell: Shell, domain: str, epoch: int) -> DataFrame:
    """The pseudonyms of a domain in one epoch, one a person: person_key, pseudonym, date_seed."""
    return shell.lake.read(TABLE).where(f"domain = '{domain}' AND epoch = {epoch}").drop("domain", "epoch")


def complete(shell: Shell, domain: str, epoch: int, rows: DataFrame) -> None:
    """Make sure that every person_key of ``rows`` has a pseudonym in the domain's newest epoch.

    Raises KeysUnreadable, and LostRace where the key was rotated since somebody looked which epoch is the newest.
    """
    wanted = rows.select("person_key").distinct().toArrow()["person_key"].combine_chunks().cast(pa.string())
    with turn(shell.settings.home / "turns", f"pseudonyms.{domain}"):
        if epochs.newest(shell.lake, domain) != epoch:
            raise LostRace(f"the key of {domain} was rotated while this ran; nothing was written, run it again")
        known = (pc.field("domain") == domain) & (pc.field("epoch") == epoch)
        held = shell.lake.arrow(TABLE, columns=["person_key"], filters=known)["person_key"]
        new = wanted.filter(pc.invert(pc.is_in(wanted, value_set=held.combine_chunks().cast(pa.string())))).to_pylist()
        if not new:
            return
        made, seeds = digest_with_seeds(epochs.key(shell, domain, epoch), new)
        count = len(new)
        shell.lake.append_arrow(TABLE, pa.table({"domain": [domain] * count, "epoch": [epoch] * count, "person_key": new,
                                                 "pseudonym": made, "date_seed": seeds}))
    shell.report.change(TABLE)
