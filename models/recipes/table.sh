#!/bin/sh
# Trains every recipe of this folder on the real drive with several seeds and records what they reach:
#   models/results/techniques.csv   each model at its own thresholds times 0.9, 1 and 1.1
#   models/results/thresholds.csv   each model at its own thresholds times 0 to 2; the README's picture is drawn from it
#   models/results/full-size.csv    the models of the paper's size, 512 units, on a grid of thresholds
#   models/results/challenge.csv    the challenge's protocol: nothing of HMB_3 is learned from; challenge-512.csv at 512 units
# Finished models and rows are kept, so that an interrupted run goes on; a changed recipe is trained again. Some hours on one core.
#   DELTASTEER_DATA  folder with udacity-ch2-hmb1, -hmb3 and -hmb4
#   SEEDS, RECIPES, SIZES, PAPER, FULL, CHALLENGE, RUNS, CACHE, TRUNK, RESULTS, BIN   to do less, or elsewhere
set -eu
data=${DELTASTEER_DATA:?expected the folder with the recorded drives}
here=$(dirname "$0")
results=${RESULTS:-$here/../results}
trunk=${TRUNK:-$here/../trunk/efficientnet-lite0.safetensors}
runs=${RUNS:-.cache/table}
cache=${CACHE:-.cache}
bin=${BIN:-target/release/deltasteer}
seeds=${SEEDS:-1 2 3}
techniques=${RECIPES:-delta-l1 budget quiet learned rounding noise delta delta-l1-sparse}
sizes=${SIZES:-dense-8-2 dense-8-4 dense-16-8 dense-32-8 dense-32-32 wide-dense wide}
paper=${PAPER:-paper-dense paper-delta-l1}
full=${FULL:-motion-dense motion frames-dense frames}
challenge=${CHALLENGE:-dense delta-l1 dense-32-32}

# current FOLDER RECIPE: whether it is finished; one of another recipe goes.
current() {
    [ -f "$1/config.json" ] || return 1
    cmp -s "$here/$2.json" "$1/recipe.json" && return
    rm -rf "$1"
    return 1
}
# train FOLDER RECIPE SEED FROM DRIVES...: all recipes of a size begin with the dense phase of FROM; it is learned once.
train() {
    out=$1 recipe=$2 seed=$3 from=$4
    shift 4
    current "$out" "$recipe" && return
    mkdir -p "$out/.training"
    if [ -f "$from/.training/phase0.safetensors" ] && [ ! -f "$out/.training/phase0.safetensors" ]; then
        cp "$from/.training/phase0.safetensors" "$out/.training/"
    fi
    echo "training $out"
    "$bin" train rnn --trunk "$trunk" --recipe "$here/$recipe.json" --seed "$seed" --out "$out" --cache "$cache" \
        --keep-checkpoints "$@" 2>"$out.log" || { tail -3 "$out.log" >&2; exit 1; }
    cp "$here/$recipe.json" "$out/recipe.json"
}
# Another size, or a cost in the dense phase, begins by itself. begins PREFIX RECIPE SEED
begins() {
    case $2 in dense-* | wide-dense | quiet | motion* | frames*) echo "$1$2-$3" ;; wide) echo "$1wide-dense-$3" ;; *) echo "$1dense-$3" ;; esac
}
real() {
    from=$(begins "$runs/" "$1" "$2")
    train "$runs/$1-$2" "$1" "$2" "$from" --train "$data/udacity-ch2-hmb1" --train "$data/udacity-ch2-hmb4" \
        --train "$data/udacity-ch2-hmb3:0-168" --val "$data/udacity-ch2-hmb3:170-199"
}
protocol() {
    from=$(begins "$runs/challenge-" "$1" "$2")
    train "$runs/challenge-$1-$2" "$1" "$2" "$from" \
        --train "$data/udacity-ch2-hmb1" --train "$data/udacity-ch2-hmb4" --val "$data/udacity-ch2-hmb3:0-199"
}
# The paper's own front end: a CNN from scratch on single frames, then an RNN on its frozen features.
paper() {
    recipe=$1 seed=$2 cnn=$runs/paper-cnn-$2 out=$runs/$1-$2
    set -- --train "$data/udacity-ch2-hmb1" --train "$data/udacity-ch2-hmb4" \
        --train "$data/udacity-ch2-hmb3:0-168" --val "$data/udacity-ch2-hmb3:170-199"
    if ! current "$cnn" paper-cnn; then
        echo "training $cnn"
        "$bin" train cnn --recipe "$here/paper-cnn.json" --seed "$seed" --out "$cnn" "$@"
        cp "$here/paper-cnn.json" "$cnn/recipe.json"
    fi
    if ! current "$out" "$recipe"; then
        echo "training $out"
        "$bin" train rnn --features "$cnn" --recipe "$here/$recipe.json" --seed "$seed" --out "$out" --cache "$cache" "$@"
        cp "$here/$recipe.json" "$out/recipe.json"
    fi
}
# Models that are finished among FOLDER-SEED...
finished() {
    for folder in "$@"; do if [ -f "$folder/config.json" ]; then echo "$folder"; fi; done
}

mkdir -p "$runs" "$results"
for seed in $seeds; do real dense "$seed"; done
for recipe in $techniques; do for seed in $seeds; do real "$recipe" "$seed"; done; done
for recipe in $challenge; do for seed in $seeds; do protocol "$recipe" "$seed"; done; done
for recipe in motion-dense motion; do for seed in $seeds; do protocol "$recipe" "$seed"; done; done
for recipe in $full $sizes; do for seed in $seeds; do real "$recipe" "$seed"; done; done
for recipe in $paper; do for seed in $seeds; do paper "$recipe" "$seed"; done; done

part="$data/udacity-ch2-hmb3 --from 170 --to 199"
# Folder names hold no spaces here.
# shellcheck disable=SC2046,SC2086
{
    own=$(finished $(for recipe in dense $techniques $sizes $paper; do for seed in $seeds; do echo "$runs/$recipe-$seed"; done; done))
    "$bin" sweep $part --model $own --scale 0.9,1,1.1 --out "$results/techniques.csv"
    same=$(finished $(for recipe in dense $techniques; do for seed in $seeds; do echo "$runs/$recipe-$seed"; done; done))
    "$bin" sweep $part --model $same --scale 0,0.1,0.2,0.3,0.4,0.6,0.8,1,1.2,1.5,2 \
        --out "$results/thresholds.csv" --svg "$results/thresholds.svg" --png "$results/thresholds.png"
    large=$(finished $(for recipe in $full; do for seed in $seeds; do echo "$runs/$recipe-$seed"; done; done))
    "$bin" sweep $part --model $large --theta-x 0,0.1,0.2,0.3,0.4,0.5,0.6,0.8 --theta-h 0,0.1,0.15,0.2,0.25,0.3,0.4 \
        --out "$results/full-size.csv" --svg "$results/full-size.svg" --png "$results/full-size.png"
    foreign=$(finished $(for recipe in $challenge; do for seed in $seeds; do echo "$runs/challenge-$recipe-$seed"; done; done))
    new=$(finished $(for recipe in motion-dense motion; do for seed in $seeds; do echo "$runs/challenge-$recipe-$seed"; done; done))
    "$bin" sweep "$data/udacity-ch2-hmb3" --to 199 --model $new --theta-x 0,0.2,0.4,0.6 --theta-h 0,0.1,0.2,0.25,0.3 \
        --out "$results/challenge-512.csv"
    [ -z "$foreign" ] || "$bin" sweep "$data/udacity-ch2-hmb3" --to 199 --model $foreign --scale 0,0.3,1 --out "$results/challenge.csv"
}
