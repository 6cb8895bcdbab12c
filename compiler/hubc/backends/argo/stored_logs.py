"""The logs that a run's record keeps in the platform's storage, for when the pods are gone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hub_steps.contract import RetryableError, StepError
from hub_steps.storage import read_text
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
        self.storage = argo.storage

    def lines(self, step: str, node: int, known: int) -> Iterator[str]:
        """Yield the lines of a step's node, without the first ones that are `known`.

        If they cannot be read from here, yield one that says where they are.
        """
        uri = f"{self.record}/{step}.{node}.log"
        self._point_clients()
        try:
            text = read_text(uri)
        except (StepError, RetryableError) as error:
            if self.storage.claim:
                yield f"(its pod is gone; its log lies in volume claim '{self.storage.claim}': {uri})"
            else:
                yield f"(its pod is gone, and its log cannot be read from here: {error})"
            return
        yield from text.splitlines()[known:]

    def _point_clients(self) -> None:
        """Lead this process's clients to the platform's object store, unless its environment says another."""
        if self.storage.endpoint:
            os.environ.setdefault("AWS_ENDPOINT_URL_S3", str(self.storage.endpoint))
        if self.storage.region:
            os.environ.setdefault("AWS_REGION", self.storage.region)
