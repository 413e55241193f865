"""Videos that the tests make: of any times, sizes and sounds, and damaged ones."""

from fractions import Fraction

import av
import numpy as np

TIME_BASE = Fraction(1, 1000)


def film(path, pictures, times=None, sound=False, codec="libx264"):
    """Write pictures as a video; `times` in seconds, else 10 a second."""
    pictures = list(pictures)
    times = [index / 10 for index in range(len(pictures))] if times is None else times
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, options={"crf": "10", "g": "5"})
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = "yuv420p" if pictures[0].width % 2 == pictures[0].height % 2 == 0 else "yuv444p"
        stream.codec_context.time_base = TIME_BASE
        audio = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for picture, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.asarray(picture.convert("RGB")), format="rgb24")
            frame.pts, frame.time_base = round(time / TIME_BASE), TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            wave = (np.sin(np.arange(round(16000 * (times[-1] + 0.1))) / 10) * 9000).astype(np.int16)[None]
            samples = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
            samples.sample_rate, samples.pts = 16000, 0
            container.mux(audio.encode(samples))
            container.mux(audio.encode(None))
    return path


def sound_only(path):
    """A file without pictures."""
    with av.open(str(path), "w") as container:
        audio = container.add_stream("aac", rate=16000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.int16), format="s16", layout="mono")
        samples.sample_rate = 16000
        container.mux(audio.encode(samples))
        container.mux(audio.encode(None))
    return path


def turned(path):
    """Say in an MP4's header, as a phone does, that its pictures are to be turned by 90 degrees clockwise."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 4 * 5 + 8 + 2 * 4  # version, times, track, duration, reserved, layer to volume
    numbers = [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000]
    data[at : at + 36] = b"".join(number.to_bytes(4, "big", signed=True) for number in numbers)
    path.write_bytes(data)
    return path


def frames(path):
    """Decode a video: (seconds, (H, W, 3) uint8 RGB) of each frame."""
    with av.open(str(path)) as container:
        return [(float(f.pts * f.time_base), f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
