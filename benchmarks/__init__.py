"""Every speed and quality figure that lexitune claims, each as one command: `python -m benchmarks.NAME [--json]`."""
