"""What was asked for, beside what a run has shown."""

from typing import Any

from bench.goals import goals_of, goals_text


def document(**rates: dict[str, float]) -> dict[str, Any]:
    names = {name.replace("_", "-"): {"messages_s": rate} for name, rate in rates.items()}
    return {"systems": names}


def test_a_ratio_is_ours_over_the_peers() -> None:
    found = goals_of(document(ours={"20 reused": 900.0}, exim={"20 reused": 100.0}))
    assert [(goal.what, goal.wanted, goal.got, goal.is_met) for goal in found] == [
        ("20 reused: times exim", 8.0, 9.0, True)
    ]


def test_of_the_peers_the_fastest_counts_where_ours_may_not_be_slower() -> None:
    rates = document(ours={"1 MB": 100.0}, exim={"1 MB": 90.0}, postfix={"1 MB": 125.0})
    [goal] = goals_of(rates)
    assert (goal.what, goal.got, goal.is_met) == ("1 MB: times postfix", 0.8, False)


def test_two_workers_are_compared_with_one() -> None:
    rates = document(ours={"100 reused": 170.0}, ours_one_worker={"100 reused": 100.0})
    assert [(goal.what, goal.is_met) for goal in goals_of(rates)] == [
        ("100 reused: times ours-one-worker", True)
    ]


def test_cpu_and_latency_are_to_stay_below_and_what_was_not_measured_is_left_out() -> None:
    entries = {
        "ours": {"messages_s": {}, "cpu_s_per_1000": {"20 reused": 2.3}, "p50_ms": 4.0},
        "ours-ed25519": {"messages_s": {}, "cpu_s_per_1000": {"20 reused": 0.9}, "p50_ms": None},
    }
    found = goals_of({"systems": entries})
    assert [(goal.wanted, goal.got, goal.is_met) for goal in found] == [
        (2.2, 2.3, False),
        (1.0, 0.9, True),
        (4.0, 4.0, True),
    ]
    assert goals_text({"systems": entries}).count("not met") == 1
