"""Which cluster, and as whom: the context of a kubeconfig, or the service account of the pod that this runs in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from hubc.errors import HubcError, UnreachableError
from hubc.printable import printable

if TYPE_CHECKING:
    from pathlib import Path

CONNECTIONS = 256
"""Connections that are kept: one is open for every pod whose log is followed."""


def connect(context: str | None, kubeconfig: Path | None = None) -> Any:
    """Return a client for a context; left out, for the current one, or else for the pod's own account.

    Raises UnreachableError if neither leads to a cluster, and HubcError if the package for it is missing.
    """
    try:
        from kubernetes.client import ApiClient, Configuration
        from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
    except ImportError:
        raise HubcError("to reach a cluster, 'kubernetes' is needed; install it with: pip install 'hubc[argo]'") from None
    configuration = Configuration()
    try:
        if context is None and kubeconfig is None and _is_pod():
            load_incluster_config(configuration)
        else:
            # The package itself looks at the variable only once, when it is imported.
            file = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG")
            load_kube_config(file, context, configuration, persist_config=False)
    except (ConfigException, OSError, ValueError, yaml.YAMLError) as error:
        raise UnreachableError(_unusable(context, error)) from None
    # This package repeats requests itself, and knows which ones it may.
    configuration.retries = False
    configuration.connection_pool_maxsize = CONNECTIONS
    return ApiClient(configuration)


def server_name(client: Any) -> str:
    """Return the address of a client's server without what may be secret in it."""
    address = urlsplit(client.configuration.host)
    port = f":{address.port}" if address.port else ""
    return f"{address.scheme}://{address.hostname}{port}"


def _is_pod() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ


def _unusable(context: str | None, error: Exception) -> str:
    wanted = f"context '{context}'" if context else "a current context"
    why = printable(str(error).splitlines()[0] if str(error) else type(error).__name__)
    return f"no usable kubeconfig with {wanted}: {why}; set KUBECONFIG, or log in to the cluster"
