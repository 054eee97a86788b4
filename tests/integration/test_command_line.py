"""The command line as a user meets it: a new domain, from `init` to the first status."""

import json
import smtplib
import stat
import subprocess
import sys
from pathlib import Path

import dkim
import pytest

from relay.settings.load import load_config
from tests.harness.waiting import until

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = "news.acme.example"


def run(home, *words, expect=0):
    done = subprocess.run(
        [sys.executable, "-m", "relay", *words],
        cwd=home,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == expect, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout if not expect else done.stdout + done.stderr


@pytest.fixture
def home(tmp_path):
    """A directory with a space in its name, where `init` was run."""
    made = tmp_path / "my relay"
    made.mkdir()
    return made


@pytest.fixture
def initiated(home):
    return json.loads(run(home, "init", DOMAIN, "--json"))


def test_init_writes_a_config_two_keys_and_prints_the_records(home):
    printed = run(home, "init", DOMAIN)
    keys = sorted(path.name for path in (home / "var" / "dkim").iterdir())
    assert keys == [f"{DOMAIN}.s1.pem", f"{DOMAIN}.s2.pem"]
    for path in (home / "var" / "dkim").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "relay.yaml").stat().st_mode) == 0o600
    assert f"s1._domainkey.{DOMAIN}. IN TXT (" in printed
    assert "v=DKIM1; k=ed25519; p=" in printed
    assert f"_dmarc.{DOMAIN}." in printed


def test_init_splits_txt_strings_at_255_bytes_and_never_writes_twice(home, initiated):
    [rsa] = [r for r in initiated["records"] if r["name"].startswith("s1.")]
    assert len(rsa["strings"]) == 2
    assert all(len(string) <= 255 for string in rsa["strings"])
    assert "is there already" in run(home, "init", DOMAIN, expect=1)
    assert "not a domain name" in run(home, "init", "no_domain..", expect=2)


def test_init_leaves_nothing_where_the_config_cannot_be_written(home):
    (home / "dangling.yaml").symlink_to("/nonexistent/relay.yaml")
    assert "is there already" in run(home, "init", DOMAIN, "--config", "dangling.yaml", expect=1)
    told = run(home, "init", DOMAIN, "--config", f"{'a' * 300}.yaml", expect=1)
    assert told.startswith("warmup-relay: [Errno 36] File name too long")
    assert [path.name for path in home.iterdir()] == ["dangling.yaml"]


def test_init_leaves_no_config_where_its_keys_cannot_be_made(home):
    (home / "var").write_text("in the way")
    assert "Not a directory" in run(home, "init", DOMAIN, expect=1)
    assert [path.name for path in home.iterdir()] == ["var"]


def test_check_is_content_with_what_init_wrote(home, initiated):
    told = json.loads(run(home, "check", "--json"))
    assert told["ok"], told
    assert {row["part"] for row in told["checks"]} >= {
        "config", "policies", "store", "upstream outbound",
        f"dkim {DOMAIN} s1", f"dkim {DOMAIN} s2",
    }  # fmt: skip


def test_dns_says_that_there_is_no_key_to_publish(make_relay):
    relay = make_relay()
    for words in (("dns", DOMAIN), ("dns", DOMAIN, "--json")):
        ran = relay.cli(*words)
        told = f"warmup-relay: {DOMAIN} has no dkim key in the config: its mail leaves unsigned\n"
        assert (ran.exit, ran.out, ran.err) == (1, "", told)


def test_check_tells_every_problem_with_its_place(home, initiated):
    text = (home / "relay.yaml").read_text()
    broken = text.replace("hostname:", "hostnam:").replace("calendar-14-day", "calender-14-day")
    (home / "relay.yaml").write_text(broken)
    told = run(home, "check", expect=1)
    assert "hostnam" in told
    assert 'did you mean "calendar-14-day"?' in told
    assert "relay.yaml:" in told


def test_check_finds_a_key_that_others_can_read_and_an_upstream_that_is_not_there(home, initiated):
    (home / "var" / "dkim" / f"{DOMAIN}.s1.pem").chmod(0o644)
    text = (home / "relay.yaml").read_text()
    closed = text.replace('"maildir:var/outbound"', '"smtp://127.0.0.1:1"')
    closed = closed.replace("url: maildir:var/outbound", 'url: "smtp://127.0.0.1:1"')
    assert closed != text
    (home / "relay.yaml").write_text(closed)
    told = json.loads(run(home, "check", "--json", expect=1).partition("\n\n")[0])
    wrong = {row["part"] for row in told["checks"] if not row["ok"]}
    assert wrong == {f"dkim {DOMAIN} s1", "upstream outbound"}
    offline = json.loads(run(home, "check", "--json", "--offline", expect=1))
    assert {row["part"] for row in offline["checks"] if not row["ok"]} == {f"dkim {DOMAIN} s1"}


@pytest.mark.parametrize("command", ["status", "check"])
def test_a_data_directory_that_may_not_be_looked_at_is_told_in_a_sentence(home, initiated, command):
    """As another user meets it; root may look everywhere, but no name is so long."""
    config, name = home / "relay.yaml", "x" * 300
    text = config.read_text().replace("var/", f"{name}/")
    config.write_text(text.replace("data_dir: var\n", f"data_dir: {name}\n"))
    told = run(home, command, expect=1)
    assert "File name too long" in told
    assert "Traceback" not in told


def test_check_finds_a_key_that_a_running_relay_will_not_make(make_relay):
    dkim_keys = [{"selector": "s1", "key": "var/dkim/s1.pem"}]
    relay = make_relay(domains={DOMAIN: {"dkim": dkim_keys}})
    assert "serve will make it" in relay.cli("check", "--offline").out
    relay.start()
    key = relay.home / "var" / "dkim" / "s1.pem"
    key.rename(key.with_suffix(".old"))
    running = relay.cli("check", "--offline")
    assert (running.exit, f"{key} does not exist: mail is deferred" in running.out) == (1, True)
    relay.sigterm()
    assert relay.cli("check", "--offline").exit == 0


def test_dns_prints_what_init_printed(home, initiated):
    told = json.loads(run(home, "dns", DOMAIN, "--json"))
    assert told["records"] == [r for r in initiated["records"] if "_domainkey" in r["name"]]


def test_a_token_is_made_with_the_secret_that_proves_it(home):
    made = json.loads(run(home, "token", "--username", "app", "--json"))
    assert made["token"].startswith("wr_")
    assert made["secret"].startswith("hmac-sha256$")
    assert made["token"] not in made["secret"]


@pytest.mark.slow
def test_tokens_of_the_api_are_made_listed_and_revoked(home, initiated):
    words = ("--tenant", "main", "--scope", "send,read", "--expires", "90d", "--name", "ci")
    made = json.loads(run(home, "token", "create", *words, "--json"))
    assert made["token"].startswith(f"wrk_{made['id']}_")
    assert made["scopes"] == ["read", "send"]
    assert made["expires_at"]
    [listed] = json.loads(run(home, "token", "list", "--json"))
    assert listed == {key: value for key, value in made.items() if key != "token"}
    assert made["id"] in run(home, "token", "list")
    run(home, "token", "revoke", made["id"])
    assert json.loads(run(home, "token", "list", "--json")) == []
    assert "no token" in run(home, "token", "revoke", made["id"], expect=1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--scope", "read"), "name the tenant"),
        (("--scope", "write", "--tenant", "main"), "scopes are"),
        (("--scope", "read", "--tenant", "nobody"), "no tenant"),
        (("--scope", "operator", "--tenant", "main"), "operator stands alone"),
        (("--scope", "read", "--tenant", "main", "--expires", "soon"), "not a duration"),
    ],
)
def test_a_token_that_makes_no_sense_is_not_made(home, initiated, words, says):
    assert says in run(home, "token", "create", *words, expect=2)


def test_status_works_with_and_without_a_serving_relay(home, initiated):
    told = json.loads(run(home, "status", DOMAIN, "--json"))
    assert told["state"] == "pending"
    assert (told["daily_limit"], told["emails_sent_today"], told["warmup_day"]) == (50, 0, 0)
    assert DOMAIN in run(home, "status")
    assert "no route" in run(home, "status", "other.example", expect=2)


def test_pause_resume_graduate_and_restart_change_what_status_says(home, initiated):
    def state():
        return json.loads(run(home, "status", DOMAIN, "--json"))["state"]

    assert json.loads(run(home, "pause", DOMAIN, "--reason", "bounces", "--json"))["changed"]
    told = json.loads(run(home, "status", DOMAIN, "--json"))
    assert (told["state"], told["reason"]) == ("paused", "bounces")
    assert "paused: bounces" in run(home, "explain", DOMAIN)
    assert "paused already" in run(home, "pause", DOMAIN)
    run(home, "resume", DOMAIN)
    assert state() == "pending"
    run(home, "graduate", DOMAIN, "--yes")
    assert state() == "warmed"
    run(home, "restart", DOMAIN, "--yes", "--reason", "new list")
    assert state() == "pending"
    assert "was not paused" in run(home, "resume", DOMAIN)


@pytest.mark.parametrize("username", ["crm", "12", "a, b", "a: b", "#1 'q\" \\", "@", "${A} $${B}"])
def test_the_line_of_a_credential_can_be_pasted_whatever_the_user_is_called(home, username):
    run(home, "init", DOMAIN)
    line = run(home, "token", "--username", username).splitlines()[-1]
    config = home / "relay.yaml"
    before, credentials, after = config.read_text("utf-8").partition("    credentials:\n")
    config.write_text(f"{before}{credentials}    {line}\n{after}", "utf-8")
    run(home, "check", "--offline")
    assert username in load_config(config, {}).directory.credentials


def test_a_user_name_that_the_config_would_refuse_gets_no_line(home):
    for username in ("", "a\nb", " a", "x" * 256):
        assert "is not a user name" in run(home, "token", "--username", username, expect=2)


@pytest.mark.parametrize(
    ("words", "says", "exit_code"),
    [
        (("a b", "--tenant", "main", "--policy", "exempt"), "name:", 2),
        (("x.example", "--tenant", "nobody", "--policy", "exempt"), "no tenant", 2),
        (
            ("x.example", "--tenant", "main", "--policy", "exempt", "--upstream", "b"),
            "no upstream",
            2,
        ),
        (("x.example", "--tenant", "main", "--policy", "nope"), "no policy", 1),
        ((DOMAIN, "--tenant", "main", "--policy", "exempt"), "change it there", 1),
    ],
)
def test_a_domain_that_is_not_added_has_the_exit_code_of_the_page(
    home, initiated, words, says, exit_code
):
    assert says in run(home, "domains", "add", *words, expect=exit_code)


@pytest.mark.parametrize("stdin_errors", ["surrogateescape", "strict"])
def test_a_password_that_is_no_text_is_refused(home, initiated, stdin_errors):
    for verb in (("add", "olga", "--operator"), ("password", "olga")):
        done = subprocess.run(
            [sys.executable, "-m", "relay", "user", *verb],
            cwd=home,
            env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": f"utf-8:{stdin_errors}"},
            input="a password in Latin-1: äöü\n".encode("latin-1"),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, b"Traceback" in done.stderr) == (2, False)
        assert b"a password is text in UTF-8" in done.stderr


@pytest.mark.parametrize(
    "words", [("token", "revoke"), ("user", "remove"), ("user", "password")], ids=" ".join
)
def test_a_name_that_is_no_text_is_a_wrong_command_line(home, initiated, words):
    assert "is not UTF-8 text" in run(home, *words, "\udcff", expect=2)


@pytest.mark.parametrize(
    "reason", ["bounces\r\nat google", "look\n", "x" * 501, "a\x1b[31m", "a\u2028b", "\udcff"]
)
def test_a_reason_that_the_api_would_refuse_is_refused_here_too(home, initiated, reason):
    for verb in ("pause", "resume", "graduate", "restart"):
        assert "one line of at most 500" in run(home, verb, DOMAIN, "--reason", reason, expect=2)
    for command in (("remove", "x.example"), ("reseal", "--old", "old.key")):
        refused = run(home, "domains", *command, "--reason", reason, expect=2)
        assert "one line of at most 500" in refused


def test_explain_names_policy_window_tier_and_the_next_answer(home, initiated):
    told = json.loads(run(home, "explain", DOMAIN, "--json"))
    [route] = told["routes"]
    layers = {layer["layer"]: layer["says"] for layer in route["layers"]}
    assert "calendar-14-day" in layers["policy"]
    assert "cap 50" in layers["tier"]
    assert route["next_message"] == "accepted"
    assert "neither an address nor a domain" in run(home, "explain", DOMAIN, "x@", expect=2)


@pytest.mark.slow
def test_a_plan_of_a_domain_begins_where_its_route_stands(home, initiated):
    first = json.loads(run(home, "plan", DOMAIN, "--volume", "80", "--json"))
    assert first["id"] == f"{DOMAIN}@outbound"
    status = json.loads(run(home, "status", DOMAIN, "--json"))
    caps = [{"date": day["date"], "cap": day["cap"]} for day in first["days"]]
    assert caps[: len(status["forecast"])] == status["forecast"][: len(caps)]
    run(home, "graduate", DOMAIN, "--yes")
    told = json.loads(run(home, "plan", DOMAIN, "--volume", "9000", "--json"))
    assert (told["days"][0]["cap"], told["days"][0]["sent"]) == (None, 9000)
    assert "leave --start out" in run(home, "plan", DOMAIN, "--start", "2026-01-01", expect=2)
    assert "no route" in run(home, "plan", "nobody.example", expect=2)
    run(home, "pause", DOMAIN)
    assert "planned as if it was resumed today" in run(home, "plan", DOMAIN)


def test_plan_needs_no_config(home):
    told = json.loads(run(home, "plan", "calendar-14-day", "--volume", "500/day", "--json"))
    assert [day["cap"] for day in told["days"][:5]] == [50, 50, 100, 200, 500]
    assert "The backlog clears on" in run(home, "plan", "lifetime-tiers", "--volume", "500")
    assert "nosuch" in run(home, "plan", "nosuch", expect=1)


def test_what_init_wrote_serves_and_its_token_sends_signed_mail(home, initiated):
    from tests.harness.ports import free_port

    smtp, web = free_port(), free_port()
    text = (home / "relay.yaml").read_text()
    (home / "relay.yaml").write_text(text.replace(":2525", f":{smtp}").replace(":8025", f":{web}"))
    relay = subprocess.Popen(
        [sys.executable, "-m", "relay", "serve"], cwd=home,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until((home / "var" / "serving.json").exists, "the relay to serve", timeout_s=20)
        with smtplib.SMTP("127.0.0.1", smtp, timeout=10) as client:
            client.login(initiated["username"], initiated["token"])
            content = f"From: a@{DOMAIN}\r\nTo: b@there.example\r\nSubject: x\r\n\r\nhello\r\n"
            client.sendmail(f"a@{DOMAIN}", ["b@there.example"], content)
        told = json.loads(run(home, "status", DOMAIN, "--json"))
        assert (told["emails_sent_today"], told["state"]) == (1, "warming")
    finally:
        relay.terminate()
        assert relay.wait(timeout=30) == 0
    [stored] = (home / "var" / "outbound" / "new").iterdir()
    zone = {r["name"].encode(): "".join(r["strings"]).encode() for r in initiated["records"]}
    raw = stored.read_bytes()
    assert raw.count(b"DKIM-Signature:") == 2
    for index in range(2):
        verifier = dkim.DKIM(raw)
        assert verifier.verify(idx=index, dnsfunc=lambda name, **_: zone.get(name))


def test_commands_at_once_without_a_serving_relay_all_answer(home, initiated):
    commands = [
        subprocess.Popen(
            [sys.executable, "-m", "relay", "status", DOMAIN, "--json"], cwd=home,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    told = [command.communicate(timeout=60) for command in commands]
    assert [command.returncode for command in commands] == [0] * 4, told
    assert all(json.loads(out)["state"] == "pending" for out, _ in told)
