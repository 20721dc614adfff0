"""The site: a page for each check, one for what was last asked of each table, and an index."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from jobs.check import new_context
from jobs.errors import ConfigurationError, IntegrityError
from jobs.pages.data_docs.results import Check, Row, key, result, suite

MARK = ".concord-quality"  # Says that a folder is ours to write over.
HERE = "jobs.pages.data_docs.view"
VIEW = {"module_name": HERE, "class_name": "Page"}
FINDINGS = {"class_name": "ValidationResultsPageRenderer", "column_section_renderer": {
    "class_name": "ValidationResultsColumnSectionRenderer", "table_renderer": {"module_name": HERE, "class_name": "Findings"}}}
ANY_RUN = {"includes": "."}


def write(folder: Path, checks: list[tuple[Check, list[Row]]]) -> None:
    """Write the site of checks, the newest first, in place of one that is there.

    Raises ConfigurationError for a folder that is not ours, IntegrityError where a page could not be made.
    """
    _claim(folder)
    context = new_context()
    last = {check["table_name"]: (check, rows) for check, rows in reversed(checks)}
    for check, rows in last.values():
        context.suites.add(suite(check, rows))
    for check, rows in checks:
        context.validation_results_store.store_validation_results(result(check, rows), key(check))
    context.add_data_docs_site("quality", _site(folder))
    context.build_data_docs(site_names=["quality"])
    shutil.rmtree(folder / "static")  # Fonts and pictures that no page of ours shows.
    # What Great Expectations cannot render it leaves out, and only its log would tell.
    made = len(list(folder.rglob("*.html")))
    if made != len(checks) + len(last) + 1 or not (folder / "index.html").stat().st_size:
        raise IntegrityError(f"Great Expectations made {made - 1 - len(last)} pages of {len(checks)} checks; choose "
                             "another table, or fewer checks")


def _claim(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
        if any(folder.iterdir()) and not (folder / MARK).is_file():
            raise ConfigurationError(f"{folder} has files that are not of `concord quality --docs`; name a folder that is empty "
                                     "or not there yet")
        (folder / MARK).touch()
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be written: {error.strerror}; name a folder in one that is there") from None


def _site(folder: Path) -> dict[str, Any]:
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.resolve())}
    return {"class_name": "SiteBuilder", "show_how_to_buttons": False, "store_backend": backend,
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "view": VIEW,
                                   "renderer": {"module_name": HERE, "class_name": "Index"}},
            "site_section_builders": {"expectations": {"view": VIEW}, "profiling": "None",
                                      "validations": {"view": VIEW, "renderer": FINDINGS, "run_name_filter": ANY_RUN}}}
