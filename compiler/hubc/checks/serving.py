"""Rules over the teachers and judges that a platform serves beside a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.checks.resources import resource_place
from hubc.checks.view import Finding
from hubc.serving import ITSELF, computing, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.checks.view import View


def accelerators(view: View) -> Iterator[Finding]:
    """`served-without-accelerator`: vLLM would not start, and the step wait for it in vain."""
    if view.platform is None or view.platform.spec.argo is None or view.platform.spec.argo.serving.engine != "vllm":
        return
    for step in view.steps:
        needed = len(computing(step))
        if not served(step) or step.resources.devices >= needed:
            continue
        whom = " and ".join("itself" if name == ITSELF else f"its {name}" for name in computing(step))
        yield Finding(resource_place(step, "accelerators"), "served-without-accelerator",
                      f"'{step.section[1]}' asks for accelerators {step.resources.devices}, and needs {needed}: platform "
                      f"'{view.platform.metadata.name}' serves with vLLM, and there is to be one each for {whom}",
                      f"ask for {needed}: 'resources: {{accelerators: {needed}}}'; or use an endpoint, or a platform that "
                      "serves with llama.cpp")  # fmt: skip
