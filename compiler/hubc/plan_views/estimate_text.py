"""The estimates of a step as text: a headline, and below it what it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.estimates.memory import GIB, gib

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubc.estimates.step import StepEstimate
    from hubc.estimates.work import Span, WorkEstimate

DOES_NOT_FIT = "DOES NOT FIT"
LEAST = 0.01
"""Of hours and costs below this, the digits say nothing."""
_SHOWN_PART = GIB / 20


def headline(found: StepEstimate) -> str:
    """Return the memory and whether it fits; without an estimate of it, the first of the others."""
    return next(iter(estimate_lines(found)), "")


def estimate_lines(found: StepEstimate) -> list[str]:
    """Return the estimates for people, the headline first."""
    lines = [*_memory(found), *(f"to fit: {line}" for line in found.advice)]
    if found.work:
        lines += _work(found.work)
    return [*lines, *(f"no estimate, because {reason}" for reason in found.reasons)]


def span_text(low: float, likely: float, high: float, show: Callable[[float], str]) -> str:
    """Return a range as text; values that read the same are said once."""
    first, middle, last = map(show, (low, likely, high))
    return middle if first == last else f"{middle} likely ({first} to {last})"


def hours_text(value: float) -> str:
    """Return hours as text."""
    if 0 < value < LEAST:
        return f"less than {LEAST}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def money_text(value: float) -> str:
    """Return an amount of money as text, without its currency."""
    return f"less than {LEAST}" if 0 < value < LEAST else f"{value:,.2f}"


def _memory(found: StepEstimate) -> list[str]:
    memory, device = found.memory, found.device
    if memory is None:
        return []
    verdict = ""
    if device and device.memory_gib:
        said = memory.verdict(int(device.memory_gib * GIB)).replace("does not fit", DOES_NOT_FIT)
        verdict = f"; {said} {device.name} ({device.memory_gib:g} GiB)"
    what = memory.what if device else memory.what.replace("a device", "a process")
    span = f"{gib(memory.likely_bytes)} GiB likely ({gib(memory.low_bytes)} to {gib(memory.high_bytes)})"
    parts = ", ".join(f"{name} {gib(size)}" for name, size in memory.parts.items() if size >= _SHOWN_PART)
    moment = [f"  most is needed {memory.moment}"] if memory.moment else []
    return [f"memory {what}: {span}{verdict}", *([f"  {parts}"] if parts else []), *moment, *memory.notes]


def _work(work: WorkEstimate) -> list[str]:
    lines = [f"tokens: {_span(work.tokens, _count)}" if work.tokens else "tokens: unknown"]
    if work.device_hours:
        lines.append(f"device-hours: {_span(work.device_hours, hours_text)}")
    if work.cost:
        lines.append(f"cost: {_span(work.cost, money_text)} {work.currency}")
    if work.most_device_hours:
        most = f" and {money_text(work.most_cost)} {work.currency}" if work.most_cost is not None else ""
        lines.append(f"at most, by the time limit: {hours_text(work.most_device_hours)} device-hours{most}")
    return [*lines, *(f"no estimate, because {reason}" for reason in work.reasons)]


def _span(span: Span, show: Callable[[float], str]) -> str:
    return span_text(span.low, span.likely, span.high, show)


def _count(value: float) -> str:
    for size, unit in ((1e12, " trillion"), (1e9, " billion"), (1e6, " million")):
        if value >= size:
            return f"{value / size:.1f}{unit}"
    return f"{value:,.0f}"
