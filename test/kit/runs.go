package kit

import (
	"strings"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/conditions"
)

// Run reads the run.
func (w *World) Run(name string) *v1alpha1.TestRun {
	w.T.Helper()
	run := &v1alpha1.TestRun{}
	w.Must(w.Client.Get(w.Ctx, w.Key(name), run))
	return run
}

// Change changes the run.
func (w *World) Change(name string, mutate func(*v1alpha1.TestRun)) {
	w.T.Helper()
	run := w.Run(name)
	before := run.DeepCopy()
	mutate(run)
	w.Must(w.Client.Patch(w.Ctx, run, client.MergeFrom(before)))
}

// Cancel cancels the run.
func (w *World) Cancel(name string) {
	w.T.Helper()
	w.Change(name, func(run *v1alpha1.TestRun) { run.Spec.Cancel = ptr.To(true) })
}

// WaitForRun reads the run until it is as asked for, and fails with its status if it never is.
func (w *World) WaitForRun(name, what string, holds func(*v1alpha1.TestRun) bool) *v1alpha1.TestRun {
	w.T.Helper()
	var run *v1alpha1.TestRun
	there := false
	defer func() {
		if !there && run != nil {
			w.T.Logf("run %s is %s %s (%s: %s); its status is %+v",
				name, run.Status.Phase, run.Status.Verdict, conditions.Reason(run), conditions.Message(run), run.Status)
		}
	}()
	w.WaitFor("run "+name+" is "+what, func() bool {
		run = w.Run(name)
		there = holds(run)
		return there
	})
	return run
}

// WaitForFinished waits for the verdict. It checks it and its reason, that the message holds each of the quotes, and that the status does
// not contradict itself.
func (w *World) WaitForFinished(name string, verdict v1alpha1.Verdict, reason string, quotes ...string) *v1alpha1.TestRun {
	w.T.Helper()
	run := w.WaitForRun(name, "Finished", func(run *v1alpha1.TestRun) bool { return run.Status.Phase == v1alpha1.PhaseFinished })
	if run.Status.Verdict != verdict || conditions.Reason(run) != reason {
		w.T.Errorf("run %s is %s (%s: %s), want %s (%s)", name, run.Status.Verdict, conditions.Reason(run), conditions.Message(run), verdict, reason)
	}
	w.ExpectMessage(run, quotes...)
	w.ExpectConditions(run)
	return run
}

// WaitForPassed waits until each of the runs has finished, and checks that they passed.
func (w *World) WaitForPassed(names ...string) {
	w.T.Helper()
	for _, name := range names {
		w.WaitForFinished(name, v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	}
}

// WaitForPending waits until the run is Pending with that reason.
func (w *World) WaitForPending(name, reason string) *v1alpha1.TestRun {
	w.T.Helper()
	return w.WaitForRun(name, "Pending with the reason "+reason, func(run *v1alpha1.TestRun) bool {
		return run.Status.Phase == v1alpha1.PhasePending && conditions.Reason(run) == reason
	})
}

// WaitForInProgress waits until the run is InProgress.
func (w *World) WaitForInProgress(name string) *v1alpha1.TestRun {
	w.T.Helper()
	return w.WaitForRun(name, "InProgress", func(run *v1alpha1.TestRun) bool { return run.Status.Phase == v1alpha1.PhaseInProgress })
}

// ExpectMessage checks that the run's message holds each of the quotes.
func (w *World) ExpectMessage(run *v1alpha1.TestRun, quotes ...string) {
	w.T.Helper()
	for _, quote := range quotes {
		if !strings.Contains(conditions.Message(run), quote) {
			w.T.Errorf("the message of run %s is %q, want %q in it", run.Name, conditions.Message(run), quote)
		}
	}
}

// ExpectConditions checks the run's conditions against its phase and verdict.
func (w *World) ExpectConditions(run *v1alpha1.TestRun) {
	w.T.Helper()
	for _, problem := range conditions.Problems(run) {
		w.T.Error(problem)
	}
}
