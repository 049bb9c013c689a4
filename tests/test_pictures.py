"""Pictures in folders, and images in arrays: what is read, in which order, and with which shape."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.small_runs import call, tiny

import losslens
from losslens.data.readers import read
from losslens.faces.inspect import inspect
from losslens.vocabulary.errors import BadInput

GREY = np.random.default_rng(0).integers(0, 256, (24, 6, 4), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (24, 6, 4, 3), dtype=np.uint8)


def written(folder: Path, pictures: np.ndarray, *, classes: tuple[str, ...] = (), suffix: str = ".png") -> Path:
    """One file a picture, in sub-folders in turn if there are classes."""
    for place, picture in enumerate(pictures):
        path = folder / (classes[place % len(classes)] if classes else "") / f"{place:03}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return folder


def test_a_folder_of_grey_pictures_is_their_pixels(tmp_path: Path) -> None:
    profiles = read(written(tmp_path / "digits of mine", GREY))
    assert np.array_equal(profiles.values, GREY.reshape(24, 24))
    assert profiles.sample_shape == (1, 6, 4)
    assert profiles.samples[:2] == ("000.png", "001.png")
    assert (profiles.name, profiles.labels) == ("digits of mine", None)
    assert inspect(tmp_path / "digits of mine").seen.kind.name == "bounded integers"


def test_colours_come_channel_by_channel_and_sub_folders_are_labels(tmp_path: Path) -> None:
    profiles = read(str(written(tmp_path, COLOUR, classes=("cat", "dog"))))
    channels = profiles.values.reshape(24, 3, 6, 4)
    order = [*range(0, 24, 2), *range(1, 24, 2)]
    assert np.array_equal(channels.transpose(0, 2, 3, 1), COLOUR[order])
    assert profiles.sample_shape == (3, 6, 4)
    assert profiles.labels.tolist() == ["cat"] * 12 + ["dog"] * 12
    assert profiles.samples[0] == "cat/000.png"
    assert read(tmp_path, label="").labels is None
    assert read(tmp_path, label=list("ab") * 12).labels.tolist() == list("ab") * 12


def test_jpeg_and_hidden_and_other_files(tmp_path: Path) -> None:
    smooth = (
        np.tile(np.linspace(40, 200, 16, dtype=np.uint8), (24, 16, 1)) + np.arange(24, dtype=np.uint8)[:, None, None]
    )
    written(tmp_path, smooth, suffix=".JPG")
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / ".thumbnails").mkdir()
    Image.fromarray(GREY[0]).save(tmp_path / ".thumbnails" / "a.png")
    assert np.abs(read(tmp_path).values - smooth.reshape(24, 256)).max() <= 4


def test_sixteen_bits_are_shares_and_transparency_is_left_out(tmp_path: Path) -> None:
    fine = np.random.default_rng(2).integers(0, 65536, (12, 3, 5), dtype=np.uint16)
    profiles = read(written(tmp_path / "fine", fine))
    assert np.allclose(profiles.values, fine.reshape(12, 15) / 65535, atol=1e-7)
    assert profiles.declared == "[0, 1]"
    clear = np.concatenate([COLOUR, GREY[..., None]], axis=-1)
    assert np.array_equal(read(written(tmp_path / "clear", clear)).values, read(written(tmp_path / "c", COLOUR)).values)


def test_a_size_crops_to_the_middle_square_and_resizes(tmp_path: Path) -> None:
    wide = np.zeros((12, 4, 10), dtype=np.uint8)
    wide[:, :, 3:7] = np.arange(10, 130, 10)[:, None, None]  # the middle square; all else is black
    written(tmp_path, wide)
    Image.fromarray(np.full((9, 8), 7, dtype=np.uint8)).save(tmp_path / "other.png")
    profiles = read(tmp_path, size=2)
    assert np.array_equal(profiles.values, np.tile(np.r_[np.arange(10, 130, 10), 7][:, None], (1, 4)))
    assert profiles.sample_shape == (1, 2, 2)
    assert "2 x 2" in profiles.remarks[-1]
    ramp = np.tile(np.arange(0, 64, 8, dtype=np.uint8), (12, 8, 1)) + np.arange(12, dtype=np.uint8)[:, None, None]
    halved = read(written(tmp_path / "ramps", ramp), size=4).values.reshape(12, 4, 4)
    expected = ramp.reshape(12, 4, 2, 4, 2).mean((2, 4))
    assert np.abs(halved - expected)[:, :, 1:3].max() <= 1.0


@pytest.mark.parametrize(
    ("own", "shape"),
    [
        ((6, 4), (1, 6, 4)),
        ((1, 6, 4), (1, 6, 4)),
        ((3, 6, 4), (3, 6, 4)),
        ((7, 6, 5), (7, 6, 5)),
        ((6, 4, 3), (3, 6, 4)),
        ((6, 4, 1), (1, 6, 4)),
        ((1, 50), (1, 1, 50)),
        ((3, 1, 50), (3, 1, 50)),
        ((2, 3, 4, 5), ()),
    ],
)
def test_arrays_of_images_keep_their_shape(own: tuple[int, ...], shape: tuple[int, ...], tmp_path: Path) -> None:
    values = np.random.default_rng(3).random((12, *own))
    np.savez(tmp_path / "X.npz", X=values, y=np.arange(12) % 2)
    np.savez(tmp_path / "images.npz", images=values, masks=np.ones((12, 9)), y=np.arange(12) % 2)
    found = [read(source) for source in (values, tmp_path / "X.npz", tmp_path / "images.npz")]
    assert {profiles.sample_shape for profiles in found} == {shape}
    moved = np.moveaxis(values, -1, 1) if own in ((6, 4, 3), (6, 4, 1)) else values
    for profiles in found:
        assert np.array_equal(profiles.values, moved.reshape(12, -1).astype(np.float32))
    assert found[1].content_hash == found[2].content_hash
    assert read(values.reshape(12, -1)).sample_shape == read(values, transpose=True).sample_shape == ()


def test_the_shape_is_no_part_of_the_hash() -> None:
    profiles = read(GREY)
    assert (
        profiles.content_hash
        == replace(profiles, sample_shape=()).content_hash
        == read(GREY.reshape(24, 24)).content_hash
    )


def test_convolutions_know_the_shape_and_an_option_goes_first(tmp_path: Path) -> None:
    folder = written(tmp_path / "colour", COLOUR, classes=("cat", "dog"))
    asked = {"losses": ["mse"], "models": ["convolutional"], "hidden": [4], "repeats": 1, "epochs": 1}
    own = tiny(folder, tmp_path / "own", **asked)
    assert own.model.saved.model.shape == (3, 6, 4)
    assert own.model.transform(folder).shape == (24, 2)
    with pytest.raises(BadInput, match="Give --size"):
        own.model.transform(folder, size=4)
    assert tiny(folder, tmp_path / "said", shape="1x8x9", **asked).model.saved.model.shape == (1, 8, 9)


def test_one_picture_is_no_data_and_its_folder_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path / "p", GREY)
    with pytest.raises(BadInput, match=f"Give its folder: {re.escape(str(folder))}"):
        read(folder / "000.png")


def test_a_damaged_picture_is_named_with_what_to_do(tmp_path: Path) -> None:
    folder = written(tmp_path / "p", GREY)
    (folder / "000.png").write_bytes(b"no picture")
    with pytest.raises(BadInput, match=r"000\.png.*take it out of the folder"):
        read(folder)


def test_the_command_reads_a_folder_of_many_sizes(tmp_path: Path) -> None:
    written(tmp_path / "p", GREY, classes=("a", "b"))
    Image.fromarray(GREY[0].T).save(tmp_path / "p" / "a" / "turned.png")
    ended = call("inspect", tmp_path / "p", "--size", "4", "--json")
    assert ended.status == 0, ended.err
    assert '"features": 16' in ended.out
    assert '"samples": 25' in ended.out


def test_advice_reads_a_folder_of_many_sizes_and_its_command_says_the_size(tmp_path: Path) -> None:
    written(tmp_path / "p", GREY, classes=("a", "b"))
    Image.fromarray(GREY[0].T).save(tmp_path / "p" / "a" / "turned.png")
    ended = call("advise", tmp_path / "p", "--size", "4", "--json")
    assert ended.status == 0, ended.err
    said = json.loads(ended.out)
    assert said["features"] == 16
    assert "--size 4" in said["command"]


def test_parts_of_a_published_set_are_no_labels(tmp_path: Path) -> None:
    written(tmp_path / "train", GREY, classes=("cat", "dog"))
    written(tmp_path / "Test", GREY, classes=("cat", "dog"))
    profiles = read(str(tmp_path))
    assert profiles.labels.tolist() == [path.split("/")[1] for path in profiles.samples]
    assert set(profiles.labels) == {"cat", "dog"}
    assert "no labels" in " ".join(profiles.remarks)


def test_parts_beside_classes_are_classes(tmp_path: Path) -> None:
    written(tmp_path, GREY, classes=("train", "aeroplane"))
    assert set(read(str(tmp_path)).labels) == {"train", "aeroplane"}
    (tmp_path / "aeroplane").rename(tmp_path / "test")
    assert set(read(str(tmp_path)).labels) == {"train", "test"}


def test_an_array_has_no_size() -> None:
    with pytest.raises(BadInput, match="a folder of pictures, for --size, found a ndarray"):
        losslens.compare(GREY, size=8)
