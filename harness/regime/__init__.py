"""The parties of the DCC regime, their keys, state and signed files."""
