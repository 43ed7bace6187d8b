"""The product used from outside, through the API of the deployed templates."""
