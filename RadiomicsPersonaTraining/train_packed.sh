#!/bin/sh
# Trains from a pack, for a machine that is lent for minutes: call it again and it goes on where it stopped.
#
#   radiomics-persona-train pack SETTINGS.toml --data FOLDER --output PACK.tar.xz
#   sh RadiomicsPersonaTraining/train_packed.sh PACK.tar.xz OUT [MINUTES]
#
# OUT gets the best weights with their card, the log and the last pictures. The run itself stays in $RUN. Python packages that the
# machine lacks are taken from the folder $WHEELS, if there is one.
set -eu
pack=$1 out=$2 minutes=${3:-8}
run=${RUN:-${TMPDIR:-/tmp}/radiomics-persona-run}
here=$(cd "$(dirname "$0")/.." && pwd)
export PYTHONPATH="$here/RadiomicsPersona:$here/RadiomicsPersonaTraining:$run/site${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONUNBUFFERED=1
mkdir -p "$run" "$out"
if [ ! -f "$run/data/settings.toml" ]; then
    mkdir -p "$run/data"
    tar -xf "$pack" -C "$run/data"
    if [ -n "${WHEELS:-}" ]; then
        python3 -m pip install --quiet --no-index --no-deps --target "$run/site" "$WHEELS"/*.whl
    fi
fi
resume=""
[ -f "$run/fit/last.ckpt" ] && resume=--resume
python3 -m RadiomicsPersonaTrainingLib fit "$run/data/settings.toml" --output "$run/fit" --minutes "$minutes" $resume
name=$(sed -n 's/^name = "\(.*\)"$/\1/p' "$run/data/settings.toml" | head -n 1)
python3 -m RadiomicsPersonaTrainingLib export "$run/fit" --output "$out/$name" --default
cp "$run/fit/log.csv" "$out/"
picture=$(ls "$run/fit/pictures"/*.png 2>/dev/null | tail -n 1)
[ -z "$picture" ] || cp "$picture" "$out/"
