#!/bin/sh
# Everything that is shipped, from the data alone, into the folder $1; about four hours on two cores for digits, and more
# for each other data set whose images are here. Stop it whenever you like: the same command goes on, a part that is
# finished is not done again, and $1/times.txt says what each took.
# The weights are not the shipped ones bit for bit (LOG.md says why), but another draw of the same recipe.
set -eu
OUT=${1:?usage: reproduce.sh FOLDER}
RUN=${RUN:-python}
mkdir -p "$OUT/done"

part() { # part NAME COMMAND...: run it unless it is done, and note how long it took
    name=$1
    shift
    [ -e "$OUT/done/$name" ] && return
    echo "== $name"
    start=$(date +%s)
    "$@"
    echo "$name: $(($(date +%s) - start)) s" >>"$OUT/times.txt"
    touch "$OUT/done/$name"
}

seen() { # the images that the shipped checkpoint $1 saw
    $RUN -m app info "$1" --json | $RUN -c 'import json, sys; print(json.load(sys.stdin)["images_seen"])'
}

here() { # whether the images of the data set $1 are on this machine
    [ -d "data/$1" ] || printenv "$(echo "$1" | tr a-z A-Z)_DIR" | grep -q .
}

for judge in classifier second selector clip; do
    part "judge-$judge" $RUN -m eval.train_judges "$judge" --out "$OUT/judges"
done

# mnist-early and mnist-fast are the beginning of mnist: one run, stopped twice and copied.
part train-mnist-early $RUN -m app train --preset mnist --images "$(seen mnist-early)" --out "$OUT/mnist-early"
[ -d "$OUT/mnist-fast" ] || cp -r "$OUT/mnist-early" "$OUT/mnist-fast"
part train-mnist-fast $RUN -m app train --preset mnist --images "$(seen mnist-fast)" --out "$OUT/mnist-fast"
[ -d "$OUT/mnist" ] || cp -r "$OUT/mnist-fast" "$OUT/mnist"
part train-mnist $RUN -m app train --preset mnist --images "$(seen mnist)" --out "$OUT/mnist"
part distil-mnist-turbo $RUN -m app distill "$OUT/mnist" --images "$(seen mnist-turbo)" --out "$OUT/mnist-turbo"
part tune-mnist-clip $RUN -m app finetune "$OUT/mnist" --images "$(seen mnist-clip)" --out "$OUT/mnist-clip"
part tune-mnist-unguarded $RUN -m app finetune "$OUT/mnist" --unguarded --reward clip-raw --distance 0 --images 10240 \
    --out "$OUT/mnist-unguarded"

for name in mnist mnist-turbo mnist-clip mnist-fast mnist-early; do
    part "score-$name" $RUN -m app score "$OUT/$name" --per-class 1000 --out "$OUT/$name/reports/p1000-s0"
done
part frontier $RUN -m benchmarks.frontier "$OUT/mnist-clip"
for other in mnist-turbo mnist-fast mnist-early; do
    part "compare-$other" $RUN -m app compare "$OUT/$other/reports/p1000-s0" "$OUT/mnist/reports/p1000-s0" \
        --out "$OUT/compare-$other"
done

for data in fashion; do
    here "$data" || { echo "== $data: left out, get its images: python -m app dataset $data"; continue; }
    for judge in classifier second selector clip; do
        part "judge-$data-$judge" $RUN -m eval.train_judges "$judge" --data "$data" --out "$OUT/judges-$data"
    done
    part "train-$data" $RUN -m app train --preset "$data" --look-every 0 --images "$(seen "$data")" --out "$OUT/$data"
    part "distil-$data-turbo" $RUN -m app distill "$OUT/$data" --images "$(seen "$data-turbo")" --out "$OUT/$data-turbo"
    for name in "$data" "$data-turbo"; do
        part "score-$name" $RUN -m app score "$OUT/$name" --per-class 200 --out "$OUT/$name/reports/p200-s0"
    done
done
cat "$OUT/times.txt"
