"""Showing a run while it goes on: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from hub_steps.logs import progress_text
from hub_steps.printable import printable, seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hubc.runs import Run, StepRun

PLAIN_SECONDS = 10.0
"""Shortest time between two progress lines of one step where there is no terminal."""
REFRESH_PER_SECOND = 8
DURATION_WIDTH = len("59 min 59 s")
STYLES = {"running": "cyan", "succeeded": "green", "reused": "green", "failed": "bold red", "waiting": "yellow"}
MARKS = {"pending": "·", "waiting": "…", "running": "▶", "succeeded": "✓", "reused": "=", "failed": "✗", "cancelled": "-"}


class PlainDisplay:
    """One line for every change of state and message, and now and then one for progress."""

    def __init__(self, out: IO[str]) -> None:
        self.out = out
        self.last_progress: dict[str, float] = {}
        self.last_text: dict[str, str] = {}

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def changed(self, run: Run, step: StepRun) -> None:
        """Print a step's new state and why."""
        if step.state == "pending":
            return
        note = remark(step)
        took = f" ({duration(step)})" if step.state in ("succeeded", "failed") else ""
        self._print(step, f"{step.state}{took}: {note}" if note else f"{step.state}{took}")

    def event(self, run: Run, step: StepRun, event: dict[str, Any]) -> None:
        """Print a message at once, and progress when the last one is a while ago or it is the last."""
        if event["hubc"] == "message":
            self._print(step, printable(str(event.get("text"))))
        elif event["hubc"] == "progress":
            now = time.monotonic()
            is_last = event.get("done") == event.get("total")
            if is_last or now - self.last_progress.get(step.id, 0.0) >= PLAIN_SECONDS:
                self.last_progress[step.id] = now
                self._print(step, progress_text(event))

    def _print(self, step: StepRun, text: str) -> None:
        if self.last_text.get(step.id) == text:
            return
        self.last_text[step.id] = text
        # That nobody reads any more is no reason to end the run.
        with suppress(BrokenPipeError):
            self.out.write(f"{step.id:<14} {text}\n")
            self.out.flush()


class LiveDisplay:
    """A table of all steps that is drawn over again."""

    def __init__(self, out: IO[str]) -> None:
        from rich.console import Console
        from rich.live import Live

        self.run: Run | None = None
        self.notes: dict[str, str] = {}
        self.live = Live(console=Console(file=out), get_renderable=self._table, refresh_per_second=REFRESH_PER_SECOND)

    def __enter__(self) -> LiveDisplay:
        self.live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.live.__exit__(None, None, None)

    def changed(self, run: Run, step: StepRun) -> None:
        """Take note of a step's new state."""
        self.run = run
        self.notes[step.id] = remark(step)

    def event(self, run: Run, step: StepRun, event: dict[str, Any]) -> None:
        """Take note of what a step tells."""
        self.run = run
        if event["hubc"] == "progress":
            self.notes[step.id] = progress_text(event)
        elif event["hubc"] == "message":
            self.notes[step.id] = printable(str(event.get("text")))

    def _table(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        steps = self.run.steps if self.run else ()
        table = Table(box=None, show_header=False, pad_edge=False, expand=True)
        table.add_column(width=1)
        table.add_column(width=max((len(step.id) for step in steps), default=1))
        table.add_column(width=DURATION_WIDTH, justify="right")
        # Only the note gives way when the terminal is narrow.
        table.add_column(ratio=1, overflow="ellipsis", no_wrap=True)
        for step in steps:
            style = STYLES.get(step.state, "dim")
            # Text, not markup: what a step says may hold anything.
            cells = (MARKS[step.state], step.id, duration(step), self.notes.get(step.id, ""))
            table.add_row(*(Text(cell, style=style) for cell in cells))
        return table


def remark(step: StepRun) -> str:
    """Return what there is to say of a step: what it made, and why it is in its state."""
    if step.state == "reused":
        return f"{step.reason}: {step.summary}"
    return step.summary or step.reason


def duration(step: StepRun) -> str:
    """Return how long a step has been running, or ran, as text; empty if it never did."""
    if step.started_at is None:
        return ""
    return seconds((step.finished_at or time.time()) - step.started_at)
