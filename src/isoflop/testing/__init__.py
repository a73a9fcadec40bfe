"""Contracts that an addition of your own can be tested against."""
