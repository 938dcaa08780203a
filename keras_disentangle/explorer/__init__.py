"""The explorer: what moves in a trained model's images as its latents are moved."""

from keras_disentangle.explorer.controls import Control, Point
from keras_disentangle.explorer.explorer import Explorer
from keras_disentangle.explorer.page import export_page

__all__ = ["Control", "Explorer", "Point", "export_page"]
