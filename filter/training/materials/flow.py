"""The direction of the forms in a picture, and what follows it: lines, smears and stripes."""

import cv2
import numpy as np

from .canvas import Array, blur, noise


def angles(grey: Array, sigma: float = 3.0) -> Array:
    """Angle in radians along the edges, from the smoothed structure tensor."""
    return tensor_angles(grey, sigma)[0]


def tensor_angles(grey: Array, sigma: float) -> tuple[Array, Array]:
    """Angles along the edges, and how sure they are: 0 (flat or corner) … 1 (an edge)."""
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=3) / 8
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3) / 8
    e, g, f = blur(across * across, sigma), blur(down * down, sigma), blur(across * down, sigma)
    angle = 0.5 * np.arctan2(2 * f, e - g) + np.pi / 2
    sure = np.sqrt((e - g) ** 2 + 4 * f * f) / (e + g + 2e-4)
    return angle.astype(np.float32), sure.astype(np.float32)


def form_angles(grey: Array, sigma: float = 8.0, rest: float = np.pi / 4) -> Array:
    """Angles that follow large forms, and turn to the angle `rest` where there are none."""
    angle, sure = tensor_angles(blur(grey, 2.0), sigma)
    share = np.clip(sure * 1.4, 0, 1)
    x = share * np.cos(2 * angle) + (1 - share) * np.cos(2 * rest)
    y = share * np.sin(2 * angle) + (1 - share) * np.sin(2 * rest)
    return (0.5 * np.arctan2(blur(y, sigma / 2), blur(x, sigma / 2))).astype(np.float32)


def along(array: Array, angle: Array, length: float, step: float = 1.0) -> Array:
    """Mean along the curve through each pixel, `length` pixels to both sides.

    Line integral convolution (Cabral & Leedom 1993).
    """
    height, width = angle.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    direction = np.dstack([np.cos(angle), np.sin(angle)])
    total, count = array.astype(np.float32).copy(), 1
    for sign in (-step, step):
        x, y, heading = columns, rows, sign * direction
        for _ in range(max(1, round(length / step))):
            x, y = x + heading[..., 0], y + heading[..., 1]
            total += sample(array, x, y)
            following = sample(direction, x, y) * abs(step)
            turn = np.sign((following * heading).sum(-1, keepdims=True))
            heading = following * np.where(turn == 0, 1, turn).astype(np.float32)
            count += 1
    return total / count


def sample(array: Array, x: Array, y: Array) -> Array:
    """Bilinear samples of a map or picture at fractional places, edges reflected."""
    return cv2.remap(array, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def lines(picture: Array, sigma: float, *, length: float = 4.0, threshold: float = 0.0,
          steepness: float = 60.0, tau: float = 0.98) -> Array:  # fmt: skip
    """Dark lines as coverage 0…1, by a flow-based difference of Gaussians (Kang et al. 2007).

    A soft picture is drawn as if its edges were stronger.
    """
    grey = picture.mean(-1)  # yellow on white has a line, too
    difference = blur(grey, sigma) - tau * blur(grey, 1.6 * sigma)
    if length > 0:
        difference = along(difference, angles(grey, 2.0 + sigma), length)
    strongest = float(np.quantile(-difference, 0.98))
    difference = difference * float(np.clip(0.05 / (strongest + 1e-4), 1.1, 2.5))
    return np.tanh(steepness * np.clip(threshold - difference, 0, None))


def stripes(angle: Array, spacing: float, label: str, rounds: int = 5) -> Array:
    """Evenly spaced stripes along `angle`, −1…1: noise that is smoothed along the angle and
    band-passed across it until stripes are left."""
    pattern = noise(angle.shape, label, 1.0)
    sigma = spacing / 4.6
    for _ in range(rounds):
        pattern = along(pattern, angle, 1.6 * spacing, 1.5)
        pattern = blur(pattern, sigma) - blur(pattern, 1.6 * sigma)
        pattern = np.tanh(1.6 * pattern / (np.sqrt(blur(pattern**2, 2 * spacing)) + 1e-6))
    return pattern
