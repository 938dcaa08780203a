"""Progressive GANs of Karras et al. (2018), as regularised by Peebles et al. (2020)."""
