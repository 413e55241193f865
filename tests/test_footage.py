"""clients.footage: each frame with its own time, upright, as far as the file can be read."""

import numpy as np
import pytest
from films import film, sound_only, turned
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clients.footage import Folder, FootageError, Video, fingerprint, footage, natural


def greys(count, size=(64, 48)):
    return [Image.new("RGB", size, (8 * index,) * 3) for index in range(count)]


def test_frames_have_their_index_their_time_and_their_picture(tmp_path):
    video = footage(film(tmp_path / "a.mp4", greys(10)))
    frames = list(video.frames())
    assert [frame.index for frame in frames] == list(range(10))
    assert [frame.time for frame in frames] == pytest.approx([index / 10 for index in range(10)])
    assert [round(np.asarray(frame.picture).mean() / 8) for frame in frames] == list(range(10))
    assert {frame.file for frame in frames} == {"a.mp4"}
    assert (video.total, video.damage) == (10, None)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_times_are_those_of_the_frames_and_not_of_an_even_rate(tmp_path, ending):
    times = [0.0, 0.1, 0.15, 0.9, 1.0, 2.5]
    frames = footage(film(tmp_path / f"a.{ending}", greys(6), times)).frames()
    assert [frame.time for frame in frames] == pytest.approx(times, abs=0.002)


def test_a_video_that_begins_late_begins_at_zero(tmp_path):
    frames = footage(film(tmp_path / "a.mkv", greys(3), [5.0, 5.1, 5.2])).frames()
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.2], abs=0.002)


@pytest.mark.parametrize(("every", "start", "expected"), [(3, 0, [0, 3, 6, 9]), (3, 6, [6, 9]), (1, 8, [8, 9])])
def test_each_nth_frame_from_a_start_on(tmp_path, every, start, expected):
    video = Video(film(tmp_path / "a.mp4", greys(10)))
    assert [frame.index for frame in video.frames(every, start)] == expected


def test_a_phones_video_is_turned_upright(tmp_path):
    picture = Image.new("RGB", (64, 48))
    picture.paste((255, 255, 255), (0, 0, 16, 48))  # at the left: on top, once it is turned clockwise
    (frame, *_) = footage(turned(film(tmp_path / "a.mp4", [picture] * 3))).frames()
    pixels = np.asarray(frame.picture)
    assert pixels.shape == (64, 48, 3)
    assert pixels[:12].mean() > 200
    assert pixels[20:].mean() < 20


def test_a_cut_video_is_read_as_far_as_it_goes_and_says_so(tmp_path):
    noisy = [Image.effect_noise((64, 48), 90) for _ in range(60)]
    whole = film(tmp_path / "a.mkv", noisy).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    video = Video(tmp_path / "cut.mkv")
    frames = list(video.frames())
    assert 10 < len(frames) < 50
    assert video.damage


def test_a_video_damaged_in_the_middle_goes_on_behind_it(tmp_path):
    noisy = [Image.effect_noise((64, 48), 90) for _ in range(60)]
    data = bytearray(film(tmp_path / "a.mkv", noisy).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    (tmp_path / "damaged.mkv").write_bytes(data)
    frames = list(Video(tmp_path / "damaged.mkv").frames())
    assert frames[-1].time > 4
    assert len(frames) > 30


@pytest.mark.parametrize("kind", ["missing", "text", "sound", "empty", "folder"])
def test_what_is_nothing_to_analyse_is_a_sentence(tmp_path, kind):
    path = tmp_path / "a.mp4"
    if kind == "text":
        path.write_text("no video")
    elif kind == "sound":
        sound_only(path)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "folder":
        path.mkdir()
        (path / "notes.txt").write_text("no image")
    words = {"missing": "There is no file", "sound": "holds no pictures, only audio", "folder": "holds no images"}
    with pytest.raises(FootageError, match=words.get(kind, "is no video that can be read")):
        footage(path)


def test_a_folders_images_in_the_order_in_which_people_count(tmp_path):
    for name in ("img10.png", "img2.PNG", "img1.jpg", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "more.png").mkdir()
    folder = footage(tmp_path)
    assert isinstance(folder, Folder)
    assert [frame.file for frame in folder.frames()] == ["img1.jpg", "img2.PNG", "img10.png"]
    assert [frame.index for frame in folder.frames(2)] == [0, 2]
    assert {frame.time for frame in folder.frames()} == {None}
    assert folder.total == 3


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_numbers_in_names_are_counted(numbers):
    names = [f"frame {number} of a film.png" for number in numbers]
    assert sorted(names, key=natural) == [f"frame {number} of a film.png" for number in sorted(numbers)]


@given(st.lists(st.text()))
def test_any_names_can_be_sorted(names):
    keys = [natural(name) for name in sorted(names, key=natural)]
    assert keys == sorted(keys)


def test_a_file_that_changed_is_another_one(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"1")
    before = fingerprint([path])
    assert fingerprint([path]) == before
    path.write_bytes(b"12")
    assert fingerprint([path]) != before
