"""Weights between the stock model's and the trained ones.

The straight line between them often holds a model that is better on both its field and general text than either end
(Wortsman et al. 2022, arXiv 2109.01903; LM-Cocktail, Xiao et al. 2023, arXiv 2311.13534).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lexitune.models.learning import learning
from lexitune.models.network import Network

__all__ = ["Mixture"]


class Mixture:
    """The weights of a network that learn, and where they started.

    LoRA's product starts at zero, so a share of what it learnt is that share of its second matrix; the first one,
    random from the start, is taken as it is.

    Args:
        network: Its weights are the stock model's now.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.parameters = learning(network)
        whole = {id(one) for name, one in network.trunk.named_parameters() if ".lora_A." in name}
        self.mixed = [id(parameter) not in whole for parameter in self.parameters]
        self.stock = self.copy()

    def copy(self) -> list[Tensor]:
        """The weights as they are now."""
        return [parameter.detach().clone() for parameter in self.parameters]

    def put(self, weights: Sequence[Tensor]) -> None:
        """Give the network these weights."""
        with torch.no_grad():
            for parameter, value in zip(self.parameters, weights, strict=True):
                parameter.copy_(value)
        self.network.refresh()

    def put_share(self, trained: Sequence[Tensor], share: float) -> None:
        """Give the network `share` of the way from stock to `trained`."""
        pairs = zip(self.stock, trained, self.mixed, strict=True)
        self.put([torch.lerp(stock, own, share) if mixed else own for stock, own, mixed in pairs])
