"""Linear mixed models: formulas with random terms, profiled likelihood, fits in the order lme4 users know."""
