"""Directions in the latent spaces of trained generators (Peebles et al., 2020, section 4.4)."""
