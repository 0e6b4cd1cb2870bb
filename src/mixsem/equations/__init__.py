"""Structural equation models with lavaan's syntax, defaults and numbers: `cfa`, `sem`, `growth`, and what follows."""
