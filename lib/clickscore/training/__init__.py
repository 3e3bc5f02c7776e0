"""Past clicks become a registered model, from the same contract and features file as the stream."""
