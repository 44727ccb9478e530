"""Where judgements come from: search logs, traces, experts, a language model, and other people's files."""
