import json

import pytest
from tokenizers import Tokenizer

from build_tools.export.tokenizer_models import make_tokenizer, tokenizer_name
from training.tokenizer_form import tokenizer_json


def test_tokenizers_of_later_trunks_have_their_trunk_s_name_too():
    assert tokenizer_name("trunk", 32) == "tokenizer_32"
    assert tokenizer_name("trunk.2", 32) == "tokenizer_trunk.2_32"
    assert len({tokenizer_name(trunk, length) for trunk in ("trunk", "trunk.2") for length in (8, 16)}) == 4


@pytest.fixture
def folder(encoder, tmp_path):
    """Of the tokenizer model that cuts at 5 tokens."""
    make_tokenizer(tmp_path / "tokenizer_5", encoder.tokenizer, 5)
    return tmp_path / "tokenizer_5"


def test_the_model_cuts_texts_and_pairs_at_so_many_tokens(folder):
    tokenizer = Tokenizer.from_file(str(folder / "1" / "tokenizer.json"))

    assert tokenizer.encode("a b").tokens == ["[CLS]", "a", "b", "[SEP]"]
    assert tokenizer.encode("a b c d e").tokens == ["[CLS]", "a", "b", "c", "[SEP]"]
    # The longest first, so that something of both sides stays.
    assert tokenizer.encode("a b c d e", "d").tokens == ["[CLS]", "a", "[SEP]", "d", "[SEP]"]


def test_the_encoder_s_own_tokenizer_does_not_begin_to_cut(encoder, tmp_path):
    before = tokenizer_json(encoder.tokenizer)

    make_tokenizer(tmp_path / "tokenizer_5", encoder.tokenizer, 5)

    assert encoder.tokenizer.truncation is None
    assert tokenizer_json(encoder.tokenizer) == before


def test_truncation_is_the_only_difference(encoder, folder):
    file = json.loads((folder / "1" / "tokenizer.json").read_text(encoding="utf-8"))

    assert file["truncation"]["max_length"] == 5
    assert tokenizer_json(Tokenizer.from_str(json.dumps(file))) == tokenizer_json(encoder.tokenizer)
