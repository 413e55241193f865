"""clients.table: a row for each face, and no frame left out."""

import csv
import json

import pytest

from clients.outputs import OutputError
from clients.records import FrameRecord
from clients.schemas import Box, Face
from clients.table import write

LABELS = ("happy", "sad")


def face(track, happy):
    probabilities = {"happy": happy, "sad": round(1 - happy, 6)}
    box = Box(x=1.5, y=2, width=30, height=40)
    return Face(box=box, confidence=0.9, emotion="happy", probabilities=probabilities, track=track)


RECORDS = [
    FrameRecord(frame=0, time=0.0, file="a,b.mp4", faces=(face(1, 0.9), face(2, 0.8))),
    FrameRecord(frame=5, time=1 / 3, file="a,b.mp4"),
    FrameRecord(frame=10, time=None, file="a,b.mp4", error='It is no "picture".'),
]


def test_csv(tmp_path):
    write(tmp_path / "a.csv", RECORDS, LABELS)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert ",".join(rows[0]) == "frame,time,file,track,x,y,width,height,confidence,emotion,happy,sad,error"
    assert [row["frame"] for row in rows] == ["0", "0", "5", "10"]
    assert [row["track"] for row in rows] == ["1", "2", "", ""]
    assert [row["time"] for row in rows] == ["0.000000", "0.000000", "0.333333", ""]
    assert (rows[1]["x"], rows[1]["happy"], rows[1]["sad"], rows[1]["file"]) == ("1.5", "0.8", "0.2", "a,b.mp4")
    assert set(rows[2].values()) == {"5", "0.333333", "a,b.mp4", ""}
    assert rows[3]["error"] == 'It is no "picture".'


def test_json_lines(tmp_path):
    write(tmp_path / "a.jsonl", RECORDS, LABELS)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [FrameRecord.model_validate(line) for line in lines] == RECORDS
    assert [len(line["faces"]) for line in lines] == [2, 0, 0]


def test_the_header_is_there_without_a_frame(tmp_path):
    write(tmp_path / "a.csv", [], LABELS)
    assert (tmp_path / "a.csv").read_text().endswith(",emotion,happy,sad,error\n")


def test_a_table_that_fails_leaves_the_old_one(tmp_path):
    (tmp_path / "a.csv").write_text("old")

    def records():
        yield RECORDS[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left on device"):
        write(tmp_path / "a.csv", records(), LABELS)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.csv", "old")]
