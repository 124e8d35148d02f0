//! What the ledger gets back.
