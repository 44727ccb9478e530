"""Published architectures with random weights: each one's configuration, cut in size alone, and a tokenizer made here.

What changes the code path is kept: pooling, positions, windows of attention, grouped heads, gated feed-forwards,
special tokens, the side of the padding, and what follows the pooling. Nothing is downloaded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules.dense import Dense
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.base.modules.transformer import Transformer
from sentence_transformers.sentence_transformer.modules.pooling import Pooling
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModel,
    BertConfig,
    DistilBertConfig,
    Gemma3TextConfig,
    GteConfig,
    ModernBertConfig,
    MPNetConfig,
    NomicBertConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
    RobertaConfig,
    XLMRobertaConfig,
)

__all__ = ["ARCHITECTURES", "TEXTS", "Architecture", "build"]

SENTENCES = (
    "represent this sentence for searching relevant passages query passage search_query search_document instruct given "
    "a web retrieve that answer the task result title none text : | how do i sort list of names cat sat on mat find "
    "function returns key value and with every item in order"
)
WORDS = SENTENCES.split()
BGE = "represent this sentence for searching relevant passages : "
INSTRUCT = "instruct : given a web search query retrieve relevant passages that answer the query \n query :"
GEMMA = ("task : search result | query : ", "title : none | text : ")
SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
CHAT = "{% for message in messages %}<|im_start|>{{ message.content }}<|im_end|>{% endfor %}"


@dataclass(frozen=True)
class Tokens:
    """Special tokens: the vocabulary's head in the order of ids, what a text is put in, and the padding."""

    head: Sequence[str]
    template: str
    pad: str
    side: str = "right"
    chat: bool = False


BERT = Tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], "[CLS] $A [SEP]", "[PAD]")
ROBERTA = Tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "<s> $A </s>", "<pad>")
QWEN = Tokens(["<unk>", "<|im_start|>", "<|im_end|>", "<|end|>"], "$A <|end|>", "<|end|>", side="left", chat=True)
GEMMA3 = Tokens(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"], "<bos> $A <eos>", "<pad>")


@dataclass(frozen=True)
class Architecture:
    """A family's representative.

    Args:
        config: Class of its configuration.
        published: What the configuration has at full size.
        million: Parameters that it is published with, without what follows the pooling.
        small: What is cut, beside the sizes.
        packs: Whether texts can go through without padding.
        tail: Widths of the Dense layers after the pooling.
    """

    config: Callable[..., PreTrainedConfig]
    tokens: Tokens
    million: int
    published: Mapping[str, Any] = field(default_factory=dict)
    small: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=lambda: SIZES)
    pooling: str = "mean"
    prompts: tuple[str, str] = ("", "")
    normalise: bool = True
    packs: bool = True
    tail: Sequence[int] = ()

    def full(self) -> PreTrainedConfig:
        """The configuration at its published size."""
        return self.config(**self.published)

    def cut(self) -> PreTrainedConfig:
        """The configuration with a small vocabulary, few layers and narrow ones."""
        vocabulary = len(self.tokens.head) + len(WORDS)
        return self.config(**{**self.published, "vocab_size": vocabulary, **self.sizes, **self.small})


BERT_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
XLM = {"type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
# Windows of 4 tokens to each side, and layers of both kinds: texts of a test reach beyond a window.
MODERN = {
    "num_hidden_layers": 4, "local_attention": 8, "max_position_embeddings": 64,
    "pad_token_id": 0, "bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3,
}  # fmt: skip

ARCHITECTURES = {
    "bge-large": Architecture(
        BertConfig, BERT, 335, BERT_LARGE, {"max_position_embeddings": 48}, pooling="cls", prompts=(BGE, "")
    ),
    "e5-large": Architecture(
        BertConfig, BERT, 335, BERT_LARGE, {"max_position_embeddings": 48}, prompts=("query : ", "passage : ")
    ),
    "bge-m3": Architecture(
        XLMRobertaConfig, ROBERTA, 568, {**BERT_LARGE, **XLM, "vocab_size": 250002, "max_position_embeddings": 8194},
        {"max_position_embeddings": 50}, pooling="cls",
    ),
    "multilingual-e5-base": Architecture(
        XLMRobertaConfig, ROBERTA, 278, {**XLM, "vocab_size": 250002, "max_position_embeddings": 514},
        {"max_position_embeddings": 50}, prompts=("query : ", "passage : "),
    ),
    "granite-125m": Architecture(
        RobertaConfig, ROBERTA, 125, {**XLM, "vocab_size": 50265, "max_position_embeddings": 514},
        {"max_position_embeddings": 50}, pooling="cls",
    ),
    "mpnet": Architecture(
        MPNetConfig, ROBERTA, 109, {"max_position_embeddings": 514}, {"max_position_embeddings": 50}, packs=False
    ),
    "distilbert": Architecture(
        DistilBertConfig, BERT, 66, {}, {"max_position_embeddings": 48},
        sizes={"dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 96},
    ),
    "gte-modernbert": Architecture(ModernBertConfig, BERT, 149, {}, MODERN, pooling="cls", normalise=False),
    "modernbert-embed": Architecture(
        ModernBertConfig, BERT, 149, {}, MODERN, prompts=("search_query : ", "search_document : ")
    ),
    "nomic": Architecture(
        NomicBertConfig, BERT, 137, {}, {"max_position_embeddings": 64},
        prompts=("search_query : ", "search_document : "),
    ),
    "gte-multilingual": Architecture(
        GteConfig, ROBERTA, 305, {}, {"max_position_embeddings": 64}, pooling="cls"
    ),
    "qwen3": Architecture(
        Qwen3Config, QWEN, 596,
        {"vocab_size": 151669, "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28,
         "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True,
         "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}, "use_cache": False},
        {"num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 64},
        pooling="lasttoken", prompts=(INSTRUCT, ""),
    ),
    "embeddinggemma": Architecture(
        Gemma3TextConfig, GEMMA3, 303,
        {"vocab_size": 262144, "hidden_size": 768, "intermediate_size": 1152, "num_hidden_layers": 24,
         "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 256, "query_pre_attn_scalar": 256,
         "sliding_window": 512, "use_bidirectional_attention": True, "max_position_embeddings": 2048},
        {"num_hidden_layers": 6, "num_key_value_heads": 1, "head_dim": 16, "query_pre_attn_scalar": 16,
         "sliding_window": 8, "max_position_embeddings": 64},
        prompts=GEMMA, tail=(128, 64),
    ),
}  # fmt: skip

# Texts of one word, of some, none, and more than the windows of the small models; the longest are cut.
TEXTS = [
    "how do i sort a list of names",
    "the cat sat on the mat",
    "",
    "find",
    " ".join(WORDS[20:44]),
    "returns the value of a key in a list of names with every item in order and the cat sat on the mat",
]


def tokenizer_of(tokens: Tokens) -> PreTrainedTokenizerFast:
    """A fast tokenizer of whole words with a family's special tokens."""
    vocabulary = {word: number for number, word in enumerate([*tokens.head, *WORDS])}
    unknown = next(word for word in tokens.head if "unk" in word.lower())
    backend = Tokenizer(WordLevel(vocabulary, unk_token=unknown))
    backend.pre_tokenizer = Whitespace()
    used = [word for word in tokens.template.split() if word != "$A"]
    backend.post_processor = TemplateProcessing(
        single=tokens.template, special_tokens=[(word, vocabulary[word]) for word in used]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend,
        unk_token=unknown,
        pad_token=tokens.pad,
        padding_side=tokens.side,
        model_max_length=40,
        chat_template=CHAT if tokens.chat else None,
    )


def build(architecture: Architecture, folder: Path) -> Path:
    """A sentence-transformers folder as the family's authors publish one, with weights drawn from one seed."""
    torch.manual_seed(11)
    trunk = AutoModel.from_config(architecture.cut())  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in trunk.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.15)  # far from the cautious start: a look in a wrong place shows
    parts = folder / "trunk"
    trunk.save_pretrained(parts)
    tokenizer_of(architecture.tokens).save_pretrained(parts)
    first = Transformer(str(parts))
    width = first.get_embedding_dimension()
    modules: list[torch.nn.Module] = [first, Pooling(width, architecture.pooling)]
    for wide, narrow in zip([width, *architecture.tail], architecture.tail, strict=False):
        modules.append(Dense(wide, narrow, bias=False, activation_function=torch.nn.Identity()))
    if architecture.normalise:
        modules.append(Normalize())
    query, doc = architecture.prompts
    model = SentenceTransformer(modules=modules, prompts={"query": query, "document": doc}, device="cpu")
    published = folder / "model"
    model.save_pretrained(str(published), create_model_card=False)
    # As most of them were saved, before sentence-transformers knew of messages: a chat template is not applied.
    (published / "sentence_bert_config.json").write_text('{"max_seq_length": 40, "do_lower_case": false}')
    return published
