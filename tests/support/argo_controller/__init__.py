"""A cluster that really runs Workflows: Argo, the controllers of training jobs and one node, over the API for tests."""

from argo_controller.cluster import Settings
from argo_controller.controller import Controller

__all__ = ["Controller", "Settings"]
