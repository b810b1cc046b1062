"""The parts of diffusers' backbone in fewer operations: equal to rounding, gradients too."""
