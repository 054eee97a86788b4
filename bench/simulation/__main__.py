"""See the package. Prints; `--cost reserve=40` and the like for another machine."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator

import bench.simulation
from bench.simulation.costs import Costs, Layout, Load
from bench.simulation.peak import Fate, Fault, Outcome, Peak
from bench.simulation.placement import Placement, limits, placed
from bench.simulation.warmup import Ramps, storm
from relay.settings.load import load_policy
from relay.settings.problems import ConfigProblems

SECONDS = 4.0
FAULT_AT_S = 1.5
TIMES = (0.5, 1.0, 1.5, 2.0, 2.5)
PARTS = (0.01, 0.05, 0.20)
LOAD, LAYOUT = Load(), Layout()


def show_placement(placement: Placement, load: Load, layout: Layout, costs: Costs) -> None:
    print(
        f"{load.average_a_s:,.0f} messages a second on average, {load.peak_a_s:,.0f} in the peak;"
    )
    nodes = f"{layout.groups} groups of {layout.nodes} nodes of {layout.cores} cores"
    print(f"{nodes}, {layout.shards} shards")
    for what, shares in (
        ("shards", placement.of_shards(layout)),
        ("groups", placement.of_groups(layout)),
    ):
        most = max(shares) * len(shares)
        print(f"the busiest of the {what} has {most:.2f} times the average one's mail")
    print(f"the largest domain has {placement.shares[0]:.1%} of all mail\n")
    print(f"{'part':<42}{'used in the peak':>17}{'full at':>12}")
    for limit in limits(placement, load, layout, costs):
        print(f"{limit.part:<42}{limit.used:>17.0%}{limit.full_at_a_s:>10,.0f}/s")


def show_peaks(placement: Placement, load: Load, layout: Layout, costs: Costs) -> None:
    print(f"\n{SECONDS:.0f} s of messages; ms in the relay, the upstream's time left out")
    print(f"{'':<34}{'a second':>9}{'p50':>7}{'p99':>8}{'nodes':>7}{'shards':>8}{'looks':>7}")
    for times in TIMES:
        rate = load.peak_a_s * times
        found = Peak(placement, load, layout, costs).run(rate, SECONDS)
        print(_line(f"{times} times the peak", rate, found))
    faults = {
        "a node of the busiest group dies": Fault(FAULT_AT_S),
        "the busiest shard is away for 1 s": Fault(FAULT_AT_S, 1.0, is_shard=True),
    }
    for name, fault in faults.items():
        found = Peak(placement, load, layout, costs, fault=fault).run(load.peak_a_s, SECONDS)
        print(_line(name, load.peak_a_s, found))
        told = [(fate, found.fates[fate]) for fate in Fate if fate is not Fate.ACCEPTED]
        print("".join(f"    {count:,}: {fate.value}\n" for fate, count in told if count), end="")


def _line(name: str, rate: float, found: Outcome) -> str:
    busiest = max(found.workers), max(found.shards)
    looks = found.looks / max(1, found.fates.total())
    return (
        f"{name:<34}{rate:>9,.0f}{found.percentile_ms(0.5):>7.1f}{found.percentile_ms(0.99):>8.1f}"
        f"{busiest[0]:>7.0%}{busiest[1]:>8.0%}{looks:>7.1%}"
    )


def show_storms(placement: Placement, load: Load, costs: Costs, name: str, ramps: Ramps) -> None:
    print(f"\na day on which some domains are in their ramp ({name}), of domains at random")
    print(
        f"{'domains':>8}{'wanted':>9}{'sent':>8}{'waiting':>9}{'expired':>9}{'in vain/s':>11}",
        end="",
    )
    print(f"{'cores':>7}{'store':>7}")
    for part in PARTS:
        found = storm(part, ramps, placement.shares, load)
        counts = [found.wanted, found.sent, found.waiting, found.expired]
        told = "".join(
            f"{count / 1e6:>{wide}.1f}M" for count, wide in zip(counts, (8, 7, 8, 8), strict=True)
        )
        print(
            f"{part:>8.0%}{told}{found.vain_a_s:>11,.0f}"
            f"{found.workers(load, costs):>7.1f}{found.stores(costs):>7.1f}"
        )


def _changed(costs: Costs, changes: Iterator[str]) -> Costs:
    """`costs` with some of them replaced. Raises SystemExit for what is none."""
    known = {field.name for field in dataclasses.fields(Costs)}
    found = dict[str, float]()
    for change in changes:
        name, _, value = change.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            raise SystemExit(f"{change}: a cost is NAME=NUMBER") from None
        if name not in known:
            raise SystemExit(f"{name} is none of {', '.join(sorted(known))}")
    return dataclasses.replace(costs, **found)


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m bench.simulation",
        description=bench.simulation.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--messages", type=float, default=LOAD.messages_a_day, help="a day")
    parser.add_argument("--domains", type=int, default=LOAD.domains)
    parser.add_argument("--skew", type=float, default=LOAD.skew, help="Zipf's exponent")
    parser.add_argument("--backoff", type=float, default=LOAD.backoff_s, help="of clients, s")
    for name in ("groups", "nodes", "cores", "shards"):
        parser.add_argument(f"--{name}", type=int, default=getattr(LAYOUT, name))
    parser.add_argument("--policy", default="calendar-14-day", help="of calendar days")
    parser.add_argument("--cost", action="append", default=[], metavar="NAME=NUMBER")
    asked = parser.parse_args()
    load = Load(asked.messages, asked.domains, asked.skew, backoff_s=asked.backoff)
    layout = Layout(asked.groups, asked.nodes, asked.cores, asked.shards)
    costs = _changed(Costs(), iter(asked.cost))
    try:
        ramps = Ramps(load_policy(asked.policy))
    except (ValueError, ConfigProblems) as error:
        parser.error(str(error))
    placement = placed(load, layout)
    show_placement(placement, load, layout, costs)
    show_peaks(placement, load, layout, costs)
    show_storms(placement, load, costs, asked.policy, ramps)


if __name__ == "__main__":
    main()
