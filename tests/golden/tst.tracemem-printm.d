/* options: -q */
/* A computed size ends the dump; 0 and too much mean all. printm() takes its length from memref(). */
BEGIN { this->p = (char *)alloca(32); bcopy("hello world", this->p, 12); n = 5;
 tracemem(this->p, 16); tracemem(this->p, 16, n); tracemem(this->p, 16, 0); tracemem(this->p,16,100);
 printm(16, memref(this->p, 7));
 printm(4, memref(this->p, 7));
 exit(0); }
