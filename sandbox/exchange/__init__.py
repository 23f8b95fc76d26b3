"""A Hyperliquid `POST /info` played locally: a market that is a pure function of coin, seed and time, or a folder of recordings."""
