"""Real data, trained, built, served and asked: serving costs no accuracy."""

import pytest
from served_prediction import prediction
from served_suite import DATA, REAL_TASKS, Suite

from clients import Client
from training.data.task import read_examples
from training.evaluator import evaluate
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
