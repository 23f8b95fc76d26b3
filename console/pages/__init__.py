"""The pages for people: server templates, little scripts of our own, live by the socket or by asking again. Doors."""
