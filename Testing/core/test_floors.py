"""The house: which folder may import which, read off the syntax tree of every file.

The table of floors stands in the docstrings of the folders: "Floor 8; imports metrics, brain." Their order, top floor last, is
that of `CONTRIBUTING.md`.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

CORE, TRAINING = "RadiomicsPersonaLib", "RadiomicsPersonaTrainingLib"
NODES, WIDGETS, PAGES = "RadiomicsPersonaNodes", "RadiomicsPersonaWidgets", "RadiomicsPersonaTrainingPages"
MODULES = {"RadiomicsPersona": (CORE, NODES, WIDGETS), "RadiomicsPersonaTraining": (TRAINING, PAGES)}
"""Packages beside the two module files of the extension."""
GROUND = {CORE: ("__init__", "errors", "defaults", "resources"), TRAINING: ("__init__", "amounts", "versions")}
"""Files at the top of a library that every room may import."""
DOORS = {CORE: ("__main__", "api", "cli", "worker"), TRAINING: ("__main__", "cli", "panel_worker")}
"""Files at the top of a library that nothing but doors imports."""
RINGS = {
    CORE: {CORE},
    TRAINING: {CORE, TRAINING},
    NODES: {CORE, NODES},
    WIDGETS: {CORE, NODES, WIDGETS},
    PAGES: {CORE, NODES, WIDGETS, TRAINING, PAGES},
    "RadiomicsPersona": {CORE, NODES, WIDGETS},
    "RadiomicsPersonaTraining": {CORE, NODES, WIDGETS, TRAINING, PAGES, "RadiomicsPersona"},
}
"""What each package and module file may import of this project: the panel the bridge, the bridge the core, nothing outward."""
NOT_IN = {CORE: {"slicer", "qt", "ctk"}, TRAINING: {"slicer", "qt", "ctk"}, NODES: {"qt", "ctk"}}
"""What does not belong into a ring."""
FEWEST_FILES, MOST_FILES = 4, 17
HEAVY = (
    *("torch", "scipy", "SimpleITK", "nibabel", "safetensors", "PIL", "skimage", "sklearn", "pandas", "statsmodels"),
    *("monai", "lightning", "vtk", "slicer", "qt", "ctk"),
)
"""What a room may not load at its head if Slicer's own process reads it."""
LATE = "# Imported in functions:"
"""Begins the comment at the head of a file that says why some of its imports stand in functions."""


@dataclass(frozen=True)
class Import:
    """An import: of `target` by the file `module`, both dotted names, at a line, at the head or inside a function."""

    module: str
    target: str
    path: Path
    line: int
    late: bool

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.target}"

    @property
    def package(self) -> str:
        return self.module.split(".")[0]

    @property
    def target_package(self) -> str:
        return self.target.split(".")[0]


@dataclass(frozen=True)
class Floor:
    """A folder of a library, as its docstring says it."""

    number: int
    imports: frozenset[str]
    core: frozenset[str]


class House:
    """The files of the extension by dotted name, and what they import."""

    def __init__(self, checkout: Path):
        self.files: dict[str, Path] = {}
        self.trees: dict[str, ast.Module] = {}
        for folder, packages in MODULES.items():
            for package in packages:
                for path in sorted((checkout / folder / package).rglob("*.py")):
                    self._add(path.relative_to(checkout / folder), path)
            self._add(Path(f"{folder}.py"), checkout / folder / f"{folder}.py")

    def _add(self, name: Path, path: Path) -> None:
        module = ".".join(name.with_suffix("").parts)
        self.files[module], self.trees[module] = path, ast.parse(path.read_text(encoding="utf-8"))

    def named(self, dotted: str) -> str | None:
        """The file of this name, be it a folder's `__init__`; None for what is not ours."""
        return next((name for name in (dotted, f"{dotted}.__init__") if name in self.files), None)

    def folders(self, library: str) -> list[str]:
        return sorted(
            {module.split(".")[1] for module in self.files if module.startswith(f"{library}.") and module.count(".") > 1}
        )

    def floor(self, library: str, folder: str) -> Floor:
        """What a folder's docstring allows it."""
        text = " ".join((ast.get_docstring(self.trees[f"{library}.{folder}.__init__"]) or "").split())
        said = re.search(r"Floor (\d+); imports (.+?)(?: beside the core(?:, and of that (.+?) alone)?)?\.$", text)
        assert said, f'{folder}/__init__.py does not end with "Floor NUMBER; imports FOLDERS.": {text!r}'
        number, named, core = int(said[1]), said[2], said[3]
        if named == "every folder below":
            names = {other for other in self.folders(library) if other != folder and self.floor(library, other).number < number}
        else:
            names = set() if named == "nothing of ours" else set(named.split(", "))
        strangers = names - set(self.folders(library))
        assert not strangers, f"{folder}/__init__.py names folders that are not there: {strangers}"
        return Floor(number, frozenset(names), frozenset(core.split(", ")) if core else frozenset(self.folders(CORE)))

    @cached_property
    def imports(self) -> list[Import]:
        found = []
        for module, tree in self.trees.items():
            for node, late in _imports_in(tree):
                for target in self._targets(module, node):
                    found.append(Import(module, target, self.files[module], node.lineno, late))
        return found

    def _targets(self, module: str, node: ast.Import | ast.ImportFrom) -> list[str]:
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        base = node.module or ""
        if node.level:
            base = ".".join([*module.split(".")[: -node.level], *([node.module] if node.module else [])])
        return sorted({self.named(f"{base}.{alias.name}") or self.named(base) or base for alias in node.names})


def _imports_in(node: ast.AST, late: bool = False):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child, late
        yield from _imports_in(child, late or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)))


@pytest.fixture(scope="module")
def house(checkout) -> House:
    return House(checkout)


def none_of(faults) -> None:
    faults = [str(fault) for fault in faults]
    assert not faults, "\n".join(faults)


def place_of(module: str) -> str | None:
    """The folder of a library that a file lies in; None for a file at its top."""
    parts = module.split(".")
    return parts[1] if parts[0] in (CORE, TRAINING) and len(parts) > 2 else None


@pytest.mark.parametrize("library", [CORE, TRAINING])
def test_a_folder_names_only_folders_below_it(house, library):
    floors = {folder: house.floor(library, folder) for folder in house.folders(library)}
    none_of(
        f"{folder} (floor {floor.number}) may not import {other} (floor {floors[other].number})"
        for folder, floor in floors.items()
        for other in floor.imports
        if floors[other].number >= floor.number
    )


@pytest.mark.parametrize("library", [CORE, TRAINING])
def test_a_folder_imports_what_its_docstring_says_and_nothing_else(house, library):
    floors = {folder: house.floor(library, folder) for folder in house.folders(library)}

    def allowed(found: Import) -> bool:
        here, there, other = place_of(found.module), place_of(found.target), found.target_package
        if here is None or house.named(found.target) is None:
            return True  # the top has tests of its own, and so have packages that are not ours
        if there is None:
            return found.target.split(".")[1] in GROUND[other]
        return there in floors[here].core if other != library else there == here or there in floors[here].imports

    none_of(found for found in house.imports if found.package == library and not allowed(found))


@pytest.mark.parametrize("library", [CORE, TRAINING])
def test_what_every_room_may_import_imports_no_room(house, library):
    """`errors` and `defaults` nothing at all of ours."""
    for name in GROUND[library]:
        ours = [f for f in house.imports if f.module == f"{library}.{name}" and house.named(f.target)]
        none_of(
            f for f in ours if name in ("errors", "defaults") or place_of(f.target) or f.target.split(".")[1] in DOORS[CORE]
        )


def test_the_top_of_a_library_holds_its_doors_and_its_ground_only(house):
    for library in (CORE, TRAINING):
        top = {module.split(".")[1] for module in house.files if module.startswith(f"{library}.") and not place_of(module)}
        assert top == {*GROUND[library], *DOORS[library]}


def test_nothing_but_doors_imports_a_door(house):
    doors = {f"{library}.{name}" for library, names in DOORS.items() for name in names}
    none_of(found for found in house.imports if found.target in doors and found.module not in doors)


def test_imports_point_inward_and_the_core_knows_nothing_of_training(house):
    none_of(f for f in house.imports if f.target_package in RINGS and f.target_package not in RINGS[f.package])


def test_only_the_rings_that_are_meant_to_know_slicer_and_qt(house):
    none_of(f for f in house.imports if f.target_package in NOT_IN.get(f.package, ()))


def test_the_face_of_a_folder_is_a_docstring(house):
    """What stands in `__init__.py` is loaded with every room of the folder, in Slicer's process too."""
    for module, tree in house.trees.items():
        if module.endswith(".__init__"):
            assert ast.get_docstring(tree), f"{house.files[module]} has no docstring"
            assert module == f"{CORE}.__init__" or len(tree.body) == 1, f"{house.files[module]} holds more than a docstring"
    none_of(f for f in house.imports if f.module.endswith(".__init__") and f.target not in ("__future__", "importlib"))


def test_no_files_import_each_other_in_a_circle(house):
    """Tarjan's strongly connected components, late imports included."""
    arrows = {module: set() for module in house.files}
    for found in house.imports:
        if (target := house.named(found.target)) and target != found.module:
            arrows[found.module].add(target)
    order, low, stack, circles = {}, {}, [], []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for target in sorted(arrows[module]):
            if target not in order:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], order[target])
        if low[module] == order[module]:
            circle = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(circle) > 1:
                circles.append(" <-> ".join(circle))

    for module in arrows:
        if module not in order:
            visit(module)
    none_of(circles)


@pytest.mark.parametrize("library", [CORE, TRAINING])
def test_a_folder_is_neither_a_cupboard_nor_a_hall(house, library):
    for folder in house.folders(library):
        rooms = [name for name in house.files if name.startswith(f"{library}.{folder}.") and not name.endswith("__init__")]
        assert FEWEST_FILES <= len(rooms) <= MOST_FILES, f"{folder} holds {len(rooms)} files"
        assert all(name.count(".") == 2 for name in rooms), f"{folder} holds folders"


def test_an_import_inside_a_function_says_why(house):
    """In a comment beside it or above it, or by name in the comment at the head of the file that begins with LATE."""
    faults = []
    for module, path in house.files.items():
        lines = path.read_text(encoding="utf-8").splitlines()
        starts = [number for number, line in enumerate(lines) if line.startswith(LATE)]
        at_head = []
        for line in lines[starts[0] :] if starts else []:
            if not line.startswith("#"):
                break
            at_head.append(line)
        named = set(re.findall(r"\w+", " ".join(at_head)))
        excused = -1
        for node, late in _imports_in(house.trees[module]):
            if not late:
                continue
            above, beside = lines[node.lineno - 2].strip(), lines[node.end_lineno - 1].split("#", 1)[1:]
            module_named = node.names[0].name if isinstance(node, ast.Import) else node.module or node.names[0].name
            ours = getattr(node, "level", 0) or module_named.startswith("RadiomicsPersona")
            word = module_named.split(".")[-1 if ours else 0]
            reason = beside and beside[0].strip() and not re.fullmatch(r"\s*noqa: \w+\s*", beside[0])
            if reason or above.startswith("#") or word in named or node.lineno - 1 == excused:
                excused = node.end_lineno  # and so are the lines right below it
            else:
                faults.append(f"{path}:{node.lineno} does not say why it stands there: {ast.unparse(node)}")
    none_of(faults)


def test_what_slicers_own_process_reads_loads_nothing_heavy(house, checkout):
    """Every room that the two module files and their three packages name is imported where the heavy packages cannot be."""
    rooms = {
        house.named(f.target).removesuffix(".__init__")
        for f in house.imports
        if f.package not in (CORE, TRAINING) and f.target_package in (CORE, TRAINING)
    }
    assert len(rooms) > 20
    code = f"""
import importlib, sys
class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}:
            raise ImportError("a room that Slicer's own process reads imports " + name)
sys.meta_path.insert(0, Refusal())
for room in {sorted(rooms)!r}:
    importlib.import_module(room)
"""
    folders = os.pathsep.join(str(checkout / folder) for folder in MODULES)
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": folders}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_contributing_shows_every_folder_on_its_floor(house, checkout):
    path = checkout / "CONTRIBUTING.md"
    if not path.is_file():
        pytest.skip("There is no CONTRIBUTING.md yet.")
    rows = [[cell.strip() for cell in line.split("|")] for line in path.read_text(encoding="utf-8").splitlines() if "|" in line]
    for library in (CORE, TRAINING):
        for folder in house.folders(library):
            number = str(house.floor(library, folder).number)
            assert any(number in row and any(f"`{folder}/`" in cell for cell in row) for row in rows), (library, folder, number)
