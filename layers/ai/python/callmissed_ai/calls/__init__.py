"""The pipeline of a billed call: payer, hold, charges and settlement."""
