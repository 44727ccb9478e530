"""Train a challenger."""
