"""When Argo tries a pod again."""

from __future__ import annotations

from typing import Any

RETRY = 'lastRetry.status == "Error" || asInt(lastRetry.exitCode) in [75, 143]'
"""What may pass: faults of the infrastructure, and the exit codes that ask for another attempt."""
WITH_FETCHING = RETRY.replace("[", "[-1, ")
"""The same where a container comes first that fetches: of its end, Argo tells no code."""


def retry_strategy(limit: int, *, fetches: bool = False) -> dict[str, Any]:
    """Return Argo's words for at most `limit` further attempts.

    There is no maxDuration: Argo counts it from the start of the first attempt, which may itself take hours.
    """
    return {
        "limit": limit,
        "retryPolicy": "Always",
        "expression": WITH_FETCHING if fetches else RETRY,
        "backoff": {"duration": "1m", "factor": 2},
    }
