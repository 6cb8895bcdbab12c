"""Values of fields for which the models have any text or number: Kubernetes and Argo have words and ranges for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.verify.braces import BRACES
from hubc.backends.argo.verify.finding import walk
from hubc.backends.argo.verify.syntax import DURATION, PORT, QUANTITY, SCHEDULE

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from hubc.backends.argo.verify.finding import Fault

Names = tuple[str, ...]
WORDS: dict[Names, Names] = {
    ("imagePullPolicy",): ("Always", "IfNotPresent", "Never"),
    ("dnsPolicy",): ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
    ("terminationMessagePolicy",): ("File", "FallbackToLogsOnError"),
    ("preemptionPolicy",): ("Never", "PreemptLowerPriority"),
    ("fsGroupChangePolicy",): ("OnRootMismatch", "Always"),
    ("emptyDir", "medium"): ("", "Memory", "HugePages"),
    ("seccompProfile", "type"): ("RuntimeDefault", "Localhost", "Unconfined"),
    ("tolerations", "operator"): ("Exists", "Equal", "Lt", "Gt"),
    ("tolerations", "effect"): ("NoSchedule", "PreferNoSchedule", "NoExecute"),
    ("ports", "protocol"): ("TCP", "UDP", "SCTP"),
    ("podGC", "strategy"): ("OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"),
    ("artifactGC", "strategy"): ("OnWorkflowCompletion", "OnWorkflowDeletion", "Never"),
    ("retryStrategy", "retryPolicy"): ("Always", "OnFailure", "OnError", "OnTransientError"),
    ("resource", "mergeStrategy"): ("strategic", "merge", "json"),
    ("spec", "concurrencyPolicy"): ("Allow", "Forbid", "Replace"),
    ("spec", "completionMode"): ("Indexed", "NonIndexed"),
    ("spec", "podReplacementPolicy"): ("TerminatingOrFailed", "Failed"),
    ("spec", "restartPolicy"): ("Always", "OnFailure", "Never"),
    ("podFailurePolicy", "rules", "action"): ("FailJob", "FailIndex", "Ignore", "Count"),
    ("onExitCodes", "operator"): ("In", "NotIn"),
    ("failurePolicy", "rules", "action"): (
        "FailJobSet", "RestartJobSet", "RestartJobSetAndIgnoreMaxRestarts", "RestartJob", "RestartJobAndIgnoreMaxRestarts"
    ),
    ("failurePolicy", "restartStrategy"): ("Recreate", "BlockingRecreate", "InPlaceRestart"),
    ("rules", "onJobFailureReasons"): (
        "BackoffLimitExceeded", "DeadlineExceeded", "FailedIndexes", "MaxFailedIndexesExceeded", "PodFailurePolicy"
    ),
    ("successPolicy", "operator"): ("All", "Any"),
    ("startupPolicy", "startupPolicyOrder"): ("AnyOrder", "InOrder"),
    ("spec", "type"): ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
}  # fmt: skip
"""The end of a path, without indices -> what can stand there."""
PATTERNS: dict[Names, tuple[re.Pattern[str], str]] = {
    ("limits", "*"): (QUANTITY, "no amount, such as '4' or '16Gi'"),
    ("requests", "*"): (QUANTITY, "no amount, such as '4' or '16Gi'"),
    ("emptyDir", "sizeLimit"): (QUANTITY, "no amount, such as '16Gi'"),
    ("backoff", "duration"): (DURATION, "no time, such as '30s' or '1m'"),
    ("backoff", "maxDuration"): (DURATION, "no time, such as '30s' or '1m'"),
    ("ports", "targetPort"): (PORT, "no port, such as '8081' or 'http'"),
    ("httpGet", "port"): (PORT, "no port, such as '8081' or 'http'"),
    ("tcpSocket", "port"): (PORT, "no port, such as '8081' or 'http'"),
    ("spec", "schedules"): (SCHEDULE, "no schedule, such as '0 3 * * 1'"),
}
"""The end of a path, with `*` for any key -> how what stands there is written."""
LEAST: dict[Names, int] = {
    ("activeDeadlineSeconds",): 1,
    ("ttlSecondsAfterFinished",): 0,
    ("ttlStrategy", "secondsAfterCompletion"): 0,
    ("terminationGracePeriodSeconds",): 0,
    ("startingDeadlineSeconds",): 0,
    ("parallelism",): 1,
    ("completions",): 1,
    ("backoffLimit",): 0,
    ("maxRestarts",): 0,
    ("numNodes",): 1,
    ("numProcPerNode",): 1,
    ("replicas",): 1,
    ("retryStrategy", "limit"): 0,
    ("containerPort",): 1,
    ("periodSeconds",): 1,
    ("timeoutSeconds",): 1,
}
"""The end of a path -> the least number that can stand there."""
NEVER_EMPTY = ("name", "manager", "image", "claimName")
"""Keys of texts that say something."""
FREE = ("labels", "annotations", "nodeSelector", "matchLabels", "selector", "data")
"""Maps whose keys are anybody's."""


def value_faults(data: dict[str, Any]) -> Iterator[Fault]:
    """Yield the values in a document or object that its kind does not take."""
    for path, value in walk(data):
        names = tuple(each for each in path if isinstance(each, str))
        if isinstance(value, list) or not names or (names[-2:-1] and names[-2] in FREE):
            continue
        if isinstance(value, str) and BRACES in value:
            continue
        if (fault := _fault(names, value)) is not None:
            yield path, fault


def _fault(names: Names, value: Any) -> str | None:
    if value == "" and names[-1] in NEVER_EMPTY:
        return "it is empty"
    for length in (1, 2, 3):
        end = names[-length:]
        if end in WORDS and value not in WORDS[end]:
            return f"'{value}' is none of {', '.join(filter(None, WORDS[end]))}"
        if end in LEAST and str(value).lstrip("-").isdecimal() and int(value) < LEAST[end]:
            return f"{value} is too little, {LEAST[end]} is the least"
        pattern = PATTERNS.get(end) or PATTERNS.get((*names[-length:-1], "*"))
        if length > 1 and pattern and not pattern[0].fullmatch(str(value)):
            return f"'{value}' is {pattern[1]}"
    return None
