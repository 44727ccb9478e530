"""Draws blocks that stages hand over: one self-contained HTML file."""
