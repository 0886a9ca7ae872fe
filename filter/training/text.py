"""The tokenizer and the two-layer CLIP text encoder of the small models."""

import json
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

VOCABULARY = 2048
MAX_TOKENS = 32
WIDTH = 128
START, END = "<|startoftext|>", "<|endoftext|>"


def new_tokenizer(texts: Iterable[str]) -> CLIPTokenizer:
    """Train a CLIP tokenizer (byte-level BPE, lower case) on `texts`.

    Unknown words are split into letters; no token is ever unknown.
    """
    bpe = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    words = [word for text in texts for word in text.lower().replace(",", " , ").split()]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 2 - len(alphabet), min_frequency=1, end_of_word_suffix="</w>",
        initial_alphabet=alphabet, show_progress=False,
    )  # fmt: skip
    bpe.train_from_iterator(words, trainer)
    learnt = json.loads(bpe.to_str())["model"]
    return _clip_tokenizer(list(learnt["vocab"]), learnt["merges"], alphabet)


def _clip_tokenizer(
    tokens: list[str], merges: list[list[str]], alphabet: list[str]
) -> CLIPTokenizer:
    every = [*alphabet, *(f"{letter}</w>" for letter in alphabet), *tokens, START, END]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(every))}
    with TemporaryDirectory() as folder:
        Path(folder, "vocab.json").write_text(json.dumps(vocabulary))
        pairs = "\n".join(" ".join(pair) for pair in merges)
        Path(folder, "merges.txt").write_text(f"#version: 0.2\n{pairs}\n")
        special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
        Path(folder, "tokenizer_config.json").write_text(
            json.dumps(
                {"tokenizer_class": "CLIPTokenizer", "model_max_length": MAX_TOKENS, **special}
            )
        )
        tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder)
        return tokenizer


def embeds_of(tokenizer: CLIPTokenizer, encoder: CLIPTextModel, prompts: list[str]) -> Tensor:
    """(B, tokens, width) prompt_embeds, with gradients for the encoder."""
    tokens = tokenizer(
        prompts, padding="max_length", max_length=tokenizer.model_max_length, truncation=True,
        return_tensors="pt",
    )  # fmt: skip
    embeds: Tensor = encoder(tokens.input_ids.to(encoder.device))[0]
    return embeds


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """A text encoder of two layers of width 128, enough for the names of looks."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        projection_dim=WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)
