"""Images made worse in ways that cameras and the web do, each at a stated strength."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

Pixels = NDArray[np.uint8]
Corruption = Callable[[Pixels, float, np.random.Generator], Pixels]


def noise(pixels: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    """Gaussian noise; `strength` is its standard deviation as a share of the range."""
    changed = pixels + chance.normal(0, 255 * strength, pixels.shape)
    return np.clip(np.rint(changed), 0, 255).astype(np.uint8)


def blur(pixels: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    """Gaussian blur; `strength` is its radius as a share of the shorter side."""
    radius = strength * min(pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def jpeg(pixels: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    """Written and read as JPEG; `strength` is the quality, 1 to 95."""
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "JPEG", quality=int(strength))
    return np.asarray(Image.open(written).convert("RGB"))


def brightness(pixels: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    """Every value times `strength`."""
    return np.asarray(ImageEnhance.Brightness(Image.fromarray(pixels)).enhance(strength))


def contrast(pixels: Pixels, strength: float, chance: np.random.Generator) -> Pixels:
    """Every difference from the mean times `strength`."""
    return np.asarray(ImageEnhance.Contrast(Image.fromarray(pixels)).enhance(strength))


WAYS: dict[str, tuple[Corruption, tuple[float, ...]]] = {
    "noise": (noise, (0.04, 0.12)),
    "blur": (blur, (0.02, 0.05)),
    "jpeg": (jpeg, (40, 10)),
    "brightness": (brightness, (0.6, 1.6)),
    "contrast": (contrast, (0.6, 0.3)),
}
"""Each way with the strengths that are tried, the mildest first."""
