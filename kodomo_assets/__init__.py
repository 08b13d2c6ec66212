"""kodomo_assets: find early, from linked municipal records, the children who may need help."""

__version__ = "0.1.0"
