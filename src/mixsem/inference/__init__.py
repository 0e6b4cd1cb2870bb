"""Judging fits: fit measures and information criteria."""
