"""A Kubernetes API for tests: a real HTTP server that keeps state as the real one does, and breaks when it is told to."""

from kube.faults import Fault
from kube.resources import RESOURCES, Resource
from kube.server import KubeApi
from kube.status import ApiError, bad_request, forbidden, invalid

__all__ = ["RESOURCES", "ApiError", "Fault", "KubeApi", "Resource", "bad_request", "forbidden", "invalid"]
