"""DICOM objects: an analysis as objects that a PACS keeps beside the scan: a segmentation, a structured report with the
measurements (template TID 1500), and a parametric map of deviation, each referring to the source series.

highdicom, an extra, knows the templates. The objects carry the patient's identity as the source series does, as DICOM asks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import __version__
from ..analysis.result import Analysis, BoxResult
from ..errors import InputError, how_to_install
from ..imaging.dicom import slices_of_series
from ..metrics.metric import METRICS

# Imported in functions: highdicom and pydicom, an extra that few installations have.

SEGMENTATION, MEASUREMENTS, DEVIATION = "segmentation.dcm", "measurements.dcm", "deviation.dcm"
FOLDER = "dicom"
PROGRAM, SCHEME = "RadiomicsPersona", "99RPERSONA"
"""The name of the program in the objects, and of the coding scheme of what no standard has a code for."""
VERDICTS = {0: ("17621005", "Normal"), 1: ("263654008", "Abnormal"), None: ("373068000", "Undetermined")}
"""SNOMED CT codes of the labels."""
SERIES_NUMBERS = {SEGMENTATION: 9001, MEASUREMENTS: 9002, DEVIATION: 9003}


def require_dicom(scan: str | Path) -> None:
    """Raise `InputError` where DICOM objects cannot be written: highdicom is missing, or the scan is no DICOM series."""
    try:
        import highdicom  # noqa: F401
    except ImportError:
        raise InputError(f"The output dicom needs highdicom, which is not installed: {how_to_install('dicom')}.") from None
    if not Path(scan).is_dir():
        raise InputError(
            f"The output dicom refers to a DICOM series, and '{Path(scan).name}' is none: give the folder of the series, or "
            "leave dicom out."
        )


def write_dicom(analysis: Analysis, series: str | Path, folder: Path) -> None:
    """Write the three objects.

    Args:
        analysis: of the scan that `series` holds.
        series: folder of the source series.
        folder: a new one is made here.
    Raises:
        InputError: a header of the series lacks what DICOM asks for.
    """
    import pydicom

    sources = [pydicom.dcmread(file) for file in slices_of_series(Path(series))]
    columns = analysis.scan.affine[:3, :3]
    apart = abs(float(np.dot(np.cross(columns[:, 0], columns[:, 1]), columns[:, 2])))
    apart /= float(np.linalg.norm(np.cross(columns[:, 0], columns[:, 1])))
    for source in sources:  # series leave it out, or say what the places of their slices do not
        source.SpacingBetweenSlices = round(apart, 6)
        source.SliceThickness = source.get("SliceThickness") or round(apart, 6)
    folder.mkdir()
    try:
        _ = sources[0].FrameOfReferenceUID  # highdicom's own word for its lack is no AttributeError
        segmentation = _segmentation(analysis, sources)
        objects = {
            SEGMENTATION: segmentation,
            MEASUREMENTS: _measurements(analysis, sources, segmentation),
            DEVIATION: _deviation(analysis, sources),
        }
    except AttributeError as error:
        raise InputError(
            f"The series '{Path(series).name}' lacks an attribute that DICOM objects need ({error}): export it again from its "
            "source, or leave the output dicom out."
        ) from error
    for name, made in objects.items():
        made.save_as(folder / name)


def _equipment(name: str) -> dict:
    """What every object says of its series and of what made it."""
    import highdicom

    return {
        "series_instance_uid": highdicom.UID(),
        "series_number": SERIES_NUMBERS[name],
        "sop_instance_uid": highdicom.UID(),
        "instance_number": 1,
        "manufacturer": PROGRAM,
        "manufacturer_model_name": PROGRAM,
        "software_versions": __version__,
        "device_serial_number": __version__,
    }


def _frames(array: np.ndarray) -> np.ndarray:
    """A volume (I, J, K) as frames, rows and columns."""
    return np.ascontiguousarray(array.transpose(2, 1, 0))


def _segmentation(analysis: Analysis, sources: list):
    """Two segments for every box: the box, and what is unusual in it; the second is there where it is not empty."""
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
    from highdicom.sr.coding import CodedConcept
    from pydicom.sr.codedict import codes

    method = AlgorithmIdentificationSequence(PROGRAM, codes.DCM.ArtificialIntelligence, __version__)
    descriptions, masks = [], []
    for result in analysis.boxes:
        hole = result.reconstruction.hole
        inside = hole.full_mask(analysis.scan.shape)
        descriptions.append(
            SegmentDescription(
                segment_number=len(descriptions) + 1,
                segment_label=result.box.name[:64],
                segmented_property_category=CodedConcept("309825002", "SCT", "Spatial and Relational Concept"),
                segmented_property_type=CodedConcept("111099", "DCM", "Selected region"),
                algorithm_type=SegmentAlgorithmTypeValues.MANUAL,
                tracking_id=f"{PROGRAM} {result.box.name}"[:64],
                tracking_uid=_tracking_uid(result, sources),
            )
        )
        masks.append(_frames(inside))
        if result.unusual is None or not result.unusual.any():
            continue
        unusual = np.zeros(analysis.scan.shape, bool)
        unusual[hole.region] = result.unusual
        descriptions.append(
            SegmentDescription(
                segment_number=len(descriptions) + 1,
                segment_label=f"Unusual in {result.box.name}"[:64],
                segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
                segmented_property_type=CodedConcept("52988006", "SCT", "Lesion"),
                algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
                algorithm_identification=method,
            )
        )
        masks.append(_frames(unusual))
    return Segmentation(
        source_images=sources,
        pixel_array=np.stack(masks, axis=-1).astype(np.uint8),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=descriptions,
        series_description="Boxes and what is unusual in them",
        content_label="UNUSUAL",
        omit_empty_frames=True,
        **_equipment(SEGMENTATION),
    )


def _tracking_uid(result: BoxResult, sources: list) -> str:
    """The same for the same box in the same study, in segmentation and report."""
    from pydicom.uid import generate_uid

    place = [f"{value:.3f}" for value in (*result.box.center, *result.box.size)]
    return generate_uid(entropy_srcs=[str(sources[0].StudyInstanceUID), result.box.name, *place])


def _measurements(analysis: Analysis, sources: list, segmentation):
    """A structured report after TID 1500: a group of measurements for every box, which refers to its segment."""
    from highdicom import sr
    from pydicom.sr.codedict import codes

    def own(code: str, meaning: str) -> sr.CodedConcept:
        return sr.CodedConcept(code[:16], SCHEME, meaning)  # as long as a code may be

    method = sr.AlgorithmIdentification(PROGRAM, __version__, [analysis.rebuilt_by[:64]])
    unit, groups = codes.UCUM.NoUnits, []
    numbers = {item.SegmentLabel: item.SegmentNumber for item in segmentation.SegmentSequence}
    for result in analysis.boxes:
        known = [
            (codes.SCT.Volume, result.box.volume_ml, sr.CodedConcept("ml", "UCUM", "ml")),
            (own("p", "p among control regions"), result.p, unit),
            (own("q", "False discovery rate"), result.q, unit),
            (own("probability", "Probability of pathology at a prior of 50 %"), result.probability, unit),
            (own("combined", "Combined score"), result.combined, unit),
            *((own(key, METRICS[key].label), value, unit) for key, value in result.metrics.items()),
        ]
        measured = [
            sr.Measurement(name=name, value=float(value), unit=kind, algorithm_id=method)
            for name, value, kind in known
            if value is not None and np.isfinite(value)
        ]
        code, meaning = VERDICTS[result.label]
        verdict = sr.QualitativeEvaluation(own("verdict", "Verdict"), sr.CodedConcept(code, "SCT", meaning))
        groups.append(
            sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=sr.TrackingIdentifier(_tracking_uid(result, sources), f"{PROGRAM} {result.box.name}"[:64]),
                referenced_segment=_reference(segmentation, numbers[result.box.name[:64]], analysis, result, sources),
                algorithm_id=method,
                measurements=measured,
                qualitative_evaluations=[verdict],
            )
        )
    equipment = _equipment(MEASUREMENTS)
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=equipment["sop_instance_uid"], name=PROGRAM, manufacturer_name=PROGRAM, model_name=PROGRAM
    )
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=sr.ObserverContext(codes.DCM.Device, device)),
        procedure_reported=sr.CodedConcept("113691000", "SCT", "Magnetic resonance imaging of brain"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    equipment.pop("manufacturer_model_name"), equipment.pop("software_versions"), equipment.pop("device_serial_number")
    return sr.Comprehensive3DSR(
        evidence=[*sources, segmentation],
        content=report,
        institution_name=None,
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description="Measurements of boxes; research use only",
        **equipment,
    )


def _reference(segmentation, number: int, analysis: Analysis, result: BoxResult, sources: list):
    """The box's segment, with the slices it lies in; highdicom's own way fails where a segmentation has one segment only."""
    from highdicom import sr

    inside = result.reconstruction.hole.full_mask(analysis.scan.shape)
    slices = [source for source, frame in zip(sources, _frames(inside)) if frame.any()]
    images = [sr.SourceImageForSegmentation(source.SOPClassUID, source.SOPInstanceUID) for source in slices]
    return sr.ReferencedSegment(segmentation.SOPClassUID, segmentation.SOPInstanceUID, number, source_images=images)


def _deviation(analysis: Analysis, sources: list):
    """p of every voxel's difference, 1 outside the boxes, as a parametric map of 32-bit numbers."""
    from highdicom.pm import ParametricMap, RealWorldValueMapping
    from highdicom.sr.coding import CodedConcept
    from pydicom.sr.codedict import codes

    mapping = RealWorldValueMapping(
        lut_label="p",
        lut_explanation="p of the difference between scan and healthy persona",
        unit=codes.UCUM.NoUnits,
        value_range=(0.0, 1.0),
        slope=1.0,
        intercept=0.0,
        quantity_definition=CodedConcept("deviation_p", SCHEME, "p of a voxel's deviation"),
    )
    made = ParametricMap(
        source_images=sources,
        pixel_array=_frames(analysis.deviation_p.astype(np.float32)),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        window_center=0.5,
        window_width=1.0,
        content_label="DEVIATION",
        content_description="p of scan minus healthy persona, 1 outside the boxes",
        series_description="p of deviation from the healthy persona",
        **_equipment(DEVIATION),
    )
    # a body part that comes in pairs would need its side, and so would one that is not told
    made.BodyPartExamined = "BRAIN"
    return made
