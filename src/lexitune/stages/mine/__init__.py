"""Find passages that look relevant and are not."""
