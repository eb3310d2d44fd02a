"""The families that Espalier computes."""

from training.encoders.bert import BERT
from training.encoders.distilbert import DISTILBERT
from training.encoders.electra import ELECTRA
from training.encoders.family import Family
from training.encoders.modernbert import MODERNBERT
from training.encoders.mpnet import MPNET
from training.encoders.roberta import ROBERTA, XLM_ROBERTA

FAMILIES: dict[str, Family] = {
    family.model_type: family for family in (BERT, ROBERTA, XLM_ROBERTA, DISTILBERT, ELECTRA, MPNET, MODERNBERT)
}
TITLES = ", ".join(family.title for family in FAMILIES.values())
