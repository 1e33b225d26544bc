"""The evidential journal: append-only, hash-chained, synced before each effect."""
