"""The ledger: what happened to a signal, and what could not be done. Ids only, no foreign keys."""
