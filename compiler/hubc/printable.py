"""Text that others wrote, made safe to print; it stands with the steps, which print such text too."""

from hub_steps.printable import printable

__all__ = ["printable"]
