"""Benchmarks: python -m benchmarks prints a table of ratios."""
