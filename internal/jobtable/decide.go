package jobtable

import (
	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

// action is what follows from a row and its run.
type action int

const (
	// nothing is to be done.
	nothing action = iota
	// create makes the run.
	create
	// showProgress has the row say that its run is in progress.
	showProgress
	// showEnd has the row say how its run ended.
	showEnd
	// cancelRun cancels the run.
	cancelRun
	// endCancelled ends a row that was cancelled before it had a run.
	endCancelled
	// endDeleted ends a row whose run somebody deleted.
	endDeleted
	// release lets retention have the run: its row needs it no more.
	release
	// leave is release, for a row into which somebody else has written a word of their own.
	leave
)

// decide says what follows from the state of a row that exists, and from its run, which is nil if there is none. That there is none has
// been asked of the API server, unless the row is pending: there, a run that exists cannot be made again.
func decide(state rows.State, run *v1alpha1.TestRun) action {
	if run == nil {
		return decideWithoutRun(state)
	}
	hasEnded := run.Status.Phase == v1alpha1.PhaseFinished
	switch state {
	case rows.Finished:
		if hasEnded {
			return release
		}
		return nothing
	case rows.Pending:
		switch {
		case hasEnded:
			return showEnd
		case run.Status.Phase == v1alpha1.PhaseInProgress:
			return showProgress
		}
	case rows.InProgress:
		if hasEnded {
			return showEnd
		}
	case rows.Cancel:
		if hasEnded {
			return showEnd
		}
		return cancelRun
	case rows.Other:
		if hasEnded {
			return leave
		}
	}
	return nothing
}

func decideWithoutRun(state rows.State) action {
	switch state {
	case rows.Pending:
		return create
	case rows.InProgress:
		return endDeleted
	case rows.Cancel:
		return endCancelled
	case rows.Finished, rows.Other:
	}
	return nothing
}

// decideWithoutRow says what follows for a run whose row does not exist any more: nobody could see how it ends.
func decideWithoutRow(run *v1alpha1.TestRun) action {
	if run.Status.Phase == v1alpha1.PhaseFinished {
		return release
	}
	return cancelRun
}
