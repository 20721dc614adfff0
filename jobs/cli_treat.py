"""`concord treat`: FHIR resources of a file, de-identified by a profile."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from contracts import ContractError
from jobs.errors import ConfigurationError
from jobs.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.fhir.deidentify import Deidentifier

EVERY = 10_000  # resources between two lines of progress
MOST_LINES = 20  # of records that were left out, by number


def treat(
        file: Annotated[Path, typer.Argument(help="FHIR R4 resources: one a line (.ndjson), or one in all (.json).")],
        profile: Annotated[str, typer.Option("--profile", help="The profile, for example hipaa_safe_harbor.")],
        out: Annotated[Path | None, typer.Option("--out", help="Where treated resources go; else to the output.")] = None,
        on: Annotated[str, typer.Option("--on", help="Day (YYYY-MM-DD) to look at ages on; today if none is said.")] = "",
        as_json: Annotated[bool, typer.Option("--json", help="What was done, for machines; needs --out.")] = False) -> None:
    """De-identify FHIR resources: each element gets the treatment that the profile says of it or of its type, else it is dropped.

    Ids become pseudonyms, and references still lead where they led. A record that is no resource, or of a type that may not
    leave, is left out and counted by reason.

    Example: concord treat patients.ndjson --profile hipaa_safe_harbor --out treated.ndjson
    """
    from contracts import deidentification
    from contracts.load import folders
    from jobs import keys
    from jobs.fhir.deidentify import Deidentifier, refuse_unknown

    if as_json and not out:
        raise ConfigurationError("--json says what was done, so the resources need a place of their own; name one with --out")
    if out and (out.is_symlink() or (out.exists() and not out.is_file())):
        raise ConfigurationError("--out is there and no plain file; name another place")
    if out and file.exists() and out.exists() and out.samefile(file):
        raise ConfigurationError("--out is the file itself; name another one")
    settings = Settings()
    asked = deidentification.profile(profile, folders())
    refuse_unknown(asked)
    key = keys.reference_key(settings.keys, f"treat/{asked.id}", settings.master)
    treating = Deidentifier(asked, key, _day(on))
    with _written(out) as sink:
        done = _all(file, treating, sink)
    told = {"profile": asked.id, "on": treating.on.isoformat(), **done}
    typer.echo(json.dumps(told, indent=2) if as_json else _said(done), err=not as_json)
    if done["resources"] and not done["treated"]:
        raise ContractError(f"none of {file}'s records is a resource that may leave; nothing of them was written")


def _all(file: Path, treating: Deidentifier, sink: IO[str]) -> dict[str, Any]:
    """Treat every record; how many, how many were left out by reason, and elements by treatment."""
    import simplejson

    from jobs.fhir.deidentify import Refused

    read, refused = 0, Counter[str]()
    lines: list[int] = []
    for number, text in _records(file):
        read += 1
        try:
            left = treating.resource(simplejson.loads(text, use_decimal=True))
        except (Refused, ValueError, ArithmeticError, RecursionError) as error:
            refused[str(error) if isinstance(error, Refused) else "not_json"] += 1
            lines.extend([number] if len(lines) < MOST_LINES else [])
        else:
            sink.write(simplejson.dumps(left, use_decimal=True) + "\n")
        if read % EVERY == 0:
            typer.echo(f"{read:,} resources", err=True)
    return {"resources": read, "treated": read - sum(refused.values()), "rejected": dict(sorted(refused.items())),
            "rejected_lines": lines, "elements": dict(sorted(treating.counts.items()))}


def _records(file: Path) -> Iterator[tuple[int, bytes]]:
    """The records of a file, with the lines they begin on."""
    try:
        if file.suffix == ".json":
            yield 1, file.read_bytes()
            return
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read ({error.strerror})") from None


@contextmanager
def _written(out: Path | None) -> Iterator[IO[str]]:
    """Where treated resources go; a file appears when it is whole."""
    if out is None:
        yield sys.stdout
        return
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{out.name}.", suffix=".part", dir=out.parent)
    except OSError as error:
        raise ConfigurationError(f"{out} cannot be written ({error.strerror})") from None
    try:
        with open(descriptor, "w", encoding="utf-8") as sink:
            yield sink
        Path(name).replace(out)
    finally:
        Path(name).unlink(missing_ok=True)


def _day(said: str) -> date:
    try:
        return date.fromisoformat(said) if said else datetime.now(UTC).date()
    except ValueError as error:
        raise ConfigurationError(f"--on is no day ({error}); write YYYY-MM-DD, for example 2026-11-30") from None


def _said(done: dict[str, Any]) -> str:
    words = [f"{done['treated']:,} of {done['resources']:,} resources treated; elements: " +
             ", ".join(f"{name} {count:,}" for name, count in done["elements"].items())]
    if done["rejected"]:
        reasons = ", ".join(f"{name} {count:,}" for name, count in done["rejected"].items())
        words.append(f"left out: {reasons} (lines {', '.join(map(str, done['rejected_lines']))})")
    return "\n".join(words)
