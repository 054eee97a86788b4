"""What a policy would do with a volume."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from relay.core.plan import plan
from tests.unit.core.test_quota import CALENDAR, LIFETIME

START = date(2026, 3, 1)


def test_a_small_volume_is_never_held_up():
    made = plan(CALENDAR, [40], START)
    assert all(row.sent == 40 and row.backlog == 0 for row in made.days)
    assert made.clears_on == START
    assert made.warmed_on == date(2026, 3, 15)


def test_a_large_volume_waits_and_the_oldest_expires_after_five_days():
    made = plan(CALENDAR, [3000], START)
    assert [row.sent for row in made.days[:4]] == [50, 50, 100, 200]
    assert made.expired > 0
    assert made.clears_on is not None
    assert made.days[-1].backlog == 0


def test_a_blast_over_lifetime_tiers_goes_as_the_seed_document_says():
    made = plan(LIFETIME, [2000, 0], START, queue_days=365)
    assert sum(row.sent for row in made.days) == 2000
    caps = [row.cap for row in made.days]
    assert caps[:8] == [50, 50, 50, 50, 100, 100, 100, 500]


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=20), st.integers(1, 10))
def test_every_message_is_sent_expired_or_waiting_and_no_day_is_over_its_cap(volumes, queue_days):
    made = plan(CALENDAR, volumes, START, queue_days=queue_days)
    arrived = sum(row.arrived for row in made.days)
    sent = sum(row.sent for row in made.days)
    assert arrived == sent + made.expired + made.days[-1].backlog
    assert all(row.cap is None or row.sent <= row.cap for row in made.days)
