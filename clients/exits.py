"""Exit statuses of the command `emotion`: those of sysexits.h where it has one."""

OK = 0
USAGE = 2
NO_INPUT = 66
"""The camera or the file is not there, or cannot be read."""
UNAVAILABLE = 69
"""The service is not reached, or refuses."""
CANNOT_CREATE = 73
"""A file cannot be written."""
LOST = 74
"""The camera stopped in the middle."""
INTERRUPTED = 130
"""Ctrl-C, where there was something left to do."""
