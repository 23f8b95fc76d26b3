"""A signal, its life, and the one way a stage runs."""
