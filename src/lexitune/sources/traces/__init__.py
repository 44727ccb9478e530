"""Traces of programs that answer from passages: questions, what was retrieved, what the answer cites, thumbs."""
