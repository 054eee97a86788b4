"""Who waits for whom: a crowd for those who are coming, briefly; whoever is alone for nobody."""

from __future__ import annotations

import asyncio

import pytest

from relay.concurrency import company as company_module
from relay.concurrency.company import FRESH_S, PATIENCE_S, Company, InCompany, Meeting

LONG_S = 5.0


class HandTime:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time():
    return HandTime()


@pytest.fixture
def company(time):
    return Company(time)


@pytest.fixture
def patient(monkeypatch):
    """Nobody's patience ends in the test."""
    monkeypatch.setattr(company_module, "PATIENCE_S", LONG_S)


class Door:
    """Where a meeting lets go: `went` has how many went each time."""

    def __init__(self, coming: int = 0) -> None:
        self.coming = coming
        self.waiting = 0
        self.went: list[int] = []
        self.meeting = Meeting(self.go, lambda: self.coming)

    def go(self) -> int:
        gone, self.waiting = self.waiting, 0
        self.went.append(gone)
        return gone

    def came(self, count: int = 1) -> None:
        for _ in range(count):
            self.waiting += 1
            self.meeting.came()

    def crowd(self) -> None:
        """From now on the meeting knows of a crowd."""
        self.waiting = 3
        self.meeting.end()
        self.went.clear()


class TestCompany:
    def test_whoever_set_out_is_expected_until_he_arrives(self, company):
        eras = [company.set_out() for _ in range(3)]
        assert company.coming() == 3
        company.arrived(eras[0])
        assert company.coming() == 2
        for era in eras[1:]:
            company.arrived(era)
        assert company.coming() == 0

    def test_nobody_is_expected_for_long(self, company, time):
        company.set_out()
        time.now_s += FRESH_S * 0.9
        assert company.coming() == 1
        time.now_s += FRESH_S * 1.2
        assert company.coming() == 0

    @pytest.mark.parametrize("later", [0.5, 1.5, 2.5, 100])
    def test_one_who_arrives_late_takes_nobody_elses_place(self, company, time, later):
        slow = company.set_out()
        time.now_s += FRESH_S * later
        company.set_out()
        company.arrived(slow)
        assert company.coming() == 1

    def test_a_clock_that_stands_still_loses_nobody(self, company):
        for _ in range(1000):
            company.arrived(company.set_out())
        assert company.coming() == 0


class TestMeeting:
    async def test_whoever_is_alone_goes_at_once_whoever_is_coming(self):
        door = Door(coming=5)
        door.came(4)
        assert door.went == [1, 1, 1, 1]

    async def test_of_a_crowd_all_go_when_nobody_else_is_coming(self, patient):
        door = Door(coming=2)
        door.crowd()
        door.came(2)
        assert door.went == []
        door.coming = 0
        door.came()
        assert door.went == [3]

    async def test_a_crowd_is_no_reason_to_wait_where_nobody_is_coming(self, patient):
        door = Door(coming=0)
        door.crowd()
        door.came()
        assert door.went == [1]

    async def test_patience_ends(self):
        door = Door(coming=1)
        door.crowd()
        door.came(2)
        assert door.went == []
        await asyncio.sleep(PATIENCE_S * 5)
        assert door.went == [2]

    async def test_who_was_waited_for_in_vain_is_not_waited_for_again(self):
        door = Door(coming=1)
        door.crowd()
        door.came()
        await asyncio.sleep(PATIENCE_S * 5)
        door.came()
        assert door.went == [1, 1]

    async def test_patience_that_nobody_needs_any_more_lets_nobody_go(self):
        door = Door(coming=1)
        door.crowd()
        door.came(2)
        door.meeting.end()
        door.came()
        await asyncio.sleep(PATIENCE_S * 5)
        assert door.went == [2, 1]


class TestInCompany:
    async def test_who_is_inside_is_charging(self, company):
        place = InCompany(company)
        async with place:
            assert company.charging == 1
            async with place:
                assert company.charging == 2
        assert company.charging == 0

    async def test_those_of_a_crowd_begin_together(self, company, patient):
        place, begun = InCompany(company), []
        last = [company.set_out() for _ in range(3)]

        async def charged(number: int) -> None:
            async with place:
                begun.append(number)
                await asyncio.sleep(0.01)

        async with place, place:  # two at once: a crowd
            tasks = [asyncio.create_task(charged(number)) for number in range(3)]
            await asyncio.sleep(0.02)
            assert begun == []
            for era in last:
                company.arrived(era)
            tasks.append(asyncio.create_task(charged(3)))
            await asyncio.gather(*tasks)
        assert sorted(begun) == [0, 1, 2, 3]

    async def test_one_who_gives_up_is_not_charging_and_holds_nobody_up(self, company):
        place = InCompany(company)
        company.set_out()

        async def charged() -> None:
            async with place:
                pass

        async with place, place:
            tasks = [asyncio.create_task(charged()) for _ in range(2)]
            await asyncio.sleep(0)
            tasks[0].cancel()
            await asyncio.wait(tasks)
            assert company.charging == 2
        assert tasks[0].cancelled()
        assert tasks[1].exception() is None
        assert company.charging == 0

    async def test_what_fails_inside_is_raised_and_is_not_charging_any_more(self, company):
        place = InCompany(company)
        with pytest.raises(OSError, match="away"):
            async with place:
                raise OSError("away")
        assert company.charging == 0
