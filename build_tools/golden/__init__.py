"""Parity checks: a checkpoint's golden examples through exported graphs."""
