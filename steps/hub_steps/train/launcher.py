"""torchrun without a traceback of its own when a process failed or it was told to stop.

`python -m hub_steps.train.launcher FOLDER ...`: FOLDER is where a process that fails leaves its reason; the rest are
torchrun's arguments.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hub_steps.contract import ExitCode
from hub_steps.train.job import CODE_FILE


def main(folder: Path, arguments: list[str]) -> int:
    """Run torchrun and return its exit code; that of the process that failed first is left in a file."""
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        run.main(arguments)
    except SignalException:
        return ExitCode.STOPPED
    except ChildFailedError as error:
        _, first = error.get_first_failure()
        (folder / CODE_FILE).write_text(str(first.exitcode), encoding="utf-8")
        return ExitCode.FAILED
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
