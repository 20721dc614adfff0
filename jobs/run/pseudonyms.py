"""Pseudonyms of a domain: computed once per new person, outside the engine, and kept in the vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from jobs import keys
from jobs.run.shell import Shell
from jobs.stages.pseudonymise import digest_with_seeds
from jobs.turn import turn

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TABLE = "vault.pseudonym"


def named(shell: Shell, domain: str) -> DataFrame:
    """Whose the pseudonyms of a domain are: pseudonym, person_key."""
    return shell.lake.read(TABLE).where(f"domain = '{domain}'").select("pseudonym", "person_key")


def complete(shell: Shell, domain: str, rows: DataFrame) -> None:
    """Make sure that every person_key of ``rows`` has a pseudonym in the domain. Raises KeysUnreadable."""
    wanted = rows.select("person_key").distinct().toArrow()["person_key"].combine_chunks().cast(pa.string())
    with turn(shell.settings.home / "turns", f"pseudonyms.{domain}"):
        held = shell.lake.arrow(TABLE, columns=["person_key"], filters=pc.field("domain") == domain)["person_key"]
        new = wanted.filter(pc.invert(pc.is_in(wanted, value_set=held.combine_chunks().cast(pa.string())))).to_pylist()
        if not new:
            return
        made, seeds = digest_with_seeds(keys.domain_key(shell.settings.keys, domain, shell.settings.master), new)
        shell.lake.append_arrow(TABLE, pa.table({"domain": [domain] * len(new), "person_key": new, "pseudonym": made,
                                                 "date_seed": seeds}))
    shell.report.change(TABLE)
