"""How Data Docs look here: templates of our own before those of Great Expectations, no script and nothing to fetch."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from great_expectations.render import (
    RenderedDocumentContent,
    RenderedHeaderContent,
    RenderedSectionContent,
    RenderedStringTemplateContent,
    RenderedTableContent,
)
from great_expectations.render.renderer.content_block import ValidationResultsTableContentBlockRenderer
from great_expectations.render.renderer.renderer import Renderer
from great_expectations.render.view import DefaultJinjaPageView
from jinja2 import ChoiceLoader, FileSystemLoader

MET, NOT_MET = "fas fa-check-circle text-success", "fas fa-times text-danger"


class Page(DefaultJinjaPageView):
    """A page of any kind."""

    def __init__(self, custom_styles_directory: str | None = None, custom_views_directory: str | None = None) -> None:
        super().__init__(custom_styles_directory, custom_views_directory)
        stock: Any = self.env.loader
        self.env.loader = ChoiceLoader([FileSystemLoader(Path(__file__).parent), stock])


class Findings(ValidationResultsTableContentBlockRenderer):
    """The table of what became of expectations, with the severity and the rule of each."""

    @classmethod
    def render(cls, render_object: list[Any], **kwargs: Any) -> Any:
        """The table of results."""
        made: Any = super().render(render_object, **kwargs)
        made.header_row += ["Severity", "Rule"]
        for cells, result in zip(made.table, render_object, strict=True):
            said = result.expectation_config
            cells += [said.severity.value, escape(said.meta["rule"]) or "-"]
        return made


class Index(Renderer):
    """The index: every check, the newest first, then the suites."""

    def __init__(self, data_context: Any) -> None:
        super().__init__()
        self._context = data_context

    def render(self, index_links_dict: dict[str, Any]) -> RenderedDocumentContent:
        """The page of what the builder found in the site."""
        checks = [self._check(link) for link in index_links_dict.get("validations_links", [])]
        suites = [[_link(link["expectation_suite_name"], link["filepath"])]
                  for link in sorted(index_links_dict.get("expectations_links", []), key=lambda s: s["expectation_suite_name"])]
        sections = [_section("Checks", ["Status", "Checked (UTC)", "Table", "Of", "Rows", "Expectations", "Not met"], checks),
                    _section("Expectation suites", ["Table"], suites)]
        return RenderedDocumentContent(renderer_type="SiteIndexPageRenderer", utm_medium="index-page", sections=sections)

    def _check(self, link: dict[str, Any]) -> list[Any]:
        found = self._context.get_validation_result(link["expectation_suite_name"], link["run_id"], link["batch_identifier"])
        rows = found.meta["batch_spec"]["rows"]
        return [_icon(found.success), _link(f"{link['run_time']:%Y-%m-%d %H:%M:%S}", link["filepath"]),
                _link(link["expectation_suite_name"], link["expectation_suite_filepath"]), escape(link["run_name"]),
                "-" if rows is None else f"{rows:,}", str(found.statistics["evaluated_expectations"]),
                "<br>".join(_not_met(r) for r in found.results if not r.success) or "-"]


def _not_met(result: Any) -> str:
    columns, counted = result.expectation_config.meta["columns"], result.result
    said = result.expectation_config.type.removeprefix("expect_") + (f" on {columns}" if columns else "")
    return escape(said + (f" ({counted['observed_value']})" if "observed_value" in counted else ""))


def _section(title: str, header: list[str], rows: list[list[Any]]) -> RenderedSectionContent:
    styling = {"classes": ["col-12"], "header": {"classes": ["alert", "alert-secondary"]}}
    return RenderedSectionContent(section_name=title, content_blocks=[
        RenderedHeaderContent(header=_text(title, "h5"), styling=styling),
        RenderedTableContent(header_row=header, table=rows, styling={"classes": ["col-12"], "body": {"classes": ["table"]}})])


def _text(text: str, tag: str = "span", **styling: Any) -> RenderedStringTemplateContent:
    return RenderedStringTemplateContent(string_template={"template": "$text", "params": {"text": text}, "tag": tag,
                                                          "styling": styling})


def _link(text: str, address: str) -> RenderedStringTemplateContent:
    return _text(text, "a", attributes={"href": address})


def _icon(met: bool) -> list[RenderedStringTemplateContent]:
    return [_text("", "i", classes=[MET if met else NOT_MET]), _text(" met" if met else " not met")]
