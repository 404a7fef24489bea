"""Counterfactual simulation: predicting the classifier's answer to occluded images from an explanation."""
