package admission

// Turn is what has been decided about a run.
type Turn struct {
	// Action is Start for a run that may start, or has started; Finish and Cancel for one that has to end; empty for one that waits.
	Action Action
	// Cause is why the run has to end.
	Cause Cause
	// By is the other run because of which the run has to end, if there is one.
	By Key
	// Wait is why the run waits.
	Wait Pending
}
