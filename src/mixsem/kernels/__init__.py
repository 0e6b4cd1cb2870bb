"""Arrays in, arrays out: the numerical kernels. They know nothing of frames, labels or models."""
