"""`concord strip-media`: images without position, device, thumbnail, comment and name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from contracts import ContractError
from jobs.errors import ConfigurationError

LARGEST = 200_000_000  # bytes


def strip_media(
        files: Annotated[list[Path], typer.Argument(help="JPEG and PNG files; they stay as they are.")],
        out: Annotated[Path, typer.Option("--out", help="Folder for the stripped ones; made if it is not there.")]) -> None:
    """Write images that hold their pixels alone, under numbers instead of names. A line of JSON tells what of each was removed.

    What a picture shows is not looked at: a face stays a face.

    Example: concord strip-media photo.jpg scan.png --out stripped
    """
    from jobs.media import NoImage, stripped

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--out {out} cannot be made ({error.strerror}); name a folder") from None
    broken = []
    for number, file in enumerate(files, start=1):
        try:
            content, ending, removed = stripped(_content(file, number))
        except NoImage as error:
            broken.append(number)
            typer.echo(json.dumps({"number": number, "refused": str(error)}))
            continue
        name = f"{number:06}{ending}"
        _write(out / name, content)
        typer.echo(json.dumps({"number": number, "file": name, "removed": removed}))
    if broken:
        raise ContractError(f"{len(broken)} of {len(files)} files are no JPEG or PNG image that can be read (numbers "
                            f"{', '.join(map(str, broken))}); nothing of them was written")


def _content(file: Path, number: int) -> bytes:
    from jobs.media import NoImage

    try:
        if file.stat().st_size > LARGEST:
            raise NoImage("too_large")
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"file {number} cannot be read ({error.strerror})") from None


def _write(path: Path, content: bytes) -> None:
    """Raises ConfigurationError for a file that is there: it would be another one's."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written ({error.strerror}); name a folder of its own with --out") from None
    with open(descriptor, "wb") as sink:
        sink.write(content)
