"""Ready-made models: networks arrive as arguments, `fit` trains them."""

from keras_disentangle.models.ada_gvae import AdaGVAE
from keras_disentangle.models.ada_ml_vae import AdaMLVAE
from keras_disentangle.models.annealed_vae import AnnealedVAE
from keras_disentangle.models.beta_tc_vae import BetaTCVAE
from keras_disentangle.models.dip_vae import DIPVAE
from keras_disentangle.models.direction_discovery import DirectionDiscovery
from keras_disentangle.models.discriminative_vae import DiscriminativeVAE
from keras_disentangle.models.factor_vae import FactorVAE
from keras_disentangle.models.gan import GAN
from keras_disentangle.models.info_gan import InfoGAN
from keras_disentangle.models.info_gan_cr import InfoGANCR
from keras_disentangle.models.ladder_vae import LadderVAE
from keras_disentangle.models.latent_clr import LatentCLR
from keras_disentangle.models.progressive_gan import ProgressiveGAN
from keras_disentangle.models.progressive_info_gan import ProgressiveInfoGAN
from keras_disentangle.models.progressive_ladder_vae import ProgressiveLadderVAE
from keras_disentangle.models.qlae import QLAE
from keras_disentangle.models.quantized_autoencoder import QuantizedAutoencoder
from keras_disentangle.models.shift_prediction import ShiftPrediction
from keras_disentangle.models.slow_vae import SlowVAE
from keras_disentangle.models.teacher_student_vae import TeacherStudentVAE
from keras_disentangle.models.tripod import Tripod
from keras_disentangle.models.vae import VAE
from keras_disentangle.models.variational_model import VariationalModel

__all__ = [
    "DIPVAE",
    "GAN",
    "QLAE",
    "VAE",
    "AdaGVAE",
    "AdaMLVAE",
    "AnnealedVAE",
    "BetaTCVAE",
    "DirectionDiscovery",
    "DiscriminativeVAE",
    "FactorVAE",
    "InfoGAN",
    "InfoGANCR",
    "LadderVAE",
    "LatentCLR",
    "ProgressiveGAN",
    "ProgressiveInfoGAN",
    "ProgressiveLadderVAE",
    "QuantizedAutoencoder",
    "ShiftPrediction",
    "SlowVAE",
    "TeacherStudentVAE",
    "Tripod",
    "VariationalModel",
]
