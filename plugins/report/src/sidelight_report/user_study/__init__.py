"""User studies: can people tell attributes apart, and predict the classifier from an explanation?"""
