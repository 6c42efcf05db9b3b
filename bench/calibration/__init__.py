"""Calibration: what scores of held-out clips say about the confidence of later predictions."""
