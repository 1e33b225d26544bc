"""The NWK layer: one machine per file, on the state of one node's network."""
