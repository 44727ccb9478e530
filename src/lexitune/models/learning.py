"""Which weights of a network learn: all of them, all but the lower layers, or LoRA's small matrices.

LoRA (Hu et al. 2022, arXiv 2106.09685) stands on peft, which puts its matrices beside the trunk's own.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch

from lexitune.errors import UsageError
from lexitune.models.network import Network
from lexitune.models.shape import check_frozen

__all__ = ["add_lora", "checkpoint_layers", "freeze", "learning", "merge_lora", "thaw"]


def learning(network: Network) -> list[torch.nn.Parameter]:
    """The masters that learn."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def freeze(network: Network, *, layers: int = 0, table: bool = False) -> None:
    """Let the first `layers` layers, with all that comes before them, and the table of word vectors not learn.

    What all layers share, such as MPNet's table of relative positions, is frozen with the lower ones.

    Raises:
        UsageError: The network has no more than `layers` layers.
    """
    own = network.layers_of(network.trunk)
    check_frozen(layers, len(own))
    if table:
        network.trunk.get_input_embeddings().weight.requires_grad_(False)
    if layers:
        upper = {id(parameter) for parameter in own[layers:].parameters()}
        for child in network.trunk.children():
            for parameter in child.parameters():
                parameter.requires_grad_(parameter.requires_grad and id(parameter) in upper)
            if any(module is own for module in child.modules()):
                break  # what follows the layers still learns
    network.rebuild()


def thaw(network: Network) -> None:
    """Take out what LoRA added, and let every weight learn again: the network as it was made."""
    _unload(network, merge=False)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    network.trunk.activation_checkpointing_disable()  # type: ignore[no-untyped-call]
    network.learns = False
    network.rebuild()
    network.train(False)
    network.pack_if_able()  # dropout may have asked for padding


def add_lora(network: Network, *, rank: int, seed: int, layers: int = 0) -> None:
    """Freeze the trunk and put two small matrices that learn beside each of its linear maps.

    Their product starts at zero and counts twice (alpha is twice the rank).

    Args:
        rank: Width of the small matrices.
        seed: Of their random start.
        layers: The first layers, which get none.

    Raises:
        UsageError: peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise UsageError("E2005", "LoRA needs the package 'peft'", fix="pip install 'lexitune[lora]'") from error
    upper = list(chain.from_iterable(layer.modules() for layer in network.layers_of(network.trunk)[layers:]))
    names = [
        name
        for name, module in network.trunk.named_modules()
        if isinstance(module, torch.nn.Linear) and any(module is one for one in upper)
    ]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=names)
        inject_adapter_in_model(config, network.trunk)
    network.rebuild()


def merge_lora(network: Network) -> None:
    """Add what LoRA learnt to the trunk's own weights; the network then is one of its kind again."""
    _unload(network, merge=True)
    network.rebuild()


def _unload(network: Network, *, merge: bool) -> None:
    child: Any
    for parent in list(network.trunk.modules()):
        for name, child in list(parent.named_children()):
            if hasattr(child, "lora_A") and hasattr(child, "get_base_layer"):
                if merge:
                    child.merge()
                setattr(parent, name, child.get_base_layer())
    if hasattr(network.trunk, "peft_config"):
        del network.trunk.peft_config


def checkpoint_layers(network: Network) -> None:
    """Keep the input of each layer only, and compute the layer again in the backward pass: a third more work.

    transformers does so in training mode alone, so dropout is set to 0 where it was off.
    """
    trunks: tuple[Any, ...] = (network.trunk, network.computing)
    if not network.training:
        network.set_dropout(0.0)
        network.train(True)
    for trunk in trunks:
        trunk.activation_checkpointing_enable({"use_reentrant": False})
