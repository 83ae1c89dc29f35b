package ingest

import (
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/results"
)

// stateOf is what is kept of a TestRun. What it cannot read of the object, it leaves out: the object itself is kept whole.
// gone is when the object was seen to be deleted; zero if it is there.
func stateOf(object *unstructured.Unstructured, gone time.Time) (archive.RunState, error) {
	unstructured.RemoveNestedField(object.Object, "metadata", "managedFields")
	plain, err := json.Marshal(object.Object)
	if err != nil {
		return archive.RunState{}, fmt.Errorf("writing TestRun %s/%s as JSON: %w", object.GetNamespace(), object.GetName(), err)
	}
	run := &v1alpha1.TestRun{}
	if err := json.Unmarshal(plain, run); err != nil {
		run = &v1alpha1.TestRun{ObjectMeta: metadataOf(object)}
	}
	state := archive.RunState{Run: runOf(run), Attempts: attemptsOf(run), Object: blobs.Pack(plain)}
	state.Run.Deleted = gone
	if state.Cases = casesOf(run); len(state.Cases) > 0 {
		state.CasesOf = run.Status.Attempts[len(run.Status.Attempts)-1].Number
	}
	return state, nil
}

// metadataOf is what identifies an object that cannot be read otherwise.
func metadataOf(object *unstructured.Unstructured) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: object.GetNamespace(), Name: object.GetName(), GenerateName: object.GetGenerateName(), UID: object.GetUID(),
		ResourceVersion: object.GetResourceVersion(), CreationTimestamp: object.GetCreationTimestamp(), Labels: object.GetLabels(),
	}
}

func runOf(run *v1alpha1.TestRun) archive.Run {
	test := run.Status.Test
	if test == "" && run.Spec.TestRef != nil {
		test = run.Spec.TestRef.Name
	}
	kept := archive.Run{
		UID: string(run.UID), Namespace: run.Namespace, Name: run.Name, Test: test,
		Series: archive.SeriesOf(test, run.Labels, run.GenerateName, run.Name),
		Queue:  run.Status.Queue, Labels: run.Labels, Phase: string(run.Status.Phase), Verdict: string(run.Status.Verdict),
		Flaky: run.Status.Flaky != nil && *run.Status.Flaky, Pinned: v1alpha1.IsPinned(run),
		Created: run.CreationTimestamp.Time, Started: timeOf(run.Status.StartTime), Finished: timeOf(run.Status.FinishTime),
		Counts:          countsOf(run.Status.Results),
		ResourceVersion: run.ResourceVersion,
	}
	for _, condition := range run.Status.Conditions {
		if condition.Type == v1alpha1.ConditionSucceeded {
			kept.Reason, kept.Message = condition.Reason, condition.Message
		}
	}
	return kept
}

func countsOf(reported v1alpha1.Results) archive.Counts {
	return archive.Counts{
		Passed: reported.Passed, Failed: reported.Failed, Errored: reported.Errored, Skipped: reported.Skipped, Flaky: reported.Flaky,
	}
}

func attemptsOf(run *v1alpha1.TestRun) []archive.Attempt {
	attempts := make([]archive.Attempt, 0, len(run.Status.Attempts))
	for _, attempt := range run.Status.Attempts {
		attempts = append(attempts, archive.Attempt{
			UID: string(run.UID), Number: attempt.Number, Job: attempt.Job, Pod: attempt.Pod, Node: attempt.Node,
			Verdict: string(attempt.Verdict), Reason: attempt.Reason, ExitCode: attempt.ExitCode,
			Created: timeOf(attempt.CreateTime), Started: timeOf(attempt.StartTime), Finished: timeOf(attempt.FinishTime),
		})
	}
	return attempts
}

// casesOf are the cases that the status of a finished run lists: those of its last attempt.
func casesOf(run *v1alpha1.TestRun) []archive.CaseResult {
	if run.Status.Phase != v1alpha1.PhaseFinished || len(run.Status.Attempts) == 0 {
		return nil
	}
	var cases []archive.CaseResult
	for i, c := range run.Status.Results.Cases {
		kept := archive.CaseResult{
			Number: int64(i) + 1, Name: c.Name, Suite: c.Suite, Outcome: results.Outcome(c.Outcome),
			Location: c.Location, Message: c.Message, Flaky: c.Flaky != nil && *c.Flaky,
		}
		if c.Duration != nil {
			kept.Duration = c.Duration.Duration
		}
		cases = append(cases, kept)
	}
	return cases
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}
