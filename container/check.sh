#!/bin/sh
# Runs what is on PATH once, without a network: sh container/check.sh
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
radiomics-persona --version
radiomics-persona models
radiomics-persona-train --help > help.txt
python - <<'CODE'
import nibabel, numpy
ball = (numpy.linalg.norm(numpy.indices((24, 24, 24)) - 11.5, axis=0) < 8).astype("uint8")
nibabel.save(nibabel.Nifti1Image(ball, numpy.eye(4)), "ball.nii.gz")

# a head of 4 mm: skin, bone, fluid, grey and white matter in shells, and a dark spot on one side
affine = numpy.diag([4.0, 4.0, 4.0, 1.0])
affine[:3, 3] = -4 * (numpy.array([52, 60, 50]) - 1) / 2
grid = numpy.moveaxis(numpy.indices((52, 60, 50)), 0, -1) @ affine[:3, :3] + affine[:3, 3]
shell = numpy.linalg.norm(grid / [80, 96, 78], axis=-1)
head = numpy.select([shell < 0.62, shell < 0.8, shell < 0.86, shell < 0.92, shell < 1], [700, 480, 180, 60, 820], 4.0)
head += numpy.random.default_rng(0).normal(0, 15, head.shape)
head[numpy.linalg.norm(grid - [34, -10, 14], axis=-1) < 9] = 150
head = numpy.clip(head, 0, None).astype("int16")
nibabel.save(nibabel.Nifti1Image(head, affine), "head.nii.gz")

try:
    import highdicom
except ImportError:
    raise SystemExit
import SimpleITK
image, uid = SimpleITK.ReadImage("head.nii.gz"), highdicom.UID()
told = {"0008|0020": "20260331", "0008|0030": "101112", "0008|0050": "", "0008|0060": "MR", "0010|0010": "Head^Made"}
told |= {"0010|0020": "1", "0010|0030": "", "0010|0040": "O", "0020|0010": "1", "0020|0011": "1"}
told |= {"0020|000e": uid, "0020|000d": uid + ".1", "0020|0052": uid + ".2"}
turned = image.GetDirection()
writer = SimpleITK.ImageFileWriter()
writer.KeepOriginalImageUIDOn()
import os
os.mkdir("series")
for number in range(image.GetDepth()):
    slice_image = image[:, :, number]
    where = image.TransformIndexToPhysicalPoint((0, 0, number))
    own = {"0008|0018": f"{uid}.3.{number}", "0020|0013": str(number), "0020|0032": "\\".join(f"{v:g}" for v in where)}
    own["0020|0037"] = "\\".join(f"{turned[i]:g}" for i in (0, 3, 6, 1, 4, 7))
    for tag, value in (told | own).items():
        slice_image.SetMetaData(tag, value)
    writer.SetFileName(f"series/{number:03d}.dcm")
    writer.Execute(slice_image)
CODE
radiomics-persona mesh ball.nii.gz -o ball.stl
test -s ball.stl
radiomics-persona analyze head.nii.gz --model harmonic --controls 5 --box 34,-10,14,24,24,24 -o results
test -s results/results.json
if test -d series
then
    radiomics-persona analyze series --model harmonic --controls 5 --box 34,-10,14,24,24,24 --outputs json,dicom -o sent
    test -s sent/dicom/measurements.dcm
fi
python -c "import statsmodels, torch; print('torch', torch.__version__)"
if radiomics-persona analyze no-such-file --box 0,0,0,9,9,9 -o nothing; then exit 1; fi
test ! -e nothing
echo "All is there."
