#!/bin/sh
# Installs the checkout's command line into a new environment: sh container/install.sh FOLDER [PYTHON]
# pip's own settings (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL) choose where packages come from, such as an index with CPU builds of torch.
# TORCH_INDEX, where it is set, is the index that torch alone comes from.
# The extra `training` is left out: a container is for analyses of scans that it is given, and training would add MONAI, Lightning
# and TensorBoard to it. radiomics-persona-train still tells its help, and says what it lacks.
set -eu
"${2:-python3}" -m venv "$1"
if test -n "${TORCH_INDEX:-}"
then "$1/bin/python" -m pip install --no-cache-dir --disable-pip-version-check --index-url "$TORCH_INDEX" torch
fi
"$1/bin/python" -m pip install --no-cache-dir --disable-pip-version-check ".[mesh,regression,dicom,completion]"
