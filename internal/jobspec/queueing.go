package jobspec

import (
	"cmp"
	"encoding/json"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Queueing is what a queue needs to know of a run while it runs. It is kept on the Job, because the Test may change.
type Queueing struct {
	Queue string `json:"queue"`
	// Key and Max are the concurrency key and its limit; empty and 0 without a key.
	Key string `json:"key,omitempty"`
	Max int    `json:"max,omitempty"`
	// Timeout is timeouts.queue. It also limits the time that the Job waits for Kueue. 0 is no limit.
	Timeout time.Duration `json:"timeout,omitempty"`
}

func (q Queueing) encode() string {
	encoded, err := json.Marshal(q)
	if err != nil {
		panic(err) // it holds strings and a number
	}
	return string(encoded)
}

// QueueingIn reads what encode wrote. If that is missing, or if somebody has damaged it, the run counts in the queue default.
func QueueingIn(annotations map[string]string) Queueing {
	var kept Queueing
	if json.Unmarshal([]byte(annotations[v1alpha1.AnnotationAdmission]), &kept) != nil || !kept.isBounded() {
		return Queueing{Queue: v1alpha1.DefaultQueue}
	}
	return kept
}

// isBounded says whether the API would accept it.
func (q Queueing) isBounded() bool {
	const longestName, mostAtOnce = 63, 100_000
	return 0 < len(q.Queue) && len(q.Queue) <= longestName && 0 <= q.Max && q.Max <= mostAtOnce
}

// forPod is the annotation of the pod, which may outlive its Job. It is empty for the queue default without a key: there a pod counts even
// without the annotation. See docs/decisions/admission.md.
func (q Queueing) forPod() string {
	q.Timeout = 0
	if q == (Queueing{Queue: v1alpha1.DefaultQueue}) {
		return ""
	}
	return q.encode()
}

// QueueingOf says where the run of this Job counts. If the run names a queue itself, it is always that one.
func (r Record) QueueingOf(run *v1alpha1.TestRun) Queueing {
	kept := r.Queueing
	kept.Queue = cmp.Or(run.Spec.Queue, kept.Queue)
	return kept
}
