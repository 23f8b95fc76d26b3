"""The side door for senders that cannot set headers: a secret address per source, a mapping, an inbox for what was refused."""
