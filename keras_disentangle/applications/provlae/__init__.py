"""The progressive ladder VAE of Li et al. (2020)."""
