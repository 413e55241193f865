"""From a client's frame to the model's input: decode it, find the faces, cut the crops.

`frame` turns text or bytes into a BGR picture, `faces` finds the faces in it, and `crop` cuts each face into the
gray square that an engine takes. No module here knows the model or the service.
"""
