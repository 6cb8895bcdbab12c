"""`hubc completion`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from argcomplete.shell_integration import shellcode

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Print the script that teaches a shell to complete `hubc`."""
    sys.stdout.write(shellcode(["hubc"], shell=options.shell))
    return 0
