BEGIN { @ = quantize(1, "a"); }
