"""`concord scrub`: texts of a file without what tells who somebody is."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts import ContractError
from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.freetext.known import Known, KnownIdentities
    from jobs.freetext.scrub import Scrubbed

LONGEST_LINE = 4_000_000  # bytes; what is longer is read past
MOST_LINES = 20  # of broken lines, by number
EVERY = 1_000  # texts between two lines of progress


class Broken(ValueError):
    """A line that is no object with a text; its text is a word without a value of the line."""


def scrub(
        file: Annotated[Path, typer.Argument(help="JSON lines: objects with text and, if known, language and person.")],
        known: Annotated[Path | None, typer.Option("--known", help="JSON lines of what is known of those who write: person, "
                                                  "names, handles, emails, phones, ids, addresses, birth_dates")] = None) -> None:
    """Replace names, addresses, numbers and the like in texts of English, German, French, Italian or Spanish by their kind.

    One JSON object comes out for each line: the text, its language and the spans that were found, by offsets in code points of
    the text that went in. A text in another language, or one whose language cannot be told, is withheld with the reason. Whatever
    else a line has is dropped. What is known goes first: of the line's person, and what names no person from every text.

    Example: concord scrub posts.jsonl --known people.jsonl
    """
    people = _people(known)
    counts: Counter[str] = Counter()
    broken: list[int] = []
    for number, line in _lines(file):
        try:
            done = _scrubbed(line, people)
        except Broken as error:
            broken.append(number)
            typer.echo(json.dumps({"line": number, "text": None, "withheld": str(error)}))
        else:
            counts["withheld, " + str(done.withheld) if done.withheld else "scrubbed"] += 1
            typer.echo(json.dumps(_told(number, done), ensure_ascii=False))
        if number % EVERY == 0:
            typer.echo(f"{number:,} texts", err=True)
    typer.echo(_said(counts, len(broken)), err=True)
    if broken:
        lines = ", ".join(map(str, broken[:MOST_LINES])) + (" and others" if len(broken) > MOST_LINES else "")
        raise ContractError(f"{file}: {len(broken)} lines are no texts (lines {lines}); write one object a line, for example "
                            '{"text": "...", "language": "de"}')


def _scrubbed(line: bytes | None, people: dict[str | None, KnownIdentities]) -> Scrubbed:
    """The text of a line, scrubbed. Raises Broken."""
    from jobs.freetext.scrub import scrub as run

    if line is None:
        raise Broken("line_too_long")
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        raise Broken("not_json") from None
    if not isinstance(content, dict) or "text" not in content:
        raise Broken("no_text_field")
    said = {key: content.get(key) for key in ("text", "language", "person")}
    if not all(value is None or isinstance(value, str) for value in said.values()):
        raise Broken("wrong_type")
    text = said["text"]
    if text is not None and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise Broken("not_unicode")
    return run(text, said["language"], people.get(said["person"], people[None]))


def _told(number: int, done: Scrubbed) -> dict[str, Any]:
    told: dict[str, Any] = {"line": number, "text": done.text, "language": done.language}
    if done.withheld:
        return {**told, "withheld": str(done.withheld)}
    return {**told, "spans": [{"start": s.start, "end": s.end, "type": str(s.kind)} for s in done.spans]}


def _people(file: Path | None) -> dict[str | None, KnownIdentities]:
    """What is looked for in texts of each person, and under None in those of anybody else. Raises ConfigurationError."""
    from jobs.freetext.known import KnownIdentities

    told: dict[str | None, list[Known]] = {None: []}
    for number, line in _lines(file) if file else ():
        one = _known(file, number, line)
        told.setdefault(one.person, []).append(one)
    return {person: KnownIdentities([*some, *(told[None] if person else [])]) for person, some in told.items()}


def _known(file: Path | None, number: int, line: bytes | None) -> Known:
    from pydantic import ValidationError

    from jobs.freetext.known import Known

    try:
        return Known.model_validate_json(line or b"")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"] if part in Known.model_fields)
        raise ConfigurationError(f"{file}, line {number}: {place or 'the line'} is not as it should be ({first['type']}); write "
                                 'for example {"names": ["..."], "emails": ["..."], "birth_dates": ["1961-05-30"]}') from None


def _lines(file: Path) -> Iterator[tuple[int, bytes | None]]:
    """The lines of a file that are not empty, with their numbers; None for one that is too long."""
    try:
        with file.open("rb") as lines:
            number = 0
            while line := lines.readline(LONGEST_LINE):
                number += 1
                is_whole = line.endswith(b"\n") or len(line) < LONGEST_LINE
                while not is_whole and (rest := lines.readline(LONGEST_LINE)):
                    is_whole = rest.endswith(b"\n")
                    line = b""
                if line.strip() or not line:
                    yield number, line or None
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read ({error.strerror})") from None


def _said(counts: Counter[str], broken: int) -> str:
    words = [f"{name} {count:,}" for name, count in sorted(counts.items())] + ([f"broken {broken:,}"] if broken else [])
    return f"{counts.total() + broken:,} texts: " + (", ".join(words) or "none")
