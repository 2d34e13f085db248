"""Set up: what `make` runs before anything else. It says what it is about to install, and pip's bars show how far it is.

    python3 Testing/set_up.py demo       .venv with what the demo needs
    python3 Testing/set_up.py test       .venv with what the tests, the linter and the site need, pinned
    python3 Testing/set_up.py install    the commands on the PATH of this user, in an environment of their own
    python3 Testing/set_up.py uninstall  takes these away again

On Linux PyPI's PyTorch brings CUDA. Unless pip is configured to look elsewhere (an index or a folder of a site's own), uv takes
the CPU build from PyTorch's own index instead. `TORCH=pypi` takes what pip finds, `TORCH=auto` what suits this machine's GPU.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
TOOLS = CHECKOUT / "build" / "tools"
"""An environment for what installs the commands: uv or pipx, of which the user need have none."""
PACKAGE = "radiomics-persona"
EXTRAS = ("training", "mesh", "regression", "cluster", "dicom", "completion")
PYTHON = VENV / "bin" / "python"
PINS, APART = str(CHECKOUT / "requirements-dev.txt"), str(CHECKOUT / "requirements-dev-apart.txt")
"""Versions that the tests run with; every set-up takes these."""
OLDEST, NEWEST = (3, 11), (3, 14)
PYPI = "pypi"
SITE_SETTINGS = ("index-url", "extra-index-url", "find-links", "no-index")
GIGABYTES = {"demo": (1.6, 5.5), "test": (3.6, 7.4), "install": (2.6, 6.4)}
"""Disk that each set-up takes with the CPU build of PyTorch, and with CUDA."""


def main(what: str) -> None:
    """Set up one of the three, or take the commands away."""
    if what == "uninstall":
        return uninstall()
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
    words = ("install", "--force", "--python", sys.executable, f"{CHECKOUT}[{','.join(EXTRAS)}]")
    if torch == PYPI:
        pipx = brought("pipx")
        run(pipx, *words, "--pip-args", f"--constraint '{PINS}'")
        folder = answer(pipx, "environment", "--value", "PIPX_BIN_DIR")
    else:
        uv = brought("uv")
        run(uv, "tool", *words, "--constraints", PINS, "--torch-backend", torch)
        folder = answer(uv, "tool", "dir", "--bin")
    print(where(folder), flush=True)


def where(folder: str) -> str:
    """One sentence after the installation: the commands are on the PATH, or what to add to it.

    Args:
        folder: that uv or pipx put the commands into.
    """
    found = shutil.which(PACKAGE)
    if found is None:
        return (
            f"{PACKAGE} was installed into {folder}, which is not on your PATH: add the line "
            f'export PATH="{folder}:$PATH" to ~/.profile (or what your shell reads), and open a new terminal.'
        )
    if Path(found).parent.resolve() != Path(folder).resolve():
        return f"{PACKAGE} was installed into {folder}, but your shell finds another one first: {found}."
    return f"{PACKAGE} and {PACKAGE}-train are on your PATH; make uninstall takes them away."


def uninstall() -> None:
    """Take the commands away, whichever of uv and pipx has put them there; both remember that outside of this clone."""
    for name, words in (("uv", ("tool",)), ("pipx", ())):
        program = TOOLS / "bin" / name
        tool = str(program) if program.is_file() else shutil.which(name)
        if tool and PACKAGE in answer(tool, *words, "list"):
            return run(tool, *words, "uninstall", PACKAGE)
    if not (TOOLS / "bin").is_dir():  # after make clean
        brought("uv", "pipx")
        return uninstall()
    sys.exit(f"Neither uv nor pipx has installed {PACKAGE} for this user: there is nothing to take away.")


def brought(*names: str) -> str:
    """The path of the first of these programs, all of them installed into `TOOLS`."""
    run(sys.executable, "-m", "venv", str(TOOLS))
    run(str(TOOLS / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", *names)
    return str(TOOLS / "bin" / names[0])


def answer(*words: str) -> str:
    """What a command prints."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def run(*words: str) -> None:
    """One command, seen by the user; its failure ends this."""
    done = subprocess.run(words, check=False)
    if done.returncode:
        sys.exit(f"'{' '.join(words)}' failed, see above; nothing else was changed. Mend it and call make again.")


if __name__ == "__main__":
    if sys.argv[1:] not in (["demo"], ["test"], ["install"], ["uninstall"]):
        sys.exit(__doc__)
    main(sys.argv[1])
