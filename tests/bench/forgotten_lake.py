"""A lake over all zones out of which people are forgotten, and what of it is theirs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts import catalog
from jobs.lake import Lake
from jobs.ledger import releases
from jobs.schema import arrow_schema
from jobs.settings import Settings
from tests.small_lake import create_keys

SOURCE, BATCHES, DOMAIN = "adherence_app", 16, "engagement"
AT = datetime(2026, 10, 1, tzinfo=UTC)
PURPOSES = ("adherence_monitoring", "decision_support", "research")
FIXED: dict[str, Any] = {
    "source": SOURCE, "version_at": AT, "contract_version": "1.0.0", "code": "2339-0", "unit_code": "mg/dL", "effective_at": AT,
    "recorded_at": AT, "status_code": "final", "country_code": "DE", "part": 0, "known_at": AT, "decision_code": "permit",
    "is_deleted": False, "received_at": AT, "reason_code": "not_a_number", "rejected_at": AT, "rules_sha256": "0" * 64,
    "evidence": "alone", "run_id": "given", "linked_at": AT, "minted_at": AT, "domain": DOMAIN, "epoch": 1, "date_seed": 7,
    "digest": "0" * 64, "basis": "0" * 64, "readings": 4, "mean_mg_dl": 110.0, "time_in_range_percent": 75.0, "gmi_percent": 5.9, "batch_id": f"{SOURCE}.000001"}
PAYLOAD = ('{"header":{"id":"', '","creation_date_time":"2026-10-01T08:00:00Z","modified_date_time":"2026-10-01T08:00:00Z","user_id":"',
           '","schema_id":{"namespace":"omh","name":"blood-glucose","version":"4.0"},"acquisition_provenance":{"source_name":"app",'
           '"modality":"sensed"}},"body":{"blood_glucose":{"unit":"mg/dL","value":', '},"effective_time_frame":{"date_time":'
           '"2026-10-01T08:00:00Z"}}}')


class Making:
    """A lake that is being made, of a hundred rows for each person; ``theirs``: by table, the column and the values that tell
    the rows of the one person in a hundred who is to go."""

    def __init__(self, folder: Path, millions: float) -> None:
        self.folder, self.people, self.roll = folder, int(millions * 10_000), np.random.default_rng(5)
        settings = Settings(home=folder / "home", lake="", actor="bench")
        create_keys(settings.keys)
        self.lake = Lake(settings.lake_root, catalog().tables)
        digits = [[self.roll.bytes(16).hex() for _ in range(self.people)] for _ in range(4)]
        self.names = pa.array([f"u-{text[:12]}" for text in digits[0]])
        self.emails = pa.array([f"{text[:12]}@post.example" for text in digits[1]])
        self.keys, self.pseudonyms = pa.array(digits[2]), pa.array(digits[3])
        self.gone = np.zeros(self.people, dtype=bool)
        self.gone[self.roll.choice(self.people, self.people // 100, replace=False)] = True
        self.theirs: dict[str, tuple[str, list[pa.Array]]] = {}

    def rows(self, name: str, who: Any, column: str, **columns: Any) -> pa.Table:
        """Rows of a table, one for each person of ``who``, with every column of its contract; ``column`` tells whose a row is."""
        columns = {"payload_sha256": _digests(self.roll, len(who)), "sha256": _digests(self.roll, len(who))} | columns
        made = {}
        for field in arrow_schema(self.lake.contract(name)):
            given = columns.get(field.name)
            if given is None:
                given = pa.repeat(pa.scalar(FIXED[field.name]), len(who)) if field.name in FIXED else pa.nulls(len(who))
            made[field.name] = given.cast(field.type)
        self.theirs.setdefault(name, (column, []))[1].append(made[column].filter(pa.array(self.gone[who])))
        return pa.table(made)

    def append(self, name: str, who: Any, column: str, **columns: Any) -> None:
        """Append a file of rows."""
        self.lake.append_arrow(name, self.rows(name, who, column, **columns))


def make(folder: Path, millions: float) -> None:
    """The lake (home/), and beside it who is to go (people.jsonl), their words (words.txt) and rows (theirs/)."""
    made = Making(folder, millions)
    everyone = np.arange(made.people)
    _about_people(made, everyone)
    for batch in range(BATCHES):
        _batch(made, batch, int(millions * 250_000 / BATCHES), int(millions * 400_000 / BATCHES))
    _product(made, np.repeat(everyone, 13))
    gone = pa.array(made.gone)
    names = made.names.filter(gone).to_pylist()
    (folder / "people.jsonl").write_text("".join(
        json.dumps({"source": SOURCE, "source_person_id": name}) + "\n" for name in names), "utf-8")
    words = [text for held in (made.emails, made.keys, made.pseudonyms) for text in held.filter(gone).to_pylist()]
    (folder / "words.txt").write_text("\n".join([*names, *words]), "utf-8")
    (folder / "theirs").mkdir()
    for name, (column, values) in made.theirs.items():
        pq.write_table(pa.table({column: pa.concat_arrays(values).unique()}), folder / "theirs" / f"{name}.parquet")


def _about_people(made: Making, everyone: Any) -> None:
    """What is told once of each person."""
    own = {"source_person_id": made.names}
    made.append("core.identity", everyone, "source_person_id", record_id=_joined("users/", made.names), email=made.emails, **own)
    for purpose in PURPOSES:
        made.append("core.consent", everyone, "source_person_id", record_id=_joined(f"consents/{purpose}-", made.names),
                    purpose_code=pa.repeat(purpose, len(everyone)), **own)
    made.append("vault.person", everyone, "person_key", person_key=made.keys)
    made.append("vault.link", everyone, "person_key", person_key=made.keys, **own)
    made.append("vault.profile", everyone, "identity", identity=_joined(f"{SOURCE}/", made.names), email=made.emails)
    made.append("vault.pseudonym", everyone, "person_key", person_key=made.keys, pseudonym=made.pseudonyms)


def _batch(made: Making, number: int, landed: int, read: int) -> None:
    """A batch of payloads, one in a hundred rejected; more rows of core than that, since one may tell of many readings."""
    name, who = f"{SOURCE}.{number + 1:06d}", made.roll.integers(0, made.people, landed)
    ids, place = _numbered(f"p{number}x", landed), pa.array(np.arange(landed))
    value = pa.array(made.roll.integers(60, 250, landed)).cast(pa.string())
    payload = _joined(PAYLOAD[0], ids, PAYLOAD[1], made.names.take(pa.array(who)), PAYLOAD[2], value, PAYLOAD[3])
    envelope = {"batch_id": pa.repeat(name, landed), "position": place, "record_id": _joined("data_points/", ids),
                "stream": pa.repeat("data_points", landed)}
    made.append(f"raw.{SOURCE}", who, "record_id", payload=payload, **envelope)
    some = pa.array(np.arange(0, landed, 100))
    made.append(f"raw.{SOURCE}__rejected", who[::100], "record_id", **{key: held.take(some) for key, held in envelope.items()})
    who = made.roll.integers(0, made.people, read)
    made.append("core.observation", who, "source_person_id", batch_id=pa.repeat(name, read),
                record_id=_joined("data_points/", _numbered(f"q{number}x", read)), source_person_id=made.names.take(pa.array(who)),
                value=pa.array(made.roll.random(read) * 100))


def _product(made: Making, who: Any) -> None:
    """Two versions of a product, of which the first is a release."""
    name, days = "product.glucose_daily", pa.array((20_000 + np.arange(len(who)) % 13).astype(np.int32), pa.date32())
    for _ in range(2):
        made.lake.replace_arrow(name, made.rows(name, who, "person_id", person_id=made.pseudonyms.take(pa.array(who)), observed_on=days))
    version = made.lake.version(name) - 1
    releases.pin(made.lake, "engagement", 1, [{
        "product": "glucose_daily", "table_version": version, "rows": len(who), "contract_version": "1.0.0", "contract_sha256": "0" * 64,
        "inputs": json.dumps({"vault.link": made.lake.version("vault.link")}), "use": "{}", "decided_at": AT}], AT)


def _joined(*parts: Any) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _numbered(stem: str, rows: int) -> pa.Array:
    return _joined(stem, pa.array(np.arange(rows)).cast(pa.string()))


def _digests(roll: np.random.Generator, rows: int) -> pa.Array:
    """As many hexadecimal digests, drawn."""
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[roll.integers(0, 16, rows * 64)]
    return pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(np.arange(0, rows * 64 + 1, 64, dtype=np.int32)),
                                                     pa.py_buffer(digits)])
