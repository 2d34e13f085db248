"""Slicer's SampleData module, as far as other modules put samples into it."""

from __future__ import annotations

from types import SimpleNamespace

import slicer


class SampleDataLogic:
    """Keeps what is registered where Slicer's own keeps it, in `slicer.modules.sampleDataSources`, by category."""

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFiles=None,
        loadFileProperties=None,
        checksums=None,
    ) -> None:
        """What Slicer 5.10 to 5.13 have in common; there, the names of files and nodes are lists, one for each address."""
        source = SimpleNamespace(
            sampleName=sampleName,
            uris=[uris],
            fileNames=[fileNames],
            nodeNames=[nodeNames],
            customDownloader=customDownloader,
            thumbnailFileName=thumbnailFileName,
        )
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        slicer.modules.sampleDataSources.setdefault(category, []).append(source)
