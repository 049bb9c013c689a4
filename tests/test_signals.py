"""Pictures, sounds, films and clouds: read right, at odd sizes, or refused in words."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile
from tests.implicit_data import circle, film, picture, sphere, tone

from losslens.data.signals import read_cloud, read_film, read_picture, read_sound
from losslens.faces.implicit.writers import write_film, write_picture, write_sound
from losslens.vocabulary.errors import BadInput


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_survives_writing_and_reading(tmp_path, channels):
    values = picture(15, 11, channels)
    write_picture(tmp_path / "a.png", values)
    found = read_picture(tmp_path / "a.png")
    assert found.shape == values.shape
    assert np.abs(found - values).max() <= 1 / 255 + 1e-6


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGB", 3), ("RGBA", 3), ("CMYK", 3), ("I;16", 1)]
)
def test_every_kind_of_picture_is_read(tmp_path, mode, channels):
    if mode == "I;16":
        made = Image.fromarray(np.full((3, 5), 65535, np.uint16))
    else:
        made = Image.new("RGB", (5, 3), "white").convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    made.save(path)
    found = read_picture(path)
    assert found.shape == (3, 5, channels)
    assert np.abs(found - 1.0).max() < 0.01


def test_a_smaller_picture_keeps_proportion_and_mean():
    values = picture(60, 40)
    small = read_picture(values, size=30)
    assert small.shape == (30, 20, 1)
    assert small.mean() == pytest.approx(values.mean(), abs=0.01)
    assert small.std() == pytest.approx(values.std(), rel=0.1)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32])
def test_a_sound_is_read_at_its_level(tmp_path, kind):
    wanted = tone(channels=2)
    scaled = wanted if kind is np.float32 else wanted * (127 if kind is np.uint8 else np.iinfo(kind).max)
    wavfile.write(tmp_path / "a.wav", 8000, (scaled + (127.5 if kind is np.uint8 else 0)).astype(kind))
    sound = read_sound(tmp_path / "a.wav")
    assert sound.rate == 8000
    assert np.abs(sound.samples).max() == pytest.approx(1.0)
    assert np.allclose(sound.samples * sound.peak, wanted, atol=0.02)


def test_a_sound_survives_writing(tmp_path):
    write_sound(tmp_path / "a.wav", tone(), 8000)
    sound = read_sound(tmp_path / "a.wav")
    assert np.allclose(sound.samples * sound.peak, tone(), atol=1e-4)


def test_a_film_is_the_same_from_a_folder_an_archive_and_an_array(tmp_path):
    write_film(tmp_path / "frames", film())
    np.savez(tmp_path / "film.npz", film())
    found = [read_film(source) for source in (tmp_path / "frames", tmp_path / "film.npz", film())]
    assert [each.shape for each in found] == [(5, 9, 8, 1)] * 3
    assert np.abs(found[0] - found[2]).max() <= 1 / 255 + 1e-6
    assert np.array_equal(found[1], found[2])
    write_film(tmp_path / "frames", film(3))
    assert len(read_film(tmp_path / "frames")) == 3


PLY = """ply
format ascii 1.0
comment made by hand
element other 1
property float skipped
element vertex {count}
property float nx
property float ny
property float nz
property float x
property float y
property float z
element face 1
property list uchar int vertex_indices
end_header
7
{rows}
3 0 1 2
"""


def test_a_cloud_is_the_same_from_every_format(tmp_path):
    rows = sphere(40)
    np.savez(tmp_path / "one.npz", rows)
    np.savez(tmp_path / "two.npz", points=rows[:, :3], normals=rows[:, 3:])
    np.savetxt(tmp_path / "a.xyz", rows)
    turned = "\n".join(" ".join(f"{value:.9g}" for value in np.roll(row, 3)) for row in rows)
    (tmp_path / "a.ply").write_text(PLY.format(count=len(rows), rows=turned))
    expected = read_cloud(rows)
    for name in ("one.npz", "two.npz", "a.xyz", "a.ply"):
        found = read_cloud(tmp_path / name)
        assert np.allclose(found.points, expected.points, atol=1e-6), name
        assert np.allclose(found.normals, expected.normals, atol=1e-6), name


def test_a_cloud_is_placed_in_the_box_and_back():
    cloud = read_cloud(circle(radius=3.0))
    assert np.abs(cloud.points).max() == pytest.approx(0.8)
    assert np.allclose(cloud.centre + cloud.scale * cloud.points, circle(radius=3.0)[:, :2], atol=1e-5)
    assert np.allclose(np.linalg.norm(cloud.normals, axis=1), 1.0)


def broken(folder):
    path = folder / "broken.png"
    path.write_bytes(b"no picture")
    return path


WRONG = {
    "floats in \\[-1, 1\\], found float64 from 0 to 255": lambda _: (read_picture, np.eye(3) * 255),
    "floats in \\[-1, 1\\], found int64": lambda _: (read_picture, np.eye(3, dtype=np.int64)),
    "a picture": lambda _: (read_picture, np.zeros((3, 3, 2))),
    "a picture .*shape \\(1, 1": lambda _: (read_picture, np.zeros((1, 1))),
    "can be read, found .*broken": lambda folder: (read_picture, broken(folder)),
    "can be read, found .*No such file": lambda folder: (read_picture, folder / "none.png"),
    "not silent": lambda _: (read_sound, np.zeros(9)),
    "a sound": lambda _: (read_sound, np.zeros((2, 2, 2))),
    "can be read, found .*none.wav": lambda folder: (read_sound, folder / "none.wav"),
    "two or more frames": lambda folder: (read_film, folder),
    "frames \\(frames": lambda _: (read_film, np.zeros((4, 4))),
    "8 or more oriented points": lambda _: (read_cloud, np.ones((9, 3))),
    "normals that are not zero": lambda _: (read_cloud, np.zeros((9, 6))),
    "points that differ": lambda _: (read_cloud, np.ones((9, 6))),
    "as .npz, .xyz or .ply": lambda folder: (read_cloud, folder / "a.obj"),
    "can be read, found .*a.ply": lambda folder: (read_cloud, folder / "a.ply"),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_read_is_refused(message, tmp_path):
    read, source = WRONG[message](tmp_path)
    with pytest.raises(BadInput, match=message):
        read(source)


def test_nothing_is_left_where_writing_fails(tmp_path):
    with pytest.raises(BadInput, match="can be written"):
        write_picture(tmp_path / "none" / "a.png", picture())
    assert not list(tmp_path.iterdir())
