"""`radiomics-persona mesh`: the surface of a mask as a file for Slicer and other 3-D programs."""

from __future__ import annotations

import argparse

from ..geometry.surface import USUAL_SMOOTHING, Surface, check_suffix, surface_of, write_surface
from ..imaging.files import read_mask
from ..report.exchange import write_arrays_of_surface
from ..system.json_text import written
from ..system.output import file_written_whole, folder_written_whole
from .job import Job

EXAMPLES = (
    "lesion.nii.gz -o lesion.stl",
    "tumour.nii.gz --label 4 --decimate 0.5 -o enhancing.ply",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `mesh` may be asked."""
    parser.add_argument("mask", metavar="MASK", help="NIfTI, NRRD, MetaImage or MGZ file of whole numbers; 0 is outside")
    parser.add_argument("--label", type=int, metavar="N", help="only the voxels of this value; all but 0 if not given")
    parser.add_argument(
        "--smooth",
        type=int,
        default=USUAL_SMOOTHING,
        metavar="N",
        help=f"iterations of the smoothing filter, 0 for none (default {USUAL_SMOOTHING})",
    )
    parser.add_argument(
        "--decimate", type=float, default=0.0, metavar="F", help="share of the triangles to take away, 0 to below 1 (default 0)"
    )
    parser.add_argument("--json", action="store_true", help="print area, volume and numbers of triangles as JSON")
    parser.add_argument(
        "--output",
        required=True,
        metavar="MESH.ply",
        help="file that ends in .ply, .stl, .obj or .vtk; RAS mm, and its header says so to Slicer",
    )


def run(options: argparse.Namespace, job: Job) -> int:
    """Make the surface, write it, and tell its size; Slicer gets its points and faces."""
    if job.for_slicer:
        with folder_written_whole(options.output) as folder:
            job.tell("Making the surface")
            write_arrays_of_surface(surface_by(options)[0], folder)
            job.check()
        return 0
    check_suffix(options.output)
    with file_written_whole(options.output, alone=True) as path:
        surface, mask_ml, warnings = surface_by(options)
        write_surface(surface, path)
    made = {
        "output": options.output,
        "area_mm2": surface.area_mm2,
        "volume_ml": surface.volume_ml,
        "mask_volume_ml": mask_ml,
        "points": len(surface.points),
        "triangles": len(surface.faces),
        "warnings": list(warnings),
    }
    if options.json:
        print(written(made))
    else:
        print(
            f"Surface of {made['area_mm2']:.1f} mm2 around {made['volume_ml']:.3f} ml (voxels of the mask: "
            f"{made['mask_volume_ml']:.3f} ml), {made['triangles']} triangles: {options.output}"
        )
        for warning in warnings:
            print(f"note: {warning}")
    return 0


def surface_by(options: argparse.Namespace) -> tuple[Surface, float, tuple[str, ...]]:
    """The surface that the arguments ask for, in memory, the millilitres of the mask's voxels, and notes on the mask's file."""
    mask = read_mask(options.mask, options.label)
    surface = surface_of(mask.array, mask.affine, options.smooth, options.decimate)
    return surface, mask.grid.ml_of(mask.array.sum()), mask.warnings
