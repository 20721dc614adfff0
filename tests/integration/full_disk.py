"""Build candidates on a disk that fills: run in a mount namespace of its own, says as JSON what came of it.

    unshare --mount python -m tests.integration.full_disk HOME FOLDER 8 80 ...    # a lake, an empty folder, kilobytes left
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from jobs.read import released
from jobs.settings import Settings

PRODUCT, GROUP, ROOM = "glucose_daily", "engagement", 256 * 1024


def main(prepared: Path, folder: Path, spare: list[int]) -> None:
    """Fill the disk up to each of ``spare`` kilobytes, build, then make room, build and release."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}k", "tmpfs", folder], check=True)
    home = folder / "home"
    shutil.copytree(prepared, home)
    found = {"full": [_filled(home, folder, kilobytes) for kilobytes in spare]}
    _size(folder, ROOM)
    found["roomy"] = [_ran(home, "build", PRODUCT)[0], _ran(home, "release", GROUP)[0], _rows(home)]
    print(json.dumps(found))


def _filled(home: Path, folder: Path, kilobytes: int) -> dict[str, Any]:
    used = shutil.disk_usage(folder).used // 1024
    _size(folder, used + kilobytes)
    status, said = _ran(home, "build", PRODUCT)
    log = home / "lake" / "product" / PRODUCT / "_delta_log"
    return {"status": status, "said": said, "rows": _rows(home), "versions": len(list(log.glob("*.json")))}


def _size(folder: Path, kilobytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", folder], check=True)


def _ran(home: Path, *command: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", "jobs", *command], capture_output=True, text=True, check=False,
                          env={**os.environ, "CONCORD_HOME": str(home)})
    return done.returncode, done.stderr


def _rows(home: Path) -> int:
    return released(PRODUCT, settings=Settings(home=home, lake="")).arrow().num_rows


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [int(size) for size in sys.argv[3:]])
