"""All rivals in one run on one machine: `python tests/performance/bench.py --shape assistant`.

    bare      the same graphs in one process with no server, apart or merged into one, in the best of several layouts
              and batch sizes
    nlu       the router, through Triton, over the compacted graph
    apart     the same over trunk and branches as models of their own
    single    one whole encoder per task, each a Triton model, behind the same client and router
    naive     the same models, behind a router that calls the branches one by one

Every round measures every rival once, in turned order, each on a server or process that is started for it: all at
once would not fit into memory. What is printed are medians over the rounds, ratios first.
"""

import platform
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from bare_rival import BareRival
from errors import BenchError
from memory import GIB, available
from record import Record, Rounds, read_record, setting, write_record
from report import TITLES, markdown
from served import Press
from served_rivals import measure_single, measure_suite
from shapes import SHAPES
from suite import Suite, open_suite
from texts import lengths_of, make_texts, plain_tokenizer
from tqdm import tqdm

from build_tools.cores import usable_cores
from build_tools.repository.precision import Precision
from build_tools.repository.runtime import Runtime
from build_tools.serving.triton.resources import choose_resources
from espalier_errors import EspalierError

CHOICE_SECONDS = 1.0  # at least, for each layout and batch size that the bare rival tries


def bench(
    shape: Annotated[str, typer.Option(help=f"{', '.join(SHAPES)}, or a built repository's folder.")] = "assistant",
    tokens: Annotated[str, typer.Option(help="Lengths of the texts, joined by commas.")] = "16,32,128,mix",
    rounds: Annotated[int, typer.Option(min=1, help="Of all rivals by turns.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, help="Seconds of each load.")] = 10.0,
    callers: Annotated[int, typer.Option(min=1, help="At saturation.")] = 64,
    rivals: Annotated[str, typer.Option(help="Some of bare, nlu, single, naive, apart, joined by commas.")] = ",".join(
        TITLES
    ),
    runtime: Annotated[Runtime, typer.Option(help="What runs the graphs of a shape.")] = Runtime.OPENVINO,
    precision: Annotated[Precision, typer.Option(help="What the graphs of a shape compute in.")] = Precision.FP32,
    work: Annotated[Path, typer.Option(help="Where shapes are built, and used again.")] = Path("bench_work"),
    output: Annotated[Path, typer.Option(help="Folder for <shape>.json and <shape>.md.")] = Path("bench"),
    go_on: Annotated[
        bool, typer.Option("--go-on", help="With the rounds in --output, up to as many as --rounds.")
    ] = False,
) -> None:
    """Measure the rivals, and compare them with the goals."""
    try:
        chosen = _rivals(rivals)
        kinds = {kind: lengths_of(kind) for kind in tokens.split(",")}
        suite = open_suite(shape, runtime, precision, work.resolve())
        tokenizer = plain_tokenizer(suite.repository)
        texts = {kind: make_texts(lengths, tokenizer) for kind, lengths in kinds.items()}
        presses = {kind: Press(made, seconds, callers) for kind, made in texts.items()}
        sequences = {kind: [one.ids for one in tokenizer.encode_batch(made)] for kind, made in texts.items()}
        of = setting(suite, callers, seconds)
        file = output / f"{suite.work.name}.json"
        record = read_record(file, of, list(kinds)) if go_on else Record()
        bare = BareRival(suite.compacted(), suite.tasks, sequences, record.tried)
        text = ""
        for _ in _measure(suite, bare, presses, chosen, rounds, seconds, record):  # cut short, it has the rounds so far
            notes = _notes(suite, bare if "bare" in chosen else None, presses, seconds, record)
            write_record(file, of, record, list(kinds), notes)
            text = markdown(suite.shape, record.by_kind(list(kinds)), notes)
            file.with_suffix(".md").write_text(text, encoding="utf-8")
    except EspalierError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(text)


def _measure(
    suite: Suite,
    bare: BareRival,
    presses: Mapping[str, Press],
    rivals: Sequence[str],
    rounds: int,
    seconds: float,
    record: Record,
) -> Iterator[None]:
    """Adds rounds to the record, and yields after each."""
    served = [rival for rival in rivals if rival in ("nlu", "naive", "apart")]
    first = len(record.rounds)
    steps = (rounds - first) * len(presses) * (len(rivals) + 2 * ("nlu" in rivals))
    with tqdm(total=steps, file=sys.stderr, unit="load") as bar:
        if "bare" in rivals and not record.tried:
            bar.set_description("bare: layouts and batch sizes")
            bare.choose(max(seconds / 4, CHOICE_SECONDS))
        for number in range(first, rounds):
            one: dict[str, dict[str, dict[str, float]]] = {}
            blocks = [name for name, wanted in (("bare", "bare" in rivals), ("served", served)) if wanted]
            blocks += ["single"] if "single" in rivals else []
            turn = number % len(blocks)
            for block in blocks[turn:] + blocks[:turn]:
                try:
                    if block == "bare":
                        bar.set_description("bare")
                        one["bare"] = bare.measure(seconds)
                        bar.update(len(presses))
                    elif block == "served":
                        one |= measure_suite(suite, presses, served if number % 2 == 0 else served[::-1], bar)
                    else:
                        single = measure_single(suite, presses, record.encoders, bar)
                        if single.encoders != record.encoders:
                            _drop(record.rounds, "single")  # scaled from another number of encoders
                        record.encoders = single.encoders
                        one["single"] = single.figures
                except BenchError as error:  # one rival's failure must not cost the hour of the others
                    typer.echo(f"round {number + 1}, left out: {error}", err=True)
            record.rounds.append({name: one[name] for name in TITLES if name in one})
            record.days += [day for day in [str(date.today())] if day not in record.days]
            yield


def _drop(found: Rounds, rival: str) -> None:
    for one in found:
        one.pop(rival, None)


def _rivals(value: str) -> list[str]:
    names = value.split(",")
    for name in names:
        if name not in TITLES:
            raise BenchError(f"there is no rival {name!r}; there are {', '.join(TITLES)}.")
    return [name for name in TITLES if name in names]


def _notes(
    suite: Suite, bare: BareRival | None, presses: Mapping[str, Press], seconds: float, record: Record
) -> list[str]:
    resources = choose_resources()
    cores = usable_cores()
    callers = ", ".join(f"{press.saturating_callers()} ({kind})" for kind, press in presses.items())
    notes = [
        f"{', '.join(record.days)}, {_processor()}, {cores} cores, {available() / GIB:.0f} GiB of memory available.",
        f"{suite.runtime}, {suite.precision}; medians of {len(record.rounds)} rounds of {seconds:g} s; "
        f"callers at saturation: {callers}; {resources.threads} threads a model, {resources.at_once} models at once.",
        f"One task is {suite.one_task}; alone it is deployed with the same trunk.",
    ]
    if bare is not None:
        for kind in presses:
            best, quick = bare.saturated(kind), bare.quickest(kind)
            notes.append(f"(a), {kind}: batches of {best.batch}, {best.layout}; for latency one text, {quick.layout}.")
    if record.encoders is not None and record.encoders < len(suite.tasks):
        notes.append(
            f"(c) is SCALED: {record.encoders} of {len(suite.tasks)} encoders fit into memory with 1 GiB left; "
            f"texts/s, latency and the encoders' memory are multiplied up to {len(suite.tasks)}."
        )
    if suite.left_out:
        notes.append(f"Not asked, because they compare two texts: {', '.join(suite.left_out)}.")
    return notes


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    # Ended by its process id, it still ends its servers and its child.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    typer.run(bench)
