"""Model kinds: the models that look at whole scans, by what they do; without what trains them, which takes seconds to load."""

from __future__ import annotations

from RadiomicsPersonaLib.card import SEGMENTATION_KIND
from RadiomicsPersonaLib.head_model import HEAD_MODELS
from RadiomicsPersonaLib.segmentation_model import SegmentationModel

TRAINED_MODELS = HEAD_MODELS | {SEGMENTATION_KIND: SegmentationModel}
