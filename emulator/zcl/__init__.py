"""ZigBee Cluster Library: frames, attribute tables and foundation commands."""
