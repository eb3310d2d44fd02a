#!/bin/sh
# Runs the searches of docs/results.md: sh docs/results.sh DATA RESULTS
#
# Each task trains on about 20,000 tokens per epoch and at least 800 rows, so two CPU cores need little more than an hour.
# Two searches side by side with one thread each do more than one search with two threads (docs/experiments.md).
# Full fine-tuning needs 1e-4 where classes are few; 1e-4 is far too low for tagging and for many classes. The figures are in
# docs/experiments.md.
set -eu
data=$1 results=$2
export OMP_NUM_THREADS=1

low="--full-learning-rate 1e-4"
both="--full-learning-rate 3e-4 $low"
xargs -P 2 -L 1 sh -c '
    out=$1 task=$2 rows=$3 data=$0
    shift 3
    espalier search "$data/$task" --output "$out/$task" --train-rows "$rows" --dev-rows 800 --epochs 3-5 \
        --learning-rate 3e-4 --baseline full "$@"
' "$data" <<END
$results trec 1500 --baseline vanilla $both
$results mrpc 800 --baseline vanilla $both
$results snips 1500 --baseline vanilla $both
$results hwu64 2000 --baseline vanilla
$results cola 1800 --teacher-layers 2-4 --metric matthews $both
$results rte 800 --teacher-layers 2-4 --max-length 64 $low
$results qnli 800 --teacher-layers 2-4 --max-length 64 $low
$results mnli 800 --teacher-layers 2-4 --max-length 64 $both
$results qqp 800 --teacher-layers 2-4 --max-length 64 $low
$results stsb 800 --teacher-layers 2-4 --max-length 64 $both
$results sst2 1600 --teacher-layers 2-4 $low
$results clinc150 2000 --teacher-layers 2-4
$results banking77 1500 --teacher-layers 2-4
$results atis 1400 --teacher-layers 2-4
$results clinc150_domain 1600 --teacher-layers 2-4
$results hwu64_domain 2000 --teacher-layers 2-4
$results emotion 1000 --teacher-layers 2-4
$results subj 800 --teacher-layers 2-4 $low
$results sst5 900 --teacher-layers 2-4 $low
$results goemotions_ekman 1200 --teacher-layers 2-4 --metric f1_macro
$results wnut17 900 --teacher-layers 2-4
$results-exhaustive trec 1500 --no-prune $low
END
