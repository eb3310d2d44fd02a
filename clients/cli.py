"""The verbs of clients: predict and load-test. Imports that a plain client does not need stand inside the verbs."""

import json
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Annotated

import typer
from rich.console import Console

from clients.address import parse_addresses
from clients.answer import Answer
from clients.cli_output import print_answers, print_heading, print_streamed
from clients.cli_tasks import read_tasks
from clients.cli_texts import at_its_place, read_texts
from clients.client import Client
from clients.credentials import Credentials
from clients.errors import RequestRejected
from clients.load_test.command import load_test
from clients.playground.command import playground
from clients.request import MAX_BATCH_SIZE

app = typer.Typer()
app.command()(load_test)
app.command()(playground)


@app.command()
def predict(
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT...", help="Texts to ask about; after -- they may begin with -.")
    ] = None,
    file: Annotated[str | None, typer.Option(help="More texts, one a line; '-' is standard input.")] = None,
    pair: Annotated[str | None, typer.Option(help="Second text for pair tasks; goes with every TEXT.")] = None,
    tasks: Annotated[str | None, typer.Option(help="Tasks to ask, joined by commas; all if left out.")] = None,
    stream: Annotated[bool, typer.Option("--stream", help="Print each task's answer as it arrives.")] = False,
    scores: Annotated[bool, typer.Option("--scores", help="Also show the scores of all classes.")] = False,
    url: Annotated[
        str,
        typer.Option(
            help="Address of the server: host:port for gRPC, http://host:port for HTTP, grpcs:// or https://. "
            "Several with commas between them are asked by turns."
        ),
    ] = "localhost:8001",
    timeout: Annotated[float, typer.Option(help="Seconds that one request may take.")] = 30.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: one object per text, with --stream one per task.")
    ] = False,
) -> None:
    """Ask a running server: every task's answer for each TEXT.

    A client key is read from ESPALIER_KEY or the file ESPALIER_KEY_FILE, an authority from ESPALIER_CA, a client
    certificate from ESPALIER_CERT and ESPALIER_CERT_KEY.
    """
    names = read_tasks(tasks)
    if pair is not None and not pair.strip():
        raise RequestRejected("--pair is empty: give a second text, or leave it out")
    lines = read_texts(texts or [], file)
    credentials = Credentials.of_command_line(parse_addresses(url)[0])
    with Client(url, timeout, **credentials.arguments) as client:
        print_all = _print_streams if stream else _print_batches
        unanswered = print_all(client, lines, pair, names, scores, as_json)
    if unanswered:  # some text has only errors: the exit code says so
        raise typer.Exit(1)


def _print_batches(
    client: Client,
    texts: Iterator[tuple[str, str]],
    pair: str | None,
    tasks: Sequence[str] | None,
    scores: bool,
    as_json: bool,
) -> bool:
    """Returns whether some text got nothing but errors."""
    console = Console()
    unanswered = False
    # One request's worth at a time: a long file is answered while it is read, and never held whole in memory.
    while located := list(islice(texts, MAX_BATCH_SIZE)):
        places, batch = [place for place, _ in located], [text for _, text in located]
        pairs = None if pair is None else [pair] * len(batch)
        try:
            all_answers = client.predict_batch(batch, pairs, tasks, scores)
        except RequestRejected as error:
            raise at_its_place(error, places) from error
        for text, answers in zip(batch, all_answers, strict=True):
            unanswered |= _none_answered(answers.values())
            if as_json:
                content = {task: _json(answer) for task, answer in answers.items()}
                typer.echo(json.dumps(_json_key(text, pair) | {"tasks": content}, ensure_ascii=False))
            else:
                print_answers(text, pair, answers, console)
    return unanswered


def _print_streams(
    client: Client,
    texts: Iterator[tuple[str, str]],
    pair: str | None,
    tasks: Sequence[str] | None,
    scores: bool,
    as_json: bool,
) -> bool:
    """Returns whether some text got nothing but errors."""
    console = Console()
    unanswered = False
    for place, text in texts:
        try:
            unanswered |= _print_stream(client, text, pair, tasks, scores, as_json, console)
        except RequestRejected as error:
            raise at_its_place(error, [place]) from error
    return unanswered


def _print_stream(
    client: Client,
    text: str,
    pair: str | None,
    tasks: Sequence[str] | None,
    scores: bool,
    as_json: bool,
    console: Console,
) -> bool:
    """Returns whether the text got nothing but errors."""
    answers = []
    for index, (task, answer) in enumerate(client.stream(text, pair, tasks, scores)):
        answers.append(answer)
        if as_json:
            content = {"task": task, "answer": _json(answer)}
            typer.echo(json.dumps(_json_key(text, pair) | content, ensure_ascii=False))
        else:
            if index == 0:  # not before: a refused text gets no heading
                print_heading(text, pair, console)
            print_streamed(task, answer, console)
    return _none_answered(answers)


def _none_answered(answers: Collection[Answer]) -> bool:
    return all(answer.error is not None for answer in answers)


def _json(answer: Answer) -> dict[str, object]:
    return answer.model_dump(exclude_unset=True)  # only fields that the server sent


def _json_key(text: str, pair: str | None) -> dict[str, object]:
    return {"text": text} if pair is None else {"text": text, "pair": pair}
