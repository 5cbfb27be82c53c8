"""Packages for Node, installed beside the tests that need them."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from qwen_auth.lock import FileLock


def installed(folder: Path, *flags: str) -> str:
    """Node, with what the folder's `package.json` asks for; skips the test where neither can be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("node and npm are not installed")
    ((name, wanted),) = json.loads((folder / "package.json").read_text())["dependencies"].items()
    there = folder / "node_modules" / name / "package.json"
    with FileLock(Path(tempfile.gettempdir()) / f"qwen-gateway-npm-{folder.name}.lock"):
        if not there.exists() or json.loads(there.read_text())["version"] != wanted:
            install = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", *flags]
            try:
                done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
            except subprocess.TimeoutExpired:
                pytest.skip(f"npm did not install {name} {wanted} within 300 s")
            if done.returncode:
                pytest.skip(f"npm cannot install {name} {wanted}: {done.stderr.strip().splitlines()[-1:]}")
    return node
