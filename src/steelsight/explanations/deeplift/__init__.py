"""DeepLIFT's rescale rule and DeepSHAP, for any torch model."""
