"""How dates are written for people: the same everywhere, sortable by eye."""
