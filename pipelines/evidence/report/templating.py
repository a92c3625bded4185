"""What fills the templates of this project's pages."""

from __future__ import annotations

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

REPORT = "pipelines.evidence.report"
"""Whose templates hold the head and the style sheet of every page."""


def page_environment(*packages: str) -> Environment:
    """With the templates of these packages at hand, then the report's; an unknown name is an error.

    Args:
        packages: with a folder `templates` each; the first that has a name is taken.
    """
    return Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, REPORT)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
