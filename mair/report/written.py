"""What the report has in writing beside its code: lists in YAML and templates of Jinja."""

from functools import cache
from pathlib import Path

import jinja2

from mair.trial.errors import declared

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data"
data = declared


@cache
def templates() -> jinja2.Environment:
    """The templates by their files' names; in HTML and XML what is filled in is text."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([HERE, DATA, DATA / "check"]), trim_blocks=True,
        autoescape=lambda name: str(name).endswith((".html.j2", ".xml.j2")), lstrip_blocks=True,
        undefined=jinja2.StrictUndefined)


def filled(template: str, **content) -> str:
    """A template with its content."""
    return templates().get_template(template).render(content)


def macro(template: str, name: str, *content) -> str:
    """What a macro of a template makes of its content."""
    return str(getattr(templates().get_template(template).module, name)(*content))
