"""`plan` as a user meets it: table, JSON, chart, and what is wrong with a question."""

import json
from time import perf_counter
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from relay.cli.every import app_for
from tests.harness.relay_config import RelayConfig, calendar

POLICY = """\
description: For tests
ramp:
  advance: calendar-days
  growth: {start: 100, factor: 2, days: 3, then: unlimited}
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A directory without a config: a plan needs none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(POLICY)
    return tmp_path


def run(*arguments, expect=0):
    result = CliRunner().invoke(app_for("plan"), ["plan", *arguments])
    assert result.exit_code == expect, result.output
    return result


def table(output):
    rows = [line.replace(",", "").split() for line in output.splitlines()]
    return [row[2:7] for row in rows if row and row[0].isdecimal() and len(row) > 6]


def test_the_table_says_day_by_day_what_becomes_of_the_mail():
    output = run("mine.yaml", "--volume", "300/day", "--start", "2026-03-01").stdout
    assert table(output) == [
        ["100", "300", "100", "200", "0"],
        ["200", "300", "200", "300", "0"],
        ["400", "300", "400", "200", "0"],
        ["unlimited", "300", "500", "0", "0"],
        ["unlimited", "300", "300", "0", "0"],
    ]
    lines = output.splitlines()
    assert lines[0].split() == [
        "day", "date", "cap", "arrived", "sent", "backlog", "expired",
    ]  # fmt: skip
    assert lines[1].split()[:2] == ["0", "2026-03-01"]
    assert lines[-2:] == [
        "Warmed on 2026-03-04 (day 3).",
        "The backlog clears on 2026-03-04 (day 3).",
    ]
    assert max(len(line) for line in lines) <= 120


def test_mail_that_would_expire_is_warned_of():
    output = run("mine.yaml", "--volume", "300", "--queue-days", "0").stdout
    assert "Warning: 300 of 1,200 messages (25.0 %) would expire in the client's queue" in output
    assert "Warning" not in run("mine.yaml", "--volume", "300").stdout


def test_a_file_of_volumes_is_planned_to_the_end_of_its_backlog(home):
    (home / "mail.csv").write_text("date,volume\n2026-03-01,500\n2026-03-03,10\n")
    output = run("mine.yaml", "--volumes", "mail.csv").stdout
    assert table(output) == [
        ["100", "500", "100", "400", "0"],
        ["200", "0", "200", "200", "0"],
        ["400", "10", "210", "0", "0"],
    ]
    assert "The backlog clears on 2026-03-03 (day 2)." in output


def test_json_holds_the_same_numbers():
    told = json.loads(run("mine.yaml", "--volume", "300", "--start", "2026-03-01", "--json").stdout)
    assert told["policy"] == "mine"
    assert (told["warmed_on"], told["backlog_clears_on"]) == ("2026-03-04", "2026-03-04")
    assert (told["arrived"], told["expired"], told["queue_days"]) == (1500, 0, 5)
    assert told["settled"] is True
    assert told["says"][0] == "Warmed on 2026-03-04 (day 3)."
    assert told["days"][3] == {
        "day": 3,
        "date": "2026-03-04",
        "cap": None,
        "open": None,
        "day_off": False,
        "arrived": 300,
        "sent": 500,
        "backlog": 0,
        "expired": 0,
        "providers": {},
    }


def test_a_chart_is_written_beside_the_table_or_the_json(home):
    result = run("mine.yaml", "--volume", "300", "--chart", "plan.svg", "--json")
    json.loads(result.stdout)
    assert result.stderr == "chart written to plan.svg\n"
    root = ET.fromstring((home / "plan.svg").read_text(encoding="utf-8"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_a_shipped_policy_is_known_by_name_and_the_usual_volume_is_a_thousand():
    rows = table(run("calendar-14-day").stdout)
    assert [row[1] for row in rows] == ["1000"] * len(rows)
    assert rows[14][0] == "unlimited"


def test_a_config_beside_it_adds_its_policies(home):
    (home / "policies").mkdir()
    (home / "policies" / "ours.yaml").write_text(POLICY)
    (home / "relay.yaml").write_text("hostname: relay.example.net\npolicies: [policies]\n")
    result = CliRunner().invoke(app_for("plan"), ["plan", "ours", "--volume", "5"])
    # The config may lack what a relay needs; then it is that which is told, with its line.
    assert result.exit_code == 1
    assert "relay.yaml:1:1:" in result.output


@pytest.mark.parametrize("name", ["ramp.v2", "our_ramp.v2"])
def test_the_name_of_a_policy_may_have_a_dot_as_domains_have(home, name):
    RelayConfig(policies={"ramp": calendar(7), name: calendar(5)}).write(home)
    assert table(run(name, "--volume", "5").stdout)[0][0] == "5"


@pytest.mark.parametrize(
    ("arguments", "expect", "told"),
    [
        (["nosuch"], 1, 'there is no policy "nosuch"'),
        (["calender-14-day"], 1, 'did you mean "calendar-14-day"?'),
        (["none.yaml"], 1, "there is no such file"),
        (["mine.yaml", "--volumes", "none.csv"], 1, "none.csv cannot be read: No such file"),
        (["mine.yaml", "--volumes", "bad.csv"], 1, "bad.csv:2: 'x' is no volume"),
        (["broken.yaml"], 1, "broken.yaml:4:32: factor: 0.5 is not above 1"),
        (["mine.yaml", "--chart", "no/such/dir.svg"], 1, "cannot be written: No such file"),
        (["mine.yaml", "--volume", "lots"], 2, "'lots' is no volume"),
        (["mine.yaml", "--volume", "9999999999999"], 2, "is no volume"),
        (["mine.yaml", "--volume", "-5"], 2, "-5"),
        (["mine.yaml", "--volume", "5", "--volumes", "bad.csv"], 2, "not both"),
        (["mine.yaml", "--start", "tomorrow"], 2, "'tomorrow' is no date"),
        (["mine.yaml", "--start", "9999-12-31"], 2, "too far away"),
        (["mine.yaml", "--queue-days", "-1"], 2, "queue-days"),
        (["mine.yaml", "--queue-days", "61"], 2, "queue-days"),
    ],
)
def test_what_cannot_be_planned_is_told(home, arguments, expect, told):
    (home / "bad.csv").write_text("5\nx\n")
    (home / "broken.yaml").write_text(POLICY.replace("factor: 2", "factor: 0.5"))
    output = run(*arguments, expect=expect).output
    # Boxes and line breaks of the terminal are not the matter here.
    assert told in " ".join(output.replace("│", " ").split())


def test_two_years_are_planned_at_once(home):
    ramp = "linear: {start: 1, end: 999, days: 999, then: hold}"
    (home / "slow.yaml").write_text(
        f"description: Slow\nramp:\n  advance: calendar-days\n  {ramp}\n"
    )
    began = perf_counter()
    output = run("slow.yaml", "--volume", "5000", "--queue-days", "60", "--chart", "s.svg").stdout
    assert perf_counter() - began < 4
    assert len(table(output)) == 730
    assert "Not warmed within 730 days." in output


WALLED = POLICY + "providers: {google: {share: 20%}, default: {cap: 30}}\n"


def test_providers_have_columns_and_days_of_their_own(home):
    (home / "walled.yaml").write_text(WALLED)
    words = ("walled.yaml", "--volume", "100", "--mix", "google=50%,yahoo=20%")
    output = run(*words).stdout
    assert output.splitlines()[0].split()[-4:] == ["arrived", "sent", "backlog", "expired"]
    assert "                                 google" in output
    assert "That to google clears on" in output
    told = json.loads(run(*words, "--json").stdout)
    assert told["mix"] == {"google": "50%", "other": "30%", "yahoo": "20%"}
    assert told["mix_is_assumed"] is False
    assert told["days"][0]["providers"]["google"] == {
        "cap": 20, "arrived": 50, "sent": 20, "backlog": 30, "expired": 0,
    }  # fmt: skip
    assert told["providers"]["other"]["arrived"] == 30 * len(told["days"])


def test_where_providers_have_walls_a_usual_mix_is_assumed_and_told(home):
    (home / "walled.yaml").write_text(WALLED)
    output = run("walled.yaml", "--volume", "100").stdout
    assert "Assumed, for the walls of providers: apple 5%, google 45%, microsoft 20%" in output
    assert "Assumed" not in run("mine.yaml").stdout


def test_a_file_has_a_column_a_provider(home):
    (home / "mail.csv").write_text("date,google,other\n2026-03-01,150,10\n")
    told = json.loads(run("mine.yaml", "--volumes", "mail.csv", "--json").stdout)
    assert [day["providers"]["google"]["sent"] for day in told["days"]] == [94, 56]
    assert told["mix"] is None


def test_a_day_off_and_what_headroom_leaves_are_seen(home):
    more = "days_off: [sunday]\nheadroom: {transactional: 10%}\n"
    (home / "rests.yaml").write_text(POLICY + more)
    lines = run("rests.yaml", "--volume", "300", "--start", "2026-03-01").stdout.splitlines()
    assert lines[0].split()[2:4] == ["cap", "open"]
    assert lines[1].split()[2:5] == ["day", "off", "0"]
    assert lines[2].split()[2:4] == ["100", "90"]
    other = run("rests.yaml", "--class", "transactional", "--start", "2026-03-02").stdout
    assert other.splitlines()[0].split()[2:4] == ["cap", "arrived"]


@pytest.mark.parametrize(
    ("mix", "told"),
    [
        ("google=60%,yahoo=50%", "the shares come to 110%"),
        ("gogle=50%", 'unknown provider "gogle" (did you mean "google"?)'),
        ("google=50", "is not a percentage"),
        ("google", "write for example google=50%,other=50%"),
        ("google=10%,google=10%", '"google" stands twice'),
    ],
)
def test_a_wrong_mix_is_told(mix, told):
    output = run("mine.yaml", "--mix", mix, expect=2).output
    assert told in " ".join(output.replace("│", " ").split())


def test_a_png_is_drawn_with_letters_in_it(home):
    run("mine.yaml", "--volume", "300", "--chart", "plan.png", "--theme", "dark")
    content = (home / "plan.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(content[16:20]) == 1920
    assert run("mine.yaml", "--chart", "plan.gif", expect=1).output.endswith(
        "plan.gif must end in .svg or .png\n"
    )


def test_a_png_without_what_draws_it_or_without_fonts_is_refused(home, monkeypatch):
    monkeypatch.setattr("relay.cli.drawing.find_spec", lambda name: None)
    output = run("mine.yaml", "--chart", "plan.png", expect=1).output
    assert "pip install 'warmup-relay[png]'" in output
    monkeypatch.undo()
    monkeypatch.chdir(home)
    import resvg_py

    drawn = resvg_py.svg_to_bytes
    monkeypatch.setattr(
        resvg_py, "svg_to_bytes", lambda text, **more: drawn(text, skip_system_fonts=True, **more)
    )
    output = run("mine.yaml", "--chart", "plan.png", expect=1).output
    assert "a PNG needs one of these fonts" in output
    assert not (home / "plan.png").exists()
