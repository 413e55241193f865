"""Everything that the README claims about speed, measured: ``make bench``."""
