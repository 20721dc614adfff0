"""The two plots of a consent-loss report as SVG, narrow enough for a phone."""

from __future__ import annotations

import io
import re
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jobs.pages.loss_words import LARGE, NOTABLE, Row, attributes, percent

IN, OUT, INK, QUIET, GRID = "#1b5e9e", "#c4570b", "#1a1a1a", "#5c5c5c", "#d9d9d9"
WIDTH, LINE, MARGIN = 4.6, 0.235, 0.8  # inches: of a plot, of one of its lines, above and below the lines together
STYLE: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "concord", "text.parse_math": False, "font.size": 10,
         "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK}
METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def love_plot(report: dict[str, Any]) -> str:
    """A dot for the size of each difference, a diamond for each attribute as a whole; empty when there is none."""
    lines: list[tuple[str, Row, bool]] = []
    for title, whole, rows in attributes(report):
        told = [r for r in rows if r["standardised_difference"] is not None]
        if whole["standardised_difference"] is not None:
            lines += [(title, whole, True), *((r["level"], r, False) for r in told)]
    if not lines:
        return ""
    with matplotlib.rc_context(STYLE):
        figure, axes = _canvas(len(lines))
        for y, (_, row, is_whole) in enumerate(lines):
            size = abs(row["standardised_difference"])
            axes.plot([0, size], [y, y], color=GRID, linewidth=1, zorder=1)
            axes.plot(size, y, marker="D" if is_whole else "o", markersize=7 if is_whole else 6, zorder=3,
                      color=INK if is_whole else IN)
        furthest = max(abs(row["standardised_difference"]) for _, row, _ in lines)
        for at in (NOTABLE, LARGE):
            axes.axvline(at, color=QUIET, linewidth=1, linestyle="--", zorder=2)
        axes.set_xlim(0, max(1.15 * furthest, 0.25))
        axes.set_xlabel("size of the standardised difference")
        _name_lines(axes, [(name, is_whole) for name, _, is_whole in lines])
        said = "; ".join(f"{name} {abs(row['standardised_difference']):.2f}" for name, row, _ in lines)
        return _svg(figure, "love", "Size of the standardised differences", f"Guide lines at {NOTABLE} and {LARGE}. {said}.")


def share_plot(report: dict[str, Any]) -> str:
    """Bars of the shares of each level, in and left out; levels hidden in both have none. Empty when all are."""
    lines: list[tuple[str, Row | None]] = []
    for title, _, rows in attributes(report):
        shown = [r for r in rows if (r["share_in"], r["share_out"]) != (None, None)]
        lines += [(title, None), *((r["level"], r) for r in shown)] if shown else []
    if not lines:
        return ""
    with matplotlib.rc_context(STYLE):
        figure, axes = _canvas(len(lines), 1.5)
        for y, (_, row) in enumerate(lines):
            for key, colour, offset in (("share_in", IN, -0.19), ("share_out", OUT, 0.19)) if row else ():
                share = row[key] if row else None
                axes.barh(y + offset, 100 * (share or 0), 0.36, color=colour)
                axes.text(100 * (share or 0) + 1, y + offset, percent(share).replace(" %", ""), va="center", fontsize=8,
                          color=INK if share is not None else QUIET)
        most = max(100 * (row[key] or 0) for _, row in lines if row for key in ("share_in", "share_out"))
        axes.set_xlim(0, most + 10)
        axes.set_xlabel("percent of the people in, of the people left out")
        _name_lines(axes, [(name, row is None) for name, row in lines])
        said = "; ".join(f"{name} {percent(row['share_in'])} in, {percent(row['share_out'])} left out"
                         for name, row in lines if row)
        return _svg(figure, "shares", "Shares of the levels among the people in and the people left out", f"{said}.")


def _canvas(lines: int, thickness: float = 1.0) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, MARGIN + LINE * thickness * lines), layout="constrained")
    axes = figure.add_subplot()
    axes.set_ylim(lines - 0.4, -0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure, axes


def _name_lines(axes: Axes, names: list[tuple[str, bool]]) -> None:
    axes.set_yticks(range(len(names)), [name for name, _ in names])
    for label, (_, is_whole) in zip(axes.get_yticklabels(), names, strict=True):
        label.set_fontweight("bold" if is_whole else "normal")


def _svg(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as an SVG element with a title and a description; its ids begin with ``name``."""
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata=METADATA, transparent=True)
    text = drawn.getvalue()
    head, body = re.fullmatch(r".*?(<svg [^>]*)>(.*</svg>)\s*", text, re.DOTALL).groups()  # type: ignore[union-attr]
    body = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL))
    return (f'{head} role="img" aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{escape(title)}</title>'
            f'<desc id="{name}-desc">{escape(description)}</desc>{body}')
