"""InfoGAN of Chen et al. (2016)."""
