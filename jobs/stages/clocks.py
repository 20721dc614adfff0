"""Clocks of others: by how much they may differ from ours."""

from __future__ import annotations

from datetime import timedelta

CLOCK_SKEW = timedelta(minutes=10)  # By so much a source's clock may be ahead of ours.
