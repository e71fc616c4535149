plain:::go, typed:::go, plain::f:entry { trace(probefunc); }
absent:::go { trace(1); }
