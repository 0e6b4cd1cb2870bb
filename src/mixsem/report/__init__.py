"""Showing results: tables, summaries, frames and the HTML report.

Only tables are imported here. Everything else knows the fits, and the fits ask for it when they are shown.
"""

from .table import Cell, Column, Table

__all__ = ["Cell", "Column", "Table"]
