"""Set up: what `make` runs before anything else. It says what it is about to install, and pip's bars show how far it is.

    python3 Testing/set_up.py demo       .venv with what the demo needs
    python3 Testing/set_up.py test       .venv with what the tests, the linter and the site need, pinned
    python3 Testing/set_up.py install    the commands on the PATH of this user, in an environment of their own

On Linux PyPI's PyTorch brings CUDA. Unless pip is configured to look elsewhere (an index or a folder of a site's own), uv takes
the CPU build from PyTorch's own index instead. `TORCH=pypi` takes what pip finds, `TORCH=auto` what suits this machine's GPU.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
PYTHON = VENV / "bin" / "python"
PINS, APART = str(CHECKOUT / "requirements-dev.txt"), str(CHECKOUT / "requirements-dev-apart.txt")
"""Versions that the tests run with; every set-up takes these."""
OLDEST, NEWEST = (3, 11), (3, 14)
PYPI = "pypi"
SITE_SETTINGS = ("index-url", "extra-index-url", "find-links", "no-index")
GIGABYTES = {"demo": (1.6, 5.5), "test": (3.6, 7.4), "install": (2.6, 6.4)}
"""Disk that each set-up takes with the CPU build of PyTorch, and with CUDA."""


def main(what: str) -> None:
    """Set up one of the three."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        sys.exit(
            f"This is Python {platform.python_version()}; 3.11 to 3.14 is needed: name one with make PYTHON=python3.12 ..., "
            "or let uv bring one (pip install uv; uv python install 3.12)."
        )
    torch = os.environ.get("TORCH") or usual_torch()
    cpu = torch == "cpu" or sys.platform != "linux"
    size = GIGABYTES[what][0 if cpu else 1]
    print(f"Setting up for {what}, once: PyTorch from {told(torch)}; up to {size:g} GB of disk, some minutes.", flush=True)
    if what == "install":
        return install(torch)
    run(sys.executable, "-m", "venv", str(VENV))
    pip = installer(torch)
    if what == "demo":
        run(*pip, "--constraint", PINS, "--editable", f"{CHECKOUT}[demo]")
    else:
        run(*pip, "--requirement", PINS)
        run(*pip, "--no-deps", "--requirement", APART)
        run(*pip, "--no-deps", "--no-build-isolation", "--editable", str(CHECKOUT))
    (VENV / what).touch()


def usual_torch() -> str:
    """Where PyTorch comes from unless TORCH says otherwise: "cpu", or "pypi" for whatever pip finds."""
    if sys.platform != "linux":
        return PYPI
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    return PYPI if any(setting in listed for setting in SITE_SETTINGS) else "cpu"


def told(torch: str) -> str:
    """Where PyTorch comes from, in words."""
    return "where pip is configured to look" if torch == PYPI else f"its own index, build '{torch}'"


def installer(torch: str) -> list[str]:
    """The words before what is to be installed into .venv."""
    if torch == PYPI:
        return [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"]
    run(str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "uv")
    return [str(VENV / "bin" / "uv"), "pip", "install", "--python", str(PYTHON), "--torch-backend", torch]


def install(torch: str) -> None:
    """The commands for this user, by pipx or uv, which keep them apart from everything else."""
    tools = VENV.parent / "build" / "tools"
    run(sys.executable, "-m", "venv", str(tools))
    run(str(tools / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "pipx" if torch == PYPI else "uv")
    words = ("install", "--force", "--python", sys.executable, f"{CHECKOUT}[training,mesh,regression,cluster,dicom,completion]")
    if torch == PYPI:
        run(str(tools / "bin" / "pipx"), *words, "--pip-args", f"--constraint '{PINS}'")
    else:
        run(str(tools / "bin" / "uv"), "tool", *words, "--constraints", PINS, "--torch-backend", torch)


def run(*words: str) -> None:
    """One command, seen by the user; its failure ends this."""
    done = subprocess.run(words, check=False)
    if done.returncode:
        sys.exit(f"'{' '.join(words)}' failed, see above; nothing else was changed. Mend it and call make again.")


if __name__ == "__main__":
    if sys.argv[1:] not in (["demo"], ["test"], ["install"]):
        sys.exit(__doc__)
    main(sys.argv[1])
