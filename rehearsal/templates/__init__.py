"""The cloud assembly: synthesis, and a plan with every reference resolved."""
