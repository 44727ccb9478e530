"""Search logs to judgements: what was shown and clicked, with the bias of positions taken out."""
