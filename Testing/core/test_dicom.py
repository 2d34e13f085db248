"""A DICOM series is where the headers of its slices place it, or the folder is refused with the name of the file at fault."""

from __future__ import annotations

import gzip
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from bench.dicom_series import SERIES, slices_of, write_slices

from RadiomicsPersonaLib.cli import main
from RadiomicsPersonaLib.errors import InputError
from RadiomicsPersonaLib.imaging.files import read_scan

SPACING = (6.0, 6.5, 7.0)
VOLUME = np.random.default_rng(0).integers(0, 900, (16, 15, 14)).astype(np.int16)
POSITION, ORIENTATION = "0020|0032", "0020|0037"


def volume_image() -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(VOLUME.transpose(2, 1, 0))
    image.SetSpacing(SPACING)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    image.SetDirection((turn * [1, 1, np.linalg.det(turn)]).ravel().tolist())
    image.SetOrigin((-40.0, 30.0, -20.0))
    return image


def normal_of(image: SimpleITK.Image) -> np.ndarray:
    return np.array(image.GetDirection()).reshape(3, 3)[:, 2]


def moved(slices, offset_of) -> list:
    """The slices, each moved by `offset_of` its number, LPS millimetres."""
    result = []
    for number, (image, tags) in enumerate(slices):
        place = np.array([float(part) for part in tags[POSITION].split("\\")]) + offset_of(number)
        result.append((image, tags | {POSITION: "\\".join(f"{value:.10g}" for value in place)}))
    return result


def renamed_tag(file: Path, tag: bytes) -> None:
    """A tag, little endian, under a number that means nothing, so that it is not there."""
    content = file.read_bytes()
    assert tag in content[132:1000]
    file.write_bytes(content.replace(tag, tag[:2] + bytes([tag[2] - 1]) + tag[3:], 1))


def renumber(file: Path, tag: bytes, value: int) -> None:
    """Give a tag that holds one whole number of 16 bits another value."""
    content = file.read_bytes()
    place = content.index(tag + b"\x02\0\0\0") + 8
    file.write_bytes(content[:place] + value.to_bytes(2, "little") + content[place + 2 :])


def gap(slices):
    return slices[:5] + slices[7:]


def two_echoes(slices):
    return slices + [(image + 1, tags | {"0008|0018": f"{tags['0008|0018']}.2"}) for image, tags in slices]


def one_slice_twice(slices):
    return [*slices, (slices[4][0], slices[4][1] | {"0008|0018": "1.2.826.0.1.3680043.2.1125.1.99"})]


def stray_of_another_orientation(slices):
    image, tags = slices[6]
    row = tags[ORIENTATION].split("\\")
    return [
        *slices,
        (image, tags | {"0008|0018": "1.2.826.0.1.3680043.2.1125.1.98", ORIENTATION: "\\".join(row[3:] + row[:3])}),
    ]


def uneven(slices):
    return moved(slices, lambda number: normal_of(volume_image()) * 0.06 * number**2)


def one_slice_aside(slices):
    row = np.array(volume_image().GetDirection()).reshape(3, 3)[:, 0]
    return moved(slices, lambda number: row * 9.0 * (number == 6))


def one_slice_of_another_size(slices):
    image, tags = slices[6]
    return [*slices[:6], (SimpleITK.Expand(image, (2, 2)), tags), *slices[7:]]


def empty_file(files):
    files[3].write_bytes(b"")


def file_cut_off_in_its_header(files):
    files[3].write_bytes(files[3].read_bytes()[:300])


def file_cut_off_in_its_voxels(files):
    files[3].write_bytes(files[3].read_bytes()[:-1])


def text_in_place_of_a_slice(files):
    files[3].write_text("404 not found")


def no_position(files):
    for file in files:
        renamed_tag(file, b"\x20\x00\x32\x00")


def no_orientation(files):
    for file in files:
        renamed_tag(file, b"\x20\x00\x37\x00")


def fewer_rows_than_voxels(files):
    for file in files:
        renumber(file, b"\x28\0\x10\0", 9)


def more_rows_than_voxels(files):
    for file in files:
        renumber(file, b"\x28\0\x10\0", 17)


def more_bits_than_voxels(files):
    for file in files:
        renumber(file, b"\x28\0\0\1", 32)


def one_slice_of_colour(files):
    renumber(files[3], b"\x28\0\2\0", 3)
    files[3].write_bytes(files[3].read_bytes().replace(b"MONOCHROME2", b"RGB        "))


def one_slice_with_white_for_black(files):
    files[3].write_bytes(files[3].read_bytes().replace(b"MONOCHROME2", b"MONOCHROME1"))


IN_SLICES = (gap, two_echoes, one_slice_twice, stray_of_another_orientation, uneven, one_slice_aside, one_slice_of_another_size)
IN_FILES = (
    empty_file,
    file_cut_off_in_its_header,
    file_cut_off_in_its_voxels,
    text_in_place_of_a_slice,
    no_position,
    no_orientation,
    fewer_rows_than_voxels,
    more_rows_than_voxels,
    more_bits_than_voxels,
    one_slice_of_colour,
    one_slice_with_white_for_black,
)
ALONE_AND_IN_PAIRS = [(fault,) for fault in IN_SLICES + IN_FILES] + [
    *combinations(IN_SLICES, 2),
    *((first, second) for first in IN_SLICES for second in IN_FILES),
]


@pytest.mark.parametrize("faults", ALONE_AND_IN_PAIRS, ids=lambda faults: " and ".join(fault.__name__ for fault in faults))
def test_a_series_with_a_fault_is_refused_with_the_name_of_a_file_and_what_to_do(tmp_path, faults):
    slices = slices_of(volume_image())
    for fault in faults:
        slices = fault(slices) if fault in IN_SLICES else slices
    files = write_slices(slices, tmp_path / "series")
    for fault in faults:
        if fault in IN_FILES:
            fault(files)
    with pytest.raises(InputError, match=r"\.dcm'|unevenly spaced|2 DICOM series") as refused:
        read_scan(tmp_path / "series")
    said = str(refused.value)
    assert "series" in said and ("again" in said or "give" in said) and "\n" not in said


SAID = {
    gap: "missing.*'004.dcm' and '005.dcm' are 21 mm apart, and others 7 mm",
    two_echoes: "same place",
    one_slice_twice: "'004.dcm' and '014.dcm'.*same place|'014.dcm' and '004.dcm'.*same place",
    stray_of_another_orientation: "turned against",
    uneven: "unevenly spaced",
    one_slice_aside: "'006.dcm'.*one row",
    one_slice_of_another_size: "another size",
    empty_file: "'003.dcm'.*is empty",
    file_cut_off_in_its_header: "'003.dcm'.*cut off",
    file_cut_off_in_its_voxels: "'003.dcm'.*cut off",
    text_in_place_of_a_slice: "'003.dcm'.*cut off or of another kind",
    no_position: "no usable position",
    no_orientation: "no usable orientation",
    fewer_rows_than_voxels: "'000.dcm' holds other voxels than the 16 x 9 of 16 bits",
    more_rows_than_voxels: "'000.dcm' holds other voxels than the 16 x 17 of 16 bits",
    more_bits_than_voxels: "'000.dcm' holds other voxels than the 16 x 15 of 32 bits",
    one_slice_of_colour: "'003.dcm' is a colour image",
    one_slice_with_white_for_black: "'003.dcm'.*MONOCHROME1, not MONOCHROME2",
}


@pytest.mark.parametrize("fault", SAID, ids=lambda fault: fault.__name__)
def test_a_fault_is_called_by_its_name(tmp_path, capfd, fault):
    slices = fault(slices_of(volume_image())) if fault in IN_SLICES else slices_of(volume_image())
    files = write_slices(slices, tmp_path / "series")
    if fault in IN_FILES:
        fault(files)
    with pytest.raises(InputError, match=SAID[fault]):
        read_scan(tmp_path / "series")
    assert capfd.readouterr() == ("", "")


def test_a_command_refuses_a_series_with_a_gap_in_one_sentence(tmp_path, capfd):
    write_slices(gap(slices_of(volume_image())), tmp_path / "series")
    words = ["analyze", str(tmp_path / "series"), "--box", "0,0,0,20,20,20", "--model", "harmonic"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 2
    printed, said = capfd.readouterr()
    assert printed == "" and said.count("\n") == 1 and "Slices are missing" in said and not (tmp_path / "out").exists()


def assert_every_voxel_is_where_its_slice_is(scan, slices) -> None:
    row, column = np.array(volume_image().GetDirection()).reshape(3, 3)[:, :2].T
    for image, tags in slices:
        place = np.array([float(part) for part in tags[POSITION].split("\\")])
        values = SimpleITK.GetArrayFromImage(image)
        for i, j in ((0, 0), (13, 2), (5, 14)):
            lps = place + i * SPACING[0] * row + j * SPACING[1] * column
            index = scan.ijk_from_ras(lps * [-1, -1, 1])
            assert np.abs(index - np.rint(index)).max() < 1e-4
            assert scan.array[tuple(np.rint(index).astype(int))] == values[j, i]


def test_a_tilted_gantry_keeps_every_slice_in_its_place(tmp_path):
    column = np.array(volume_image().GetDirection()).reshape(3, 3)[:, 1]
    slices = moved(slices_of(volume_image()), lambda number: column * 1.6 * number)
    write_slices(slices, tmp_path / "series")
    scan = read_scan(tmp_path / "series")
    assert_every_voxel_is_where_its_slice_is(scan, slices)
    assert "shifted by 1.6 mm" in scan.warnings[0]


def test_files_in_any_order_and_other_files_beside_them_make_no_difference(tmp_path):
    slices = slices_of(volume_image())
    order = np.random.default_rng(2).permutation(len(slices))
    write_slices([slices[number] for number in order], tmp_path / "series")
    (tmp_path / "series" / "notes.txt").write_text("of the study")
    (tmp_path / "series" / ".DS_Store").write_bytes(b"")
    (tmp_path / "series" / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    scan = read_scan(tmp_path / "series")
    assert_every_voxel_is_where_its_slice_is(scan, slices)
    assert not any("shifted" in sentence for sentence in scan.warnings)


def test_positions_that_were_rounded_are_taken(tmp_path):
    random = np.random.default_rng(4)
    slices = moved(slices_of(volume_image()), lambda number: random.uniform(-0.05, 0.05, 3))
    write_slices(slices, tmp_path / "series")
    assert np.array_equal(np.sort(read_scan(tmp_path / "series").array, axis=None), np.sort(VOLUME, axis=None))


def test_slices_with_slopes_of_their_own_keep_their_values(tmp_path):
    stored = {"0028|0100": "16", "0028|0101": "16", "0028|0102": "15", "0028|0103": "1", "0028|1052": "0"}
    slices = []
    for number, (image, tags) in enumerate(slices_of(volume_image())):
        slope = 1 + number / 4
        slices.append((SimpleITK.Cast(image, SimpleITK.sitkFloat64) * slope, tags | stored | {"0028|1053": f"{slope:g}"}))
    write_slices(slices, tmp_path / "series")
    assert_every_voxel_is_where_its_slice_is(read_scan(tmp_path / "series"), slices)


def test_slices_whose_values_are_of_several_types_keep_their_values(tmp_path):
    """ITK takes the first slice's type for all, and wraps what does not fit."""
    slices = slices_of(volume_image())
    for name, first, others in (
        ("bytes", lambda image: SimpleITK.Cast(SimpleITK.Modulus(image, 200), SimpleITK.sitkUInt8), lambda image: image),
        ("unsigned", lambda image: SimpleITK.Cast(image, SimpleITK.sitkUInt16), lambda image: image - 400),
        ("signed", lambda image: image - 400, lambda image: SimpleITK.Cast(image, SimpleITK.sitkUInt16) * 60),
    ):
        changed = [(others(image) if number else first(image), tags) for number, (image, tags) in enumerate(slices)]
        write_slices(changed, tmp_path / name)
        assert_every_voxel_is_where_its_slice_is(read_scan(tmp_path / name), changed)


@pytest.mark.parametrize("slope", [b"abc", b"nan", b"1\\2"])
def test_a_slice_whose_slope_is_no_number_is_refused(tmp_path, slope):
    stored = {"0028|0100": "16", "0028|0101": "16", "0028|0102": "15", "0028|0103": "1", "0028|1052": "0", "0028|1053": "1.5"}
    files = write_slices(
        [(SimpleITK.Cast(image, SimpleITK.sitkFloat64), tags | stored) for image, tags in slices_of(volume_image())],
        tmp_path / "series",
    )
    content = files[3].read_bytes()
    assert content.count(b"1.5 ") == 1
    files[3].write_bytes(content.replace(b"1.5 ", slope.ljust(4)))
    with pytest.raises(InputError, match="'003.dcm' has no usable scale of its values"):
        read_scan(tmp_path / "series")


def test_a_file_with_several_frames_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "series").mkdir()
    image = volume_image()
    image.SetMetaData("0008|0060", "MR")
    SimpleITK.WriteImage(image, str(tmp_path / "series" / "frames.dcm"))
    with pytest.raises(InputError, match="'frames.dcm' holds 14 frames in one file: convert it"):
        read_scan(tmp_path / "series")


@pytest.mark.parametrize("compressor", ["JPEG2000", "JPEGLS", "JPEG"])
def test_compressed_slices_are_read_and_a_damaged_one_is_named(tmp_path, compressor):
    slices = slices_of(volume_image())
    files = write_slices(slices, tmp_path / "series", compressor=compressor)
    assert_every_voxel_is_where_its_slice_is(read_scan(tmp_path / "series"), slices)
    files[5].write_bytes(files[5].read_bytes()[:-200])
    with pytest.raises(InputError, match="'005.dcm'.*again"):
        read_scan(tmp_path / "series")


def with_bits(file: Path, stored: int, highest: int) -> None:
    renumber(file, b"\x28\0\x01\x01", stored)
    renumber(file, b"\x28\0\x02\x01", highest)


@pytest.mark.parametrize(("stored", "highest", "said"), [(9, 8, "more than the 9 bits"), (12, 15, "12 bits .* highest is 15")])
def test_a_slice_with_values_beyond_the_bits_that_it_tells_of_is_refused(tmp_path, stored, highest, said):
    image = SimpleITK.Cast(SimpleITK.Abs(volume_image()), SimpleITK.sitkUInt16)
    files = write_slices(slices_of(image), tmp_path / "series")
    with_bits(files[3], stored, highest)
    with pytest.raises(InputError, match=f"'003.dcm' .*{said}.*again"):
        read_scan(tmp_path / "series")


@pytest.mark.parametrize("kind", [SimpleITK.sitkUInt16, SimpleITK.sitkInt16])
def test_a_slice_whose_values_fit_into_fewer_bits_than_its_words_is_read(tmp_path, kind):
    image = volume_image() - 400 if kind == SimpleITK.sitkInt16 else volume_image()
    slices = slices_of(SimpleITK.Cast(image, kind))
    for file in write_slices(slices, tmp_path / "series"):
        with_bits(file, 12, 11)
    assert_every_voxel_is_where_its_slice_is(read_scan(tmp_path / "series"), slices)


def test_a_slice_with_the_slope_0_is_refused(tmp_path):
    stored = {"0028|0100": "16", "0028|0101": "16", "0028|0102": "15", "0028|0103": "1", "0028|1052": "0", "0028|1053": "1.5"}
    files = write_slices(
        [(SimpleITK.Cast(image, SimpleITK.sitkFloat64), tags | stored) for image, tags in slices_of(volume_image())],
        tmp_path / "series",
    )
    files[3].write_bytes(files[3].read_bytes().replace(b"1.5 ", b"0.0 "))
    with pytest.raises(InputError, match="'003.dcm' has the slope 0"):
        read_scan(tmp_path / "series")


@pytest.mark.parametrize("name", ["005.dcm.gz", "005.dcm.part"])
def test_a_slice_that_is_packed_or_was_not_copied_to_its_end_is_not_left_out_in_silence(tmp_path, name):
    files = write_slices(slices_of(volume_image()), tmp_path / "series")
    (tmp_path / "series" / "notes.txt.gz").write_bytes(b"of the study")
    (tmp_path / "series" / name).write_bytes(gzip.compress(files[-1].read_bytes()))
    files[-1].unlink()
    with pytest.raises(InputError, match=f"'{name}' in the folder 'series'.*take it out"):
        read_scan(tmp_path / "series")
    (tmp_path / "series" / name).unlink()
    assert read_scan(tmp_path / "series").shape[2] == len(files) - 1


def test_a_slice_in_a_folder_below_is_not_left_out_in_silence(tmp_path):
    files = write_slices(slices_of(volume_image()), tmp_path / "series")
    write_slices(slices_of(volume_image(), SERIES + "7"), tmp_path / "series" / "other")
    whole = read_scan(tmp_path / "series").array
    (tmp_path / "series" / "more").mkdir()
    files[-1].rename(tmp_path / "series" / "more" / files[-1].name)
    with pytest.raises(InputError, match=f"'more/{files[-1].name}' in the folder 'series' is of the same series"):
        read_scan(tmp_path / "series")
    assert whole.shape[2] == len(files)


@pytest.mark.parametrize("name", ["014.dcm", "notes.txt", "DICOMDIR"])
def test_a_link_that_leads_nowhere_is_named_and_no_whole_slice(tmp_path, name):
    write_slices(slices_of(volume_image()), tmp_path / "series")
    (tmp_path / "series" / name).symlink_to(tmp_path / "nothing")
    with pytest.raises(InputError, match=f"'{name}' in the folder 'series' is a link to a file that is not there"):
        read_scan(tmp_path / "series")


def test_slices_without_the_preamble_are_read(tmp_path):
    slices = slices_of(volume_image())
    for file in write_slices(slices, tmp_path / "series")[3:5]:
        file.write_bytes(file.read_bytes()[132:])
    assert_every_voxel_is_where_its_slice_is(read_scan(tmp_path / "series"), slices)


def test_a_slice_of_colours_that_are_not_given_is_named(tmp_path, capfd):
    files = write_slices(slices_of(volume_image()), tmp_path / "series")
    content = files[3].read_bytes()
    files[3].write_bytes(content.replace(b"\x0c\0\0\0MONOCHROME2 ", b"\x0e\0\0\0PALETTE COLOR "))
    assert files[3].read_bytes() != content
    with pytest.raises(InputError, match="'series' cannot be read as a DICOM series; '003.dcm' .*colours are missing"):
        read_scan(tmp_path / "series")
    assert capfd.readouterr() == ("", "")
