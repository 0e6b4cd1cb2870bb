"""The engine: cross-products, factorisation, criterion, gradient, search."""
