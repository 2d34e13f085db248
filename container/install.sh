#!/bin/sh
# Installs the checkout's command line into a new environment: sh container/install.sh FOLDER [PYTHON]
# pip's own settings (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL) choose where packages come from, such as an index with CPU builds of torch.
set -eu
"${2:-python3}" -m venv "$1"
"$1/bin/python" -m pip install --no-cache-dir --disable-pip-version-check ".[mesh,regression,dicom,completion]"
