"""Compile declarative language model pipelines, and run them on one machine or on Argo Workflows."""

__version__ = "0.1.0"
