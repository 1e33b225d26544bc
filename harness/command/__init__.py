"""The `smets1` command, one file a verb."""
