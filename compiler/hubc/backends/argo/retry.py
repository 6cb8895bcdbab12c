"""When Argo tries a pod again."""

from __future__ import annotations

from typing import Any

MAY_PASS = (75, 143)
"""Exit codes that ask for another attempt."""
MAY_PASS_FETCHING = (-1, *MAY_PASS)
"""The same where a container comes first that fetches: of its end, Argo tells no code."""


def retry_strategy(limit: int, codes: tuple[int, ...] = MAY_PASS) -> dict[str, Any]:
    """Return Argo's words for at most `limit` further attempts, after faults of the infrastructure and these exit codes.

    There is no maxDuration: Argo counts it from the start of the first attempt, which may itself take hours.
    """
    return {
        "limit": limit,
        "retryPolicy": "Always",
        "expression": f'lastRetry.status == "Error" || asInt(lastRetry.exitCode) in {list(codes)}',
        "backoff": {"duration": "1m", "factor": 2},
    }
