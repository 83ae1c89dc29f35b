package faults

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/history"
)

// invariant is what holds for each run whatever goes wrong. It returns what breaks it, or nothing.
type invariant struct {
	name   string
	broken func(ending) string
}

var invariants = []invariant{
	{"the run ends", theRunEnds},
	{"one Job for each attempt, ever", oneJobForEachAttempt},
	{"attempts stay within the budget", attemptsWithinBudget},
	{"never two pods at once", neverTwoPodsAtOnce},
	{"the phase moves forward", thePhaseMovesForward},
	{"a verdict never changes", aVerdictNeverChanges},
	{"conditions say what the phase says", conditionsSayWhatThePhaseSays},
	{"the outcome is the expected one", theOutcomeIsExpected},
	{"reconciling again writes nothing", reconcilingAgainWritesNothing},
	{"nothing is left behind", nothingIsLeftBehind},
}

func theRunEnds(e ending) string {
	if e.hangs != nil {
		return e.hangs.Error()
	}
	return ""
}

func oneJobForEachAttempt(e ending) string {
	for attempt, jobs := range e.jobsOf() {
		if len(jobs) > 1 {
			return fmt.Sprintf("attempt %s had %d Jobs", attempt, len(jobs))
		}
	}
	return ""
}

func attemptsWithinBudget(e ending) string {
	for _, run := range e.versions() {
		retry := run.Spec.Retry
		budget := 1 + int(ptr.Deref(retry.Failure, 0)) + int(ptr.Deref(retry.Disruption, 2))
		if attempts := max(len(e.jobsOf()), len(run.Status.Attempts)); attempts > budget {
			return fmt.Sprintf("%d attempts, and the budget is %d", attempts, budget)
		}
	}
	return ""
}

func neverTwoPodsAtOnce(e ending) string {
	alive := map[types.UID]string{}
	for _, entry := range e.history {
		pod, ok := entry.Object.(*corev1.Pod)
		if !ok {
			continue
		}
		delete(alive, pod.UID)
		if entry.Change != watch.Deleted && !hasEnded(pod) {
			alive[pod.UID] = pod.Name
		}
		if len(alive) > 1 {
			return fmt.Sprintf("at revision %d these had not ended: %v", entry.Revision, alive)
		}
	}
	return ""
}

// neverBesideItsRival is neverTwoPodsAtOnce of a run and its rival together: one of them may run at a time.
func neverBesideItsRival(both ...ending) string {
	var together ending
	for _, one := range both {
		together.history = append(together.history, one.history...)
	}
	slices.SortStableFunc(together.history, func(a, b history.Entry) int { return cmp.Compare(a.Revision, b.Revision) })
	return neverTwoPodsAtOnce(together)
}

func thePhaseMovesForward(e ending) string {
	before := v1alpha1.PhasePending
	for _, run := range e.versions() {
		if slices.Index(v1alpha1.Phases, run.Status.Phase) < slices.Index(v1alpha1.Phases, before) {
			return fmt.Sprintf("from %s to %s at revision %s", before, run.Status.Phase, run.ResourceVersion)
		}
		before = run.Status.Phase
	}
	return ""
}

// aVerdictNeverChanges: and neither does anything else that the status says of the end.
func aVerdictNeverChanges(e ending) string {
	var end *v1alpha1.TestRunStatus
	for _, run := range e.versions() {
		status := run.Status.DeepCopy()
		status.ObservedGeneration = 0
		if end != nil && !reflect.DeepEqual(end, status) {
			return fmt.Sprintf("from %s (%v) to %s (%v) at revision %s", end.Verdict, end.Conditions, status.Verdict, status.Conditions, run.ResourceVersion)
		}
		if status.Phase == v1alpha1.PhaseFinished {
			end = status
		}
	}
	return ""
}

func conditionsSayWhatThePhaseSays(e ending) string {
	for _, run := range e.versions() {
		if run.Status.ObservedGeneration == 0 {
			continue // no controller has spoken yet
		}
		if problems := conditions.Problems(run); len(problems) > 0 {
			return fmt.Sprintf("at revision %s %s", run.ResourceVersion, strings.Join(problems, "; "))
		}
	}
	return ""
}

func theOutcomeIsExpected(e ending) string {
	if outcome := e.outcome(); outcome != e.scenario.ends && !slices.Contains(e.scenario.orEnds, outcome) {
		return fmt.Sprintf("%q, expected %q or one of %q", outcome, e.scenario.ends, e.scenario.orEnds)
	}
	return ""
}

func reconcilingAgainWritesNothing(e ending) string {
	if len(e.writesAgain) > 0 {
		return fmt.Sprintf("a new controller wrote %q", e.writesAgain)
	}
	return ""
}

// nothingIsLeftBehind: and all Jobs ever belonged to the run, so that nothing depends on who deletes it.
func nothingIsLeftBehind(e ending) string {
	if e.remains != nil {
		return e.remains.Error()
	}
	for _, entry := range e.history {
		if job, ok := entry.Object.(*batchv1.Job); ok && metav1.GetControllerOf(job) == nil && !e.scenario.orphans {
			return fmt.Sprintf("Job %s has no owner", job.Name)
		}
	}
	return ""
}
