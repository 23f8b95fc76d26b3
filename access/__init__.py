"""API keys: who may send, read and operate."""
