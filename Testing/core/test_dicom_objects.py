"""Results as DICOM: what a PACS gets refers to the source series, lies in its place, and holds the numbers of results.json."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest
import SimpleITK
from bench.dicom_series import PATIENT, slices_of, write_slices
from bench.phantom import make_head, with_dark_blob

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.imaging.files import read_label_map, read_scan, write_nifti

highdicom = pytest.importorskip("highdicom")
pydicom = pytest.importorskip("pydicom")
pytestmark = pytest.mark.usefixtures("small_models")

BOX = "34,-10,14,28,28,28"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A tilted sagittal series with something dark in it, and the folder of its results."""
    folder = tmp_path_factory.mktemp("series")
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 4.0], [4.0, 0, 0], [0, -4.0, 0]]) @ _turned(0.2)
    head = make_head(affine=affine)
    center = head.ras_from_ijk((np.array(head.shape) - 1) / 2) + [34.0, -10, 14]
    head = with_dark_blob(head, center)
    write_nifti(folder / "head.nii.gz", np.rint(head.array).astype(np.int16), head.affine)
    image = SimpleITK.ReadImage(str(folder / "head.nii.gz"), SimpleITK.sitkInt16)
    write_slices([(each, tags | PATIENT) for each, tags in slices_of(image)], folder / "series")
    box = ",".join(f"{value:.1f}" for value in (*center, 28, 28, 28))
    words = ["analyze", str(folder / "series"), "--box", box, "-m", "harmonic", "--controls", "9", "-o", str(folder / "out")]
    assert main([*words, "--outputs", "json,reconstruction,unusual,deviation,dicom"]) == 0
    return folder / "series", folder / "out"


def _middle(series) -> np.ndarray:
    scan = read_scan(series)
    return scan.ras_from_ijk((np.array(scan.shape) - 1) / 2)


def _turned(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def test_a_series_that_no_object_can_refer_to_is_refused_in_one_sentence(found, tmp_path, capsys):
    series = shutil.copytree(found[0], tmp_path / "series")
    for file in series.iterdir():
        header = pydicom.dcmread(file)
        del header.FrameOfReferenceUID
        header.save_as(file)
    box = ",".join(f"{value:.1f}" for value in (*_middle(series), 20, 20, 20))
    words = [
        "analyze",
        str(series),
        "--box",
        box,
        "-m",
        "harmonic",
        "--controls",
        "0",
        "-o",
        str(tmp_path / "out"),
    ]
    assert main([*words, "--outputs", "dicom"]) == 2
    said = capsys.readouterr().err
    assert "lacks an attribute" in said and "FrameOfReferenceUID" in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_single_box_without_anything_unusual_has_its_segment_and_its_measurements(found, tmp_path):
    box = ",".join(f"{value:.1f}" for value in (*_middle(found[0]), 20, 20, 20))
    words = ["analyze", str(found[0]), "--box", box, "-m", "harmonic", "--controls", "0", "-o", str(tmp_path / "out")]
    assert main([*words, "--outputs", "dicom"]) == 0
    made = highdicom.seg.segread(tmp_path / "out" / "dicom" / "segmentation.dcm")
    [group] = highdicom.sr.srread(
        tmp_path / "out" / "dicom" / "measurements.dcm"
    ).content.get_volumetric_roi_measurement_groups()
    segment, *images = [item.ReferencedSOPSequence[0] for item in group.referenced_segment]
    assert (segment.ReferencedSegmentNumber, segment.ReferencedSOPInstanceUID) == (1, made.SOPInstanceUID)
    assert made.number_of_segments == 1
    named = {image.ReferencedSOPInstanceUID for image in images}
    framed = {
        source.ReferencedSOPInstanceUID
        for frame in made.PerFrameFunctionalGroupsSequence
        for derived in frame.DerivationImageSequence
        for source in derived.SourceImageSequence
    }
    assert named == framed


def test_the_segments_are_the_box_and_what_is_unusual_in_their_places(found):
    series, out = found
    made = highdicom.seg.segread(out / "dicom" / "segmentation.dcm")
    unusual = read_label_map(out / "unusual.nii.gz")
    assert [made.get_segment_description(n).segment_label for n in made.segment_numbers] == ["box 1", "Unusual in box 1"]
    volume = made.get_volume(combine_segments=False)
    place = unusual.ijk_from_ras(_ras_of(volume, np.argwhere(volume.array[..., 1] > 0)))
    assert np.abs(place - np.rint(place)).max() < 1e-3
    again = np.zeros(unusual.shape, bool)
    again[tuple(np.rint(place).astype(int).T)] = True
    assert again.any() and np.array_equal(again, unusual.array > 0)
    assert volume.array[..., 0].sum() == json.loads((out / "results.json").read_text())["boxes"][0]["voxels"]


def _ras_of(volume, index: np.ndarray) -> np.ndarray:
    """RAS millimetres of a volume's indices."""
    return (index @ volume.affine[:3, :3].T + volume.affine[:3, 3]) * [-1, -1, 1]


def test_the_map_holds_p_of_every_voxel_in_its_place(found):
    _, out = found
    volume = highdicom.imread(out / "dicom" / "deviation.dcm").get_volume(apply_real_world_transform=False)
    known = read_scan(out / "deviation_p.nii.gz")
    index = np.argwhere(volume.array < 1)
    place = np.rint(known.ijk_from_ras(_ras_of(volume, index))).astype(int)
    assert len(index) == (known.array < 1).sum() and np.allclose(volume.array[tuple(index.T)], known.array[tuple(place.T)])


def test_the_report_holds_the_numbers_of_results_json_and_who_measured_them(found):
    _, out = found
    report = highdicom.sr.srread(out / "dicom" / "measurements.dcm")
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    box = json.loads((out / "results.json").read_text())["boxes"][0]
    values = {item.name.meaning: float(item.value) for item in group.get_measurements()}
    assert values["p among control regions"] == pytest.approx(box["p"]) and values["Combined score"] == pytest.approx(
        box["combined"]
    )
    assert values["Volume"] == pytest.approx(np.prod(box["size_mm"]) / 1000)
    assert len(values) > 20
    (verdict,) = group.get_qualitative_evaluations()
    assert verdict.value.meaning == {0: "Normal", 1: "Abnormal", None: "Undetermined"}[box["label"]]
    whole = pydicom.dcmread(out / "dicom" / "measurements.dcm")
    assert "RadiomicsPersona" in str(whole) and "Algorithm Name" in str(whole)
    assert {int(item.value) for item in whole.iterall() if item.keyword == "ReferencedSegmentNumber"} == {1}


def test_every_object_refers_to_the_source_series_and_names_its_patient(found):
    series, out = found
    source = pydicom.dcmread(sorted(series.iterdir())[0])
    instances = {str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in series.iterdir()}
    for name in ("segmentation.dcm", "measurements.dcm", "deviation.dcm"):
        made = pydicom.dcmread(out / "dicom" / name)
        assert (made.PatientID, made.PatientName, made.StudyInstanceUID) == ("P7", "Doe^Jane", source.StudyInstanceUID)
        referred = {str(item.value) for item in made.iterall() if item.keyword == "ReferencedSOPInstanceUID"}
        assert referred & instances, name
        series_uids = {str(item.value) for item in made.iterall() if item.keyword == "SeriesInstanceUID"}
        assert str(source.SeriesInstanceUID) in series_uids and made.SeriesInstanceUID != source.SeriesInstanceUID


def test_a_scan_that_is_no_series_is_told_at_once(tmp_path, capsys):
    head = make_head(4.0)
    write_nifti(tmp_path / "head.nii.gz", head.array, head.affine)
    words = ["analyze", str(tmp_path / "head.nii.gz"), "--box", BOX, "-o", str(tmp_path / "out"), "--outputs", "default,dicom"]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "refers to a DICOM series, and 'head.nii.gz' is none" in told and told.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["segmentation", "deviation", "measurements"])
def test_the_objects_meet_the_standard(found, name):
    """By dciodvfy of dicom3tools, where it is installed."""
    if not shutil.which("dciodvfy"):
        pytest.skip("dciodvfy is not installed: install dicom3tools.")
    said = subprocess.run(["dciodvfy", "-new", found[1] / "dicom" / f"{name}.dcm"], capture_output=True, text=True)
    errors = [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")]
    assert not errors, errors
