"""What follows from a fit: random effects, predictions, simulations, refits."""
