import pickle
import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from ding_cls.data.datasets.folder import ImageNetDataset, SyntheticDataset
from ding_cls.data.sampling.samplers import DistributedSampler
from ding_cls.data.transforms import PipelinePreprocessing
from ding_cls.data.transforms.default import Preprocessing, TrainAugmentation
from ding_cls.errors import DataError
from ding_cls.images.image_io import load_rgb
from dizoo.image_classification import data


def test_classes_and_samples_are_in_bytewise_order(make_pictures):
    root = make_pictures("d", "dog/b.png", "cat-x/a.png", "cat/sub/a.png", "cat/B.png", "Zoo/1.png")
    dataset = ImageNetDataset(root, is_training=True)
    assert dataset.root == str(root)
    assert dataset.classes == ("Zoo", "cat", "cat-x", "dog")
    assert dataset.class_to_idx == {"Zoo": 0, "cat": 1, "cat-x": 2, "dog": 3}
    expected = [
        ("Zoo/1.png", 0),
        ("cat/B.png", 1),
        ("cat/sub/a.png", 1),
        ("cat-x/a.png", 2),
        ("dog/b.png", 3),
    ]
    assert dataset.samples == expected
    assert dataset.targets == [0, 1, 1, 2, 3]
    assert len(dataset) == 5


def test_numbers_come_from_the_given_list_and_never_from_the_folder(make_pictures):
    root = make_pictures("val", "cat/a.png", "ant/b.png")
    dataset = ImageNetDataset(root, is_training=False, classes=["dog", "cat", "ant"])
    assert dataset.classes == ("dog", "cat", "ant")
    assert dataset.samples == [("ant/b.png", 2), ("cat/a.png", 1)]


def test_an_unknown_folder_is_named_with_the_nearest_class(make_pictures):
    root = make_pictures("val", "cta/a.png")
    with pytest.raises(DataError, match=f"'{root}/cta' is none of the 2 classes; did you mean 'cat'\\?"):
        ImageNetDataset(root, is_training=False, classes=["cat", "dog"])
    with pytest.raises(DataError, match="rename the folder or remove it"):
        ImageNetDataset(root, is_training=False, classes=["zebra"])
    with pytest.raises(DataError, match="names 'cat' twice"):
        ImageNetDataset(root, is_training=False, classes=["cat", "cat"])


def test_an_empty_class_is_an_error_in_training_only(make_pictures):
    root = make_pictures("d", "cat/a.png")
    (root / "dog").mkdir()
    with pytest.raises(DataError, match=f"class folder '{root}/dog' holds no pictures"):
        ImageNetDataset(root, is_training=True)
    assert ImageNetDataset(root, is_training=False).classes == ("cat", "dog")


def test_a_set_without_any_picture_is_an_error(tmp_path):
    (tmp_path / "cat").mkdir()
    with pytest.raises(DataError, match="has 1 class folders but no pictures in them; it should look like"):
        ImageNetDataset(tmp_path, is_training=False)


def test_default_evaluation_equals_the_written_out_steps(make_pictures):
    root = make_pictures("d", "cat/a.png", size=(300, 260))
    dataset = ImageNetDataset(root, is_training=False)
    steps = v2.Compose(
        [
            v2.Resize(256),
            v2.CenterCrop(224),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    image, target = dataset[0]
    assert (image.dtype, image.shape, target) == (torch.float32, (3, 224, 224), 0)
    assert torch.equal(image, steps(load_rgb(root / "cat" / "a.png")))
    assert dataset.preprocessing == Preprocessing()


def test_load_gives_the_pixels_before_normalisation(make_pictures):
    root = make_pictures("d", "cat/a.png")
    dataset = ImageNetDataset(root, is_training=False, transform=Preprocessing(16, 16))
    pixels, target = dataset.load(0)
    assert (pixels.dtype, pixels.shape, target) == (torch.uint8, (16, 16, 3), 0)
    assert pixels.tolist() == np.asarray(load_rgb(root / "cat" / "a.png"))[:, 2:18].tolist()
    assert torch.equal(dataset[0][0], dataset.preprocessing.normalize(pixels[None])[0])


def test_training_augments_by_default(make_pictures):
    dataset = ImageNetDataset(make_pictures("d", "cat/a.png"), is_training=True)
    assert dataset.geometry == TrainAugmentation()
    assert not torch.equal(dataset.load(0)[0], dataset.load(0)[0])


def test_a_users_transform_has_the_last_word(make_pictures):
    root = make_pictures("d", "cat/a.png")
    steps = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    dataset = ImageNetDataset(root, is_training=True, transform=steps)
    assert torch.equal(dataset[0][0], dataset.load(0)[0])
    assert dataset[0][0].shape == (3, 16, 20)
    assert dataset.geometry is None
    assert dataset.preprocessing is None


def test_a_transform_that_returns_no_tensor_is_named(make_pictures):
    dataset = ImageNetDataset(
        make_pictures("d", "cat/a.png"), is_training=True, transform=lambda picture: picture
    )
    with pytest.raises(DataError, match=r"the transform returned a Image for .*not a tensor"):
        dataset[0]


def test_a_bad_picture_is_named_with_class_and_index(make_pictures):
    root = make_pictures("d", "ant/a.png", "cat/a b.png")
    path = root / "cat" / "a b.png"
    path.write_bytes(b"")
    with pytest.raises(DataError) as caught:
        ImageNetDataset(root, is_training=False)[1]
    expected = f"'{path}' (class 'cat', index 1) is empty (0 bytes); delete it or replace it"
    assert str(caught.value) == expected


def test_any_torch_loader_takes_the_data_set(make_pictures):
    root = make_pictures("d", "ant/a.png", "cat/b.png", "cat/c.png")
    dataset = ImageNetDataset(root, is_training=False, transform=Preprocessing(8, 8))
    batches = list(DataLoader(dataset, batch_size=2, sampler=None, num_workers=2))
    assert [images.shape for images, _ in batches] == [(2, 3, 8, 8), (1, 3, 8, 8)]
    assert torch.cat([targets for _, targets in batches]).tolist() == [0, 1, 1]
    assert torch.equal(batches[1][0][0], dataset[2][0])


def test_the_data_set_survives_pickling(make_pictures):
    dataset = ImageNetDataset(make_pictures("d", "cat/a.png"), is_training=False)
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[0][0], dataset[0][0])


def test_the_zoo_offers_the_known_names():
    assert data.ImageNetDataset is ImageNetDataset
    assert data.DistributedSampler is DistributedSampler


def test_a_synthetic_sample_is_a_function_of_seed_and_number():
    first = SyntheticDataset(8, 3, 10, seed=5)
    states = torch.get_rng_state(), random.getstate()
    pixels, target = first.load(4)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert (pixels.dtype, pixels.shape, target) == (torch.uint8, (10, 10, 3), 1)
    assert torch.equal(SyntheticDataset(20, 3, 10, seed=5).load(4)[0], pixels)
    assert torch.equal(first.load(-4)[0], pixels)
    assert not torch.equal(SyntheticDataset(8, 3, 10, seed=6).load(4)[0], pixels)
    assert not torch.equal(first.load(1)[0], pixels)
    assert torch.equal(first[4][0], first.preprocessing.normalize(pixels[None])[0])


def test_synthetic_classes_are_named_and_evenly_dealt():
    dataset = SyntheticDataset(7, 3, 4)
    assert dataset.classes == ("class_0", "class_1", "class_2")
    assert dataset.targets == [0, 1, 2, 0, 1, 2, 0]
    assert SyntheticDataset(2, 2, 4, classes=["a", "b"]).classes == ("a", "b")
    with pytest.raises(DataError, match="classes has 1 names for num_classes=2"):
        SyntheticDataset(2, 2, 4, classes=["a"])
    with pytest.raises(DataError, match="must be at least 1"):
        SyntheticDataset(0, 2, 4)


def test_two_seeds_are_two_draws_from_one_learnable_task():
    train, val = SyntheticDataset(100, 10, 16), SyntheticDataset(50, 10, 16, seed=1)
    means = torch.stack(
        [torch.stack([train[index][0] for index in range(kind, 100, 10)]).mean(0) for kind in range(10)]
    )
    guesses = [(means - val[index][0]).square().flatten(1).sum(1).argmin().item() for index in range(50)]
    assert guesses == val.targets
    assert not torch.equal(train.load(0)[0], val.load(0)[0])


def test_random_numbers_are_known_to_be_torchs_where_the_transform_is_ours(make_pictures):
    class OwnAugmentation(TrainAugmentation):
        pass

    root = make_pictures("d", "a/1.png", "b/2.png")
    steps = [{"type": "Resize", "size": 8}]
    for transform in (None, TrainAugmentation(8), Preprocessing(8, 8), PipelinePreprocessing(steps)):
        assert ImageNetDataset(root, True, transform).draws_from_torch_only
    for transform in (OwnAugmentation(8), v2.ToImage(), lambda picture: picture):
        assert not ImageNetDataset(root, True, transform).draws_from_torch_only
