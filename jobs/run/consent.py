"""Consent and links as every use reads them: at a version, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.errors import ConsentUnreadable
from jobs.lake import is_lost_race
from jobs.run.shell import Shell
from jobs.stages import statements

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CONSENT, LINK = "core.consent", "vault.link"


def read(shell: Shell, versions: dict[str, int]) -> tuple[DataFrame, DataFrame]:
    """(current statements, links) at the named versions.

    Raises ConsentUnreadable when one does not exist or cannot be read: an absent table is not an empty one. Every key
    is read, since counts alone come from the log and are there when the files are not.
    """
    from pyspark.sql import functions as F

    frames = []
    for name in (CONSENT, LINK):
        if versions[name] < 0:
            raise ConsentUnreadable(f"{name} does not exist yet; land and conform a source of consent and run `concord resolve`")
        try:
            frame = shell.lake.read(name, versions[name])
            frame = statements.current(frame) if name == CONSENT else frame
            frame.agg(F.count_if(F.hash(*shell.lake.contract(name).key) == 0)).collect()
        except Exception as error:
            if is_lost_race(error):
                raise
            raise ConsentUnreadable(f"{name} version {versions[name]} cannot be read ({type(error).__name__}); nothing flows "
                                    "until it can: restore it, or run `concord conform` again") from None
        frames.append(frame)
    return frames[0], frames[1]
