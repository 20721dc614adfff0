"""What an officer asks or decides, and the proof that they may: an API token of Airflow, never a name."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from jobs.airflow_api import Holder
from jobs.errors import ConfigurationError, NotAuthorised

if TYPE_CHECKING:
    from jobs.ledger.audit import Trail

ROLES = frozenset({"Officer", "Admin"})
MOST_BYTES = 64 * 1024


class Person(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A person as a source knows them; never shown."""

    source: str
    source_person_id: str

    def __repr__(self) -> str:
        return "Person(...)"


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """Whom an officer asks about."""

    person: Person | None = None
    token: str = ""


class Reviewed(msgspec.Struct, forbid_unknown_fields=True):
    """Why an officer decides a match so, and which two identities, where it is not a match that waits."""

    person: Person | None = None
    other: Person | None = None
    reason: str = ""
    token: str = ""


class Reversed(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Whose pseudonym is asked about, and why; the pseudonym is never shown."""

    pseudonym: str = ""
    reason: str = ""
    token: str = ""

    def __repr__(self) -> str:
        return "Reversed(...)"


class Forgotten(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to forget, and why."""

    persons: tuple[Person, ...] = ()
    reason: str = ""
    token: str = ""


class Sought(msgspec.Struct, forbid_unknown_fields=True):
    """Whom an officer looks for, and why."""

    person: Person | None = None
    reason: str = ""
    token: str = ""


class Lifted(msgspec.Struct, forbid_unknown_fields=True):
    """Who came back, since when they consent anew, and why."""

    persons: tuple[Person, ...] = ()
    consented_at: datetime | None = None
    reason: str = ""
    token: str = ""


class Proved(msgspec.Struct, forbid_unknown_fields=True):
    """Who asks, and nothing else."""

    token: str = ""


G = TypeVar("G", Asked, Reviewed, Reversed, Forgotten, Lifted, Sought, Proved)
LINE = '{"source": "crm", "source_person_id": "..."}'
SHAPES = {Forgotten: '{"persons": [{"source": "crm", "source_person_id": "..."}], "reason": "...", "token": "..."}',
          Lifted: '{"persons": [{"source": "crm", "source_person_id": "..."}], "consented_at": "2026-11-01T12:00:00Z", '
                  '"reason": "...", "token": "..."}',
          Proved: '{"token": "..."}', Reversed: '{"pseudonym": "...", "reason": "...", "token": "..."}',
          Sought: '{"person": {"source": "crm", "source_person_id": "..."}, "reason": "...", "token": "..."}',
          Asked: '{"person": {"source": "crm", "source_person_id": "..."}, "token": "..."}',
          Reviewed: '{"reason": "...", "token": "..."}, without a match also "person" and "other": '
                    '{"source": "crm", "source_person_id": "..."}'}


class Asking(Protocol):
    """Whatever has a trail: a shell, or less."""

    @property
    def trail(self) -> Trail:
        """Who asks is noted there."""


@dataclass(frozen=True)
class Question:
    """What came in: JSON of one of ``SHAPES`` on standard input, and a file with the token where one is named."""

    content: bytes = field(repr=False)
    token_file: Path | None = None

    def read(self, form: type[G]) -> tuple[G, str]:
        """What was given, and the token. Raises ConfigurationError, which quotes nothing that was given."""
        try:
            given = msgspec.json.decode(self.content, type=form) if self.content.strip() else form()
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise ConfigurationError(f"standard input is not of the form {SHAPES[form]}; nothing else belongs in it") from None
        if self.token_file and given.token:
            raise ConfigurationError("there is a token on standard input and one in a file; give one of them")
        return given, _token(self.token_file) if self.token_file else given.token


def authorised(shell: Asking, question: Question, form: type[G]) -> G:
    """What was given, once the one who asks has proved to be an officer; the trail names who they are.

    Raises NotAuthorised, also for a token of another role, whose holder the trail then names.
    """
    given, token = question.read(form)
    if not token:
        raise NotAuthorised(f"nobody proved who asks: give {SHAPES[form]} on standard input, or the token in a file by "
                            "--token-file")
    holder = Holder()
    shell.trail.proved_actor = actor = holder.prove(token)
    if not holder.roles(actor) & ROLES:
        raise NotAuthorised(f"{actor} has none of the roles {', '.join(sorted(ROLES))} in Airflow; ask an officer")
    return given


def persons_in(path: Path) -> list[Person]:
    """The people of a file, a JSON object a line. Raises ConfigurationError, which quotes nothing of it."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found += [msgspec.json.decode(line, type=Person)] if line.strip() else []
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise ConfigurationError(f"{path}:{number} is not of the form {LINE}") from None
    return found


def _token(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode) or mode & 0o077:
                raise ConfigurationError(f"{path} can be read by others or is no file; run chmod 600 {path}")
            return file.read(MOST_BYTES).decode("ascii").strip()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} holds no token; it should hold the token alone") from None
