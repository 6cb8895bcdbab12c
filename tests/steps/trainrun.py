"""Training runs of the tiny model."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import animals
from steprun import start, write_request

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

PARAMETERS = {
    "num_epochs": 50, "effective_batch_size": 8, "learning_rate": 5e-3, "lora_dropout": 0.1, "checkpoint_at_epoch": True
}  # fmt: skip
STEPS = 100


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


def train_request(folder: Path, model: Path, rows: Path, output: Path | None = None, **parameters: Any) -> Path:
    inputs = {"model": {"uri": model.as_uri(), "key": "base"}, "data": {"uri": rows.as_uri(), "key": "data"}}
    return write_request(folder, "train", PARAMETERS | parameters, inputs, output)


def start_nodes(request: Path, nodes: int) -> list[subprocess.Popen[str]]:
    """Start one request as several nodes that share the output."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    topology = {"PET_NNODES": str(nodes), "PET_NPROC_PER_NODE": "1", "PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": port}
    return [start("train", request, **topology, PET_NODE_RANK=str(rank)) for rank in range(nodes)]
