"""The benchmark of the audit, small: it finds what it planted, and says so."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_planted_leak_is_found() -> None:
    command = [sys.executable, "-m", "benchmarks.audit", "--json", "--pairs", "3000", "--planted", "40"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    ours = json.loads(done.stdout)["ours"]
    assert ours["planted"] == ours["found"] == {"equal": 40, "near": 40, "family": 40}
    assert (ours["missed"], ours["false"]) == (0, 0)
