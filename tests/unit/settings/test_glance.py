"""A config read by a command: the same values, from what was kept, and nothing is kept for it."""

from dataclasses import replace

import pytest

from relay.core.sources import Sources
from relay.settings.apart.glance import glance, glance_at
from relay.settings.large.kept import NAME
from relay.settings.large.wholesale import frames_in_pieces
from relay.settings.load import load_config
from relay.settings.problems import ConfigProblems
from tests.unit.settings.told import CONFIG, LARGE


def whole(path):
    return replace(load_config(path, {}), sources=Sources())


def test_it_is_the_config_that_serves(path):
    assert glance(path, {}) == whole(path)


def test_a_small_config_is_read_as_ever(tmp_path):
    path = tmp_path / "relay.yaml"
    path.write_text(CONFIG)
    assert replace(glance(path, {}), sources=Sources()) == whole(path)
    name = next(iter(whole(path).directory.domains))
    assert replace(glance_at(path, {}, name), sources=Sources()) == whole(path)


def test_what_was_kept_is_taken_and_nothing_is_kept(path, reads):
    glance(path, {})
    assert not (path.parent / "var" / NAME).exists()
    assert reads
    frames_in_pieces(path, {})
    reads.clear()
    glance(path, {})
    glance_at(path, {}, "nobody.example")
    assert not reads


def test_one_domain_comes_with_few_others_and_is_the_same(path):
    all_of_them = whole(path).directory
    for name in [*all_of_them.domains][:: len(all_of_them.domains) // 3]:
        found = glance_at(path, {}, name).directory
        assert found.domains[name] == all_of_them.domains[name]
        assert found.tenants.keys() == all_of_them.tenants.keys()
        assert len(found.domains) < len(all_of_them.domains) / 4


def test_of_a_domain_that_is_not_there_the_whole_is_told(path):
    assert glance_at(path, {}, "nobody.example") == whole(path)
    assert glance_at(path, {}, "") == whole(path)


def test_what_is_wrong_is_told_as_ever(path):
    path.write_text(LARGE.replace("routes:", "ruotes:", 1))
    with pytest.raises(ConfigProblems) as found:
        glance_at(path, {}, "nobody.example")
    with pytest.raises(ConfigProblems) as expected:
        load_config(path, {})
    assert found.value.problems == expected.value.problems
