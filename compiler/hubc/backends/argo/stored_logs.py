"""The logs that a run's record keeps in the platform's storage, for when the pods are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.files import local_path
from hubc.backends.argo.layout import layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.kinds import Object
    from hubc.spec.cluster import Argo


class StoredLogs:
    """The logs of one run."""

    def __init__(self, argo: Argo, workflow: Object) -> None:
        metadata = workflow["metadata"]
        pipeline = metadata.get("labels", {}).get("hubc.dev/pipeline", "")
        self.record = f"{layout(argo).outputs}/{pipeline}/.runs/{metadata['name']}"
        self.claim = argo.storage.claim

    def lines(self, step: str, node: int) -> Iterator[str]:
        """Yield the lines of a step's node, or one that says where they are."""
        uri = f"{self.record}/{step}.{node}.log"
        if uri.startswith("file://") and local_path(uri).is_file():
            yield from local_path(uri).read_text(encoding="utf-8", errors="replace").splitlines()
        elif self.claim:
            yield f"(its pod is gone; its log lies in volume claim '{self.claim}': {uri})"
        else:
            yield f"(its pod is gone; its log lies at {uri})"
