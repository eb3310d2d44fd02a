from build_tools.publishing.candidate_counts import candidate_counts
from build_tools.publishing.metrics_page import MetricsPage

METRICS = """\
# HELP espalier_candidate_answers_total Number of texts that a canary or shadow has answered
# TYPE espalier_candidate_answers_total counter
espalier_candidate_answers_total{model="nlu",task="intent",version="4"} 120.000000
espalier_candidate_answers_total{model="nlu_stream",task="intent",version="4"} 30.000000
espalier_candidate_answers_total{task="mood",model="nlu",version="2"} 1.5e+06
espalier_candidate_answers_total{model="nlu",task="intent",version="5"} 7
espalier_candidate_errors_total{model="nlu",task="intent",version="4"} 2.000000
espalier_shadow_compared_total{model="nlu",task="intent",version="5"} 6.000000
espalier_shadow_differing_total{model="nlu",task="intent",version="5"} 3.000000
espalier_tokens_total{model="nlu"} 99.000000
espalier_answers_total{task="intent",version="4",label="alarm"} 17.0
espalier_task_ready{task="intent"} 1.0
espalier_outputs_computed_total{model="trunk",version="1",output="hidden_2"} 11.000000
nv_inference_count{model="branch_intent",version="4"} 1234.000000
"""


def test_counts_are_added_over_both_routers_by_task_and_version():
    assert candidate_counts(MetricsPage.of(METRICS, 0.0)) == {
        ("intent", 4): {"candidate_answers": 150, "candidate_errors": 2},
        ("mood", 2): {"candidate_answers": 1_500_000},
        ("intent", 5): {"candidate_answers": 7, "shadow_compared": 6, "shadow_differing": 3},
    }
