"""Every module of the bench can be had: some are run by hand only, and nothing else imports them."""

import importlib
import pkgutil

import pytest

import bench

MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(bench.__path__, "bench.")
    if not found.name.startswith("bench.peers.conf")
)


@pytest.mark.parametrize("name", MODULES)
def test_it_can_be_imported(name):
    assert importlib.import_module(name).__doc__
