BEGIN { this->p = (int *)arg0; this->p++; trace(*this->p); trace(this->p[3]); trace(this->p - (int *)arg0); trace(*(uint64_t *)&`jiffies); }
