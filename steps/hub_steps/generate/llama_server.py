"""A llama.cpp server in a process of its own: prints its URL once it answers, and ends with its standard input.

`python -m hub_steps.generate.llama_server MODEL.gguf PARALLEL_REQUESTS CONTEXT_TOKENS`
"""

from __future__ import annotations

import os
import sys


def main(model: str, parallel_requests: int, context_tokens: int) -> None:
    """Serve `model` on a free port of the loopback interface until standard input ends."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_parallel = parallel_requests
    parameters.n_ctx = parallel_requests * context_tokens
    parameters.use_jinja = True
    try:
        server = xllamacpp.Server(parameters)
    except RuntimeError as error:
        sys.exit(f"llama.cpp cannot serve {model}: {error}")
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    # The server's threads do not end by themselves, and nothing is left to save.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
