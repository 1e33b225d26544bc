"""HTML and SVG fragments that cannot be confused with text: other values go through `text` first."""

from __future__ import annotations

from html import escape
from typing import NewType

Html = NewType("Html", str)
"""A finished fragment of markup, safe to put in the page as it is."""

EMPTY = Html("")
_VOID = frozenset({"br", "hr", "meta"})


def text(value: object) -> Html:
    """Return `value` as escaped text."""
    return Html(escape(str(value), quote=True))


def join(*fragments: Html) -> Html:
    """Return the fragments one after the other."""
    return Html("".join(fragments))


def element(name: str, *children: Html, **attributes: object) -> Html:
    """Return one element; `class_` means `class`, other underscores are hyphens, None is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{''.join(children)}</{name}>")


def _number(value: object) -> object:
    """Coordinates need no more than a hundredth of a pixel."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
