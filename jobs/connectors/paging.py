"""The guard against a paging that never ends."""

from __future__ import annotations

from collections import Counter

from jobs.connectors.explain import Place, not_promised

OFTEN = 4


class Pages:
    """Counts how often each next page is named: a source may send a page twice, but not go in a circle."""

    def __init__(self, place: Place) -> None:
        self._place, self._named = place, Counter[int]()

    def follow(self, following: str) -> str:
        """The name itself. Raises SourceRefused when it has been named too often."""
        self._named[hash(following)] += 1
        if self._named[hash(following)] >= OFTEN:
            raise not_promised(self._place, f"the same next page was named {OFTEN} times, its pages go in a circle")
        return following
