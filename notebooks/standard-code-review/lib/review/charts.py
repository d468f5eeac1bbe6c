"""Bar charts as inline SVG: no script, no font, no file from elsewhere; colours follow the page's theme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from review.markup import Html, join, tag
from review.values import shortened

_WIDTH, _AMOUNT, _ROW, _BAR = 360, 44, 36, 13
_LABEL_LETTERS = 44


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a bar. `colour` is a class of the page's style sheet."""

    value: float
    colour: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A labelled row of a chart; `said` is written behind the bar."""

    label: str
    segments: tuple[Segment, ...]
    said: str = ""

    @property
    def total(self) -> float:
        """The length of the bar."""
        return sum(segment.value for segment in self.segments)

    @property
    def words(self) -> str:
        """The row as a sentence, for those who do not see it."""
        parts = ", ".join(f"{segment.value:g} {segment.name}" for segment in self.segments if segment.value)
        return f"{self.label}: {parts or 'none'}"


def chart(title: str, bars: Sequence[Bar], *, shared_scale: bool = True) -> Html:
    """Return a figure with horizontal stacked bars, a legend and a description in words.

    With `shared_scale` false every bar fills the width, which shows shares instead of numbers.
    """
    if not bars:
        return Html("")
    longest = max((bar.total for bar in bars), default=0) or 1
    height = len(bars) * _ROW + 6
    body = []
    for number, bar in enumerate(bars):
        scale = (_WIDTH - _AMOUNT) / ((longest if shared_scale else bar.total) or 1)
        body.append(_row(bar, number * _ROW + 4, scale))
    description = "; ".join(bar.words for bar in bars)
    picture = tag(
        "svg",
        tag("title", title),
        tag("desc", description),
        *body,
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
        aria_label=f"{title}. {description}",
    )
    return tag("figure", tag("figcaption", title), picture, _legend(bars), class_="chart")


def _row(bar: Bar, top: float, scale: float) -> Html:
    """Draw the label above its bar: a page as narrow as a phone has no room beside it."""
    label = tag("text", _tail(bar.label), x=0, y=top + 10, class_="label")
    parts, left, top = [], 0.0, top + 15
    for segment in bar.segments:
        width = segment.value * scale
        if width > 0:
            hint = tag("title", f"{segment.value:g} {segment.name}")
            shape = {
                "x": f"{left:.1f}",
                "y": f"{top:.1f}",
                "width": f"{max(width - 1, 1):.1f}",
                "height": _BAR,
            }
            parts.append(_rect(hint, shape, segment.colour))
            left += width
    said = tag("text", bar.said or f"{bar.total:g}", x=f"{left + 6:.1f}", y=top + 10.5, class_="amount")
    if not parts:  # an empty track; behind a bar it would look like a share that is missing
        room = {"x": 0, "y": f"{top:.1f}", "width": _WIDTH - _AMOUNT, "height": _BAR}
        parts = [_rect("", room, "track")]
        said = tag("text", bar.said or "0", x=_WIDTH - _AMOUNT + 6, y=top + 10.5, class_="amount")
    return tag("g", label, *parts, said)


def _rect(hint: object, shape: dict[str, object], colour: str) -> Html:
    attributes = "".join(f' {name}="{value}"' for name, value in shape.items())
    return Html(f'<rect{attributes} rx="3" class="fill-{colour}">{join([hint])}</rect>')


def _tail(label: str) -> str:
    """Shorten a path from the left: its end tells more."""
    return label if len(label) <= _LABEL_LETTERS else "…" + label[-_LABEL_LETTERS + 1 :]


def _legend(bars: Sequence[Bar]) -> Html:
    names = {segment.name: segment.colour for bar in bars for segment in bar.segments}
    if len(names) < 2:
        return Html("")
    items = [
        tag("li", tag("span", "", class_=f"swatch fill-{colour}", aria_hidden="true"), shortened(name, 40))
        for name, colour in names.items()
    ]
    return tag("ul", *items, class_="legend")
