"""What is examined: a cluster, and what a platform and perhaps a plan want of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubc.backends.argo.refusals import RefusedError
from hubc.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from hubc.backends.argo.cluster import Cluster
    from hubc.backends.argo.kinds import Kind, Object
    from hubc.plan import Plan
    from hubc.spec.cluster import Argo
    from hubc.spec.platform import Accelerator, Platform

    Answer = TypeVar("Answer")

FORBIDDEN, UNKNOWN = 403, 404
ABSENT = "NotFound"
"""Of an object; of a kind that is not served, the answer gives no reason."""
GUIDE = "see docs/cluster.md"


@dataclass(frozen=True)
class Case:
    """A cluster, a platform, and a plan if there is one."""

    cluster: Cluster
    platform: Platform
    argo: Argo
    plan: Plan | None

    @property
    def accelerators(self) -> Mapping[str, Accelerator]:
        """The kinds of accelerator that the platform has."""
        return self.platform.spec.accelerators

    @property
    def nodes(self) -> int:
        """The most nodes that one step may take."""
        return self.platform.spec.limits.nodes

    def get(self, subject: str, kind: Kind, name: str, remedy: str) -> Object | Finding:
        """Return an object, or what is to be said without it; `remedy` is what makes a missing one."""
        return self._answered(subject, "get", kind, name, remedy, lambda: self.cluster.get(kind, name))

    def find_all(self, subject: str, kind: Kind, *, labels: str = "", fields: str = "") -> list[Object] | Finding:
        """Return all objects that fit the selectors, or what is to be said without them."""
        return self._answered(
            subject, "list", kind, "", "", lambda: self.cluster.find_all(kind, labels=labels, fields=fields)
        )

    def kubectl(self, words: str, *, is_namespaced: bool = True) -> str:
        """Return a command that asks the same cluster."""
        place = self.cluster.place
        everywhere = f"--context {place.context}" if place.context else ""
        return f"kubectl {words} {place.flags if is_namespaced else everywhere}".rstrip()

    def _answered(
        self, subject: str, verb: str, kind: Kind, name: str, remedy: str, ask: Callable[[], Answer]
    ) -> Answer | Finding:
        """Return an answer, or the finding that a refusal is; raises UnreachableError if the cluster is of no use at all."""
        try:
            return ask()
        except RefusedError as error:
            if error.code == FORBIDDEN:
                look = self.kubectl(f"get {kind.qualified} {name}".rstrip(), is_namespaced=kind.is_namespaced)
                text = f"you are not permitted to {verb} {kind.qualified}"
                return Finding(subject, "unknown", text, f"get the right, or somebody who has it to run: {look}")
            if error.reason == ABSENT:
                return Finding(subject, "bad", "does not exist", remedy)
            if error.code == UNKNOWN:
                return Finding(subject, "bad", f"the cluster does not know {kind.qualified}", f"install it, {GUIDE}")
            raise
