"""Cryptography of ZigBee Smart Energy: MMO, CCM*, binary curves, ECQV, ECMQV, ECDSA."""
