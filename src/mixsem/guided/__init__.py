"""The guided report of a mixed model: what was fitted, what was checked, what it says, and what would say otherwise."""

from .entry import guided_report
from .report import GuidedReport

__all__ = ["GuidedReport", "guided_report"]
