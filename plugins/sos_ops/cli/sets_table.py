"""Sets as a table, for `sos-ops sets` and `sos-ops status`."""

from __future__ import annotations

from datetime import UTC

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


def sets_table(rows: list[tuple[SetView, SosPoint | None]]) -> Table:
    """A table of sets with their newest decided minute."""
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
        style = BAND_STYLE[point.band]
        table.add_row(
            str(view.set_id),
            escape(view.site),
            tags,
            f"{point.minute.astimezone(UTC):%m-%d %H:%M}",
            f"[{style}]{point.band}[/]" if style else str(point.band),
            f"{point.value:.4f}" if point.value is not None else f"at most {point.upper:.4f}",
            f"{point.known} of {point.tags}",
            escape(point.limiting_tag or "-"),
        )
    return table
