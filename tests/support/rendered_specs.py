"""Renderings of the repository's own specs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hubc.backends.argo import render
from hubc.workspace import load_plan, load_platform

ROOT = Path(__file__).resolve().parents[2]


@cache
def rendered(platform: str, pipeline: str = "quickstart") -> str:
    """Return the manifest of a pipeline for a platform."""
    place = load_platform(str(ROOT / f"specs/platforms/{platform}.yaml"), ROOT)
    return render(load_plan(ROOT / f"specs/pipelines/{pipeline}.yaml", place), place)
