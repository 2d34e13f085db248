"""What docs/security.md promises of the sources: no connection, no code out of a file."""

from __future__ import annotations

import ast
from pathlib import Path

CONNECT = {"urllib", "http", "ssl", "ftplib", "smtplib", "requests", "httpx", "aiohttp", "urllib3", "websockets"}
CALLS = ("pickle.load", "pickle.loads", "os.system", "os.popen", "socket.socket", "socket.create_connection")
RUN = {"marshal", "shelve", "dill", "cloudpickle", "runpy", "code"}


def sources(checkout: Path) -> list[Path]:
    return [file for module in ("RadiomicsPersona", "RadiomicsPersonaTraining") for file in (checkout / module).rglob("*.py")]


def test_no_source_opens_a_connection_or_runs_what_a_file_holds(checkout):
    files = sources(checkout)
    assert len(files) > 200
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                named = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                # urllib.parse writes and reads addresses, and opens none
                named = set() if node.module == "urllib.parse" else {(node.module or "").split(".")[0]}
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                named = {"runs code"} if node.func.id in ("eval", "exec") else set()
            elif isinstance(node, ast.Call):
                told = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                loads = ast.unparse(node.func) in CALLS
                loads |= ast.unparse(node.func) == "torch.load" and told.get("weights_only") != "True"
                named = {"runs code"} if loads or told.get("shell") == "True" or told.get("allow_pickle") == "True" else set()
            else:
                continue
            assert not named & (CONNECT | RUN | {"runs code"}), f"{file}, line {node.lineno}: {named}"
