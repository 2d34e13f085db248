"""Surface: the closed triangle mesh around a mask, in millimetres, at the mask's true place, and its files.

VTK does the work: it is in Slicer, and on the command line an extra of this package.

A surface is written as PLY, STL, OBJ or VTK, and Slicer shows it in the right place.

Points are written in RAS. Slicer takes a mesh for LPS unless its header says otherwise, so the header says SPACE=RAS, in
Slicer's own words (`vtkMRMLModelStorageNode`); programs that know neither take the numbers as they are.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import InputError, how_to_install
from ..system.names import is_text

# Imported in functions: vtk, which takes a second to load and is an extra on the command line; scipy, which Slicer's own
# process, which reads this room, must not load.

USUAL_SMOOTHING = 20
"""Iterations of the smoothing filter unless asked otherwise."""
MOST_SMOOTHING = 500
"""More iterations change nothing that can be seen, and take minutes."""
_PASS_BAND = 0.1
"""Of the windowed sinc: takes the staircase of the voxels away and leaves what is wider than about three of them."""


@dataclass(frozen=True, eq=False)
class Surface:
    """A closed surface of triangles.

    Attributes:
        points: corners in RAS millimetres, float64, shape (points, 3).
        faces: indices of their corners, counter-clockwise seen from outside, shape (faces, 3).
    """

    points: np.ndarray
    faces: np.ndarray

    @property
    def area_mm2(self) -> float:
        """Sum of the triangles' areas, square millimetres."""
        return float(np.linalg.norm(self._crosses, axis=1).sum() / 2)

    @property
    def volume_ml(self) -> float:
        """Enclosed volume in millilitres, by the divergence theorem; positive since the faces look outward."""
        return float(_volume(self.points, self.faces) / 1000)

    @cached_property
    def normals(self) -> np.ndarray:
        """Unit vectors outward at the points, RAS, shape (points, 3): the mean of the faces around, weighted by their areas."""
        sums = np.stack(
            [sum(np.bincount(ends, cross, len(self.points)) for ends in self.faces.T) for cross in self._crosses.T], axis=1
        )
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-30)

    @property
    def is_closed(self) -> bool:
        """Whether every edge belongs to exactly two faces, which pass it in opposite directions, and no face is a mere line."""
        starts, ends = (np.concatenate([self.faces[:, (i + shift) % 3] for i in range(3)]) for shift in (0, 1))
        size = len(self.points) + 1
        edges, reverse = np.sort(starts * size + ends), np.sort(ends * size + starts)
        return len(edges) > 0 and not (starts == ends).any() and np.array_equal(edges, reverse) and (np.diff(edges) > 0).all()

    @property
    def _crosses(self) -> np.ndarray:
        """Outward normals of the faces, as long as twice their areas."""
        first, second, third = (self.points[ends] for ends in self.faces.T)
        return np.cross(second - first, third - first)


def surface_of(mask: np.ndarray, affine: np.ndarray, smooth: int = USUAL_SMOOTHING, decimate: float = 0.0) -> Surface:
    """The closed surface around a mask.

    Marching cubes (Lorensen and Cline 1987, in VTK's flying edges) half-way between the voxels inside and outside; a windowed
    sinc filter (Taubin, Zhang and Golub 1996); quadric decimation (Hoppe 1999), or where that would tear the surface,
    decimation that preserves its topology (Schroeder 1992), which may take away fewer faces than asked. What the last two
    change of the volume of every connected part is made up for by moving it along its normals, so that small lesions do not
    shrink.

    Args:
        mask: True inside; boolean, axes I, J, K. It may touch the border of the grid.
        affine: 4x4, voxel indices to RAS millimetres; oblique, anisotropic, left-handed or sheared as it is.
        smooth: iterations of the filter, at most `MOST_SMOOTHING`; 0 leaves the voxels' staircase.
        decimate: share of the faces to take away, at least 0 and below 1.
    Raises:
        InputError: an empty mask, numbers out of range, or VTK is not installed.

    >>> mask = np.zeros((12, 12, 12), bool)
    >>> mask[3:9, 3:9, 3:9] = True
    >>> surface = surface_of(mask, np.diag([2.0, 2.0, 2.0, 1.0]))
    >>> surface.points.mean(axis=0).round(1).tolist()  # in the middle of the mask, RAS mm
    [11.0, 11.0, 11.0]
    """
    _require_vtk()
    mask = np.asarray(mask, bool)
    if not mask.any():
        raise InputError("The mask is empty: there is nothing to make a mesh of; mark some voxels first.")
    if not 0 <= smooth <= MOST_SMOOTHING:
        raise InputError(
            f"The smoothing is {smooth}: give 0 for none, or up to {MOST_SMOOTHING} iterations (usual: {USUAL_SMOOTHING})."
        )
    if not 0 <= decimate < 1:
        raise InputError(
            f"The decimation is {decimate:g}: give the share of the triangles to take away, at least 0 and below 1."
        )
    points, faces = _marching_cubes(mask)
    points = points @ affine[:3, :3].T + affine[:3, 3]
    if np.linalg.det(affine[:3, :3]) < 0:
        faces = faces[:, ::-1]
    parts = [_refined(part, smooth, decimate) for part in _parts(Surface(points, faces))]
    offsets = np.cumsum([0] + [len(part.points) for part in parts])
    return Surface(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, offsets)]),
    )


def poly_data(surface: Surface):
    """The surface as vtkPolyData with its normals, in RAS millimetres."""
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

    points, cells, data = vtk.vtkPoints(), vtk.vtkCellArray(), vtk.vtkPolyData()
    points.SetDataTypeToFloat()
    points.SetData(numpy_to_vtk(surface.points.astype(np.float32), deep=True))
    cells.SetData(3, numpy_to_vtkIdTypeArray(np.ascontiguousarray(surface.faces, np.int64).ravel(), deep=True))
    data.SetPoints(points)
    data.SetPolys(cells)
    normals = numpy_to_vtk(surface.normals.astype(np.float32), deep=True)
    normals.SetName("Normals")
    data.GetPointData().SetNormals(normals)
    return data


def _require_vtk() -> None:
    try:
        import vtk  # noqa: F401
    except ImportError:
        raise InputError(f"Meshes need VTK, which is not installed: {how_to_install('mesh')}.") from None


def _marching_cubes(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points in voxel indices and outward faces; a rim of background closes it at the border of the grid."""
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    start, stop = (np.array([ends(where) for where in np.nonzero(mask)]) for ends in (np.min, np.max))
    inside = np.pad(mask[tuple(slice(low, high + 1) for low, high in zip(start, stop))], 1)
    image = vtk.vtkImageData()
    image.SetDimensions(*inside.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(inside.ravel(order="F").astype(np.uint8), deep=True))
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    contour.ComputeScalarsOff()
    contour.SetValue(0, 0.5)
    found = _arrays(contour)
    return found.points + (start - 1), found.faces


def _arrays(filter_) -> Surface:
    """What a VTK filter gives."""
    from vtk.util.numpy_support import vtk_to_numpy

    filter_.Update()
    data = filter_.GetOutput()
    if not data.GetNumberOfPolys():
        return Surface(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    points = vtk_to_numpy(data.GetPoints().GetData()).astype(np.float64)
    return Surface(points, vtk_to_numpy(data.GetPolys().GetConnectivityArray()).astype(np.int64).reshape(-1, 3))


def _parts(surface: Surface) -> list[Surface]:
    """The connected parts, each with its own points; a cavity's wall is a part of its own, of negative volume."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    first, second, third = surface.faces.T
    links = coo_matrix(
        (np.ones(2 * len(first)), (np.r_[first, second], np.r_[second, third])), shape=(len(surface.points),) * 2
    )
    count, part_of_point = connected_components(links, directed=False)
    order = np.argsort(part_of_point, kind="stable")
    starts = np.searchsorted(part_of_point[order], np.arange(count + 1))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - starts[part_of_point[order]]
    by_part = np.argsort(part_of_point[first], kind="stable")
    face_starts = np.searchsorted(part_of_point[first][by_part], np.arange(count + 1))
    return [
        Surface(
            surface.points[order[starts[n] : starts[n + 1]]], place[surface.faces[by_part[face_starts[n] : face_starts[n + 1]]]]
        )
        for n in range(count)
    ]


def _refined(part: Surface, smooth: int, decimate: float) -> Surface:
    """A connected part smoothed and decimated with its volume kept; what is too small for that stays as it is."""
    refined = _with_volume(_smoothed(part, smooth), part) if smooth else part
    if decimate:
        candidates = (decimated(refined, decimate) for decimated in (_quadric_decimated, _topology_preserving_decimated))
        refined = next((kept for candidate in candidates if (kept := _with_volume(candidate, part)) is not part), refined)
    return refined


def _smoothed(part: Surface, iterations: int) -> Surface:
    import vtk

    smoother = vtk.vtkWindowedSincPolyDataFilter()
    smoother.SetInputData(poly_data(part))
    smoother.SetNumberOfIterations(iterations)
    smoother.SetPassBand(_PASS_BAND)
    smoother.BoundarySmoothingOff()
    smoother.FeatureEdgeSmoothingOff()
    smoother.NormalizeCoordinatesOn()
    return _arrays(smoother)


def _quadric_decimated(part: Surface, share: float) -> Surface:
    import vtk

    decimation = vtk.vtkQuadricDecimation()
    decimation.SetInputData(poly_data(part))
    decimation.SetTargetReduction(share)
    decimation.VolumePreservationOn()
    return _arrays(decimation)


def _topology_preserving_decimated(part: Surface, share: float) -> Surface:
    import vtk

    decimation = vtk.vtkDecimatePro()
    decimation.SetInputData(poly_data(part))
    decimation.SetTargetReduction(share)
    decimation.PreserveTopologyOn()
    decimation.SplittingOff()
    decimation.BoundaryVertexDeletionOff()
    return _arrays(decimation)


def _with_volume(changed: Surface, original: Surface) -> Surface:
    """The changed surface moved along its normals until it holds the original's volume;
    the original where that does not succeed.
    """
    if not changed.is_closed:
        return original
    wanted = _volume(original.points, original.faces)
    for _ in range(10):
        missing = wanted - _volume(changed.points, changed.faces)
        if abs(missing) < 1e-3 * abs(wanted):
            return changed
        if abs(missing) > 0.5 * abs(wanted):
            return original
        changed = Surface(changed.points + missing / changed.area_mm2 * changed.normals, changed.faces)
    return original


def _volume(points: np.ndarray, faces: np.ndarray) -> float:
    """Cubic millimetres; taken around the middle, so that a surface far from the origin loses no digits."""
    first, second, third = ((points - points.mean(axis=0))[ends] for ends in faces.T)
    return float(np.einsum("ij,ij->", first, np.cross(second, third)) / 6)


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
        OSError: the file cannot be written whole.
    """
    check_suffix(path)
    suffix = Path(path).suffix.lower()
    # VTK ends the process at such names, and writes x.PLY as x.PLY.ply
    if not is_text(path) or Path(path).suffix != suffix:
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / f"surface{suffix}"
            write_surface(surface, plain)
            shutil.copyfile(plain, path)
        return
    import vtk

    writer = {".ply": vtk.vtkPLYWriter, ".stl": vtk.vtkSTLWriter, ".obj": vtk.vtkOBJWriter, ".vtk": vtk.vtkPolyDataWriter}[
        suffix
    ]()
    writer.SetInputData(poly_data(surface))
    writer.SetFileName(str(path))
    if suffix == ".ply":
        writer.AddComment(HEADER)
    elif suffix != ".obj":
        writer.SetHeader(HEADER)
    if suffix != ".obj":
        writer.SetFileTypeToBinary()
    shown = writer.GetGlobalWarningDisplay()
    writer.GlobalWarningDisplayOff()  # it would say the same in its own words
    try:
        written = writer.Write()
    finally:
        writer.SetGlobalWarningDisplay(shown)
    if not written or not _is_whole(Path(path), surface):
        raise OSError(errno.ENOSPC, "the file was cut off, perhaps because the disk is full")
    if suffix == ".obj":  # VTK's writer has no comment of one's own
        Path(path).write_text(f"# {HEADER}\n{Path(path).read_text(encoding='utf-8')}", encoding="utf-8")


def _is_whole(path: Path, surface: Surface) -> bool:
    """Whether a file holds the whole surface, of the formats whose writers do not notice that the disk is full."""
    if path.suffix.lower() == ".ply":
        end = b"end_header\n"
        with open(path, "rb") as stream:
            head = stream.read(4096).partition(end)[0]
        # six floats a point; the number of corners, a byte, and three integers a face
        return path.stat().st_size == len(head) + len(end) + 24 * len(surface.points) + 13 * len(surface.faces)
    if path.suffix.lower() == ".obj":
        text = path.read_text(encoding="utf-8")
        return text.endswith("\n") and text.count("\nf ") == len(surface.faces) and text.count("v ") >= len(surface.points)
    return True
