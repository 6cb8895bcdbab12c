"""torchrun without a traceback of its own when a process failed or it was told to stop: `-m hub_steps.train.launcher ...`.

Takes torchrun's arguments; the last one is the folder where a process that fails leaves its reason.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hub_steps.contract import ExitCode
from hub_steps.train.job import FAULT_FILE


def main(arguments: list[str]) -> int:
    """Run torchrun and return its exit code."""
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        run.main(arguments)
    except SignalException:
        return ExitCode.STOPPED
    except ChildFailedError as error:
        if not Path(arguments[-1], FAULT_FILE).is_file():
            sys.stderr.write(f"{error}\n")
        return ExitCode.FAILED
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
