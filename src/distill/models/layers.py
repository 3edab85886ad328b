"""Stride-2 layers that are quick on every grid.

On a processor, libraries lay convolutions out over the grid; where that is a handful of positions and the channels are
many, as at the bottleneck of the Complex VAE, one matrix product does the same two to three times as fast (512 to 1024
channels on 4 x 3 positions, forward and backward, two cores: 45 instead of 83 ms, and 51 instead of 111 ms transposed).
Parameters, names and results are those of the layers they stand for.
"""

from torch import Tensor, nn
from torch.nn import functional

#: Side of the kernel, and its stride: each position is seen by four.
KERNEL, STRIDE = 4, 2
#: Most positions, on the smaller side, of a grid on which a matrix product is quicker.
_FEW_POSITIONS = 16


class Downsample(nn.Conv2d):
    """Convolution that halves an even number of bands and of frames."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, KERNEL, stride=STRIDE, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[B, out, F / 2, T / 2]`` of ``[B, in, F, T]``."""
        batch, channels, bands, frames = x.shape
        if not _is_small(x, bands * frames // STRIDE**2):
            return super().forward(x)
        padded = functional.pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1).contiguous()  # one copy, then whole pixels
        patches = padded.unfold(1, KERNEL, STRIDE).unfold(2, KERNEL, STRIDE)
        rows = functional.linear(patches.reshape(-1, channels * KERNEL**2), self.weight.flatten(1), self.bias)
        return rows.view(batch, bands // STRIDE, frames // STRIDE, -1).permute(0, 3, 1, 2)


class Upsample(nn.ConvTranspose2d):
    """Transposed convolution that doubles bands and frames."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, KERNEL, stride=STRIDE, padding=1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return ``[B, out, 2 F, 2 T]`` of ``[B, in, F, T]``."""
        batch, channels, bands, frames = x.shape
        if output_size is not None or not _is_small(x, bands * frames):
            return super().forward(x, output_size)
        rows = x.permute(0, 2, 3, 1).reshape(-1, channels) @ self.weight.flatten(1)
        patches = rows.view(batch, bands * frames, -1).transpose(1, 2)
        size = (STRIDE * bands, STRIDE * frames)
        summed = functional.fold(patches, size, KERNEL, stride=STRIDE, padding=1)
        return summed if self.bias is None else summed + self.bias[:, None, None].to(summed.dtype)


def _is_small(x: Tensor, positions: int) -> bool:
    return x.device.type == "cpu" and positions <= _FEW_POSITIONS
