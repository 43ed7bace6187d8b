"""The ledger: wallets, holds and immutable entries. docs/architecture.md says what is exact and what lags."""
