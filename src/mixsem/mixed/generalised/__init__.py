"""Generalised linear mixed models: families, conditional modes, Laplace approximation, adaptive quadrature."""
