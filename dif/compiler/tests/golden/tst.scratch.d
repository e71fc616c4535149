BEGIN { this->b = (char *)alloca(16); this->b[0] = 65; *(this->b + 1) = 0; trace(stringof(this->b)); bcopy(this->b, alloca(8), 8); }
