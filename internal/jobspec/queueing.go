package jobspec

import (
	"cmp"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Queueing is what a queue needs to know of a run while it runs. It is kept on the Job, because the Test may change.
type Queueing struct {
	Queue string `json:"queue,omitzero"`
	// Key and Max are the concurrency key and its limit; empty and 0 without a key.
	Key string `json:"key,omitzero"`
	Max int    `json:"max,omitzero"`
	// Timeout is timeouts.queue. It also limits the time that the Job waits for Kueue. 0 is no limit.
	Timeout time.Duration `json:"timeout,omitzero"`
}

// isBounded says whether the API would accept it.
func (q Queueing) isBounded() bool {
	const longestName, mostAtOnce = 63, 100_000
	return 0 < len(q.Queue) && len(q.Queue) <= longestName && 0 <= q.Max && q.Max <= mostAtOnce
}

// forPod returns the annotation of the pod, which may outlive its Job. There is none for the queue default without a key: there a pod counts
// even without the annotation. See docs/decisions/admission.md.
func (q Queueing) forPod() map[string]string {
	record := defaults()
	record.Queueing = q
	record.Queueing.Timeout = 0
	return record.annotations()
}

// QueueingOf says where the run of this Job counts. If the run names a queue itself, it is always that one.
func (r Record) QueueingOf(run *v1alpha1.TestRun) Queueing {
	kept := r.Queueing
	kept.Queue = cmp.Or(run.Spec.Queue, kept.Queue)
	return kept
}
