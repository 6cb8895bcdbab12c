"""Limits of Argo and Kubernetes that only verification counts; those that the renderer keeps to are declared there."""

MAX_TEMPLATE_NAME = 128
"""Characters of a template's or task's name."""
MAX_CRON_NAME = 52
"""Characters of a CronWorkflow's name: its Workflows add eleven."""
MAX_TASKS = 200
"""Tasks of a DAG."""
MAX_INPUTS = 500
"""Input parameters of a template."""
MAX_ANNOTATION_BYTES = 256 * 1024
"""Bytes of all annotations of an object, keys included."""
MAX_VARIABLE_BYTES = 128 * 1024
"""Bytes that Linux takes of one environment variable or argument, the zero at its end included."""
