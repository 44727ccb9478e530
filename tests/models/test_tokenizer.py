"""The tokenizer alone: where tokens stand, however the folder's last user had set it."""

from pathlib import Path

import pytest

from lexitune.errors import DataError
from lexitune.models.load import load
from lexitune.models.tokenizer import load_tokens
from lexitune.models.tokens import tokenise


def test_tokens_stand_where_they_are_said_to_stand_and_none_is_cut_off() -> None:
    tokens = load_tokens("minilm")
    text = "Na\u00efve pumps! " * 300

    spans = tokens.spans(text)

    assert (tokens.name, tokens.max_length, tokens.special) == ("minilm", 256, 2)
    assert [text[start:end] for start, end in spans[:4]] == ["Na\u00efve", "pumps", "!", "Na\u00efve"]
    assert len(spans) == 900


def test_they_are_those_that_the_model_encodes() -> None:
    tokens, model = load_tokens("minilm"), load("minilm")
    text = "Hyperparathyroidism is treated by cinacalcet."

    assert len(tokenise(model.model.tokenizer, [text], max_length=256).ids) == len(tokens.spans(text)) + tokens.special


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")

    with pytest.raises(DataError) as caught:
        load_tokens(str(tmp_path))

    assert caught.value.code == "E3201"
