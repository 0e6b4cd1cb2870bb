"""From a formula and a table to the matrices of a mixed model."""
