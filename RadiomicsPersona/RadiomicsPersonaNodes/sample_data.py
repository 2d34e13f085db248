"""Sample data: the scan that Slicer's Sample Data module offers in this extension's name; made here, without a network.

The public scans with a tumour, MRBrainTumor1 and MRBrainTumor2, are Slicer's own.
"""

from __future__ import annotations

import numpy as np
import slicer

from RadiomicsPersonaLib.brain.average_brain import FILE
from RadiomicsPersonaLib.lesions.sample_head import sample_head
from RadiomicsPersonaLib.resources import shipped

# Imported in functions: SampleData, a module of Slicer's that is there once the application has started.

CATEGORY, NAME = "Radiomics Persona", "Brain with a lesion"


def register() -> None:
    """Put the scan into Slicer's Sample Data module."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=NAME,
        thumbnailFileName=str(shipped("Icons") / "SampleHead.png"),
        uris=FILE.as_uri(),
        fileNames=FILE.name,
        nodeNames=NAME,
        customDownloader=load,
    )


def load(source=None):
    """Make the scan and show it; returns its volume.

    Args:
        source: what Slicer says of the sample that was pressed.
    """
    array, affine = sample_head()
    name = slicer.mrmlScene.GenerateUniqueName(NAME)
    volume = slicer.util.addVolumeFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)), affine, name)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    return volume
