"""Smart Energy profile 0x0109: clusters, security policy, key establishment and OTA."""
