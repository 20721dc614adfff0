"""Through which version of each table the index is complete."""

from __future__ import annotations

from pyarrow.fs import FileSelector, FileType

from contracts.vocabulary import Zone
from jobs import stamps
from jobs.lake import Lake
from jobs.ledger import extracts
from jobs.storage import arrow_files
from jobs.whereabouts import EXTRACT, TABLE, log

THROUGH = "through"
NEVER = -1  # Through no version: of a table that tells of nobody.


def through(lake: Lake) -> dict[str, int]:
    """The version by table: the newest note says it, as care and erasure leave none."""
    said = lake.note(TABLE) if lake.exists(TABLE) else {THROUGH: {}}
    if THROUGH not in said:
        said = next((note for entry in lake.history(TABLE) if THROUGH in (note := stamps.told(entry))), {THROUGH: {}})
    return dict(said[THROUGH])


def is_complete(lake: Lake, known: dict[str, int]) -> bool:
    """Whether no table below the lake and no extract has anything that the index does not know; no contract is asked."""
    store, zones = arrow_files(lake.root), [str(zone) for zone in Zone if zone is not Zone.LEDGER]
    found = [info for zone in zones for info in store.get_file_info(FileSelector(zone, allow_not_found=True))]
    names = {info.path.replace("/", ".") for info in found if info.type == FileType.Directory} - {TABLE}
    ways = [log.commit(name.replace(".", "/"), version + 1) for name, version in known.items()
            if version != NEVER and not name.startswith(EXTRACT)]
    is_behind = any(info.is_file for info in store.get_file_info(ways)) if ways else False
    made = lake.arrow(extracts.EXTRACT, columns=["extract_id"])["extract_id"].to_pylist()
    return not is_behind and names <= known.keys() and {f"{EXTRACT}{one}" for one in made} <= known.keys()
