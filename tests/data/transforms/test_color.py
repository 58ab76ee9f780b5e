import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from ding_cls.common.seed import torch_randomness
from ding_cls.data.transforms import ColorJitter, Compose, Lighting, RandomGrayscale
from ding_cls.data.transforms.array_ops import FROM_FILE
from ding_cls.errors import ConfigError


def test_it_is_torchvisions_with_mmclassifications_arguments():
    img = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    with torch_randomness(3):
        ours = ColorJitter(brightness=0.4, contrast=0.3, saturation=0.2, backend="cv2")({"img": img})["img"]
    with torch_randomness(3):
        theirs = np.asarray(v2.ColorJitter(0.4, 0.3, 0.2)(Image.fromarray(img)))
    assert np.array_equal(ours, theirs)
    assert not np.array_equal(ours, img)


def test_values_outside_their_range_are_named():
    with pytest.raises(ConfigError, match=r"ColorJitter: .*hue"):
        ColorJitter(hue=0.7)
    with pytest.raises(ConfigError, match="backend='gpu'"):
        ColorJitter(backend="gpu")


def test_grey_comes_as_often_as_asked_and_is_torchvisions():
    img = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    grey = RandomGrayscale(gray_prob=1.0)({"img": img})["img"]
    assert np.array_equal(grey, np.asarray(Image.fromarray(img).convert("L").convert("RGB")))
    with torch_randomness(0):
        count = sum((RandomGrayscale(gray_prob=0.3)({"img": img})["img"] == grey).all() for _ in range(1000))
    assert 255 <= count <= 345
    with pytest.raises(ConfigError, match="RandomGrayscale: gray_prob=3"):
        RandomGrayscale(3)


EIGVAL = [55.4625, 4.7940, 1.1475]
EIGVEC = [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]


def lit(img, seed, *, known=None, **arguments):
    with torch_randomness(seed):
        return Lighting(EIGVAL, EIGVEC, **arguments)({"img": img.copy(), **(known or {})})


def noise_of(seed, alphastd):
    with torch_randomness(seed):
        alpha = torch.randn(3).double().numpy() * alphastd
    # sum over i of alpha_i lambda_i p_i
    return sum(alpha[i] * EIGVAL[i] * np.array(EIGVEC)[:, i] for i in range(3))


@pytest.mark.parametrize("is_from_file", [False, True])
@pytest.mark.parametrize("to_rgb", [False, True])
def test_light_is_added_along_the_axes_in_the_order_that_was_asked_for(is_from_file, to_rgb):
    img = np.random.default_rng(0).integers(100, 150, (4, 5, 3)).astype(np.float32)
    # What mmclassification has: files as B, G, R, arrays as they come.
    theirs = img[..., ::-1] if is_from_file else img
    theirs = (theirs[..., ::-1] if to_rgb else theirs) + noise_of(1, 0.4)
    results = lit(img, 1, alphastd=0.4, to_rgb=to_rgb, known={FROM_FILE: is_from_file})
    # Ours of a file stays R, G, B until a Normalize with to_rgb=False.
    ours = results["img"][..., ::-1] if results[FROM_FILE] else results["img"]
    assert results["img"].dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert results[FROM_FILE] is (is_from_file and not to_rgb)


@pytest.mark.parametrize("to_rgb", [False, True])
def test_what_follows_normalises_the_channels_as_mmclassification_would(to_rgb):
    img = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    lighting = {"type": "Lighting", "eigval": EIGVAL, "eigvec": EIGVEC, "alphastd": 0.0}
    norm = {"type": "Normalize", "mean": [10.0, 20.0, 30.0], "std": [50.0, 60.0, 70.0], "to_rgb": to_rgb}
    pipeline = Compose([{"type": "LoadImageFromFile"}, lighting, norm])
    # Lighting has made R, G, B already: with to_rgb=True the network sees B, G, R.
    wanted = (img[..., ::-1] if to_rgb else img) - np.array([10.0, 20.0, 30.0])
    wanted = wanted / np.array([50.0, 60.0, 70.0])
    results = pipeline.steps[2](pipeline.steps[1]({"img": img, FROM_FILE: True}))
    np.testing.assert_allclose(results["img"], wanted, atol=1e-6)
    assert pipeline.deferred.is_swapped is to_rgb
    deferred = pipeline.deferred(torch.from_numpy(img.copy())[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(deferred.numpy(), wanted, atol=1e-6)


def test_bytes_are_rounded_and_never_wrap_around():
    img = np.full((2, 2, 3), 254, np.uint8)
    seed = next(seed for seed in range(20) if noise_of(seed, 1.0).min() > 3)
    assert (lit(img, seed, alphastd=1.0)["img"] == 255).all()
    seed = next(seed for seed in range(20) if noise_of(seed, 1.0).max() < -3)
    expected = np.round(254 + noise_of(seed, 1.0))
    assert np.array_equal(lit(img, seed, alphastd=1.0, known={FROM_FILE: True})["img"][0, 0], expected)
    assert (lit(img * 0, seed, alphastd=1.0)["img"] == 0).all()


def test_factors_have_the_deviation():
    noises = np.array([(lit(np.zeros((1, 1, 3), np.float32), seed)["img"])[0, 0] for seed in range(2000)])
    axes = np.array(EIGVEC) * EIGVAL
    # Arrays are turned around by to_rgb=True; the covariance of A x is A A^T.
    np.testing.assert_allclose(np.cov(noises.T), axes @ axes.T * 0.01, rtol=0.15)


@pytest.mark.parametrize(
    ("eigval", "eigvec", "alphastd"),
    [([1.0], EIGVEC, 0.1), (EIGVAL, [[1.0]], 0.1), (EIGVAL, EIGVEC, -1), (EIGVAL, "axes", 0.1)],
)
def test_axes_that_mean_nothing_are_named(eigval, eigvec, alphastd):
    with pytest.raises(ConfigError, match="Lighting: eigval="):
        Lighting(eigval, eigvec, alphastd)
