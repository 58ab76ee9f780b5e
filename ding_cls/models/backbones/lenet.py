"""LeNet-5, the network for 32 x 32 digits."""

from torch import Tensor, nn

from ding_cls.models.openmmlab import BaseBackbone
from ding_cls.models.registry import BACKBONES


@BACKBONES.register_module()
class LeNet5(BaseBackbone):
    """LeNet-5 with mean pooling; it takes images of 32 x 32 pixels.

    Args:
        num_classes: number of logits; -1: the network gives its last map, ``(N, 120, 1, 1)``, instead.
        in_channels: channels of the images; the original has one.

    Source: Gradient-Based Learning Applied to Document Recognition, LeCun et al. 1998, figure 2. Deviations:
    every map of the second convolution sees all maps of the first, and the last layer is linear.
    """

    def __init__(self, num_classes: int = -1, in_channels: int = 1) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, kernel_size=5),
            nn.Tanh(),
            nn.AvgPool2d(kernel_size=2),
            nn.Conv2d(6, 16, kernel_size=5),
            nn.Tanh(),
            nn.AvgPool2d(kernel_size=2),
            nn.Conv2d(16, 120, kernel_size=5),
            nn.Tanh(),
        )
        self.num_classes = num_classes
        self.num_features = 120
        if num_classes > 0:
            self.classifier = nn.Sequential(nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, num_classes))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the logits ``(N, num_classes)``, or the last map, as a tuple of one.

        Args:
            images: float ``(N, in_channels, 32, 32)``, normalised.
        """
        features: Tensor = self.features(images)
        return (self.classifier(features.flatten(1)),) if self.num_classes > 0 else (features,)


def lenet5(num_classes: int = 10, *, in_channels: int = 3) -> nn.Module:
    """Return LeNet-5 as a whole network: images to logits."""
    return _Logits(num_classes, in_channels)


class _Logits(LeNet5):
    def forward(self, images: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(images)[0]
