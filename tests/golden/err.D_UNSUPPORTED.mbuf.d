BEGIN { tracemem(copyoutmbuf((void *)curthread, 100), 100); }
