"""HTML that is escaped unless it was made here: text from a reviewed repository cannot become a tag."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from review.values import printable

_EMPTY = frozenset({"meta", "br", "img", "line", "rect", "circle", "path"})


class Html(str):
    """Text that is already HTML."""

    __slots__ = ()


def escape(value: object) -> Html:
    """Return `value` as HTML text; what is HTML already stays as it is."""
    return value if isinstance(value, Html) else Html(html.escape(printable(str(value)), quote=True))


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """Return an element. A trailing '_' of an attribute is dropped, '_' becomes '-', None leaves it out."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY:
        return Html(f"<{name}{said}>" if name in ("meta", "br", "img") else f"<{name}{said}/>")
    return Html(f"<{name}{said}>{join(children)}</{name}>")


def join(children: Iterable[object]) -> Html:
    """Return the children one after the other."""
    return Html("".join(escape(child) for child in children))


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str, numbers: Sequence[str] = ()
) -> Html:
    """Return a table with a caption; the first cell of a row heads it, `numbers` are set to the right."""
    head = tag("tr", *(tag("th", name, scope="col", class_=_class(name, numbers)) for name in columns))
    body = [
        tag(
            "tr",
            *(
                tag("th", cell, scope="row")
                if number == 0
                else tag("td", cell, class_=_class(columns[number], numbers))
                for number, cell in enumerate(row)
            ),
        )
        for row in rows
    ]
    return tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))


def scrolling(part: Html, name: str) -> Html:
    """Return a part that may be wider than the page: scrolled by keyboard too, and named for who hears it."""
    return tag("div", part, class_="scroll", tabindex="0", role="region", aria_label=name)


def _class(name: str, numbers: Sequence[str]) -> str | None:
    return "number" if name in numbers else None


def code(value: object) -> Html:
    """Return inline code."""
    return tag("code", value)
