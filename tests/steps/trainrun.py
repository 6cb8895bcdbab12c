"""Training runs of the tiny model."""

from __future__ import annotations

import json
import signal
import socket
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import animals
import pytest
from steprun import IDENTITY, start, write_request

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from hub_steps.train.job import Job

PARAMETERS = {
    "num_epochs": 20, "effective_batch_size": 8, "learning_rate": 5e-3, "lora_dropout": 0.1,
    "save_steps": 2, "save_total_limit": 1,
}  # fmt: skip
STEPS = 40


def conversation(*texts: str) -> dict[str, Any]:
    roles = ("user", "assistant") * len(texts)
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]}


def write_data(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def data(folder: Path) -> Path:
    """Write all pairs of the leaf, and one conversation that is too long."""
    rows = [conversation(*pair) for pair in animals.QUESTIONS]
    return write_data(folder / "train.jsonl", [*rows, conversation("Why?", "word " * 2000)])


def preferences(folder: Path) -> Path:
    """Write all pairs of the leaf as preferences: rather the right answer than none."""
    rows = [{"prompt": asked, "chosen": told, "rejected": "I do not know."} for asked, told in animals.QUESTIONS]
    return write_data(folder / "preferences.jsonl", rows)


def job(folder: Path, model: Path, rows: Path, **parameters: Any) -> Job:
    """Return a training as one of its processes sees it; it writes to the folder `out`."""
    from hub_steps.train.job import Job

    wanted = {
        "step": "train", "key": "e" * 64, "identity": IDENTITY, "model": str(model), "data": str(rows),
        "output": str(folder / "out"), "parameters": parameters,
    }  # fmt: skip
    (folder / "out").mkdir(parents=True, exist_ok=True)
    return Job.model_validate_json(json.dumps(wanted))


@contextmanager
def only_process() -> Iterator[None]:
    """Let this process be the only one of a training, on one core: tests share the machine."""
    import torch

    handler, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        # Transformers and PEFT warn about names that each other use.
        warnings.simplefilter("ignore")
        for name, value in {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "-1"}.items():
            patch.setenv(name, value)
        try:
            torch.set_num_threads(1)
            yield
        finally:
            torch.set_num_threads(threads)
            signal.signal(signal.SIGTERM, handler)


def learn(folder: Path, model: Path, rows: Path, **parameters: Any) -> tuple[Path, dict[str, Any]]:
    """Train in this process, and return the output and the summary."""
    from hub_steps.train.worker import train

    wanted = {"num_epochs": 6, "learning_rate": 5e-3, **parameters}
    with only_process():
        assert train(job(folder, model, rows, **wanted), folder) == 0
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return folder / "out", summary


def train_request(folder: Path, model: Path, rows: Path, output: Path | str | None = None, **parameters: Any) -> Path:
    inputs = {"model": {"uri": model.as_uri(), "key": "base"}, "data": {"uri": rows.as_uri(), "key": "data"}}
    return write_request(folder, "train", PARAMETERS | parameters, inputs, output)


def start_nodes(request: Path, nodes: int, **environment: str) -> list[subprocess.Popen[str]]:
    """Start one request as several nodes that share the output."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    topology = {"PET_NNODES": str(nodes), "PET_NPROC_PER_NODE": "1", "PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": port}
    return [start("train", request, **topology, **environment, PET_NODE_RANK=str(rank)) for rank in range(nodes)]
