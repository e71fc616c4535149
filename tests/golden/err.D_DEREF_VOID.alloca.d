BEGIN { this->p = alloca(16); trace(*this->p); }
