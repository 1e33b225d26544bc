"""The APS sublayer: frames, acknowledgements, fragments, link keys."""
