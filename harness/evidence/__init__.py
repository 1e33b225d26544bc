"""Proof of what a run folder claims."""
