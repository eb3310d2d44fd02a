"""A BERT tokenizer of a few pieces."""

import string

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

LETTERS = (*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase))


def tiny_tokenizer(*pieces: str) -> Tokenizer:
    """WordPiece of the special tokens and these pieces, with BERT's normalizer and templates."""
    vocabulary = {piece: number for number, piece in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", *pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer
