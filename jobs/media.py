"""Media without what they tell beside the picture: pixels alone are copied, so that nothing else can be left.

Gone are EXIF with its position, device and thumbnail, XMP, IPTC, comments, colour profiles, further pictures in one file and
whatever stands behind its end. What the picture itself shows stays: a face, a letter. So images never enter a product.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

FORMATS = {"JPEG": ".jpg", "PNG": ".png"}
MOST_PIXELS = 100_000_000
QUALITY = 95  # of JPEG, which is encoded anew: losses are not seen


class NoImage(ValueError):
    """What is no image that can be stripped; its text is the reason, a word without a value of the file."""


def stripped(content: bytes) -> tuple[bytes, str, list[str]]:
    """The picture alone, turned as it was to be shown, with its file's ending and what was removed. Raises NoImage."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content), formats=list(FORMATS)) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise NoImage("too_large")
                kind, removed = str(image.format), _told(image)
                shown = ImageOps.exif_transpose(image)
                mode = shown.mode if kind == "PNG" and shown.mode in ("L", "LA", "RGB", "RGBA") else _plain_mode(shown, kind)
                plain = shown.convert(mode)
                bare = Image.frombytes(plain.mode, plain.size, plain.tobytes())
    except NoImage:
        raise
    except Exception:  # Pillow raises many kinds for broken files, and their texts quote them.
        raise NoImage("no_image") from None
    out = io.BytesIO()
    bare.save(out, format=kind, **({"quality": QUALITY} if kind == "JPEG" else {}))
    return out.getvalue(), FORMATS[kind], removed


def _plain_mode(image: Image.Image, kind: str) -> str:
    """The mode that holds a picture's pixels without a palette: grey, colours, or colours and what is seen through."""
    if kind == "PNG" and (image.mode in ("PA", "La", "RGBa") or "transparency" in image.info):
        return "RGBA"
    return "L" if image.mode in ("1", "L") else "RGB"


def _told(image: Image.Image) -> list[str]:
    """What a file has beside its picture: exif, gps, thumbnail, and the names that Pillow gives to the rest."""
    from PIL import ExifTags

    exif = image.getexif()
    info = {str(key).lower().replace(" ", "_") for key in image.info}
    found = {"exif"} if len(exif) else set()
    found |= {"gps"} if exif.get_ifd(ExifTags.IFD.GPSInfo) else set()
    is_small_inside = any(content.startswith(b"JFXX") for _, content in getattr(image, "applist", []))
    found |= {"thumbnail"} if exif.get_ifd(ExifTags.IFD.IFD1) or is_small_inside else set()
    known = {"comment": "comment", "photoshop": "iptc", "icc_profile": "colour_profile", "mp": "further_pictures", "xmp": "xmp",
             "xml:com.adobe.xmp": "xmp", "exif": "exif"}
    found |= {word for key, word in known.items() if key in info}
    found |= {"text"} if getattr(image, "text", None) else set()
    return sorted(found)
