"""The world outside, played locally: embedded servers, an exchange, model vendors. Nothing of the product imports it."""
