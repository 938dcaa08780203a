"""BigGAN and BigGAN-deep of Brock et al. (2019): the class-conditional generators."""
