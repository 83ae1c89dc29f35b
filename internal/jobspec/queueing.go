package jobspec

import (
	"cmp"
	"encoding/json"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Queueing is what a queue needs to know of a run while that runs. It is kept on the Job, since the Test may change.
type Queueing struct {
	Queue string `json:"queue"`
	// Key and Max are those of the concurrency; none without a key.
	Key string `json:"key,omitempty"`
	Max int    `json:"max,omitempty"`
	// Timeout is timeouts.queue, for the time that the Job waits for Kueue; none without one.
	Timeout time.Duration `json:"timeout,omitempty"`
}

func (q Queueing) encode() string {
	encoded, err := json.Marshal(q)
	if err != nil {
		panic(err) // it holds strings and a number
	}
	return string(encoded)
}

// QueueingIn reads what encode wrote. Without it, or if somebody has spoiled it, the run counts in the queue default.
func QueueingIn(annotations map[string]string) Queueing {
	var kept Queueing
	if json.Unmarshal([]byte(annotations[v1alpha1.AnnotationAdmission]), &kept) != nil || !kept.isBounded() {
		return Queueing{Queue: v1alpha1.DefaultQueue}
	}
	return kept
}

// isBounded says whether it is one that the API takes.
func (q Queueing) isBounded() bool {
	const longestName, mostAtOnce = 63, 100_000
	return 0 < len(q.Queue) && len(q.Queue) <= longestName && 0 <= q.Max && q.Max <= mostAtOnce
}

// forPod is what the pod is to know itself, since it may outlive its Job; empty for what holds of a pod without it.
func (q Queueing) forPod() string {
	q.Timeout = 0
	if q == (Queueing{Queue: v1alpha1.DefaultQueue}) {
		return ""
	}
	return q.encode()
}

// QueueingOf is where a run counts that has such a Job. A queue that the run names itself is never another one.
func (r Record) QueueingOf(run *v1alpha1.TestRun) Queueing {
	kept := r.Queueing
	kept.Queue = cmp.Or(run.Spec.Queue, kept.Queue)
	return kept
}
