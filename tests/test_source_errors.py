"""resemotenet.source_errors: the tree in the docstring is the tree."""

import hashlib
import io

from resemotenet import source_errors

ID = "1aB-cD_eF0123456789ghijklmnopqrstu"


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def test_the_tree_in_the_docstring_is_the_tree():
    drawn, parents = {}, []
    for line in io.StringIO(source_errors.__doc__):
        name = next((word for word in line.split() if word.endswith("Error")), None)
        if name is None or not line.startswith("    "):
            continue
        depth = line.index(name) // 4 - 1
        parents[depth:] = [name]
        drawn[name] = parents[depth - 1] if depth else "ValueError"
    classes = [value for value in vars(source_errors).values() if isinstance(value, type)]
    assert drawn == {error.__name__: error.__bases__[0].__name__ for error in classes}
