"""Residuals whose variances differ or that correlate over time."""
