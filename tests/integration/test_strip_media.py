"""`concord strip-media`: what images tell beside their pixels is gone, to the last byte."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from contracts.exit_codes import ExitCode
from jobs import media

CANARY = "Quetzalcoatl"
RAW = CANARY.encode()


def _run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "jobs", "strip-media", *map(str, words)], capture_output=True, text=True,
                          timeout=120, check=False)


def _picture(mode: str = "RGB") -> Image.Image:
    image = Image.new(mode, (8, 4))
    image.putpixel((0, 0), (250, 10, 10, 128)[:len(image.getbands())] if mode != "L" else 200)
    return image


def _jpeg() -> bytes:
    thumbnail = io.BytesIO()
    Image.new("RGB", (4, 4), (0, 255, 0)).save(thumbnail, format="JPEG", comment=RAW)
    exif = Image.Exif()
    exif[0x010F] = exif[0x013B] = exif[0x9C9D] = CANARY
    exif[0x0112] = 6  # To be shown turned by 90 degrees.
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 29: CANARY})
    exif.get_ifd(1).update({0x0131: CANARY})
    out = io.BytesIO()
    _picture().save(out, format="JPEG", quality=100, exif=exif, comment=RAW, icc_profile=b"profile" + RAW,
                    xmp=b"<x:xmpmeta>" + RAW + b"</x:xmpmeta>")
    # IPTC in an APP13 segment, a thumbnail in an APP0 one, and bytes behind the end.
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x14\x1c\x02\x50\x00\x0c" + RAW + b"\x00" * 3
    segments = b"\xff\xed" + (len(iptc) + 2).to_bytes(2) + iptc
    jfxx = b"JFXX\x00\x10" + thumbnail.getvalue()
    segments += b"\xff\xe0" + (len(jfxx) + 2).to_bytes(2) + jfxx
    return out.getvalue()[:2] + segments + out.getvalue()[2:] + RAW


def _png(mode: str = "RGBA") -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", CANARY)
    info.add_itxt("XML:com.adobe.xmp", CANARY, zip=False)
    info.add(b"tIME", bytes(7))
    info.add(b"prVt", RAW)
    exif = Image.Exif()
    exif[0x010F] = CANARY
    out = io.BytesIO()
    _picture(mode).save(out, format="PNG", pnginfo=info, exif=exif)
    return out.getvalue() + RAW


def test_pixels_alone_are_left(tmp_path: Path) -> None:
    (tmp_path / f"{CANARY}.jpg").write_bytes(_jpeg())
    (tmp_path / "b.png").write_bytes(_png())
    assert all(RAW in path.read_bytes() for path in tmp_path.iterdir())
    done = _run(tmp_path / f"{CANARY}.jpg", tmp_path / "b.png", "--out", tmp_path / "out")
    assert done.returncode == ExitCode.OK, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["file"] for one in told] == ["000001.jpg", "000002.png"]
    assert {"exif", "gps", "thumbnail", "comment", "xmp", "iptc", "colour_profile"} <= set(told[0]["removed"])
    assert {"exif", "text", "xmp"} <= set(told[1]["removed"])
    for one in told:
        path = tmp_path / "out" / one["file"]
        assert RAW not in path.read_bytes()
        with Image.open(path) as image:
            assert not image.getexif() and not {"comment", "icc_profile", "xmp", "photoshop", "exif", "Author"} & set(image.info)
    assert CANARY not in done.stdout + done.stderr
    assert {m for m in _markers((tmp_path / "out" / "000001.jpg").read_bytes()) if 0xE1 <= m <= 0xFE} == set()
    assert _chunks((tmp_path / "out" / "000002.png").read_bytes()) == [b"IHDR", b"IDAT", b"IEND"]


def test_a_picture_is_as_it_was_shown(tmp_path: Path) -> None:
    content, ending, _ = media.stripped(_jpeg())
    with Image.open(io.BytesIO(content)) as image:
        assert ending == ".jpg" and image.size == (4, 8)
    for mode in ("L", "LA", "RGB", "RGBA"):
        with Image.open(io.BytesIO(media.stripped(_png(mode))[0])) as image:
            assert image.mode == mode and image.tobytes() == _picture(mode).tobytes()


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\xff\xd8\xff", _jpeg()[:300], _png()[:60], b"%PDF-1.7", RAW * 100])
def test_what_is_no_image_is_refused_by_its_number(tmp_path: Path, content: bytes) -> None:
    (tmp_path / f"{CANARY}.png").write_bytes(content)
    done = _run(tmp_path / f"{CANARY}.png", "--out", tmp_path / "out")
    assert done.returncode == ExitCode.CONTRACT and json.loads(done.stdout) == {"number": 1, "refused": "no_image"}
    assert CANARY not in done.stdout + done.stderr and list((tmp_path / "out").iterdir()) == []


def test_a_small_file_of_too_many_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MOST_PIXELS", 31)
    with pytest.raises(media.NoImage, match="too_large"):
        media.stripped(_png())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(_png())
    (tmp_path / "000001.png").write_bytes(b"mine")
    done = _run(tmp_path / "a.png", "--out", tmp_path)
    assert done.returncode == ExitCode.CONFIGURATION and (tmp_path / "000001.png").read_bytes() == b"mine"


def _markers(jpeg: bytes) -> list[int]:
    found, place = [], 2
    while jpeg[place] == 0xFF and jpeg[place + 1] != 0xDA:
        found.append(jpeg[place + 1])
        place += 2 + int.from_bytes(jpeg[place + 2:place + 4])
    return found


def _chunks(png: bytes) -> list[bytes]:
    found, place = [], 8
    while place < len(png):
        found.append(png[place + 4:place + 8])
        place += 12 + int.from_bytes(png[place:place + 4])
    return found
