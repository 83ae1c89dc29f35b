package jobspec

// Refusal says why the attempt's Job cannot be created. It is final when trying again cannot help.
type Refusal struct {
	Reason string
	Final  bool
	Err    error
}

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }
