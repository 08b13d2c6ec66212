"""Matrix -> selection, coefficients, model card (method §5): statistics over levels; knows no delivery and no name."""
