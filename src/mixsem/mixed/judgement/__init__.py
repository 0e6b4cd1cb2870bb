"""What a fit says of itself: boundary, convergence, other optimisers."""
