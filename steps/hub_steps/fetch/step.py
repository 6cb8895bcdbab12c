"""The fetch step: a Git repository at one commit in, `taxonomy.json` out: its knowledge leaves by their paths."""

from __future__ import annotations

import json
import posixpath
import re
import shutil
from typing import TYPE_CHECKING

from hub_steps.contract import StepError, message
from hub_steps.fetch.git import Entry, Repository
from hub_steps.fetch.leaf import MAX_BYTES, parse_leaf
from hub_steps.workspace import Outcome

if TYPE_CHECKING:
    from hub_steps.parameters import FetchParameters
    from hub_steps.taxonomy import KnowledgeLeaf
    from hub_steps.workspace import Workspace

LEAF_FILE = "qna.yaml"
MAX_LEAVES = 10_000
MAX_FAULTS = 50
"""So many faulty leaves are named; of the others only the number is told."""
MAX_FAULT_CHARACTERS = 500
_SYMBOLIC_LINK, _SUBMODULE = "120000", "160000"
_PLAIN = re.compile(r"[\w][-\w .+&,()]*")


def main(workspace: Workspace, parameters: FetchParameters) -> Outcome:
    """Fetch the commit and read every knowledge leaf of it.

    Raises StepError that names every faulty leaf, or says that there is none, and what fetching raises.
    """
    where = f"{parameters.repository} at {parameters.commit[:12]}"
    message(f"fetching {where}")
    folder = workspace.scratch("repository.git", is_lasting=False)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        repository = Repository(folder, parameters)
        repository.fetch()
        leaves = _leaves(repository, "" if parameters.path == "." else posixpath.normpath(parameters.path))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    documents = {name: leaf.model_dump(mode="json") for name, leaf in leaves.items()}
    text = json.dumps(documents, indent=1, ensure_ascii=False, sort_keys=True)
    workspace.path("taxonomy.json").write_text(text + "\n", encoding="utf-8")
    num_pairs = sum(len(seed.questions_and_answers) for leaf in leaves.values() for seed in leaf.seed_examples)
    return Outcome(f"leaves: {len(leaves)}, pairs: {num_pairs}, from {where}", {"leaves": len(leaves), "pairs": num_pairs})


def _leaves(repository: Repository, top: str) -> dict[str, KnowledgeLeaf]:
    """Return the leaves below `top` (empty, or a path without a slash at its end) by their paths relative to it."""
    found, wrong = {}, []
    entries = repository.entries(posixpath.join(top, "knowledge"))
    for entry in entries:
        name = posixpath.relpath(posixpath.dirname(entry.path), top or ".")
        try:
            _check(entry)
            if posixpath.basename(entry.path) == LEAF_FILE:
                found[name] = parse_leaf(repository.read(entry))
        except ValueError as error:
            shown = entry.path if entry.path.isprintable() else repr(entry.path)
            wrong.append(f"{shown}: {' '.join(str(error).split())}"[:MAX_FAULT_CHARACTERS])
    if wrong:
        more = [f"and {len(wrong) - MAX_FAULTS} more"] if len(wrong) > MAX_FAULTS else []
        raise StepError("\n  ".join([f"faults in the taxonomy: {len(wrong)}", *wrong[:MAX_FAULTS], *more]))
    if not found:
        raise StepError(f"the commit has no '{posixpath.join(top, 'knowledge')}/**/{LEAF_FILE}': there is nothing to learn")
    if len(found) > MAX_LEAVES:
        raise StepError(f"the taxonomy has {len(found)} leaves; at most {MAX_LEAVES} are read")
    return found


def _check(entry: Entry) -> None:
    if entry.mode == _SYMBOLIC_LINK:
        raise ValueError("it is a symbolic link, which may lead anywhere; put the file itself there")
    if entry.mode == _SUBMODULE:
        raise ValueError("it is a submodule, which is not read; put the leaves themselves there")
    if posixpath.basename(entry.path) == LEAF_FILE:
        if not all(_PLAIN.fullmatch(part) for part in entry.path.split("/")):
            raise ValueError("its path holds characters that names of leaves may not have")
        if entry.size > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES} bytes")
