"""ResEmoteNet: what it is, where its weights come from, how it runs fast."""

__version__ = "0.1.0"
