"""The README's picture of a mesh: `python Testing/demos/mesh_picture.py` writes Resources/mesh.png.

The lesion of the demo in its template, each a surface as `radiomics-persona mesh` makes it, the lesion once as the voxels are
and once smoothed and decimated.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

import numpy as np
import vtk
from demo import LESION_CENTER, template_with_lesion
from nilearn.datasets import load_mni152_template
from PIL import Image
from vtk.util.numpy_support import vtk_to_numpy

from RadiomicsPersonaLib.geometry.surface import Surface, poly_data, surface_of
from RadiomicsPersonaLib.report.colors import VERDICT_COLORS

TARGET = Path(__file__).resolve().parents[2] / "Resources" / "mesh.png"
SIDE = 420


def main() -> None:
    """Draw the three views side by side."""
    array, affine = template_with_lesion()
    healthy = np.asarray(load_mni152_template(resolution=1).dataobj)
    lesion = np.abs(array - healthy) > 0.12 * healthy.max()
    brain = surface_of(healthy > 0.45 * healthy.max(), affine, decimate=0.8)
    views = [
        view([(brain, (220, 205, 195), 0.35), (surface_of(lesion, affine), VERDICT_COLORS["pathological"], 1.0)], 330),
        view([(surface_of(lesion, affine, smooth=0), VERDICT_COLORS["pathological"], 1.0)], 74, edges=True),
        view([(surface_of(lesion, affine, decimate=0.8), VERDICT_COLORS["pathological"], 1.0)], 74, edges=True),
    ]
    picture = Image.fromarray(np.concatenate(views, axis=1)).quantize(128)
    picture.save(TARGET, optimize=True)
    print(f"{TARGET}: {TARGET.stat().st_size / 1024:.0f} kB")


def view(surfaces: list[tuple[Surface, tuple, float]], distance: float, edges: bool = False) -> np.ndarray:
    """Surfaces with their colours and opacities, seen from the right, in front and above, uint8 (SIDE, SIDE, 3)."""
    renderer, window = vtk.vtkRenderer(), vtk.vtkRenderWindow()
    renderer.SetBackground(1, 1, 1)
    window.SetOffScreenRendering(True)
    window.SetMultiSamples(8)
    window.SetSize(SIDE, SIDE)
    window.AddRenderer(renderer)
    for surface, color, opacity in surfaces:
        mapper, actor = vtk.vtkPolyDataMapper(), vtk.vtkActor()
        mapper.SetInputData(poly_data(surface))
        actor.SetMapper(mapper)
        look = actor.GetProperty()
        look.SetColor(*(part / 255 for part in color))
        look.SetOpacity(opacity)
        look.SetEdgeVisibility(edges)
        look.SetEdgeColor(0.35, 0.15, 0)
        renderer.AddActor(actor)
    focus = np.array(LESION_CENTER) if edges else np.array([0.0, -18, 10])
    camera = renderer.GetActiveCamera()
    camera.SetFocalPoint(*focus)
    camera.SetPosition(*(focus + distance * np.array([0.75, 0.5, 0.43])))
    camera.SetViewUp(0, 0, 1)
    renderer.ResetCameraClippingRange()
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.Update()
    pixels = grab.GetOutput()
    return vtk_to_numpy(pixels.GetPointData().GetScalars()).reshape(SIDE, SIDE, 3)[::-1]


if __name__ == "__main__":
    main()
