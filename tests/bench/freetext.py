"""Free text measured: a third party's texts and the team's, and what `concord scrub` takes for 10,000 of them.

    python -m tests.bench.freetext [TEXTS]

TEXTS is what ``tests/bench/generated_texts.py`` writes with PYTHONHASHSEED=0, in an environment of its own; it is pinned by its digest.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jobs.freetext.lexicon import LANGUAGES
from tests.scored_texts import Score, read, scored, unlisted

PINNED = "be01077aba6cf477bfb21d41aab1887a60994687baf0fdd8b0db0cc4a475cc4d"
OURS = Path(__file__).parents[1] / "acceptance" / "texts"
TEXTS = 10_000


def main(generated: Path | None) -> None:
    files = [OURS / "team.jsonl", OURS / "blind.jsonl"]
    if generated is not None:
        found = hashlib.sha256(generated.read_bytes()).hexdigest()
        print(f"{generated.name}: {'the pinned texts' if found == PINNED else f'OTHER TEXTS than those that are pinned ({found})'}")
        files.append(generated)
    for file in files:
        texts = read(file)
        for language in LANGUAGES:
            say(f"{file.stem} {language}", scored(one for one in texts if one["language"] == language))
        say(f"{file.stem} all", scored(texts))
        say(f"{file.stem} names in no list", scored(one for one in unlisted(texts) if any(s["type"] == "NAME" for s in one["spans"])))
    took()


def say(name: str, score: Score) -> None:
    print(f"{name}: recall {score.recall:.4f} of {score.marked.total()}, false redactions {score.false_redactions:.2%} of {score.words} words, "
          f"{score.withheld} of {score.texts} withheld or taken for another language")


def took() -> None:
    texts = [one["text"] for one in read(OURS / "team.jsonl")]
    with tempfile.TemporaryDirectory() as folder:
        for number in (1, TEXTS):
            file = Path(folder) / "texts.jsonl"
            file.write_text("".join(json.dumps({"text": texts[i % len(texts)]}) + "\n" for i in range(number)))
            start = time.perf_counter()
            subprocess.run([sys.executable, "-m", "jobs", "scrub", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            print(f"concord scrub, {number:,} texts: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
