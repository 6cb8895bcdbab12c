"""Where the values of one variant of a matrix stand: those that are swept in the matrix, the others at their own place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hubc.source import Source

if TYPE_CHECKING:
    from hubc.positions import Place
    from hubc.source import Location

FIELDS: Location = ("spec", "matrix", "fields")


@dataclass(frozen=True)
class SweptSource(Source):
    """The source of a pipeline, for one variant: what is wrong in a swept value is shown in the matrix."""

    chosen: dict[str, int] = field(default_factory=dict)
    """Swept field -> number of its value."""

    @classmethod
    def of(cls, source: Source, chosen: dict[str, int]) -> SweptSource:
        """Return the source of a variant."""
        return cls(source.text, source.data, source.root, source.bases, chosen)

    def place(self, location: Location) -> tuple[Place, bool]:
        """Return where `location` stands, as `Source.place` does."""
        return super().place(located(location, self.chosen))


def located(place: Location, chosen: dict[str, int]) -> Location:
    """Return where a value stands: in the matrix if its number there is among the `chosen` ones, else at its own place."""
    for path, number in chosen.items():
        swept = ("spec", *path.split("."))
        if tuple(map(str, place[: len(swept)])) == swept:
            return (*FIELDS, path, number, *place[len(swept) :])
    return place
