"""OpenThread's radio co-processor (RCP), emulated: a host-side ZigBee stack speaks Spinel to it over a byte
stream and transmits and receives raw 802.15.4 frames on the emulated air.
"""
