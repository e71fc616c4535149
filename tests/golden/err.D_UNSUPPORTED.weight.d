/* Weights are refused by name until they are done, never miscompiled. */
BEGIN { @ = quantize(5, 3); exit(0); }
