"""The ledger: wallets, holds and immutable entries. What is exact and what lags is told in docs/architecture.md."""
