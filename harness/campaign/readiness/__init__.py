"""What can be known of a campaign before it begins, from its files alone."""
