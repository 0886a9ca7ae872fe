"""Noise: fixed, and advected while staying white."""

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from turbolens.filter.coherence.noise import AdvectedNoise, FixedNoise, advected

CPU = torch.device("cpu")
SHAPE = (4, 48, 64)
VALUES = math.prod(SHAPE)


def _uniform(x: float, y: float, height: int = 48, width: int = 64) -> torch.Tensor:
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(1, 2, height, width)


def _linear(matrix: list[list[float]]) -> torch.Tensor:
    """Backward flow (1, 2, 48, 64) of a linear map about the picture's centre."""
    grid = torch.meshgrid(torch.arange(48) - 23.5, torch.arange(64) - 31.5, indexing="ij")
    place = torch.stack([grid[1], grid[0]])
    return (torch.einsum("ij,jhw->ihw", torch.tensor(matrix), place) - place).unsqueeze(0)


def _rotation(degrees: float) -> torch.Tensor:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return _linear([[cos, sin], [-sin, cos]])


def _zoom(factor: float) -> torch.Tensor:
    return _linear([[1 / factor, 0.0], [0.0, 1 / factor]])


def _random(generator: torch.Generator, cells: float) -> torch.Tensor:
    coarse = cells * torch.randn(1, 2, 5, 6, generator=generator)
    return F.interpolate(coarse, SHAPE[1:], mode="bicubic")


def _varied(frames: int, seed: int = 0) -> Iterator[torch.Tensor]:
    """Pan, rotation, zoom in and out, waves and jitter, a frame of each in turn."""
    generator = torch.Generator().manual_seed(seed)
    for frame in range(frames):
        yield (
            _uniform(0.31, -0.7),
            _rotation(1.3),
            _zoom(1.02),
            _random(generator, 0.6),
            _zoom(0.985),
            0.2 * torch.randn(1, 2, *SHAPE[1:], generator=generator),
        )[frame % 6]


def _after(flows: Iterator[torch.Tensor], seed: int = 3, draws: int = 1) -> torch.Tensor:
    """The noise after the flows, (draws, *SHAPE)."""
    noise = AdvectedNoise()
    last = noise(seed, SHAPE, draws, CPU)
    for flow in flows:
        last = noise(seed, SHAPE, draws, CPU, flow=flow)
    return torch.cat(last)


@pytest.fixture(scope="module")
def travelled() -> torch.Tensor:
    """The noise after 300 frames of varied flow, two draws, (2, *SHAPE)."""
    return _after(_varied(300), draws=2)


def _spectrum(noise: torch.Tensor, bands: int) -> torch.Tensor:
    """Mean power in rings of spatial frequency up to Nyquist's, (bands,); 1 for white noise."""
    height, width = noise.shape[-2:]
    power = torch.fft.fft2(noise).abs().square().flatten(0, -3).mean(dim=0) / (height * width)
    radius = torch.fft.fftfreq(height).view(-1, 1).hypot(torch.fft.fftfreq(width))
    rings = [(radius * 2 * bands).floor() == band for band in range(bands)]
    return torch.stack([power[ring].mean() for ring in rings])


def _neighbours(noise: torch.Tensor) -> list[float]:
    """The correlation of each cell with the next in x, in y, on both diagonals, and in channels."""
    return [
        float((noise * noise.roll(steps, dims)).mean())
        for steps, dims in ((1, 3), (1, 2), ((1, 1), (2, 3)), ((1, -1), (2, 3)), (1, 1))
    ]


def test_the_noise_is_fixed_by_seed_and_shape() -> None:
    first = FixedNoise()(5, (4, 8, 8), 2, CPU)
    noise = FixedNoise()
    noise(6, (4, 8, 8), 1, CPU)
    again = noise(5, (4, 8, 8), 3, CPU)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=False))
    assert not torch.equal(first[0], noise(6, (4, 8, 8), 1, CPU)[0])
    assert noise(5, (4, 8, 9), 1, CPU)[0].shape == (1, 4, 8, 9)


def test_further_draws_continue_the_generator() -> None:
    draws = FixedNoise()(5, (4, 16, 16), 2, CPU)
    generator = torch.Generator().manual_seed(5)
    assert torch.equal(draws[0], torch.randn(1, 4, 16, 16, generator=generator))
    assert torch.equal(draws[1], torch.randn(1, 4, 16, 16, generator=generator))


@pytest.mark.parametrize("flow", [None, torch.zeros(1, 2, *SHAPE[1:])])
def test_where_nothing_moves_the_noise_is_the_fixed_one(flow: torch.Tensor | None) -> None:
    noise, fixed = AdvectedNoise(), FixedNoise()(7, SHAPE, 3, CPU)
    for draws in (1, 1, 3, 2):
        shown = noise(7, SHAPE, draws, CPU, flow=flow)
        assert len(shown) == draws
        assert all(torch.equal(a, b) for a, b in zip(shown, fixed, strict=False))


def test_the_first_frame_of_a_stream_ignores_the_flow() -> None:
    first = AdvectedNoise()(7, SHAPE, 1, CPU, flow=_uniform(3.0, 1.0))
    assert torch.equal(first[0], FixedNoise()(7, SHAPE, 1, CPU)[0])


@pytest.mark.parametrize(("x", "y"), [(1, 0), (-3, 2), (0, -5)])
def test_a_pan_of_whole_cells_carries_the_noise_exactly(x: int, y: int) -> None:
    fixed = FixedNoise()(3, SHAPE, 1, CPU)[0]
    shown = _after(iter([_uniform(-x, -y)]))
    rolled = fixed.roll((y, x), (2, 3))
    seen = F.pad(torch.ones(1, 1, 48, 64), (x, -x, y, -y)).bool().expand_as(fixed)
    assert torch.equal(shown[seen], rolled[seen])
    assert not shown[~seen].eq(rolled[~seen]).any()


@pytest.mark.parametrize(("x", "y"), [(0.25, 0.0), (-0.25, 0.25), (0.0, -0.25)])
def test_a_pan_of_a_quarter_cell_carries_the_noise_a_cell_in_four_frames(
    x: float, y: float
) -> None:
    for frames in (4, 8, 40):
        whole = _after(iter([_uniform(-x * frames, -y * frames)]))
        fine = _after(iter([_uniform(-x, -y)] * frames))
        assert torch.equal(fine[..., 12:-12, 12:-12], whole[..., 12:-12, 12:-12])


def test_motion_forth_and_back_restores_the_noise() -> None:
    there = [_uniform(0.3, 0.1)] * 7
    shown = _after(iter([*there, *(-flow for flow in there)]))
    assert torch.equal(shown[..., 4:-4, 4:-4], _after(iter([]))[..., 4:-4, 4:-4])


def test_a_quarter_turn_carries_the_noise_exactly() -> None:
    shown, start = _after(iter([_rotation(90)])), _after(iter([]))
    turned = start[..., 8:56].rot90(-1, (2, 3))
    assert shown[..., 8:56].eq(turned).float().mean() > 0.99


def test_values_follow_the_motion() -> None:
    """After 24 frames of half a degree each remaining value is within 1.5 cells of its position."""
    rest, names = torch.zeros(1, 2, 48, 64), torch.arange(48 * 64)
    for _ in range(24):
        source, rest = advected(rest, _rotation(0.5))
        names = torch.where(source >= 0, names[source], -1)
    left = names >= 0
    cells = torch.arange(48 * 64)
    was = torch.stack([cells % 64, cells // 64]) + _rotation(12.0).flatten(2)[0]
    distance = (was - torch.stack([names % 64, names // 64]))[:, left].abs().amax(dim=0)
    assert left.float().mean() > 0.4
    assert distance.max() < 1.6
    assert distance.mean() < 0.5


def test_the_variance_and_the_shape_of_the_distribution_stay(travelled: torch.Tensor) -> None:
    values = travelled.flatten(1).double()
    error = 4 / math.sqrt(VALUES)  # four standard errors of a mean; times √2, √6, √24 below
    assert values.mean(dim=1).abs().max() < error
    assert (values.var(dim=1) - 1).abs().max() < error * math.sqrt(2)
    standard = (values - values.mean(dim=1, keepdim=True)) / values.std(dim=1, keepdim=True)
    assert standard.pow(3).mean(dim=1).abs().max() < error * math.sqrt(6)
    assert (standard.pow(4).mean(dim=1) - 3).abs().max() < error * math.sqrt(24)


def test_the_spectrum_stays_flat(travelled: torch.Tensor) -> None:
    bands = 8
    for draw in travelled:
        # The power of a frequency has a standard deviation of its mean; half of them are mirrored.
        for band, power in enumerate(_spectrum(draw, bands)):
            frequencies = 48 * 64 * math.pi / 4 * ((band + 1) ** 2 - band**2) / bands**2
            assert abs(power - 1) < 4 / math.sqrt(frequencies * SHAPE[0] / 2)


def test_neighbours_stay_independent(travelled: torch.Tensor) -> None:
    correlations = _neighbours(travelled)
    correlations.append(float((travelled[0] * travelled[1]).mean()))
    assert max(abs(each) for each in correlations) < 4 / math.sqrt(VALUES)


def test_these_measures_detect_interpolated_noise() -> None:
    blurred = F.avg_pool2d(_after(iter([])), 2, stride=1, padding=1)
    blurred = blurred / blurred.std()
    assert (_spectrum(blurred, 8) - 1).abs().max() > 0.3
    assert max(_neighbours(blurred)) > 0.3


@pytest.mark.parametrize("seed", range(3))
def test_no_value_is_used_twice(seed: int) -> None:
    rest, generator = torch.zeros(1, 2, 48, 64), torch.Generator().manual_seed(seed)
    for flow in (*_varied(12, seed), 9 * torch.randn(1, 2, 48, 64, generator=generator)):
        source, rest = advected(rest, flow)
        used = source[source >= 0]
        assert len(set(used.tolist())) == used.numel()
        assert source.min() >= -1
        assert source.max() < 48 * 64
        assert rest.abs().max() <= 1.5


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 20), st.integers(0, 2**32))
def test_any_size_and_any_flow_give_each_value_to_one_cell(
    height: int, width: int, cells: float, seed: int
) -> None:
    generator, rest = torch.Generator().manual_seed(seed), torch.zeros(1, 2, height, width)
    for _ in range(3):
        flow = cells * torch.randn(1, 2, height, width, generator=generator)
        source, rest = advected(rest, flow)
        used = source[source >= 0].tolist()
        assert len(set(used)) == len(used)
        assert source.max() < height * width
        assert rest.abs().max() <= 1.5


@pytest.mark.parametrize(
    ("flow", "least"),
    [
        (_uniform(0.4, 0.1), 0.98),
        (_rotation(0.2), 0.95),
        (_zoom(1.002), 0.95),
        (_zoom(0.998), 0.95),
    ],
)
def test_most_values_survive_slow_motion(flow: torch.Tensor, least: float) -> None:
    rest, shares = torch.zeros(1, 2, 48, 64), []
    for _ in range(60):
        source, rest = advected(rest, flow)
        shares.append(float((source >= 0).float().mean()))
    assert sum(shares) / len(shares) > least


def _shared(noise: torch.Tensor, other: torch.Tensor) -> float:
    """The share of values that are in both, not quite 0 by chance with 24-bit values."""
    return float(torch.isin(noise, other).float().mean())


def test_cells_without_an_origin_get_new_noise() -> None:
    flow = _uniform(1.0, 0.0).clone()
    flow[..., 10:20, 10:20] = torch.nan
    shown, before = _after(iter([flow])), _after(iter([]))
    assert _shared(shown[..., 10:20, 10:20], before) < 0.01
    assert shown.isfinite().all()


@pytest.mark.parametrize("far", [1e30, math.inf, -math.inf, math.nan, -1e6])
def test_a_flow_from_far_outside_gives_new_noise(far: float) -> None:
    shown = _after(iter([_uniform(far, 0.0)]))
    assert _shared(shown, _after(iter([]))) < 0.01
    assert torch.equal(_after(iter([_uniform(far, 0.0), _uniform(0.0, 0.0)])), shown)


def test_the_same_seed_and_flows_give_the_same_noise() -> None:
    assert torch.equal(_after(_varied(12)), _after(_varied(12)))
    assert not torch.equal(_after(_varied(12)), _after(_varied(12), seed=4))


def test_the_first_draw_does_not_depend_on_how_many_follow() -> None:
    assert torch.equal(_after(_varied(12), draws=1)[0], _after(_varied(12), draws=3)[0])


def test_new_values_differ_from_frame_to_frame() -> None:
    noise, border = AdvectedNoise(), []
    for _ in range(5):
        shown = noise(3, SHAPE, 1, CPU, flow=_uniform(-1.0, 0.0))[0]
        border.append(shown[0, 0, :, 0])
    assert len(set(torch.cat(border).tolist())) == 5 * 48


def test_returned_noise_is_never_overwritten() -> None:
    noise = AdvectedNoise()
    first = noise(3, SHAPE, 1, CPU)[0]
    copy = first.clone()
    noise(3, SHAPE, 1, CPU, flow=_uniform(1.0, 2.0), cut=torch.tensor(False))
    assert torch.equal(first, copy)


@pytest.mark.parametrize("change", ["reset", "seed", "cut"])
def test_a_fresh_start_gives_the_fixed_noise(change: str) -> None:
    noise = AdvectedNoise()
    for flow in _varied(6):
        noise(3, SHAPE, 2, CPU, flow=flow)
    if change == "reset":
        noise.reset()
    seed, cut = (8 if change == "seed" else 3), torch.full((1, 1, 1, 1), change == "cut")
    anew = noise(seed, SHAPE, 1, CPU, flow=_uniform(1.0, 0.0), cut=cut)
    assert torch.equal(anew[0], FixedNoise()(seed, SHAPE, 1, CPU)[0])
    both = noise(seed, SHAPE, 2, CPU, flow=torch.zeros(1, 2, *SHAPE[1:]))
    assert torch.equal(both[1], FixedNoise()(seed, SHAPE, 2, CPU)[1])


def test_a_new_size_resets() -> None:
    noise = AdvectedNoise()
    noise(3, SHAPE, 1, CPU)
    smaller = noise(3, (4, 16, 24), 1, CPU, flow=_uniform(1.0, 0.0, 16, 24))
    assert torch.equal(smaller[0], FixedNoise()(3, (4, 16, 24), 1, CPU)[0])
