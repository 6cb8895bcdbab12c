"""`hubc render`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hubc.commands.plans import compiled, origin_of
from hubc.errors import UsageError
from hubc.repository import find_root
from hubc.workspace import load_platform

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Write the Argo manifest of a plan."""
    platform = load_platform(options.platform, find_root(options.spec.parent))
    if platform.spec.argo is None:
        raise UsageError(f"platform '{platform.metadata.name}' is not a cluster; use 'hubc run', or name another --platform")
    plan = compiled(options.spec, platform)
    from hubc.backends.argo import render, warnings

    text = render(plan, platform, origin_of(options), options.form)
    sys.stderr.writelines(f"hubc: warning: {warning}\n" for warning in warnings(plan, platform))
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0
