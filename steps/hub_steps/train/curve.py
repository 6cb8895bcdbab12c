"""The loss curve as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def draw_loss(history: list[dict[str, Any]], title: str, path: Path) -> None:
    """Draw loss (nats a token) over optimizer steps as a PNG; the same figures give the same bytes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.plot([entry["step"] for entry in history], [entry["loss"] for entry in history], marker=".", linewidth=1.5)
    axes.set(title=title, xlabel="optimizer step", ylabel="training loss (nats a token)")
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Software": None})
