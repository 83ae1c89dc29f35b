package lifecycle

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/testrun-dev/testrun/internal/admission"
	"github.com/testrun-dev/testrun/internal/jobspec"
	"github.com/testrun-dev/testrun/internal/results"
)

// Observation is all that a decision is based on.
type Observation struct {
	jobspec.Request
	// Def is what the run executes; nil while that is not known, and when the attempt has its Job.
	Def *jobspec.Definition
	// Job is the attempt's Job; nil when it does not exist.
	Job *batchv1.Job
	// Record is what the Job carries.
	Record jobspec.Record
	// LastJob is the Job of the last attempt, if that has ended and the next one has no Job yet; nil when it does not exist.
	LastJob *batchv1.Job
	// LastRecord is what LastJob carries.
	LastRecord jobspec.Record
	// DefinitionLost is why the definition for the next attempt is not known any more; nil while it is known.
	DefinitionLost error
	// JobVanished says that the attempt's Job existed and is gone.
	JobVanished bool
	// Pod is the Job's pod; nil when there is none, or when it was taken back: see isTakenBack.
	Pod *corev1.Pod
	// Report is what the runner left in the pod; nil if it left nothing, or if there was no runner.
	Report *results.Report
	// SilentSince is when the pod's node became silent; zero while it is not.
	SilentSince time.Time
	// Warnings are Kubernetes' Warning events about the Job (without a pod) or its pod, newest first. They are read only for an attempt
	// that is slow to start, and for a test that was stopped when nothing else says by whom.
	Warnings []Warning
	// NodeMissing says that the pod's node does not exist. It is read only for a pod that is slow to start and that no kubelet has
	// accepted.
	NodeMissing bool
	// Workload is what Kueue says of the Job; nil if it says nothing, or was not asked.
	Workload *Workload
	// Turn is what the run's queue has decided about it.
	Turn admission.Turn
	// TestGracePeriod is how long the run waits for its Test, and QueueGracePeriod for its TestQueue.
	TestGracePeriod, QueueGracePeriod time.Duration
	// Runner is the program that reads a test's results.
	Runner jobspec.Runner
}

// Resolve reads what the objects hold: the definition, the records of the Jobs and the report of the pod. It drops a pod that was taken
// back. It is called once for each observation.
func (seen *Observation) Resolve() {
	seen.Def = nil
	if seen.Job == nil && seen.HasDefinition() {
		seen.Def = new(seen.Definition())
	}
	seen.Record, seen.LastRecord = jobspec.RecordOn(seen.Job), jobspec.RecordOn(seen.LastJob)
	if isTakenBack(*seen) {
		seen.Pod = nil
	}
	seen.Report = reportIn(testContainer(*seen).Terminated, seen.Record.Format)
}

// Warning is the part of a Warning event that is read.
type Warning struct {
	Reason, Message string
	// At is when it was last seen.
	At time.Time
}

// Question is what a decision still needs to know beyond the Job and its pod. Each answer costs a request.
type Question int

// The questions.
const (
	NoQuestion Question = iota
	// WhatKueueSays is about a Job that Kueue holds.
	WhatKueueSays
	// WhyNotStarted is about an attempt that is slow to start.
	WhyNotStarted
	// WhyStopped is about a test that was told to stop although its pod was not.
	WhyStopped
	// HowTheNodeIs is about a pod that may be on a silent node.
	HowTheNodeIs
)

// Question is the one question that is worth a request now. See docs/decisions/pure-core.md.
func (seen Observation) Question(now time.Time) Question {
	switch {
	case isWorthAskingKueue(seen, now):
		return WhatKueueSays
	case isSlowToStart(seen, now):
		return WhyNotStarted
	case wasStoppedAlone(seen):
		return WhyStopped
	case mayBeSilent(seen, now):
		return HowTheNodeIs
	default:
		return NoQuestion
	}
}

// Subject is the object that warnings about the start of an attempt concern: the pod, or the Job if it has no pod.
func (seen Observation) Subject() types.UID {
	if seen.Pod == nil {
		return seen.Job.UID
	}
	return seen.Pod.UID
}
