"""A pickle of tensors, read by a machine that knows what ``torch.save`` writes and nothing else.

Python's own unpickler, however few names it may look up, allocates what a file announces, hashes what the file builds
and sets attributes on it: a hundred bytes can hang the process or kill it. This machine walks over the opcodes, whose
lengths ``pickletools.genops`` checks against the data, and refuses each that a file of tensors has no need of.
"""

from __future__ import annotations

import pickletools
from typing import TYPE_CHECKING, Any

from resemotenet.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable

CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
#: Opcodes whose value stands in the pickle after them.
LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"}
IGNORED = {"PROTO", "FRAME", "STOP"}


def load(data: bytes, find: Callable[[str, str], Any], storage: Callable[[Any], Any]) -> Any:
    """Read a pickle.

    Args:
        data: the pickle.
        find: gives what stands for a name of a module: a value, or a function that the pickle may call.
        storage: gives what stands for a persistent id.

    Raises:
        CheckpointError: it holds what no file of tensors does.
        Exception: of any kind, if it is damaged.
    """
    machine = _Machine(find, storage)
    for opcode, argument, _ in pickletools.genops(data):
        machine.step(opcode.name, argument)
    return machine.stack.pop()


class _Machine:
    def __init__(self, find: Callable[[str, str], Any], storage: Callable[[Any], Any]) -> None:
        self.find, self.storage = find, storage
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stack under each mark
        self.memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in CONSTANTS:
            self.stack.append(CONSTANTS[opcode])
        elif opcode in LITERALS:
            self.stack.append(argument)
        elif opcode in MAKERS:
            made = MAKERS[opcode](self, argument)  # first: it may leave another stack on top
            self.stack.append(made)
        elif opcode in CHANGES:
            CHANGES[opcode](self, argument)
        elif opcode not in IGNORED:
            raise CheckpointError(
                f"the pickle in this .pth file uses {opcode}, which a file of weights has no need of; nothing of it "
                "was run. Expected tensors only: save the model with torch.save(model.state_dict(), path)"
            )

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        values, self.stack = self.stack, self.below.pop()
        return values

    def last(self, count: int) -> list[Any]:
        """Take the last values off the stack, in the order in which they were pushed."""
        return [self.stack.pop() for _ in range(count)][::-1]

    def look_up(self, module: object, name: object) -> Any:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise TypeError
        return self.find(module, name)

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        return function(*arguments)  # no value but those that find gave can be called

    def remember(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def extend(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise TypeError
        self.stack[-1].extend(values)

    def update(self, values: list[Any]) -> None:
        """Set keys and values, which alternate, in the dict on top of the stack."""
        for key, value in zip(values[::2], values[1::2], strict=True):
            # a tuple of tuples can take for ever to hash
            if not (isinstance(self.stack[-1], dict) and isinstance(key, (str, int))):
                raise TypeError
            self.stack[-1][key] = value


#: Opcodes that push one value, made of their argument or of what they take off the stack.
MAKERS: dict[str, Callable[[_Machine, Any], Any]] = {
    "EMPTY_LIST": lambda machine, _: [],
    "EMPTY_DICT": lambda machine, _: {},
    "TUPLE": lambda machine, _: tuple(machine.since_mark()),
    "TUPLE1": lambda machine, _: tuple(machine.last(1)),
    "TUPLE2": lambda machine, _: tuple(machine.last(2)),
    "TUPLE3": lambda machine, _: tuple(machine.last(3)),
    "BINGET": lambda machine, index: machine.memo[index],
    "LONG_BINGET": lambda machine, index: machine.memo[index],
    "GLOBAL": lambda machine, names: machine.look_up(*names.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.look_up(*machine.last(2)),
    "REDUCE": lambda machine, _: machine.call(*machine.last(2)),
    "BINPERSID": lambda machine, _: machine.storage(machine.stack.pop()),
}
#: Opcodes that change what is there. BUILD sets attributes, such as a state dict's _metadata: they are left out.
CHANGES: dict[str, Callable[[_Machine, Any], object]] = {
    "MARK": lambda machine, _: machine.mark(),
    "APPEND": lambda machine, _: machine.extend(machine.last(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.update(machine.last(2)),
    "SETITEMS": lambda machine, _: machine.update(machine.since_mark()),
    "BINPUT": lambda machine, index: machine.remember(index),
    "LONG_BINPUT": lambda machine, index: machine.remember(index),
    "MEMOIZE": lambda machine, _: machine.remember(len(machine.memo)),
    "BUILD": lambda machine, _: machine.stack.pop(),
}
