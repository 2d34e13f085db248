#!/bin/sh
# Runs what is on PATH once, without a network: sh container/check.sh
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
radiomics-persona --version
radiomics-persona models
python - <<'CODE'
import nibabel, numpy
ball = (numpy.linalg.norm(numpy.indices((24, 24, 24)) - 11.5, axis=0) < 8).astype("uint8")
nibabel.save(nibabel.Nifti1Image(ball, numpy.eye(4)), "ball.nii.gz")
CODE
radiomics-persona mesh ball.nii.gz -o ball.stl
test -s ball.stl
python -c "import highdicom, statsmodels, torch; print('torch', torch.__version__)"
if radiomics-persona analyze no-such-file --box 0,0,0,9,9,9 -o results; then exit 1; fi
test ! -e results
echo "All is there."
