"""What a fitted mixture tells: how sure its clusters and regressions are."""
