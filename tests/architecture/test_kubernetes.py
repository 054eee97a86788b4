"""config/kubernetes: manifests that the API takes, and that agree with each other and the relay."""

from __future__ import annotations

import os
from typing import Any

import kubernetes_validate
import pytest
import yaml

from relay.core.config import Config
from relay.settings.load import load_config
from tests.architecture.source import ROOT

FILLED_IN = ROOT / "config" / "kubernetes" / "secret.yaml"
"""Where docs/scaling.md has people copy the example of secrets to."""
FILES = sorted({*FILLED_IN.parent.glob("*.yaml")} - {FILLED_IN})
VERSIONS = ("1.30", "1.34", "1.37")
LABELS = {"app.kubernetes.io/name": "warmup-relay"}
CLOSING_S = 5


def documents() -> list[tuple[str, dict[str, Any]]]:
    return [
        (file.name, document)
        for file in FILES
        for document in yaml.safe_load_all(file.read_text())
        if document["kind"] != "Kustomization"
    ]


def the(kind: str, name: str = "warmup-relay") -> dict[str, Any]:
    [found] = [
        document
        for _, document in documents()
        if document["kind"] == kind and document["metadata"]["name"] == name
    ]
    return found


def pod() -> dict[str, Any]:
    return the("Deployment")["spec"]["template"]["spec"]


def container() -> dict[str, Any]:
    [found] = pod()["containers"]
    return found


@pytest.fixture
def config(tmp_path) -> Config:
    """The relay.yaml of the pods, read as a pod reads it."""
    path = tmp_path / "relay.yaml"
    path.write_text(the("ConfigMap")["data"]["relay.yaml"])
    return load_config(path, {**os.environ, **the("Secret")["stringData"]})


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "document"), documents(), ids=lambda given: str(given)[:30])
def test_a_manifest_is_one_that_the_api_takes(
    name: str, document: dict[str, Any], version: str
) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_the_schema_refuses_a_key_that_is_not_there() -> None:
    wrong = the("PodDisruptionBudget")
    wrong["spec"]["maxUnavailble"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_the_kustomization_names_every_file_but_the_example_of_secrets() -> None:
    [kustomization] = [file for file in FILES if file.stem == "kustomization"]
    named = set(yaml.safe_load(kustomization.read_text())["resources"])
    there = {file.name for file in FILES} - {"kustomization.yaml", "secret.example.yaml"}
    assert named == there


def test_secrets_that_are_filled_in_are_kept_out_of_commits_and_archives() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert f"/{FILLED_IN.relative_to(ROOT)}" in ignored


def test_everything_that_selects_pods_selects_those_of_the_deployment() -> None:
    assert the("Deployment")["spec"]["template"]["metadata"]["labels"] == LABELS
    assert the("Deployment")["spec"]["selector"]["matchLabels"] == LABELS
    assert the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == LABELS
    assert the("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == LABELS
    for name in ("warmup-relay", "warmup-relay-metrics"):
        assert the("Service", name)["spec"]["selector"] == LABELS


def test_the_autoscaler_scales_the_deployment_and_the_budget_leaves_pods() -> None:
    scaler = the("HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["name"] == the("Deployment")["metadata"]["name"]
    assert "replicas" not in the("Deployment")["spec"], "it would undo the autoscaler"
    assert scaler["minReplicas"] > the("PodDisruptionBudget")["spec"]["maxUnavailable"]
    assert container()["resources"]["requests"]["cpu"], "utilization is a share of the request"


def test_ports_are_those_that_the_relay_listens_on(config: Config) -> None:
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert ports == {"smtp": config.listeners[0].port, "web": config.web.port}
    services = [document for _, document in documents() if document["kind"] == "Service"]
    targets = {port["targetPort"] for service in services for port in service["spec"]["ports"]}
    opened = {
        port["port"] for rule in the("NetworkPolicy")["spec"]["ingress"] for port in rule["ports"]
    }
    assert targets == opened == set(ports)


def test_the_store_and_the_upstream_may_be_reached(config: Config) -> None:
    out = {
        port["port"] for rule in the("NetworkPolicy")["spec"]["egress"] for port in rule["ports"]
    }
    assert int(config.store.url.rpartition(":")[2].partition("/")[0]) in out
    assert {host.port for host in config.upstreams["outbound"].hosts} <= out


def test_a_pod_has_the_time_to_drain(config: Config) -> None:
    pause_s = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    needed_s = pause_s + 2 * config.limits.shutdown_s + CLOSING_S
    assert pod()["terminationGracePeriodSeconds"] > needed_s


def test_only_readiness_depends_on_store_and_upstream() -> None:
    paths = {
        name: container()[f"{name}Probe"]["httpGet"]["path"]
        for name in ("startup", "liveness", "readiness")
    }
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}


def test_a_pod_may_write_only_where_the_relay_writes(config: Config) -> None:
    security = container()["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert pod()["securityContext"]["runAsNonRoot"]
    volumes = {volume["name"]: volume for volume in pod()["volumes"]}
    writable = {
        mount["mountPath"]
        for mount in container()["volumeMounts"]
        if "emptyDir" in volumes[mount["name"]]
    }
    assert writable == {str(config.data_dir), "/tmp"}


def test_secrets_that_are_named_are_in_the_example(config: Config) -> None:
    secrets = {volume["secret"]["secretName"] for volume in pod()["volumes"] if "secret" in volume}
    secrets |= {source["secretRef"]["name"] for source in container()["envFrom"]}
    assert secrets == {"warmup-relay", "warmup-relay-dkim"}
    [domain] = config.directory.domains.values()
    [key] = domain.dkim
    assert key.path.name in the("Secret", "warmup-relay-dkim")["stringData"]
    [mount] = [each for each in container()["volumeMounts"] if each["name"] == "dkim"]
    assert str(key.path.parent) == mount["mountPath"]
    assert not key.path.is_relative_to(config.data_dir), "each pod would make one of its own"


def test_the_pod_runs_as_the_user_of_the_image() -> None:
    security = pod()["securityContext"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"USER {security['runAsUser']}:{security['runAsGroup']}" in dockerfile
