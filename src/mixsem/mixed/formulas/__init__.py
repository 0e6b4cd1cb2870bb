"""Mixed-model formulas: text in, terms out."""
