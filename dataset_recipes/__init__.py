"""What is known of particular datasets: one folder each, with ``recipe.py`` and ``card.toml``."""
