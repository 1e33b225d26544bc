"""The EZSP co-processor: an EmberZNet dongle as a host sees it, on a node of the emulated air."""
