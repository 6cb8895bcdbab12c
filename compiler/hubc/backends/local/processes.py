"""The processes of a step: started in one group, watched, and ended with everything that they started."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil

from hub_steps.contract import DEVICE, STOP_ON_EOF, ExitCode
from hubc.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hubc.plan import Step

OWNER = "HUBC_OWNER"
"""Environment variable that every process of a run inherits, so that none can escape by leaving its group."""
RETRYABLE = frozenset({int(ExitCode.RETRY), int(ExitCode.STOPPED)})
LOCK_SECONDS = 60.0
"""Longest wait for a lock that is about to be free: who ended a run may still tell webhooks about it."""
STOP_SECONDS = 45.0
"""Time for a step to stop by itself: training writes a checkpoint."""


class StepProcesses:
    """The nodes of one attempt at a step: one process each, in one process group, that share the step's lock."""

    def __init__(self, step: Step, owner: str, request: Path, logs: list[Path], lock: int, threads: int) -> None:
        self.owner = f"{owner}/{step.id}"
        self.started = time.monotonic()
        self.nodes: list[subprocess.Popen[bytes]] = []
        port = free_port()
        for rank, log in enumerate(logs):
            environment = _environment(step, self.owner, threads) | _topology(step, rank, port)
            try:
                with log.open("ab") as output:
                    node = subprocess.Popen(
                        [sys.executable, "-m", "hub_steps", step.kind, "--request", str(request)],
                        stdin=subprocess.PIPE,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env=environment,
                        pass_fds=[lock],
                        process_group=self.nodes[0].pid if self.nodes else 0,
                    )
            except OSError:
                self.close()
                raise
            self.nodes.append(node)

    def exit_code(self) -> int | None:
        """Return None while the step goes on, and 0 when all nodes are done.

        When some failed, a code worth a retry counts, if there is one: the others only lost their peer.
        """
        codes = [node.poll() for node in self.nodes]
        bad = [code for code in codes if code]
        if bad:
            return next((code for code in bad if code in RETRYABLE), bad[0])
        return None if None in codes else 0

    def close(self) -> None:
        """Kill what is left of the step after its nodes have ended, or instead of waiting for them."""
        kill_owned(self.owner)
        for node in self.nodes:
            if node.stdin:
                node.stdin.close()
            node.wait()


def stop_together(steps: list[StepProcesses]) -> None:
    """End steps and everything that they started, gently first; return when nothing is left."""
    nodes = [node for step in steps for node in step.nodes]
    for node in nodes:
        with contextlib.suppress(ProcessLookupError):
            node.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and any(node.poll() is None for node in nodes):
        time.sleep(0.05)
    for step in steps:
        step.close()


def kill_owned(owner: str) -> int:
    """Kill every process that belongs to a run or step, wherever it went, and return how many there were."""
    killed = 0
    while found := list(_owned(owner)):
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                killed += 1
        psutil.wait_procs(found, timeout=5)
    return killed


def _owned(owner: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mark = process.environ().get(OWNER, "")
            if (mark == owner or mark.startswith(f"{owner}/")) and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def lock_file(path: Path, *, shared: bool = False) -> int | None:
    """Return a descriptor that holds the lock of a file, or None if another process holds it; a shared lock makes no file.

    The lock lasts until every process that has the descriptor closed it or ended, whatever way it ended.
    """
    descriptor = os.open(path, os.O_CLOEXEC | (os.O_RDONLY if shared else os.O_RDWR | os.O_CREAT), 0o644)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def take_lock(path: Path) -> int:
    """Return a descriptor that holds the lock of a file, once no other process does.

    Raises UnreachableError if another one holds it for too long.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while (lock := lock_file(path)) is None:
        if time.monotonic() > deadline:
            raise UnreachableError(f"another process holds {path}; try again when it has ended")
        time.sleep(0.05)
    return lock


def free_port() -> int:
    """Return a TCP port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(step: Step, owner: str, threads: int) -> dict[str, str]:
    """Return this process's environment with only the secrets that the step asked for."""
    allowed = {secret.variable for secret in step.secrets}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUBC_SECRET_") or name in allowed}
    # A process that must not use an accelerator does not even see one.
    device = {} if step.resources.devices else {DEVICE: "cpu", "CUDA_VISIBLE_DEVICES": ""}
    return (
        kept
        | device
        | {
            OWNER: owner,
            STOP_ON_EOF: "1",
            "OMP_NUM_THREADS": str(threads),
            "PYTHONUNBUFFERED": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
    )


def _topology(step: Step, rank: int, port: int) -> dict[str, str]:
    """Return what torchrun needs to know, the same variables as on a cluster."""
    return {
        "PET_NNODES": str(step.resources.nodes),
        "PET_NPROC_PER_NODE": str(step.resources.processes_per_node),
        "PET_NODE_RANK": str(rank),
        "PET_MASTER_ADDR": "127.0.0.1",
        "PET_MASTER_PORT": str(port),
    }
