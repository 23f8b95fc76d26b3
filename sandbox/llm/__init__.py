"""Model vendors, played locally: four wire formats, deterministic opinions, scripted misbehaviour and a ledger of paid prompts."""
