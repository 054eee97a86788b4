"""Which provider a domain has, and what it costs a message to know."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as anything
from hypothesis import strategies as st
from structlog.testing import capture_logs

from relay.core.providers import How, MxFinding, MxKind, Provider, ProviderTable
from tests.harness import dns
from tests.unit.providers.given import AWAY, TABLE, given

GOOGLE = "10 aspmx.l.google.com"


async def test_a_domain_of_the_data_file_is_known_without_store_and_dns():
    async with given() as it:
        assert await it.lookup.of({"gmail.com"}) == {"gmail.com": "google"}
        assert (it.cache.gets, it.dns.questions) == ([], 0)


async def test_an_unknown_domain_is_other_now_and_what_its_mx_says_the_next_time():
    async with given() as it:
        it.dns.scripts["acme.test"] = dns.mx(GOOGLE)
        assert await it.of("acme.test") == "other"
        await it.idle()
        assert await it.of("acme.test") == "google"
        assert it.dns.asked == {("acme.test", "MX"): 1}


async def test_the_host_of_the_lowest_preference_decides():
    async with given() as it:
        it.dns.scripts["a.test"] = dns.mx("20 aspmx.l.google.com", "5 eu.mimecast.example")
        it.dns.scripts["b.test"] = dns.mx("20 aspmx.l.google.com", "5 mail.b.test")
        assert await it.learned("a.test") == "mimecast"
        assert await it.learned("b.test") == "other"


async def test_every_domain_asked_for_is_answered_once_however_it_is_written():
    async with given() as it:
        it.dns.scripts["acme.test"] = dns.mx(GOOGLE)
        asked = ["GMAIL.com", "gmail.com", "Acme.Test.", "acme.test", "[192.0.2.1]", ""]
        await it.lookup.of(asked)
        await it.idle()
        assert await it.lookup.of(asked) == dict(
            zip(asked, ["google", "google", "google", "google", "other", "other"], strict=True)
        )
        assert it.dns.questions == 1


@pytest.mark.parametrize("junk", ["", ".", "[127.0.0.1]", "[IPv6:::1]", "a b", "192.0.2.7", "@"])
async def test_what_is_no_domain_is_other_without_a_question(junk):
    async with given() as it:
        assert await it.of(junk) == "other"
        assert len(it.lookup) == 0
        assert (it.cache.gets, it.dns.questions) == ([], 0)


async def test_the_message_is_not_held_up_by_a_dns_that_is_silent():
    async with given() as it:
        it.dns.scripts["slow.test"] = dns.silent()
        began = time.perf_counter()
        assert await it.of("slow.test") == "other"
        assert time.perf_counter() - began < 0.1


async def test_the_message_is_not_held_up_by_a_store_that_is_slow():
    async with given() as it:
        it.cache.delay_s = 2.0
        domains = [f"d{n}.test" for n in range(50)]
        began = time.perf_counter()
        assert set((await it.lookup.of(domains)).values()) == {"other"}
        assert time.perf_counter() - began < 0.1


@pytest.mark.parametrize(
    ("trouble", "is_told"), [(AWAY, False), (RuntimeError("a bug"), True)], ids=["away", "bug"]
)
async def test_without_the_store_the_dns_still_says_and_only_a_bug_is_told(trouble, is_told):
    async with given() as it:
        it.cache.trouble = trouble
        it.dns.scripts["acme.test"] = dns.mx(GOOGLE)
        with capture_logs() as logs:
            assert await it.learned("acme.test") == "google"
        assert {log["event"] for log in logs} == ({"providers.cache_failed"} if is_told else set())


async def test_one_round_trip_to_the_store_for_all_domains_of_a_message():
    async with given() as it:
        await it.lookup.of(["gmail.com", "b.test", "a.test", "[::1]", "c.test"])
        assert it.cache.gets == [("a.test", "b.test", "c.test")]


async def test_a_domain_that_is_being_asked_about_costs_no_further_round_trip():
    async with given() as it:
        it.dns.delay_s = 0.2
        await it.of("a.test")
        await asyncio.sleep(0.05)
        before = len(it.cache.gets)
        for _ in range(10):
            await it.of("a.test")
        assert len(it.cache.gets) == before


async def test_many_callers_ask_one_question():
    async with given() as it:
        it.dns.delay_s = 0.05
        it.dns.scripts["acme.test"] = dns.mx(GOOGLE)
        await asyncio.gather(*(it.of("acme.test") for _ in range(200)))
        await it.idle()
        assert it.dns.asked == {("acme.test", "MX"): 1}


async def test_after_a_restart_the_store_knows_at_once():
    async with given() as it:
        it.dns.scripts["acme.test"] = dns.mx(GOOGLE)
        await it.learned("acme.test")
        it.restarted()
        assert await it.of("acme.test") == "google"
        assert it.dns.questions == 1


async def test_what_another_relay_has_asked_meanwhile_is_not_asked_again():
    async with given() as it:
        it.dns.scripts["acme.test"] = dns.mx(GOOGLE, ttl_s=600)
        first = it.lookup
        await it.learned("acme.test")
        it.time.move(599)
        it.restarted()
        await it.of("acme.test")  # stale by its share of jitter or not: refreshed in the store
        it.time.move(2)
        await it.of("acme.test")
        await it.idle()
        questions = it.dns.questions
        it.lookup = first
        assert await it.of("acme.test") == "google"
        await it.idle()
        assert it.dns.questions == questions == 2


async def test_an_answer_is_asked_for_again_when_its_time_is_over_and_serves_meanwhile():
    async with given() as it:
        it.dns.scripts["acme.test"] = dns.mx(GOOGLE, ttl_s=600)
        await it.learned("acme.test")
        it.time.move(500)
        await it.of("acme.test")
        await it.idle()
        assert it.dns.questions == 1
        it.dns.scripts["acme.test"] = dns.mx("10 eu.mimecast.example", ttl_s=600)
        it.time.move(101)
        assert await it.of("acme.test") == "google"
        await it.idle()
        assert await it.of("acme.test") == "mimecast"
        assert it.dns.questions == 2


async def test_while_the_dns_is_away_the_old_answer_serves_for_a_day_and_is_not_nagged_about():
    async with given() as it:
        it.dns.scripts["acme.test"] = dns.mx(GOOGLE, ttl_s=600)
        await it.learned("acme.test")
        it.dns.scripts["acme.test"] = dns.fails()
        it.time.move(601)
        for _ in range(5):
            assert await it.of("acme.test") == "google"
            await it.idle()
        assert it.dns.questions == 2
        it.time.move(61)
        assert await it.of("acme.test") == "google"
        await it.idle()
        assert it.dns.questions == 3
        it.time.move(86_400)
        assert await it.of("acme.test") == "other"


@pytest.mark.parametrize(
    "script",
    [dns.fails(), dns.fails("REFUSED"), dns.silent(), dns.raw(b"\x00"), dns.raw(b"")],
    ids=["servfail", "refused", "silent", "garbage", "empty"],
)
async def test_what_could_not_be_asked_is_left_in_peace_for_a_minute(script):
    async with given(deadline_s=0.15) as it:
        it.dns.scripts["odd.test"] = script
        assert await it.learned("odd.test") == "other"
        asked = it.dns.questions
        assert asked
        it.time.move(59)
        await it.of("odd.test")
        await it.idle()
        assert it.dns.questions == asked
        assert it.cache.puts == []
        it.dns.scripts["odd.test"] = dns.mx(GOOGLE)
        it.time.move(2)
        assert await it.learned("odd.test") == "google"


@pytest.mark.parametrize(
    "script",
    [dns.no_domain(900), dns.nothing(900), dns.mx("0 .", ttl_s=900), dns.address("192.0.2.1")],
    ids=["no domain", "no host", "null MX", "implicit MX"],
)
async def test_a_negative_answer_is_remembered_here_and_in_the_store(script):
    async with given() as it:
        it.dns.scripts["none.test"] = script
        assert await it.learned("none.test") == "other"
        asked = it.dns.questions
        it.restarted()
        it.time.move(700)
        assert await it.of("none.test") == "other"
        await it.idle()
        assert it.dns.questions == asked
        it.time.move(201)
        await it.of("none.test")
        await it.idle()
        assert it.dns.questions > asked


async def test_an_edit_of_the_data_file_holds_at_once_for_what_was_looked_up():
    async with given() as it:
        it.dns.scripts["acme.test"] = dns.mx("10 mx.acme.test")
        assert await it.learned("acme.test") == "other"
        it.table = ProviderTable((*TABLE.entries, Provider("acme", mx=(".acme.test",))))
        assert await it.of("acme.test") == "acme"
        it.table = ProviderTable((Provider("corp", domains=("acme.test",)),))
        assert await it.of("acme.test") == "corp"


async def test_thousands_of_domains_stay_within_bounds():
    bounds = {"at_once": 20, "most_waiting": 300, "most_recent": 100}
    async with given(bounds=bounds) as it:
        it.dns.delay_s = 0.005
        domains = [f"d{n}.test" for n in range(5000)]
        for n in range(0, 5000, 100):
            assert set((await it.lookup.of(domains[n : n + 100])).values()) == {"other"}
        assert len(it.lookup) <= 320
        assert len(it.background) <= 20
        await it.idle()
        assert it.dns.most_at_once <= 20
        assert len(it.lookup._recent) == 100
        # Those that were dropped are asked about when they come again.
        it.dns.scripts["d4999.test"] = dns.mx(GOOGLE)
        it.cache.kept = type(it.cache.kept)(it.time)
        it.lookup._recent._known.clear()
        assert await it.learned("d4999.test") == "google"


async def test_closing_ends_all_questions_at_once():
    async with given(deadline_s=5.0) as it:
        for n in range(200):
            it.dns.scripts[f"d{n}.test"] = dns.silent()
        await it.lookup.of([f"d{n}.test" for n in range(200)])
        await asyncio.sleep(0.05)
        assert len(it.background) == 50
        it.lookup.close()
        began = time.perf_counter()
        await it.background.drain(5.0)
        assert time.perf_counter() - began < 0.5
        assert len(it.lookup) == 0
        await it.of("late.test")
        assert len(it.background) == 0


async def test_explaining_a_domain_names_the_file_the_host_or_the_reason():
    async with given(deadline_s=0.3) as it:
        it.dns.scripts |= {
            "acme.test": dns.mx("1 mx.acme.test", "1 aspmx.l.google.com"),
            "own.test": dns.mx("1 mx.own.test"),
            "a.test": dns.address("192.0.2.1"),
            "null.test": dns.mx("0 ."),
            "empty.test": dns.nothing(),
            "dead.test": dns.fails(),
            "mute.test": dns.silent(),
        }
        told = {}
        for domain in (*it.dns.scripts, "gmail.com", "Gmail.COM", "gone.test", "[::1]"):
            found = await it.lookup.explain(domain)
            told[domain] = (found.provider, found.how, found.detail)
        assert told == {
            "acme.test": ("google", How.MX, "MX aspmx.l.google.com"),
            "own.test": ("other", How.MX, "MX mx.own.test"),
            "a.test": ("other", How.MX, "no MX; its own address, a.test (RFC 5321 §5.1)"),
            "null.test": ("other", How.MX, "null MX: it takes no mail (RFC 7505)"),
            "empty.test": ("other", How.MX, "neither MX nor address"),
            "dead.test": ("other", How.UNKNOWN, "no nameserver answered the question"),
            "mute.test": ("other", How.UNKNOWN, "no answer within 0.3 s"),
            "gmail.com": ("google", How.FILE, "/p/providers.yaml"),
            "Gmail.COM": ("google", How.FILE, "/p/providers.yaml"),
            "gone.test": ("other", How.MX, "there is no such domain"),
            "[::1]": ("other", How.UNKNOWN, "not a domain name"),
        }


async def test_explaining_says_when_an_answer_is_from_a_cache_and_when_it_has_expired():
    async with given() as it:
        it.dns.scripts["acme.test"] = dns.mx(GOOGLE, ttl_s=600)
        await it.lookup.explain("acme.test")
        for _ in range(2):
            found = await it.lookup.explain("acme.test")
            assert (found.how, found.detail) == (How.CACHE, "MX aspmx.l.google.com")
            it.restarted()
        assert it.dns.questions == 1
        it.dns.scripts["acme.test"] = dns.fails()
        it.time.move(601)
        found = await it.lookup.explain("acme.test")
        assert (found.provider, found.how) == ("google", How.CACHE)
        assert found.detail == (
            "MX aspmx.l.google.com (expired, but now: no nameserver answered the question)"
        )


async def test_explaining_does_not_wait_behind_the_queue_and_asks_no_second_time():
    async with given(bounds={"at_once": 1}, deadline_s=3.0) as it:
        it.dns.scripts["mute.test"] = dns.silent()
        it.dns.scripts["acme.test"] = dns.mx(GOOGLE)
        it.dns.delay_s = 0.05
        await it.lookup.of(["mute.test"])
        await it.lookup.of(["acme.test"])
        both = await asyncio.gather(*(it.lookup.explain("acme.test") for _ in range(5)))
        assert {found.provider for found in both} == {"google"}
        assert it.dns.asked["acme.test", "MX"] == 1


async def test_a_question_that_is_cut_short_leaves_nobody_waiting():
    async with given(deadline_s=3.0) as it:
        it.dns.scripts["mute.test"] = dns.silent()
        first = asyncio.ensure_future(it.lookup.explain("mute.test"))
        await asyncio.sleep(0.02)
        second = asyncio.ensure_future(it.lookup.explain("mute.test"))
        await asyncio.sleep(0.02)
        first.cancel()
        found = await asyncio.wait_for(second, 1)
        assert (found.how, found.detail) == (How.UNKNOWN, "the question was cut short")


class Odd:
    """A cache that holds whatever a property test makes up."""

    def __init__(self, stored: dict[str, MxFinding]) -> None:
        self._stored = stored

    async def get(self, _domains) -> dict[str, MxFinding]:
        return self._stored

    async def put(self, _domain, _finding) -> None:
        raise AWAY


names = st.text(max_size=300) | st.from_regex(r"[a-zA-Z0-9._\[\]:@-]{0,80}", fullmatch=True)
findings = st.builds(
    MxFinding,
    st.sampled_from(MxKind),
    st.lists(names, max_size=4).map(tuple),
    st.floats(allow_nan=False, min_value=-1e12, max_value=1e12),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@anything(domains=st.lists(names, max_size=20), stored=st.dictionaries(names, findings, max_size=5))
async def test_it_never_raises_and_always_answers_everything(domains, stored):
    async with given(deadline_s=0.05) as it:
        it.lookup._cache = Odd(stored)
        for _ in range(2):
            found = await it.lookup.of(domains)
            assert set(found) == set(domains)
            assert set(found.values()) <= TABLE.names
