package jobspec

// Refusal is the API server's no to the attempt's Job. It is final when asking again cannot help.
type Refusal struct {
	Reason string
	Final  bool
	Err    error
}

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }
