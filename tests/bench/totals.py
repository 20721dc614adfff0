"""Complementary suppression in tables with totals, of about 100,000 rows.

    python -m tests.bench.totals

Counts of cells are Pareto distributed (most are small, few have most people), a fifth of them are nobody's. Many small tables are
what products have (seven channels by thirty countries, each month and purpose); the others are as large as tables get.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from itertools import product

from tests.bench.process import keep, run

SHAPES = {"many": (520, 7, 30), "wide": (6, 120, 170), "one": (1, 330, 360)}
MINIMUM = 7


def main() -> None:
    """Run each shape; the figures also go to bench-totals.json in the Concord home."""
    rows = []
    for shape, (tables, down, across) in SHAPES.items():
        said, peak = run("tests.bench.totals", shape)
        size, small, more, seconds, processor = said
        rows.append({"shape": f"{tables} tables of {down} x {across}", "rows": int(size), "small": int(small), "complementary": int(more),
                     "seconds": float(seconds), "processor_seconds": float(processor), "peak_mb": round(peak)})
        print(rows[-1], flush=True)
    keep("totals", {"minimum": MINIMUM, "shapes": rows})


def measure(tables: int, down: int, across: int) -> None:
    """Rows, those of few people, those that vanish beside them, seconds, seconds of processors."""
    import numpy as np

    from contracts.table import ALL
    from jobs.stages import complementary

    roll, counts = np.random.default_rng(5), Counter[tuple[object, ...]]()
    for cell in product(range(tables), range(down), range(across)):
        people = int(roll.pareto(1) * 10) * (roll.random() > 0.2)
        for key in product([cell[0]], [cell[1], ALL], [cell[2], ALL]):
            counts[key] += people
    keys = [key for key, people in counts.items() if people]
    people = np.array([counts[key] for key in keys])
    started, busy = time.monotonic(), time.process_time()
    gone, _ = complementary.hidden(people, np.zeros(len(keys), dtype=bool), complementary.lines_of(keys, (1, 2), ALL), MINIMUM)
    small = people <= MINIMUM
    print(len(keys), small.sum(), (gone & ~small).sum(), round(time.monotonic() - started, 1), round(time.process_time() - busy, 1))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(*SHAPES[sys.argv[1]])
    else:
        main()
