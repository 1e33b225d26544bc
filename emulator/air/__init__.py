"""IEEE 802.15.4: frames, the shared medium, the MAC and packet capture."""
