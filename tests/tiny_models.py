from model_table import *  # noqa: F403
from tabled_random import *  # noqa: F403
from tiny_networks import *  # noqa: F403
from tiny_training import *  # noqa: F403
