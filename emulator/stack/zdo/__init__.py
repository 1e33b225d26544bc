"""The ZigBee device object: descriptors, bindings, management."""
