"""Whether a place is ready for runs, told before any accelerator is taken."""

from hubc.doctor.examination import examine
from hubc.doctor.finding import Finding

__all__ = ["Finding", "examine"]
