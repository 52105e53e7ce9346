"""docs/schedulers.md: it leads to its files, its table has every exit code, and what the files
say to systemd, Kubernetes and n8n is what these understand.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess

import fastjsonschema
import pytest
import yaml

from common.process import exits
from rigs.harness import REPOSITORY

DOCS = REPOSITORY / "docs"
FILES = DOCS / "schedulers"
PAGE = (DOCS / "schedulers.md").read_text(encoding="utf-8")
NIGHTS = (DOCS / "nights.md").read_text(encoding="utf-8")
UNITS = sorted((FILES / "systemd").iterdir())
KUBERNETES = json.loads((REPOSITORY / "tests/rigs/kubernetes_1.37.json").read_text("utf-8"))
NO_RETRY = {1, 2, 3, 4, 73, 74, 77, 78, 124, 126, 127}


def manifests():
    return list(yaml.safe_load_all((FILES / "cronjob.yaml").read_text(encoding="utf-8")))


def n8n():
    return json.loads((FILES / "n8n_workflow.json").read_text(encoding="utf-8"))


def codes_in(table: str) -> set[str]:
    """The exit codes in the first cells of a table's rows."""
    cells = re.findall(r"^\| ([\dN+, ]+) \|", table, re.MULTILINE)
    return {code for cell in cells for code in cell.split(", ")}


# --- the page ---


def test_the_page_leads_to_each_of_its_files():
    shown = set(re.findall(r"\(schedulers/(\S+)\)", PAGE))
    there = (path for path in FILES.rglob("*") if path.is_file() and path.suffix != ".pyc")
    assert {str(path.relative_to(FILES)) for path in there} == shown - {"systemd"}


def test_the_page_says_what_each_exit_code_means_everywhere():
    table = PAGE[PAGE.index("| code |") : PAGE.index("After 3 and 4")]
    known = codes_in(NIGHTS[NIGHTS.index("## Exit codes") :])
    assert {str(code) for code in exits.STATUS} < known
    assert codes_in(table) == known
    assert {row.count("|") for row in table.splitlines() if row} == {10}  # a word in each cell


def test_the_image_is_made_of_what_is_there():
    text = (FILES / "Dockerfile").read_text(encoding="utf-8")
    for sources in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        assert all(list(REPOSITORY.glob(source)) for source in sources.split())
    pod = manifests()[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (state, *_) = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
    assert f"--uid {pod['securityContext']['runAsUser']} " in text
    assert f"WORKDIR {state.removesuffix('/state')}\n" in text


# --- systemd ---


def verify(tmp_path, change=lambda text: text) -> list[str]:
    """What `systemd-analyze verify` has to say about the units, as installed here."""
    if shutil.which("systemd-analyze") is None:
        lack = "needs systemd-analyze: apt-get install systemd"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(lack)
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace("/opt/claude-batch-jobs", str(REPOSITORY))
        name = unit.name.replace("@.", "@bulk_classifier.")
        (tmp_path / name).write_text(change(text), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.iterdir())],
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = [line for line in done.stderr.splitlines() if "claude" in line]
    return said or [f"exit code {done.returncode}"] * (done.returncode != 0)


def test_systemd_finds_nothing_to_say_about_the_units(tmp_path):
    assert len(UNITS) == 4 and verify(tmp_path) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("KillMode=mixed", "KillMode=both"),
        ("Restart=on-failure", "Restart=always"),  # which a oneshot may not
        ("run_job.sh", "run_jobs.sh"),
        ("OnCalendar=*-*-* 05:23", "OnCalendar=every night"),
    ],
)
def test_systemd_would_find_it(tmp_path, right, wrong):
    assert verify(tmp_path, lambda text: text.replace(right, wrong)) != []


def test_a_unit_starts_again_what_was_not_reached_and_takes_not_now_for_a_success():
    (unit,) = [path.read_text("utf-8") for path in UNITS if path.name == "claude-job@.service"]
    assert "\nSuccessExitStatus=75\n" in unit
    (prevented,) = re.findall(r"^RestartPreventExitStatus=(.+)$", unit, re.MULTILINE)
    assert {int(code) for code in prevented.split()} == NO_RETRY


# --- Kubernetes ---


def test_the_cronjob_is_one_by_the_schema_that_kubernetes_publishes():
    for manifest in manifests():
        check = fastjsonschema.compile(
            {**KUBERNETES, "$ref": f"#/$defs/{manifest['kind']}"}, use_default=False
        )
        check(manifest)
        manifest["spec"]["spelling"] = "mistake"
        with pytest.raises(fastjsonschema.JsonSchemaException):
            check(manifest)


def test_the_cronjob_keeps_the_rules_that_no_schema_can_say():
    job = manifests()[0]["spec"]["jobTemplate"]["spec"]
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never"  # else a podFailurePolicy is refused
    drained, failed = job["podFailurePolicy"]["rules"]
    assert drained["action"] == "Ignore" and failed["action"] == "FailJob"
    codes = failed["onExitCodes"]
    assert {*codes["values"]} == NO_RETRY and codes["values"] == sorted(codes["values"])
    assert codes["containerName"] == pod["containers"][0]["name"]
    assert pod["terminationGracePeriodSeconds"] > 30  # JOB_KILL_AFTER
    claim = pod["volumes"][0]["persistentVolumeClaim"]["claimName"]
    assert claim == manifests()[1]["metadata"]["name"]


# --- n8n ---


def test_the_n8n_workflow_has_the_shape_that_n8n_imports():
    workflow = n8n()
    nodes = {node["name"]: node for node in workflow["nodes"]}
    assert len(nodes) == len(workflow["nodes"]) == len({n["id"] for n in workflow["nodes"]})
    for node in nodes.values():
        assert {*node} >= {"id", "name", "type", "typeVersion", "position", "parameters"}
        assert re.fullmatch(r"n8n-nodes-base\.[a-zA-Z]+", node["type"]), node["name"]
        assert len(node["position"]) == 2 and isinstance(node["parameters"], dict)
        assert "credentials" not in node  # nobody else has ours
    reached = {"Every night"}
    for name, outputs in workflow["connections"].items():
        assert name in nodes
        for wire in (wire for output in outputs["main"] for wire in output):
            assert wire["node"] in nodes and wire["type"] == "main" and wire["index"] == 0
            reached.add(wire["node"])
    assert reached == set(nodes)
    assert workflow["active"] is False  # whoever imports it switches it on
    assert nodes["Run the job"]["parameters"]["command"] == "./run_job.sh bulk_classifier --json"


@pytest.mark.parametrize(
    ("code", "tried", "then"),
    [
        (0, 0, "Done: the summary"),
        (75, 0, "Not now"),
        (69, 0, "Not reached: later"),
        (69, 2, "Not reached: later"),
        (69, 3, "Failed"),
        (3, 0, "Warn"),
        (4, 0, "Warn"),
        *((code, 0, "Failed") for code in sorted((NO_RETRY | {137, 143}) - {3, 4})),
    ],
)
def test_each_exit_code_takes_its_way_through_the_n8n_workflow(code, tried, then):
    (switch,) = [found for found in n8n()["nodes"] if found["name"] == "Exit code"]
    (expression,) = re.findall(r"^=\{\{ (.+) \}\}$", switch["parameters"]["output"])
    way = as_javascript_would(expression, {"$json.code": code, "$runIndex": tried})
    assert way < switch["parameters"]["numberOutputs"]
    assert n8n()["connections"]["Exit code"]["main"][way][0]["node"] == then


def as_javascript_would(expression: str, values: dict[str, int]) -> int:
    """The value of a chain of `condition ? number : …`."""
    for name, value in values.items():
        expression = expression.replace(name, str(value))
    *choices, otherwise = expression.split(" : ")
    for condition, number in (choice.split(" ? ") for choice in choices):
        python = re.sub(r"(\[[^]]+\])\.includes\((\d+)\)", r"\2 in \1", condition)
        if eval(python.replace("===", "==").replace("&&", "and")):
            return int(number)
    return int(otherwise)
