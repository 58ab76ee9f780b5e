import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from ding_cls.common.seed import torch_randomness
from ding_cls.data.transforms.array_ops import as_pixels as to_tensor
from ding_cls.data.transforms.array_ops import normalize
from ding_cls.data.transforms.default import Preprocessing, TrainAugmentation, pipeline_preprocessing
from ding_cls.data.transforms.preprocessing import PipelinePreprocessing
from ding_cls.errors import DataError
from ding_cls.types import Batch


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("size", [(300, 200), (200, 301), (10, 12), (256, 256)])
def test_preprocessing_equals_torchvisions_own_to_the_last_bit(size):
    ours = Preprocessing(image_size=40, resize_size=48)
    theirs = v2.Compose(
        [
            v2.Resize(48, antialias=True),
            v2.CenterCrop(40),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(ours.mean, ours.std),
        ]
    )
    picture = noise(*size)
    pixels = ours.to_tensor(ours(picture))
    assert (pixels.dtype, tuple(pixels.shape)) == (torch.uint8, (40, 40, 3))
    assert torch.equal(ours.normalize(pixels[None])[0], theirs(picture))


def test_train_augmentation_equals_torchvisions_own_to_the_last_bit():
    ours = TrainAugmentation(image_size=24, crop_scale=(0.3, 0.9), crop_ratio=(0.8, 1.2))
    theirs = v2.Compose(
        [
            v2.RandomResizedCrop(24, scale=(0.3, 0.9), ratio=(0.8, 1.2), antialias=True),
            v2.RandomHorizontalFlip(),
        ]
    )
    picture, results = noise(64, 48), set()
    for seed in range(20):
        with torch_randomness(seed):
            mine = ours(picture)
        with torch_randomness(seed):
            assert theirs(picture).tobytes() == mine.tobytes()
        results.add(mine.tobytes())
    assert len(results) == 20


def test_without_flip_nothing_is_mirrored():
    half = Image.fromarray(np.repeat(np.arange(32, dtype=np.uint8)[None, :, None] * 8, 32, 0).repeat(3, 2))
    cut = TrainAugmentation(image_size=8, hflip=False)
    mirrored = TrainAugmentation(image_size=8)
    rises = [[], []]
    for seed in range(30):
        for found, augmentation in zip(rises, (cut, mirrored), strict=True):
            with torch_randomness(seed):
                row = np.asarray(augmentation(half))[0, :, 0].astype(int)
            found.append(row[-1] > row[0])
    assert all(rises[0])
    assert 5 <= sum(rises[1]) <= 25


def test_normalize_gives_hand_computed_values():
    images = torch.tensor([0, 255, 51], dtype=torch.uint8).view(1, 1, 1, 3)
    result = normalize(images, mean=(0.5, 0.5, 0.1), std=(0.5, 0.25, 0.1))
    assert result.is_contiguous()
    torch.testing.assert_close(result.flatten(), torch.tensor([-1.0, 2.0, 1.0]))


def test_normalize_leaves_its_input_alone():
    images = torch.full((1, 2, 2, 3), 7, dtype=torch.uint8)
    normalize(images)
    assert images.eq(7).all()


def test_prepare_normalises_bytes_and_passes_floats():
    steps = Preprocessing(image_size=2, resize_size=2)
    images = torch.randint(0, 256, (3, 2, 2, 3), dtype=torch.uint8)
    batch = Batch(images, torch.arange(3), torch.arange(3), torch.ones(3))
    prepared = steps.prepare(batch)
    assert torch.equal(prepared.images, steps.normalize(images))
    assert prepared.targets is batch.targets
    assert steps.prepare(prepared) is prepared
    assert torch.equal(TrainAugmentation(image_size=2).prepare(batch).images, prepared.images)


def test_the_state_is_plain_and_comes_back_equal():
    steps = Preprocessing(32, 36, (0.1, 0.2, 0.3), (1, 2, 3), "bicubic")
    state = steps.state_dict()
    assert state == {
        "image_size": 32,
        "resize_size": 36,
        "mean": [0.1, 0.2, 0.3],
        "std": [1.0, 2.0, 3.0],
        "interpolation": "bicubic",
    }
    assert Preprocessing.from_state(state) == steps
    del state["interpolation"]
    assert Preprocessing.from_state(state) == Preprocessing(32, 36, (0.1, 0.2, 0.3), (1, 2, 3), "bilinear")
    with pytest.raises(DataError, match="preprocessing record has the keys"):
        Preprocessing.from_state({"image_size": 32})


@pytest.mark.parametrize("steps", [Preprocessing(8, 8), TrainAugmentation(8)])
def test_records_survive_pickling_and_are_hashable(steps):
    assert pickle.loads(pickle.dumps(steps)) == steps
    assert hash(steps) == hash(pickle.loads(pickle.dumps(steps)))


def test_a_thin_strip_is_cut_before_it_is_enlarged():
    strip = np.zeros((1, 60_000, 3), np.uint8)
    strip[:, 29_990:30_010] = 200
    result = np.asarray(Preprocessing()(Image.fromarray(strip)))
    assert result.shape == (224, 224, 3)
    assert (result == 200).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 600), (600, 1)])
@pytest.mark.parametrize("steps", [Preprocessing(), TrainAugmentation()])
def test_any_size_becomes_the_square(size, steps):
    assert to_tensor(steps(noise(*size))).shape == (224, 224, 3)


def test_evaluation_that_matches_training_keeps_imagenets_ratio():
    assert TrainAugmentation().preprocessing() == Preprocessing()
    assert TrainAugmentation(112, mean=(0, 0, 0)).preprocessing() == Preprocessing(112, 128, mean=(0, 0, 0))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Preprocessing(image_size=300), "resize_size=256 is smaller than image_size=300"),
        (lambda: Preprocessing(std=(1, 1, 0)), "std"),
        (lambda: Preprocessing(mean=(0.5,)), "mean"),
        (lambda: Preprocessing(interpolation="best"), "interpolation='best'"),
        (lambda: TrainAugmentation(image_size=0), "image_size=0"),
        (lambda: TrainAugmentation(crop_scale=(0.5, 2)), "crop_scale"),
        (lambda: TrainAugmentation(crop_ratio=(2, 1)), "crop_ratio"),
    ],
)
def test_values_that_cannot_work_are_named(make, reason):
    with pytest.raises(DataError, match=reason):
        make()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_normalising_on_cuda_equals_the_cpu():
    images = torch.randint(0, 256, (4, 8, 8, 3), dtype=torch.uint8)
    torch.testing.assert_close(normalize(images.cuda()).cpu(), normalize(images), rtol=0, atol=1e-6)


def test_both_are_pipelines_by_their_numbers():
    train, val = TrainAugmentation(8, crop_scale=(0.3, 0.9), mean=(0.5,) * 3), Preprocessing(8, 9)
    assert [step["type"] for step in train.pipeline] == [
        "LoadImageFromFile",
        "RandomResizedCrop",
        "RandomFlip",
    ]
    assert PipelinePreprocessing(train.pipeline, mean=(0.5,) * 3).state_dict() == train.state_dict()
    assert pipeline_preprocessing(val.pipeline) == val
    image = noise(20, 30)
    assert PipelinePreprocessing(val.pipeline)(image).tobytes() == val(image).tobytes()
