"""Covariance structures compiled to index maps, their loss, and the optimiser."""
