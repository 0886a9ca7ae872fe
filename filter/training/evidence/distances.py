"""How far made pictures are from real ones, by their features; and how sharp they are."""

from torch import Tensor

from turbolens.filter.training.rendering import edges

_DEGREE = 3
_PIECE = 256  # rows of a kernel matrix at once


def kernel_distance(real: Tensor, made: Tensor, of: Tensor | None = None) -> float:
    """The squared maximum mean discrepancy of features (N, D) and (M, D), unbiased.

    With the kernel k(x, y) = (x·y / D + 1)³ it is the kernel inception distance of Bińkowski et al.
    (2018), of other features than theirs: near 0 for pictures of one kind, below it by chance, and
    not biased for few pictures, as Fréchet's distance is. Features are standardised by the mean and
    spread of the real ones, or of the rows `of` that these are some of, so that no channel counts
    more for being larger. Raises `ValueError` for fewer than two rows.
    """
    if min(len(real), len(made)) < 2:
        raise ValueError(f"at least two pictures a side are needed, got {len(real)}, {len(made)}")
    of = real if of is None else of
    mean, spread = of.mean(0), of.std(0).clamp_min(1e-6)
    one, two = ((rows - mean) / spread for rows in (real.double(), made.double()))
    within = _sum_of_pairs(one, one, diagonal=False) + _sum_of_pairs(two, two, diagonal=False)
    return within - 2.0 * _sum_of_pairs(one, two, diagonal=True)


def _sum_of_pairs(one: Tensor, two: Tensor, *, diagonal: bool) -> float:
    """The mean of the kernel over pairs; without those of a row and itself, if asked."""
    total = 0.0
    for start in range(0, len(one), _PIECE):
        kernel = (one[start : start + _PIECE] @ two.t() / one.shape[1] + 1.0) ** _DEGREE
        total += float(kernel.sum())
        if not diagonal:
            total -= float(kernel.diagonal(start).sum())
    count = len(one) * len(two)
    return total / (count if diagonal else count - len(one))


def sharpness(images: Tensor) -> float:
    """The mean strength of edges in images (N, 3, H, W) of −1…1."""
    return float(edges(images.float() / 2 + 0.5, 1.0).mean())
