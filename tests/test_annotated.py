"""clients.annotated: the same video, with the faces drawn where the table says."""

import av
import numpy as np
import pytest
from films import film, frames, turned
from PIL import Image, ImageColor

from clients import annotated
from clients.footage import Folder, FootageError, Video, footage
from clients.palette import VERMILLION
from clients.records import FrameRecord
from clients.schemas import Box, Face

BOX = Box(x=20, y=60, width=60, height=50)


def record(index, time=0.0, file="a", faces=1):
    face = Face(box=BOX, emotion="angry", probabilities={"angry": 0.9}, track=1)
    return FrameRecord(frame=index, time=time, file=file, faces=(face,) * faces)


def written(tmp_path, source, records, every=1):
    told = []
    annotated.write(tmp_path / "out.mp4", source, records, every, told.append)
    return frames(tmp_path / "out.mp4"), told


def is_marked(pixels, box=BOX):
    """Whether the lower side of the box is there in the colour of its emotion."""
    colour = np.array(ImageColor.getrgb(VERMILLION), int)
    line = pixels[round(box.y + box.height), round(box.x) + 5 : round(box.x + box.width) - 5].astype(int)
    return np.abs(line - colour).mean() < 60


def greys(count, size=(160, 120)):
    return [Image.new("RGB", size, (40 + index,) * 3) for index in range(count)]


@pytest.mark.parametrize("times", [[0.0, 0.1, 0.2, 0.3], [0.0, 0.4, 0.5, 2.0]], ids=["even", "variable"])
def test_boxes_are_where_the_table_says_and_times_stay(tmp_path, times):
    source = Video(film(tmp_path / "a.mp4", greys(4), times))
    out, told = written(tmp_path, source, [record(0), record(1, faces=0), record(2), record(3, faces=0)])
    assert [time for time, _ in out] == pytest.approx(times, abs=0.002)
    assert [is_marked(pixels) for _, pixels in out] == [True, False, True, False]
    assert told == [1, 2, 3, 4]


def test_a_frame_that_was_not_analysed_has_the_faces_of_the_last_one(tmp_path):
    source = Video(film(tmp_path / "a.mp4", greys(7)))
    out, _ = written(tmp_path, source, [record(0), record(3, faces=0), record(6)], every=3)
    assert [is_marked(pixels) for _, pixels in out] == [True] * 3 + [False] * 3 + [True]


def test_a_video_that_plays_anywhere(tmp_path):
    written(tmp_path, Video(film(tmp_path / "a.mp4", greys(4))), [record(n) for n in range(4)])
    with av.open(str(tmp_path / "out.mp4")) as container:
        (stream,) = container.streams.video
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert len(container.streams) == 1


def test_an_odd_size_is_made_even_by_a_pixel(tmp_path):
    source = Video(film(tmp_path / "a.mkv", greys(3, (161, 121)), codec="ffv1"))
    out, _ = written(tmp_path, source, [record(n) for n in range(3)])
    assert out[0][1].shape == (122, 162, 3)
    assert is_marked(out[0][1])


def test_the_sound_is_copied(tmp_path):
    source = Video(film(tmp_path / "a.mp4", greys(20), sound=True))
    written(tmp_path, source, [record(n) for n in range(20)])

    def sound(path):
        with av.open(str(path)) as container:
            return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)

    assert np.array_equal(sound(tmp_path / "out.mp4"), sound(tmp_path / "a.mp4"))


def test_a_phones_video_is_written_upright(tmp_path):
    source = Video(turned(film(tmp_path / "a.mp4", greys(3))))
    out, _ = written(tmp_path, source, [record(n) for n in range(3)])
    assert out[0][1].shape == (160, 120, 3)
    assert is_marked(out[0][1])


def test_images_are_shown_for_half_a_second_each_and_those_that_cannot_be_read_are_left_out(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    greys(1)[0].save(folder / "1.png")
    (folder / "2.png").write_text("no image")
    greys(1, (320, 120))[0].save(folder / "3.png")
    records = [record(0, None, "1.png"), record(1, None, "2.png", faces=0), record(2, None, "3.png", faces=0)]
    out, _ = written(tmp_path, footage(folder), records)
    assert [time for time, _ in out] == [0.0, 0.5]
    assert is_marked(out[0][1])
    assert out[1][1].shape == (120, 160, 3)
    assert out[1][1][5].max() < 10  # letterboxed


def test_a_folder_whose_images_cannot_be_read_is_said_and_leaves_nothing(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "1.png").write_text("no image")
    with pytest.raises(FootageError, match="no image that can be read"):
        annotated.write(tmp_path / "out.mp4", Folder(folder), [record(0, None, "1.png")], 1, print)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
