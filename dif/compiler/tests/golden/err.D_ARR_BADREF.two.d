BEGIN { this->p = (int *)arg0; trace(this->p[1, 2]); }
