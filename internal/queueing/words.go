package queueing

import (
	"fmt"
	"strings"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
)

// whyWaits says why a run waits, and what would let it go. What changes as the queue moves on is one reason for the API: a
// status is not written for that.
func (q *Service) whyWaits(run admission.Run) admission.Pending {
	if q.isForbidden(run) {
		return wait(v1alpha1.ReasonQueueForbidden,
			"TestQueue %s does not take runs of namespace %s: whoever looks after it can add it to spec.namespaces", run.Queue, run.Namespace)
	}
	why, known := q.engine.Why(run.UID)
	if !known {
		return wait(v1alpha1.ReasonQueued, "Waits in queue %s", run.Queue)
	}
	switch why.Reason {
	case admission.QueueNotFound:
		missing := wait(v1alpha1.ReasonQueueNotFound, "There is no TestQueue %q: create it, or create the run anew with another one", run.Queue)
		missing.MissingSince = q.missing[run.Queue]
		return missing
	case admission.QueueSuspended:
		return wait(v1alpha1.ReasonQueueSuspended, "TestQueue %s is suspended: no run of it starts until spec.suspend is taken back", run.Queue)
	case admission.NotBefore:
		return wait(v1alpha1.ReasonNotBefore, "Does not start before %s (runAfter)", why.Until.UTC().Format(time.RFC3339))
	case admission.ConcurrencyLimit:
		return wait(v1alpha1.ReasonConcurrencyLimit, "%d of %d runs with the concurrency key %q run: %s. It starts when one of them has ended",
			why.InUse, why.Limit, run.Concurrency.Key, namesOf(why.Holders))
	case admission.NamespaceLimit:
		return queued(run, fmt.Sprintf("%d of %d runs of namespace %s run (maxRunningPerNamespace)", why.InUse, why.Limit, run.Namespace))
	case admission.QueueLimit:
		return queued(run, fmt.Sprintf("%d of %d runs run (maxRunning)", why.InUse, why.Limit))
	case admission.RateLimited:
		return queued(run, "starts are limited (startRate)")
	default:
		return queued(run, "others come first, by priority, fair share and age")
	}
}

func queued(run admission.Run, why string) admission.Pending {
	return wait(v1alpha1.ReasonQueued, "Waits in queue %s: %s", run.Queue, why)
}

func wait(reason, message string, values ...any) admission.Pending {
	return admission.Pending{Reason: reason, Message: fmt.Sprintf(message, values...)}
}

// mostNames is how many runs a message names: fewer than an explanation has, so that it can say that there are more.
const mostNames = admission.MostHolders - 1

func namesOf(runs []admission.Key) string {
	var names []string
	for i, run := range runs {
		if i == mostNames {
			names = append(names, "…")
			break
		}
		names = append(names, run.Name)
	}
	return strings.Join(names, ", ")
}
