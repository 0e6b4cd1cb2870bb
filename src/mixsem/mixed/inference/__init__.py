"""Degrees of freedom, tests, contrasts and marginal means."""
