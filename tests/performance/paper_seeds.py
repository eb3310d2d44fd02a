"""What the seeds of the paper's tasks differ by, as tables in Markdown."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, stdev

from paper_scores import MOST_OVERHEAD, best_within

from training.report.numbers import percent
from training.search.result import read_result
from training.selection.mixed import full_fine_tuning, mixed, without_distillation
from training.selection.options import Options
from training.selection.options_from_search import read_searched
from training.selection.suite import Suite


def print_seeds(output: Path, tasks: Sequence[str], thresholds: Sequence[float]) -> None:
    """Prints the mean and the spread over the finished seeds: of each task that has several, and of all together."""
    by_task = {task: found for task in tasks if (found := _searched(output, task))}
    several = {task: found for task, found in by_task.items() if len(found) > 1}
    if not several:
        return
    ways: dict[str, Callable[[Options], Suite]] = {"full fine-tuning": full_fine_tuning}
    ways |= {f"c = {c:g}": partial(mixed, threshold=c) for c in thresholds}
    ways["w/o KD"] = without_distillation
    print("| task | way | seeds | mean | standard deviation |\n| --- | --- | ---: | ---: | ---: |")
    for task, found in several.items():
        for name, choose in ways.items():
            scores = [choose(of).told_average for of in found]
            print(f"| {task} | {name} | {len(scores)} | {fmean(scores):.1f} | {stdev(scores):.1f} |")
    print()
    _print_together(by_task, ways)


def _print_together(by_task: Mapping[str, Sequence[Options]], ways: Mapping[str, Callable[[Options], Suite]]) -> None:
    """A row per way: its average over the tasks, once per seed. A task with fewer seeds has its first in the others."""
    seeds = max(len(found) for found in by_task.values())
    layers = next(iter(by_task.values()))[0].encoder_layers

    def of_seed(seed: int) -> Options:
        tasks = {task: found[seed if seed < len(found) else 0].tasks[task] for task, found in by_task.items()}
        return Options(layers, tasks)

    together = [of_seed(seed) for seed in range(seeds)]
    full = [full_fine_tuning(of).told_average for of in together]
    print(f"{len(by_task)} tasks together, mean and standard deviation over {seeds} seeds:\n")
    print("| way | average | of full | layers | overhead |\n| --- | ---: | ---: | ---: | ---: |")
    rows = {name: [choose(of) for of in together] for name, choose in ways.items()}
    best = [suite for of in together if (suite := best_within(of, mixed)) is not None]
    if len(best) == seeds:
        rows[f"the best within {percent(MOST_OVERHEAD)}"] = best
    for name, suites in rows.items():
        averages = [suite.told_average for suite in suites]
        shares = [100 * average / base for average, base in zip(averages, full, strict=True)]
        total = fmean(suite.total_layers for suite in suites)
        overhead = fmean(suite.overhead for suite in suites)
        print(f"| {name} | {_spread(averages)} | {_spread(shares)} % | {total:.1f} | {percent(overhead)} |")
    print()


def _searched(output: Path, task: str) -> list[Options]:
    """Returns the options of the task's finished searches with full fine-tuning, one per seed."""
    found: list[Options] = []
    for folder in sorted(path.parent for path in output.glob(f"minilm-seed*/{task}/result.json")):
        if read_result(folder).to_do == 0:
            options = read_searched([folder])
            found += [options] if options.tasks[task].full is not None else []
    return found


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.1f} \N{PLUS-MINUS SIGN}{stdev(values):.1f}"
