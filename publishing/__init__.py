"""The decision stream: a table that cannot lose, repeat or reorder."""
