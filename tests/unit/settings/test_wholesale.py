"""A large config read in pieces: the same config, or none, and then it is read whole."""

import fcntl
import json
import pickle
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.settings.apart import frames
from relay.settings.apart.reader import ApartReader
from relay.settings.large import wholesale
from relay.settings.large.kept import LOCK, NAME
from relay.settings.large.wholesale import frames_in_pieces
from relay.settings.load import load
from relay.settings.problems import ConfigProblems
from tests.harness.examples import examples
from tests.unit.settings.told import CONFIG, LARGE, POLICY, edited


@pytest.fixture
def small_ones_too(monkeypatch):
    monkeypatch.setattr(wholesale, "LARGE_BYTES", 0)
    monkeypatch.setattr(wholesale, "WORTH_KEEPING", 1)


def config_of(frames, loaded):
    """What a relay makes of `frames`; where the keys of the root stand, and what was read too."""
    head = pickle.loads(frames[0])
    assert (head.places, head.seen) == (loaded.places, loaded.seen)
    return ApartReader()._config(head, iter(frames[1:]))


def is_read_in_pieces(path, env=None):
    """False where it has to be read whole; else it is the very config that reading it whole gives."""
    frames = frames_in_pieces(path, env or {})
    if frames is None:
        return False
    loaded = load(path, env or {})
    assert config_of(frames, loaded) == loaded.config
    assert [*config_of(frames, loaded).directory.domains] == [*loaded.config.directory.domains]
    return True


def test_it_is_the_config_that_everybody_else_reads(path, reads):
    assert is_read_in_pieces(path)
    assert 5 < len(reads) < 60


def test_what_was_read_before_is_not_read_again(path, reads):
    first = frames_in_pieces(path, {})
    reads.clear()

    assert frames_in_pieces(path, {}) == first
    assert not reads


def test_an_edit_is_read_and_no_more_than_its_piece(path, reads):
    frames_in_pieces(path, {})
    reads.clear()
    path.write_text(edited(LARGE, "b.d700.example", "x.d700.example"))
    assert is_read_in_pieces(path)
    assert len(reads) == 1
    path.write_text(LARGE.replace("      d0.example:", "      new.example:\n        routes: "
                    "[{upstream: smart, policy: exempt}]\n      d0.example:"))  # fmt: skip

    assert is_read_in_pieces(path)
    assert len(reads) == 2


def test_the_order_of_many_tenants_with_few_domains_each_stays(path, reads):
    tenants = "".join(
        f"  t{n}:\n    domains:\n      # one\n      t{n}.example:\n        routes:\n"
        f"        - upstream: smart\n          policy: exempt\n\n"
        for n in range(5000)
    )
    path.write_text(edited(CONFIG, "log: {level: info}\n", f"{tenants}log: {{level: info}}\n"))

    assert is_read_in_pieces(path)
    assert len(reads) < 100


def test_what_means_something_else_elsewhere_is_read_there(path):
    path.write_text(edited(LARGE, "keys/d7.pem", "'${KEYS}/d7.pem'"))

    for keys in ("a", "b", "a"):
        assert is_read_in_pieces(path, {"KEYS": keys})
    assert b"a/d7.pem" not in (path.parent / "var" / NAME).read_bytes()


FAULTS = {
    "a domain twice, far away": ("      other.example:", "      d1.example:"),
    "a domain of two tenants": ("      news.acme.example:", "      d1999.example:"),
    "another tenant's domain in the envelope": ("bounces.acme.example", "d1000.example"),
    "an unknown upstream": ("  smart:\n    url", "  clever:\n    url"),
    "a key that nobody knows": ("        envelope_domains: [b.d9.", "        envelop: [b.d9."),
    "no YAML": ("keys/d5.pem", "keys/d5.pem}"),
    "no domain": ("      d1500.example:", "      d1500..example:"),
    "the stand-in of somebody else": ("    networks: [10.0.0.0/8]", "    domains: cut_0_out"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_by_who_reads_it_whole(path, fault):
    assert is_read_in_pieces(path)
    before, after = FAULTS[fault]
    path.write_text(LARGE.replace(before, after, 1))

    assert frames_in_pieces(path, {}) is None
    with pytest.raises(ConfigProblems) as found:
        ApartReader().read(path, {})
    with pytest.raises(ConfigProblems) as expected:
        load(path, {})
    assert found.value.problems == expected.value.problems


def test_the_same_domains_twice_are_seen_where_a_piece_is_twice_the_same(path, monkeypatch):
    monkeypatch.setattr(frames, "MOST_EACH", 1)
    again = "      d3.example:" + LARGE.split("      d3.example:")[1].split("      d4.")[0]
    path.write_text(edited(LARGE, "      d9.example:", f"{again}      d9.example:"))

    assert frames_in_pieces(path, {}) is None


def test_a_policy_that_no_longer_overflows_is_seen_though_no_domain_was_edited(path, tmp_path):
    (tmp_path / "policies").mkdir()
    policy = tmp_path / "policies" / "first.yaml"
    policy.write_text(POLICY.replace("excess: defer", "excess: overflow"))
    two = "[{upstream: outbound, policy: first}, {upstream: smart, policy: exempt}]"
    path.write_text(LARGE.replace("[{upstream: smart, policy: calendar-14-day}]", two))
    assert is_read_in_pieces(path)
    policy.write_text(POLICY)

    assert frames_in_pieces(path, {}) is None
    with pytest.raises(ConfigProblems, match="does not overflow"):
        load(path, {})


def test_a_policy_whose_numbers_changed_is_that_of_every_domain(path, tmp_path, reads):
    (tmp_path / "policies").mkdir()
    policy = tmp_path / "policies" / "calendar-14-day.yaml"
    policy.write_text(POLICY)
    assert is_read_in_pieces(path)
    reads.clear()
    policy.write_text(POLICY.replace("cap: 50", "cap: 51"))

    assert is_read_in_pieces(path)
    assert not reads


def test_who_waits_for_another_reader_takes_what_that_one_has_kept(path, reads):
    frames_in_pieces(path, {})
    kept = path.parent / "var" / NAME
    content = kept.read_bytes()
    kept.unlink()
    reads.clear()
    with (path.parent / "var" / LOCK).open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=frames_in_pieces, args=(path, {}))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        kept.write_bytes(content)
        kept.chmod(0o600)
    waiting.join(20)

    assert not waiting.is_alive()
    assert not reads


def test_without_a_directory_nothing_is_kept_and_all_is_read(path):
    (path.parent / "var" / LOCK).unlink(missing_ok=True)
    (path.parent / "var").rmdir()

    assert is_read_in_pieces(path)
    assert not (path.parent / "var").exists()


BLOCKS = "      y.example:\n        routes:\n        - upstream: smart\n          policy: exempt\n"
BITS = st.sampled_from(
    ["domains:\n", "    domains:\n", "  domains:\n", "      x.example:\n", "  ", "      ", "\n", "#",
     "        routes: [{upstream: smart, policy: exempt}]\n", "- ", "a: b\n", "  third:\n", "'", ": ",
     "        envelope_domains:\n", "          - c.example\n", "cut_0_out", "|", "é", "${X}", "\t",
     "    domains: cut_1_out\n", BLOCKS, "    domains: {}\n", "\ufeff", "\u2028", " # x", "    # x\n"]
)  # fmt: skip


@pytest.mark.usefixtures("small_ones_too")
@settings(
    max_examples=examples(400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.integers(0, 60), st.booleans(), BITS), max_size=4))
def test_no_edit_is_read_otherwise_than_whole(path, edits):
    """All with what the edits before have left behind."""
    text = CONFIG
    for line, is_there_more, bit in edits:
        lines = text.splitlines(keepends=True)
        at = line % len(lines)
        text = "".join([*lines[:at], bit, *lines[at + (not is_there_more) :]])
    path.write_text(text)
    try:
        load(path, {"X": "x"})
    except ConfigProblems:
        assert frames_in_pieces(path, {"X": "x"}) is None
    else:
        is_read_in_pieces(path, {"X": "x"})


@pytest.mark.usefixtures("small_ones_too")
def test_a_small_one_can_be_read_so_too(path):
    path.write_text(CONFIG)

    assert is_read_in_pieces(path)
    assert json.loads(frames_in_pieces(path, {})[1])[0][0] == "news.acme.example"
