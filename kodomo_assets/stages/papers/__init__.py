"""The papers that the law asks for, made of the registry and of what is really read (method §8)."""
