"""ELECTRA's discriminators (https://arxiv.org/abs/2003.10555): BERT, with embeddings that may be narrower."""

from training.encoders.architecture import Architecture
from training.encoders.bert import BERT_NAMES, bert_architecture
from training.encoders.family import Config, Family


def _architecture(config: Config) -> Architecture:
    narrower = config.embedding_size if config.embedding_size != config.hidden_size else 0
    return bert_architecture(config, embedding_size=narrower)


ELECTRA = Family(
    model_type="electra",
    title="ELECTRA",
    prefix="electra",
    heads=(
        "discriminator_predictions.",
        "generator_predictions.",
        "generator_lm_head.",
        "classifier.",
        "qa_outputs.",
        "sequence_summary.",
    ),
    architecture=_architecture,
    names={**BERT_NAMES, "embeddings.projection": "embeddings_project"},
)
