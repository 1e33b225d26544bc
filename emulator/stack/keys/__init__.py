"""Keys of the network: the trust centre that gives them, the joiner that gets them."""
