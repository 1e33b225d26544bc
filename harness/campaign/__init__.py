"""Plan, upgrade, configure, enrol and report one installation."""
