"""A stand-in for the payment gateway Cashfree: its REST API, a checkout page, and signed callbacks.

It is the platform's gateway on the local stack. No money moves.
"""
