"""The loss curve as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def draw_loss(history: list[dict[str, Any]], title: str, path: Path, unit: str = "nats a token") -> None:
    """Draw training and validation loss over optimizer steps as a PNG; the same figures give the same bytes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for name, label in {"loss": "training", "validation_loss": "validation"}.items():
        points = [(entry["step"], entry[name]) for entry in history if name in entry]
        if points:
            axes.plot(*zip(*points, strict=True), marker=".", linewidth=1.5, label=label)
    if any("validation_loss" in entry for entry in history):
        axes.legend()
    axes.set(title=title, xlabel="optimizer step", ylabel=f"loss ({unit})")
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Software": None})
