"""Media in payloads: what FHIR calls Attachment, a content type with the bytes in base64, at whatever depth."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from typing import Any

# What a browser or a viewer shows and runs nothing of; anything else is a file without a kind.
ENDINGS = {"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "image/tiff": ".tif",
           "application/pdf": ".pdf", "application/dicom": ".dcm", "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "audio/ogg": ".ogg",
           "audio/wav": ".wav", "video/mp4": ".mp4", "video/webm": ".webm", "text/plain": ".txt"}
OTHER = ".bin"


def attachments(content: Any) -> Iterator[tuple[str, bytes]]:
    """Name (its sha256 and the ending of its kind) and bytes of each medium in a payload's content; of an empty one nothing."""
    if isinstance(content, dict):
        if isinstance(content.get("contentType"), str) and isinstance(content.get("data"), str):
            found = _decoded(content["data"])
            if found:
                kind = content["contentType"].partition(";")[0].strip().lower()
                yield f"{hashlib.sha256(found).hexdigest()}{ENDINGS.get(kind, OTHER)}", found
        for value in content.values():
            yield from attachments(value)
    elif isinstance(content, list):
        for value in content:
            yield from attachments(value)


def _decoded(text: str) -> bytes:
    """The bytes of a base64 text; none where it is not one: it stays in the payload as it came."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
