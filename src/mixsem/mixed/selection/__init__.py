"""Choosing among mixed models: likelihood ratios at the boundary, information criteria, validation, averages."""
