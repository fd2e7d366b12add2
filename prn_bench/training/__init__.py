"""What training needs and scoring shares: checkpoints, weights of the loss, the split, a run's folder."""
