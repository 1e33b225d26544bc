"""Radios of a campaign: where they are, what they can do, and the state they hold."""
