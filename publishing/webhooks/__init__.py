"""The stream delivered to those who are called rather than call: signed posts, retried by rows, one lane per destination."""
