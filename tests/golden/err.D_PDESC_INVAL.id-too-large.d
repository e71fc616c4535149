/* Numbers of probes have 32 bits. */
4294967296 { }
