"""Profile, Wald and bootstrap intervals."""
