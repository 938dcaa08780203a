"""Discriminative regularisation of Lamb et al. (2016)."""
