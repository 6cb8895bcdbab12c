"""How long hubc takes to answer, beside the imports that it cannot do without: `python benchmarks/startup.py [RUNS]`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

SPEC = Path(__file__).parents[1] / "specs/pipelines/quickstart.yaml"
COMMANDS = {
    "import pydantic, yaml": ["-c", "import pydantic, yaml"],
    "hubc --help": ["-m", "hubc", "--help"],
    "hubc validate (one file)": ["-m", "hubc", "validate", str(SPEC)],
    "hubc plan": ["-m", "hubc", "plan", str(SPEC)],
    "import hera.workflows": ["-c", "import hera.workflows"],
    "hubc render": ["-m", "hubc", "render", str(SPEC)],
}


def main(num_runs: int) -> None:
    """Run the commands in turn and print the median of each in milliseconds, and its ratio to the first."""
    took: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(num_runs):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], stdout=subprocess.DEVNULL, check=True)
            took[name].append(time.perf_counter() - start)
    base = statistics.median(next(iter(took.values())))
    for name, values in took.items():
        median = statistics.median(values)
        sys.stdout.write(f"{name:<26} {median * 1000:6.0f} ms   {median / base:5.2f}x\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
