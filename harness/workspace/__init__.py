"""The run folder: what was asked, the inputs it was asked of, and everything a run writes."""
