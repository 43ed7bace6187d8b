"""A simulated year of tenants that buy, spend, lapse and are paid back, on real tables.

Every tenant has a model of what it must have by the documentation (docs/billing.md). The models are compared with what
the product stored; they use nothing of the code that moves money. One seed draws everything that happens.
"""
