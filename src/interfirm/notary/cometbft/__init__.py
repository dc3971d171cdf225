"""The host of a cluster: the notary machine behind the ABCI of a CometBFT engine."""
