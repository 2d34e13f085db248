"""Surface file: a surface as PLY, STL, OBJ or VTK, which Slicer shows in the right place.

Points are written in RAS. Slicer takes a mesh for LPS unless its header says otherwise, so the header says SPACE=RAS, in Slicer's own
words (`vtkMRMLModelStorageNode`); programs that know neither take the numbers as they are.
"""

from __future__ import annotations

from pathlib import Path

from .errors import InputError
from .surface import Surface, poly_data

SUFFIXES = (".ply", ".stl", ".obj", ".vtk")
HEADER = "3D Slicer output. SPACE=RAS"


def check_suffix(path: str | Path) -> None:
    """Raise InputError for a file name whose end says none of the formats."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise InputError(f"The output '{path}' must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}.")


def write_surface(surface: Surface, path: str | Path) -> None:
    """Write a surface in the format of the file's suffix, binary where the format can be, in RAS millimetres.

    Raises:
        InputError: another suffix.
        OSError: the file cannot be written.
    """
    import vtk

    check_suffix(path)
    suffix = Path(path).suffix.lower()
    writer = {".ply": vtk.vtkPLYWriter, ".stl": vtk.vtkSTLWriter, ".obj": vtk.vtkOBJWriter, ".vtk": vtk.vtkPolyDataWriter}[suffix]()
    writer.SetInputData(poly_data(surface))
    writer.SetFileName(str(path))
    if suffix == ".ply":
        writer.AddComment(HEADER)
    elif suffix != ".obj":
        writer.SetHeader(HEADER)
    if suffix != ".obj":
        writer.SetFileTypeToBinary()
    if not writer.Write():
        raise OSError(f"VTK could not write '{path}'")
    if suffix == ".obj":  # VTK's writer has no comment of one's own
        Path(path).write_text(f"# {HEADER}\n{Path(path).read_text(encoding='utf-8')}", encoding="utf-8")
