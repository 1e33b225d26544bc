"""Drives the upgrade, configuration and enrolment of SMETS1 installations."""
