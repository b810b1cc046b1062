"""The parts of the backbone in fewer operations: equal to rounding, gradients too."""
