"""Data audit before blame: what may trouble a model, messages with their pages, overdispersion."""

from .design_audit import check_design
from .messages import explain
from .overdispersion import check_overdispersion

__all__ = ["check_design", "check_overdispersion", "explain"]
