"""From a client's frame to the model's input: decode it, find the faces, cut the crops.

`base64_text` turns text into bytes, `frame` bytes into a BGR picture, `detectors` find the `faces` in it, and `crop`
cuts each face into the gray square that an engine takes. No module here knows the model or the service.
"""
