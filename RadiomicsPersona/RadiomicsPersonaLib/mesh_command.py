"""`radiomics-persona mesh`: the surface of a mask as a file for Slicer and other 3-D programs."""

from __future__ import annotations

import json

import numpy as np

from .surface import USUAL_SMOOTHING, Surface, surface_of


def add_mesh(commands) -> None:
    """Add the command to the parser's."""
    mesh = commands.add_parser("mesh", help="make a closed surface of a mask or label map")
    mesh.add_argument("mask", metavar="MASK", help="NIfTI, NRRD, MetaImage or MGZ file of whole numbers; 0 is outside")
    mesh.add_argument("--label", type=int, metavar="N", help="only the voxels of this value; all but 0 if not given")
    mesh.add_argument(
        "--smooth", type=int, default=USUAL_SMOOTHING, metavar="N", help=f"iterations of the smoothing filter, 0 for none (default {USUAL_SMOOTHING})"
    )
    mesh.add_argument("--decimate", type=float, default=0.0, metavar="F", help="share of the triangles to take away, 0 to below 1 (default 0)")
    mesh.add_argument("--json", action="store_true", help="print area, volume and numbers of triangles as JSON")
    mesh.add_argument("--output", required=True, metavar="MESH.ply", help="file that ends in .ply, .stl, .obj or .vtk; RAS mm, and its header says so to Slicer")
    mesh.set_defaults(run=_mesh)


def _mesh(options) -> int:
    from .output import file_written_whole
    from .surface_file import check_suffix, write_surface

    check_suffix(options.output)
    surface, mask_ml = surface_by(options)
    with file_written_whole(options.output) as path:
        write_surface(surface, path)
    made = {
        "output": options.output,
        "area_mm2": surface.area_mm2,
        "volume_ml": surface.volume_ml,
        "mask_volume_ml": mask_ml,
        "points": len(surface.points),
        "triangles": len(surface.faces),
    }
    if options.json:
        print(json.dumps(made, ensure_ascii=False))
    else:
        print(
            f"Surface of {made['area_mm2']:.1f} mm2 around {made['volume_ml']:.3f} ml (voxels of the mask: {made['mask_volume_ml']:.3f} ml), "
            f"{made['triangles']} triangles: {options.output}"
        )
    return 0


def surface_by(options) -> tuple[Surface, float]:
    """The surface that the arguments ask for, in memory, and the millilitres of the mask's voxels."""
    from .mask import read_mask

    mask, affine = read_mask(options.mask, options.label)
    surface = surface_of(mask, affine, options.smooth, options.decimate)
    return surface, float(mask.sum() * abs(np.linalg.det(affine[:3, :3])) / 1000)
