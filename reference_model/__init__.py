"""The reference Position map Regression Network: it reads datasets and predicts, like anyone."""
