"""The page of a consent-loss report: one file of HTML with its plots inside, no script and nothing to fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from jobs.pages import loss_plots as plots
from jobs.pages import loss_words as words


def page(report: dict[str, Any]) -> str:
    """The page of what ``jobs.run.consent_loss.report`` gives; every text of the report is escaped, here or by matplotlib."""
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    drawn = {"love": plots.love_plot(report), "shares": plots.share_plot(report)}
    return environment.get_template("consent_loss.html").render(report=report, words=words, plots=drawn, colours=plots)
