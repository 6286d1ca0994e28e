"""Text as text: in a page, in Markdown and in a file, names show every character they hold.

What a notebook says is made of sentences and of names from a trial file or data, which may hold
anything. So what is not `Markup` is text: of a sentence only ``**``, ``*`` and code between
backticks mean something, and these not inside a name. `Markup` is made by our templates alone.
"""

import re

import pandas as pd
from markupsafe import Markup

SPECIAL = r"[&<>$_\[\]\\#|~*`]|(?<=:)/|^\s*(?:[-+=]|\d+[.)](?=\s))"
MARKS = {"&": "&amp;", "<": "&lt;", ">": "&gt;",
         "$": "<span>&#36;</span>"}  # in an element of its own two of them make no formula
_marked: list[str] = []  # names of the notebook's trial that hold a mark of a sentence


def plain(text: str) -> Markup:
    """Text as Markdown that shows each of its characters.

    Examples
    --------
    >>> plain("<b> *x*")
    Markup('&lt;b&gt; &#42;x&#42;')
    """
    return Markup(re.sub(SPECIAL, _entities, " ".join(text.splitlines())))


def _entities(found: re.Match) -> str:
    return "".join(MARKS.get(one, f"&#{ord(one)};") for one in found[0])


def sentence(text: str) -> Markup:
    """A computed sentence as Markdown: strong, emphasis and code stay, all else is text.

    Examples
    --------
    >>> sentence("**p < 0.001**, `x_1`")
    Markup('**p &lt; 0.001**, <code>x&#95;1</code>')
    """
    if isinstance(text, Markup):
        return text
    pattern = "|".join((f"(?P<name>{'|'.join(map(re.escape, _marked)) or '(?!)'})",
                        "`(?P<code>[^`]*)`", r"(?P<ours>\*+)", f"(?:{SPECIAL})"))

    def shown(found):
        if found["code"] is not None:
            return f"<code>{plain(found['code'])}</code>"
        return found["ours"] or (plain(found[0]) if found["name"] else _entities(found))

    return Markup(re.sub(pattern, shown, " ".join(text.splitlines()), flags=re.IGNORECASE))


def names(trial) -> None:
    """Note what of a trial's names would mark a sentence; tables of pandas set no formula."""
    pd.options.display.html.use_mathjax = False
    held = [value for key, value in vars(trial).items() if key not in ("_memo", "_parts")]
    found = {one for one in _texts(held) if re.search("[*`]", one) and one.strip("*` ")}
    _marked[:] = sorted(found, key=len, reverse=True)


def _texts(value) -> list[str]:
    """Every text in a part of a trial: keys, labels, values of columns."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = [*value, *value.values()]
    elif isinstance(value, pd.Series):
        value = value.unique().tolist()
    elif not isinstance(value, list | tuple):
        value = list(getattr(value, "__dict__", {}).values())
    return [text for one in value for text in _texts(one)]
