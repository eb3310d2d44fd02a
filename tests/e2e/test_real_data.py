"""Real data, trained, built, served and asked: serving costs no accuracy."""

import pytest
from served_suite import DATA, REAL_TASKS, Suite

from clients import Answer, Client
from training.data import Example
from training.data.task import read_examples
from training.evaluator import evaluate
from training.kinds import Kind
from training.metrics import score
from training.model import Trunk

ROWS = 200

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data sets at {DATA}")


@pytest.mark.parametrize("task", REAL_TASKS)
def test_the_metric_of_served_answers_is_the_offline_metric(task: str, suite: Suite, grpc_client: Client) -> None:
    checkpoint = suite.checkpoint(task)
    record = checkpoint.record
    labels = tuple(record.labels)
    examples = read_examples(DATA / task / "dev.jsonl", record.kind, labels)[:ROWS]
    trunk = Trunk(suite.encoder, [record.tap])
    offline = evaluate(trunk, checkpoint.branch, checkpoint.tokenizer, examples, record.kind, labels, record.max_length)

    pairs = [example.text_pair for example in examples] if record.kind.is_pair else None
    answers = grpc_client.predict_batch([example.text for example in examples], pairs, tasks=[task])
    served = score(
        record.kind,
        labels,
        [prediction(answer[task], example, record.kind) for answer, example in zip(answers, examples, strict=True)],
        [example.label for example in examples],
    )

    print(f"{task}: offline {offline[record.metric]:.2f}, served {served[record.metric]:.2f} ({record.metric})")
    assert len(examples) == ROWS
    assert abs(served[record.metric] - offline[record.metric]) <= 0.5


def prediction(answer: Answer, example: Example, kind: Kind) -> object:
    """A served answer in the form that the offline metric takes: label, value, or one tag per word."""
    assert answer.error is None
    if kind is not Kind.TAGGING:
        return answer.score if kind is Kind.PAIR_REGRESSION else answer.label
    tags = ["O"] * len(example.words)
    for span in answer.spans or ():
        inside = [i for i, (start, end) in enumerate(example.words) if start < span.end and end > span.start]
        for place, word in enumerate(inside):
            tags[word] = f"{'I' if place else 'B'}-{span.label}"
    return tags
