"""Check: what is wrong with the data, before anything is made of it."""
