"""Containers without an engine: linted, held to their schemas, and to the processes that the launcher starts."""

import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.plan import product, read_plan

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = sorted(path for path in (ROOT / "deploy" / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OBJECTS: list[dict[str, Any]] = [each for path in MANIFESTS for each in yaml.safe_load_all(path.read_text())]
OURS = {"web", "ws", "worker-evaluate", "worker-core", "webhooks", "beat"}


def tool(name: str, *arguments: str) -> None:
    done = subprocess.run([Path(sys.executable).with_name(name), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def essence(command: str) -> set[str]:
    """What must not differ: the server or task runner, the application, the queues."""
    words = command.split()
    queues = {word for before, word in itertools.pairwise(words) if before == "-Q"}
    return queues | {
        word for word in words if re.search(r"lens_project|^(granian|daphne|celery|uvicorn|worker|beat|deliver_webhooks)$", word)
    }


def launched() -> dict[str, set[str]]:
    rows = product(read_plan({"LENS_DATA_DIR": "/data"}), {})
    return {row.name.removesuffix("-0"): essence(" ".join(row.argv[2:])) for row in rows}


def deployments() -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in OBJECTS if each["kind"] == "Deployment"}


def test_dockerfile_is_without_complaint() -> None:
    tool("hadolint", "Dockerfile")


def test_compose_file_is_valid() -> None:
    tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_manifests_are_valid() -> None:
    tool("kubernetes-validate", "--strict", "--quiet", "-k", "1.34", *map(str, MANIFESTS))


def test_containers_run_what_the_launcher_runs() -> None:
    assert set(launched()) >= OURS
    assert {name: essence(COMPOSE[name]["command"]) for name in launched()} == launched()


def test_pods_run_what_the_launcher_runs() -> None:
    assert {name: essence(pod["containers"][0]["command"][2]) for name, pod in deployments().items()} == launched()


def test_each_process_is_given_what_the_launcher_gives_it_alone() -> None:
    rows = {row.name.removesuffix("-0"): dict(row.env or {}) for row in product(read_plan({"LENS_DATA_DIR": "/data"}), {})}
    common = COMPOSE["beat"]["environment"]
    alone = {
        name: {key: COMPOSE[name]["environment"][key] for key in COMPOSE[name]["environment"].keys() - common} for name in OURS
    }
    pods = {
        name: {each["name"]: each["value"] for each in pod["containers"][0].get("env", [])} for name, pod in deployments().items()
    }
    assert alone == {name: rows[name] for name in OURS}
    assert {name: pods[name] for name in OURS} == alone


@pytest.mark.parametrize("name", sorted({*OURS, "metrics", "migrate"}))
def test_containers_are_confined(name: str) -> None:
    service = COMPOSE[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert name == "migrate" or service["deploy"]["resources"]["limits"]["memory"]


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for service in COMPOSE.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_broker_forgets_nothing() -> None:
    assert {"--appendonly yes", "--maxmemory-policy noeviction"} <= {
        found.group() for found in re.finditer(r"--\S+ \w+", COMPOSE["redis"]["command"])
    }


def test_nothing_starts_before_the_migrations() -> None:
    for name in OURS:
        assert COMPOSE[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_pods_are_confined_and_bounded() -> None:
    for name, pod in deployments().items():
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert {"requests", "limits"} <= set(container["resources"])


def test_what_answers_people_is_probed_drained_and_never_all_down() -> None:
    budgets = {each["metadata"]["name"] for each in OBJECTS if each["kind"] == "PodDisruptionBudget"}
    for name in ("web", "ws"):
        container = deployments()[name]["containers"][0]
        assert {"readinessProbe", "livenessProbe", "startupProbe", "lifecycle"} <= set(container)
        assert name in budgets
