"""A llama.cpp server in a process of its own: prints its URL once it answers, and ends with its standard input.

`python -m hub_steps.generate.llama_server MODEL.gguf PARALLEL_REQUESTS CONTEXT_TOKENS`
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any


def start(model: str, parallel_requests: int, context_tokens: int, port: int = 0) -> Any:
    """Return a server of `model` on the loopback interface that answers; port 0 is any free one.

    Raises RuntimeError if llama.cpp cannot serve it. The server's threads do not end by themselves.
    """
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {Path(model).stem}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_parallel = parallel_requests
    parameters.n_ctx = parallel_requests * context_tokens
    parameters.use_jinja = True
    return xllamacpp.Server(parameters)


def main(model: str, parallel_requests: int, context_tokens: int) -> None:
    """Serve `model` on a free port until standard input ends."""
    try:
        server = start(model, parallel_requests, context_tokens)
    except RuntimeError as error:
        sys.exit(f"llama.cpp cannot serve {model}: {error}")
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    # Nothing is left to save.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
