"""HTML attributes that Dash passes on as they are: `aria-*` and `data-*`."""

from __future__ import annotations

from typing import Any


def attributes(**names: str) -> dict[str, Any]:
    """`attributes(aria_label="SoS")` is `{"aria-label": "SoS"}`, to be unpacked into a component."""
    return {name.replace("_", "-"): value for name, value in names.items()}
