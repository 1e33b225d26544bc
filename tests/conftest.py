"""Settings of every test: property tests that repeat exactly, and sweeps only when they are asked for."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# What the command remembers for its user is not remembered for whoever runs the tests.
os.environ["XDG_STATE_HOME"] = os.devnull

settings.register_profile(
    "deterministic",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "sweep",
    settings.get_profile("deterministic"),
    derandomize=False,
    max_examples=2000,
    print_blob=True,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "deterministic"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests marked `sweep` out, unless a marker expression was given."""
    if config.option.markexpr:
        return
    swept = [item for item in items if item.get_closest_marker("sweep")]
    if swept:
        config.hook.pytest_deselected(items=swept)
        items[:] = [item for item in items if not item.get_closest_marker("sweep")]
