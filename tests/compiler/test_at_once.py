"""All that is wrong comes at once: one fault never hides another that does not depend on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.examine import examine
from hubc.workspace import LOCAL

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """\
apiVersion: hubc/v1
kind: Pipeline
metadata: {name: waves}
spec:
  model: {location: "hf://example/model@12fd25f77366fa6b3b4b768ec3050bf629380bac", config: specs/models/nope.json}
  taxonomy: {path: specs/taxonomyy}
  generate: {teacher: {endpoint: {url: "https://x.example.com/v1", model: m}}}
  data: {datasets: {far: {location: "s3://bucket/file.jsonl"}}}
  train: {learning_rate: 0.5, phases: [{name: a, datasets: [nope]}, {name: a}, {name: base, keep: best}]}
  evaluate: {gates: [{metric: helf_out.f1, min: 0.1}], candidates: [base, tuned, b]}
  publish: {location: published/waves}
  schedule: {cron: "0 25 * * *"}
"""


def test_every_rule_is_asked_at_once(repo: Path) -> None:
    path = repo / "specs" / "waves.yaml"
    path.write_text(SPEC, encoding="utf-8")
    examined = examine(path, repo, LOCAL, is_chosen=False)
    assert examined.plan is None
    assert {finding.rule for finding in examined.findings} >= {
        "unreadable-file",  # the config
        "empty-taxonomy",
        "unpinned-revision",  # the data set
        "phase-name",  # twice 'a', a phase called 'base', an unknown data set, an unknown candidate
        "invalid-value",  # keep: best without validation
        "gate-metric",
        "learning-rate-high",
        "schedule",
    }
    assert sum(finding.rule == "phase-name" for finding in examined.findings) == 4


def test_a_broken_matrix_hides_nothing(repo: Path) -> None:
    path = repo / "specs" / "waves.yaml"
    path.write_text(SPEC + "  matrix: {fields: {train.learning_rat: [0.1], train.lora_r: [high]}}\n", encoding="utf-8")
    found = [finding.rule for finding in examine(path, repo, LOCAL, is_chosen=False).findings]
    assert {"matrix-field", "empty-taxonomy", "gate-metric"} <= set(found)
