BEGIN { nofunction(1); }
