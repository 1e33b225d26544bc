"""Reports of a campaign: JSON for machines, one HTML page for people."""
