"""The kernel distance between the features of generated and real images, and sharpness."""

from torch import Tensor

from turbolens.filter.training.references.operators import edges

_DEGREE = 3
_CHUNK = 256  # rows of the kernel matrix at once


def kernel_distance(real: Tensor, made: Tensor, of: Tensor | None = None) -> float:
    """The squared maximum mean discrepancy of features (N, D) and (M, D), unbiased.

    With the kernel k(x, y) = (x·y / D + 1)³ it is the kernel inception distance of Bińkowski et al.
    (2018) with other features: near 0 for the same distribution (also slightly negative), and not
    biased for small samples, as the Fréchet distance is. Features are standardised by the mean and
    deviation of `real`, or of the larger set `of` that `real` is taken from. Raises `ValueError`
    for fewer than two rows.
    """
    if min(len(real), len(made)) < 2:
        raise ValueError(f"at least two images each are needed, got {len(real)}, {len(made)}")
    of = real if of is None else of
    mean, spread = of.mean(0), of.std(0).clamp_min(1e-6)
    one, two = ((rows - mean) / spread for rows in (real.double(), made.double()))
    within = _mean_kernel(one, one, diagonal=False) + _mean_kernel(two, two, diagonal=False)
    return within - 2.0 * _mean_kernel(one, two, diagonal=True)


def _mean_kernel(one: Tensor, two: Tensor, *, diagonal: bool) -> float:
    """The mean of the kernel over pairs, with or without the pairs of a row and itself."""
    total = 0.0
    for start in range(0, len(one), _CHUNK):
        kernel = (one[start : start + _CHUNK] @ two.t() / one.shape[1] + 1.0) ** _DEGREE
        total += float(kernel.sum())
        if not diagonal:
            total -= float(kernel.diagonal(start).sum())
    count = len(one) * len(two)
    return total / (count if diagonal else count - len(one))


def sharpness(images: Tensor) -> float:
    """The mean strength of edges in images (N, 3, H, W) of −1…1."""
    return float(edges(images.float() / 2 + 0.5, 1.0).mean())
