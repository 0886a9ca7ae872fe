"""Luma of frames and means of areas: OpenCV's ways against PyTorch's."""

import pytest
import torch
from torch.nn import functional as F

from turbolens.filter.frames.luma import frame_luma, luma_of, reduced


def test_luma_of_a_frame_is_that_of_the_tensor_version() -> None:
    rgb = torch.randint(0, 256, (37, 53, 3), generator=torch.Generator().manual_seed(0)).byte()
    assert torch.allclose(frame_luma(rgb), luma_of(rgb), atol=1e-3)
    assert frame_luma(rgb).shape == (1, 1, 37, 53)


@pytest.mark.parametrize("size", [(8, 8), (6, 12), (24, 24)])
def test_a_reduced_image_has_the_means_of_areas(size: tuple[int, int]) -> None:
    image = torch.rand(1, 1, 24, 48, generator=torch.Generator().manual_seed(0))
    expected = F.avg_pool2d(image, (24 // size[0], 48 // size[1]))
    assert torch.allclose(reduced(image, *size), expected, atol=1e-6)


def test_areas_may_contain_parts_of_pixels() -> None:
    image = torch.rand(1, 1, 24, 48, generator=torch.Generator().manual_seed(0))
    assert reduced(image, 24, 40).mean() == pytest.approx(float(image.mean()), abs=1e-5)


def test_a_reduced_part_of_an_image_is_that_of_its_copy() -> None:
    image = torch.rand(1, 1, 24, 48, generator=torch.Generator().manual_seed(1))
    part = image[..., :16, 3:35]
    assert torch.equal(reduced(part, 4, 4), reduced(part.clone(), 4, 4))


def test_an_image_that_is_too_small_to_be_reduced_is_enlarged() -> None:
    image = torch.rand(1, 1, 3, 5, generator=torch.Generator().manual_seed(2))
    assert reduced(image, 6, 10).shape == (1, 1, 6, 10)
