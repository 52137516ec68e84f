"""Contracts: the programs of lua/contract/ check themselves; what only shows from outside is checked here."""
import shutil
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "lua" / "contract"

HEAD = """
version: "1.0"
namespace: app
entries:
  - {name: terminal, kind: terminal.host, lifecycle: {auto_start: true}}
"""


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(PROGRAMS, tmp_path / "contract")


@pytest.mark.parametrize("workers", [1, 3])
def test_contracts(wippy, folder, workers):
    r = wippy.run(folder, "run", "contracts", "--set", f"supervisor.host.worker_count={workers}", timeout=60)
    assert r.code == 0 and " checks, 0 failures\n" in r.stdout, r


def test_async_without_the_funcs_module(wippy, folder):
    r = wippy.run(folder, "run", "alone")
    assert r.code == 0 and r.stdout == "you hi\n", r


def test_nothing_is_allowed_in_strict_mode(wippy, folder):
    (folder / ".wippy.yaml").write_text('version: "1.0"\nsecurity:\n  strict_mode: true\n')
    r = wippy.run(folder, "run", "denied")
    assert r.stdout.splitlines() == [
        "get: nil PermissionDenied not allowed to access contract: app:greeter",
        "open: nil PermissionDenied not allowed to open binding: app:polite",
        "implementations: nil PermissionDenied not allowed to list implementations: app:greeter",
    ], r


@pytest.mark.parametrize("fields, words", [
    ("kind: contract.definition, methods: 3", "field 'methods': expected list"),
    ("kind: contract.definition, methods: [3]", "field 'methods[0]': expected map"),
    ("kind: contract.definition, methods: [{}]", "field 'methods[0].name'"),
    ("kind: contract.definition, methods: [{name: a}, {name: a}]", "method 'a' is defined twice"),
    ("kind: contract.definition, methods: [{name: a, input_schemas: 3}]", "field 'methods[0].input_schemas': expected list"),
    ("kind: contract.definition, methods: [{name: a, output_schemas: [{definition: {}}]}]", "output_schemas[0].format': format is required"),
    ("kind: contract.definition, methods: [{name: a, output_schemas: [{format: f}]}]", "output_schemas[0].definition'"),
    ("kind: contract.binding", "a binding names at least one contract"),
    ("kind: contract.binding, contracts: []", "a binding names at least one contract"),
    ("kind: contract.binding, contracts: [x]", "field 'contracts[0]': expected map"),
    ("kind: contract.binding, contracts: [{methods: {}}]", "field 'contracts[0].contract': contract is required"),
    ("kind: contract.binding, contracts: [{contract: c, methods: [a]}]", "field 'contracts[0].methods': expected map"),
    ("kind: contract.binding, contracts: [{contract: c, methods: {a: 3}}]", "field 'contracts[0].methods.a': expected the id of a function"),
    ("kind: contract.binding, contracts: [{contract: c, context_required: k}]", "context_required': expected list of keys"),
    ("kind: contract.binding, contracts: [{contract: c, context_required: [3]}]", "context_required': expected list of keys"),
    ("kind: contract.binding, contracts: [{contract: c, default: 3}]", "default"),
])
def test_refused_entries(wippy, project, fields, words):
    folder = project({"src/_index.yaml": HEAD + f"  - {{name: c, {fields}}}\n"})
    r = wippy.run(folder, "run")
    assert r.code == 1 and words in r.stderr and "app:c" in r.stderr, r
