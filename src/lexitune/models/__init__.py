"""Models: what they need to know, and the embedder that runs them."""
