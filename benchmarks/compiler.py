"""How long the compiler takes, and how much memory: `python benchmarks/compiler.py [ROUNDS]` prints all figures.

It makes a Git repository of 10,000 pipelines of 60 lines, no two alike, over one taxonomy. Every command is a new process
that finds its bytecode compiled, and the commands take turns, so that whatever else the machine does falls on all of them.
CPU is user and system time of the process, which other load changes less than wall, what a user waits. Each is given as
median and minimum of all rounds; ratios are between the medians of CPU.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
BASE, HERA = "import pydantic, yaml", "import hera.workflows"
SPEC = "specs/pipelines/10/p00000.yaml"
COMMANDS = {
    BASE: ["-c", BASE],
    "hubc --help": ["-m", "hubc", "--help"],
    "hubc validate SPEC": ["-m", "hubc", "validate", SPEC],
    "hubc plan SPEC": ["-m", "hubc", "plan", SPEC],
    "hubc plan SPEC --against HEAD": ["-m", "hubc", "plan", SPEC, "--against", "HEAD"],
    HERA: ["-c", HERA],
    "hubc render SPEC": ["-m", "hubc", "render", SPEC],
}
MOST = {"hubc validate SPEC": (BASE, 3.0), "hubc render SPEC": (HERA, 1.6)}
"""Command, what it is held against, and how many times as long it may take."""
SIZES = (10, 100, 1000, 10_000)
MOST_SECONDS = {1000: 2.0}
PIPELINE = """\
apiVersion: hubc/v1
kind: Pipeline
metadata:
  name: p{number:05}
  description: Pipeline {number} teaches a small model about hubc.
spec:
  model:
    location: hf://example/model-{number}@a{number:039x}
    config: specs/models/model.json
  taxonomy:
    path: specs/taxonomy
  generate:
    teacher:
      endpoint:
        url: https://teacher.example.com/v1
        model: teacher-{number}
        api_key: {{secret: teacher, key: token}}
    pipeline: simple
    samples_per_seed: {samples}
    max_tokens: 200
    temperature: 0.8
    held_out_share: 0.5
    filters:
      min_grounding: 0.6
      max_similarity: 0.85
      min_answer_words: 3
  data:
    datasets:
      instructions:
        location: s3://example/instructions-{number}.jsonl
        sha256: a{number:063x}
        sampling_size: 0.5
  train:
    algorithm: lora_sft
    num_epochs: 3
    effective_batch_size: 8
    learning_rate: 2e-4
    max_seq_len: 1024
    lora_r: 16
    lora_alpha: 32
    target_modules: [q_proj, k_proj, v_proj, o_proj]
    validation_split: 0.1
    keep: best
    resources:
      nodes: 1
      timeout_minutes: 120
  evaluate:
    suites:
      - suite: held_out
        max_new_tokens: 48
      - suite: mmlu_branch
    gates:
      - metric: held_out.nll
        min_improvement: 0.05
    resources:
      timeout_minutes: 60
  publish:
    location: published/p{number:05}
    title: Small model {number}
    license: Apache-2.0
"""


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int


def measure(command: list[str], folder: Path) -> Cost:
    """Run Python with these arguments in a folder.

    Raises subprocess.CalledProcessError if it fails.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / ".bytecode")
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], cwd=folder, env=environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
    said = process.stderr.read() if process.stderr else b""
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=said)
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * 1024)


def make_repository(root: Path) -> None:
    """Write the specs and what they name, and commit all; then change one spec.

    A folder of specs is named for how many there are in it and in the smaller ones.
    """
    for name in ("taxonomy", "platforms"):
        shutil.copytree(REPOSITORY / "specs" / name, root / "specs" / name)
    (root / "specs/models").mkdir()
    shutil.copy(REPOSITORY / "specs/models/smollm2-135m-instruct.json", root / "specs/models/model.json")
    (root / ".gitignore").write_text(".bytecode\n", encoding="utf-8")
    for first, size in pairwise((0, *SIZES)):
        folder = root / "specs/pipelines" / str(size)
        folder.mkdir(parents=True)
        for number in range(first, size):
            text = PIPELINE.format(number=number, samples=number % 20 + 1)
            (folder / f"p{number:05}.yaml").write_text(text, encoding="utf-8")
    git = ["git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com", "-C", str(root)]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Specs"]):
        subprocess.run([*git, *arguments], check=True)
    changed = root / SPEC
    changed.write_text(changed.read_text(encoding="utf-8").replace("num_epochs: 3", "num_epochs: 4"), encoding="utf-8")


def _milliseconds(values: list[float]) -> str:
    return f"{statistics.median(values) * 1000:7.0f}{min(values) * 1000:7.0f}"


def print_commands(root: Path, num_rounds: int) -> None:
    """Print what one run of each command takes, in milliseconds, after one that is not counted."""
    costs: dict[str, list[Cost]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():
        measure(command, root)
    for _ in range(num_rounds):
        for name, command in COMMANDS.items():
            costs[name].append(measure(command, root))
    cpu = {name: statistics.median(cost.cpu_seconds for cost in found) for name, found in costs.items()}
    sys.stdout.write(f"{'one command, in ms':<32}{'CPU':>7}{'min':>7}{'wall':>7}{'min':>7}{'MiB':>6}\n")
    for name, found in costs.items():
        peak = statistics.median(cost.peak_bytes for cost in found)
        against, most = MOST.get(name, (BASE, None))
        goal = f" (goal: below {most:g})" if most else ""
        sys.stdout.write(f"{name:<32}{_milliseconds([cost.cpu_seconds for cost in found])}"
                         f"{_milliseconds([cost.wall_seconds for cost in found])}{peak / 2**20:>6.0f}"
                         f"   {cpu[name] / cpu[against]:.2f} x '{against}'{goal}\n")  # fmt: skip


def print_sizes(root: Path, num_rounds: int) -> None:
    """Print what one `hubc validate` of many specs takes, in milliseconds."""
    sys.stdout.write(f"\n{'validate, in ms':<32}{'CPU':>7}{'min':>7}{'wall':>7}{'min':>7}{'MiB':>6}\n")
    folders = [f"specs/pipelines/{size}" for size in SIZES]
    found: dict[int, list[Cost]] = {size: [] for size in SIZES}
    for _ in range(num_rounds):
        for count, size in enumerate(SIZES, 1):
            found[size].append(measure(["-m", "hubc", "validate", *folders[:count]], root))
    for size, costs in found.items():
        cpu = [cost.cpu_seconds for cost in costs]
        peak = statistics.median(cost.peak_bytes for cost in costs)
        goal = f" (goal: below {MOST_SECONDS[size]:g} s)" if size in MOST_SECONDS else ""
        sys.stdout.write(f"{f'{size} specs of 60 lines':<32}{_milliseconds(cpu)}"
                         f"{_milliseconds([cost.wall_seconds for cost in costs])}{peak / 2**20:>6.0f}"
                         f"   {statistics.median(cpu) / size * 1000:.2f} a spec{goal}\n")  # fmt: skip


def main(num_rounds: int) -> None:
    """Print all figures; those of many specs take a third of the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        make_repository(root)
        print_commands(root, num_rounds)
        print_sizes(root, max(1, num_rounds // 3))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
