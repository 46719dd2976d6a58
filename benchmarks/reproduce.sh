#!/bin/sh
# Everything that is shipped, from the data alone, into the folder $1. Two cores need about two hours.
# The weights are not the shipped ones bit for bit (LOG.md says why), but another draw of the same recipe.
set -eu
OUT=${1:?usage: reproduce.sh FOLDER}
RUN=${RUN:-python}
mkdir -p "$OUT"

for judge in classifier second selector clip; do
    $RUN -m eval.train_judges "$judge" --out "$OUT/judges"
done

# mnist-early is the beginning of mnist: the same run, stopped once and copied.
IMAGES=$($RUN -m app info mnist --json | $RUN -c 'import json, sys; print(json.load(sys.stdin)["images_seen"])')
EARLY=$($RUN -m app info mnist-early --json | $RUN -c 'import json, sys; print(json.load(sys.stdin)["images_seen"])')
$RUN -m app train --preset mnist --images "$EARLY" --out "$OUT/mnist-early"
[ -d "$OUT/mnist" ] || cp -r "$OUT/mnist-early" "$OUT/mnist"
$RUN -m app train --preset mnist --images "$IMAGES" --out "$OUT/mnist"

$RUN -m benchmarks.sweep "$OUT/mnist" --out "$OUT/sweep.csv"
for name in mnist mnist-early; do
    $RUN -m app score "$OUT/$name" --per-class 200 --out "$OUT/$name/reports/p200-s0"
done
$RUN -m app compare "$OUT/mnist-early/reports/p200-s0" "$OUT/mnist/reports/p200-s0" --out "$OUT/compare"
