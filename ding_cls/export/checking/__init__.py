"""Whether an exported file says what its checkpoint says; where it does not, from which node on."""
