"""Silence for the libraries below us, while we call them and no longer."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from transformers.utils import logging as transformers_logging

__all__ = ["quiet"]

LOGGERS = ("sentence_transformers", "huggingface_hub")


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, advice or warnings of transformers, sentence-transformers and the Hub within the block.

    What they would say is not for our user, who has our own messages; errors still pass.
    """
    verbosity = transformers_logging.get_verbosity()
    bar = transformers_logging.is_progress_bar_enabled()
    hub_bar = not are_progress_bars_disabled()
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    disable_progress_bars()
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bar:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
        if hub_bar:
            enable_progress_bars()
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
