"""Transcribers: networks that write down what is said in at most 30 s."""
