"""Any network: which global pooling it has, what that pooling sees, a swap for another one, and which one to train."""
