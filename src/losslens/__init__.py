"""losslens: what should my autoencoder minimise?"""

__version__ = "0.1.0"
