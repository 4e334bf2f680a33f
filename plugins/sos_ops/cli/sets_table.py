"""Sets as a table, for `sos-ops sets` and `sos-ops status`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rich.markup import escape
from rich.table import Table

from sos_ops.safety.bands import Band
from sos_ops.views import SetView, SosPoint

BAND_STYLE = {
    Band.SAFE: "",
    Band.WARNING: "bold yellow",
    Band.CRITICAL: "bold red",
    Band.UNKNOWN: "bold magenta",
}


STALE_AFTER = timedelta(minutes=3)


def is_stale(point: SosPoint | None, at: datetime) -> bool:
    """Whether the newest decided minute of a set is too old at `at` to say anything about now."""
    return point is None or at - point.minute >= STALE_AFTER


def sets_table(rows: list[tuple[SetView, SosPoint | None]], at: datetime) -> Table:
    """A table of sets with their newest decided minute; what is stale at `at` is unknown, whatever it was."""
    table = Table("SET_ID", "site", "tags", "minute (UTC)", "band", "SoS", "known", "weakest")
    for view, point in rows:
        tags = escape(", ".join(view.tags))
        if point is None:
            table.add_row(
                str(view.set_id),
                escape(view.site),
                tags,
                f"first at {view.first_minute:%H:%M}",
                "unknown",
                "-",
                "-",
                "-",
            )
            continue
        band = Band.UNKNOWN if is_stale(point, at) else point.band
        style = BAND_STYLE[band]
        word = f"{band}, stale (was {point.band})" if is_stale(point, at) else str(band)
        table.add_row(
            str(view.set_id),
            escape(view.site),
            tags,
            f"{point.minute.astimezone(UTC):%m-%d %H:%M}",
            f"[{style}]{word}[/]" if style else word,
            f"{point.value:.4f}" if point.value is not None else f"at most {point.upper:.4f}",
            f"{point.known} of {point.tags}",
            escape(point.limiting_tag or "-"),
        )
    return table
