"""The market at that moment, frozen beside the signal."""
