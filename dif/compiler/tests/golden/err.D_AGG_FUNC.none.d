BEGIN { @a = nofunction(); }
