package testrun

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
)

// place is what a queue needs to know of a run while that runs. It is kept on the Job, since the Test may change.
type place struct {
	Queue string `json:"queue"`
	// Key and Max are those of the concurrency; none without a key.
	Key string `json:"key,omitempty"`
	Max int    `json:"max,omitempty"`
	// Timeout is timeouts.queue, for the time that the Job waits for Kueue; none without one.
	Timeout time.Duration `json:"timeout,omitempty"`
}

// placeOf resolves where the run that seen holds is to wait. It has a definition, and its params fit.
func placeOf(seen observation, def definition) place {
	own := seen.run.Spec
	here := place{Queue: cmp.Or(own.Queue, seen.asked.Queue, def.spec.Queue, v1alpha1.DefaultQueue), Timeout: def.queueTimeout}
	if concurrency := concurrencyOf(seen, def); concurrency.Key != "" {
		params, _ := paramValues(def, seen.asked.Params) // paramsInvalid has ruled an error out
		here.Key, here.Max = expand(concurrency.Key, params), int(max(concurrency.Max, 1))
	}
	return here
}

// paramsFit says to the author of the run what is wrong with its params, or with those that its concurrency key holds; nil if
// nothing is.
func paramsFit(seen observation, def definition) error {
	if _, err := paramValues(def, seen.asked.Params); err != nil {
		return err
	}
	for _, found := range reference.FindAllString(concurrencyOf(seen, def).Key, -1) {
		defines := func(param v1alpha1.ParamSpec) bool { return found == "$("+param.Name+")" }
		if found != "$$" && !slices.ContainsFunc(def.spec.Params, defines) {
			return fmt.Errorf("concurrency.key holds %s, which the Test does not define; it defines: %s. Write $$ for a $",
				found, paramNames(def.spec.Params))
		}
	}
	return nil
}

func concurrencyOf(seen observation, def definition) v1alpha1.Concurrency {
	for _, concurrency := range []v1alpha1.Concurrency{seen.run.Spec.Concurrency, seen.asked.Concurrency} {
		if concurrency.Key != "" {
			return concurrency
		}
	}
	return def.spec.Concurrency
}

var reference = regexp.MustCompile(`\$\$|\$\([A-Za-z_][A-Za-z0-9_]*\)`)

// expand puts params into a key as Kubernetes does into a command: $(NAME) stands for the value, and $$ for $. A param without a
// value stays as it is.
func expand(key string, params []corev1.EnvVar) string {
	return reference.ReplaceAllStringFunc(key, func(found string) string {
		if found == "$$" {
			return "$"
		}
		for _, param := range params {
			if found == "$("+param.Name+")" {
				return param.Value
			}
		}
		return found
	})
}

func (p place) encode() string {
	encoded, err := json.Marshal(p)
	if err != nil {
		panic(err) // it holds strings and a number
	}
	return string(encoded)
}

// placeKept reads back what newJob wrote. Somebody may have changed the annotation: then the run counts in the queue that it
// names. A queue that the run names itself is never another one.
func placeKept(job *batchv1.Job, run *v1alpha1.TestRun) place {
	kept := place{Queue: v1alpha1.DefaultQueue}
	if job != nil {
		kept = placeIn(job.Annotations)
	}
	kept.Queue = cmp.Or(run.Spec.Queue, kept.Queue)
	return kept
}

// placeIn reads what encode wrote. Without it, or if somebody has spoiled it, it is a place in the queue default.
func placeIn(annotations map[string]string) place {
	var kept place
	if json.Unmarshal([]byte(annotations[v1alpha1.AnnotationAdmission]), &kept) != nil || !kept.isBounded() {
		return place{Queue: v1alpha1.DefaultQueue}
	}
	return kept
}

// isBounded says whether the place is one that the API takes.
func (p place) isBounded() bool {
	const longestName, mostAtOnce = 63, 100_000
	return 0 < len(p.Queue) && len(p.Queue) <= longestName && 0 <= p.Max && p.Max <= mostAtOnce
}

// forPod is what the pod is to know itself, since it may outlive its Job; empty for the place that a pod has without it.
func (p place) forPod() string {
	p.Timeout = 0
	if p == (place{Queue: v1alpha1.DefaultQueue}) {
		return ""
	}
	return p.encode()
}

var (
	concurrencyPolicies = map[v1alpha1.ConcurrencyPolicy]admission.Policy{
		v1alpha1.ConcurrencyRefuse:         admission.Refuse,
		v1alpha1.ConcurrencyReplacePending: admission.ReplaceWaiting,
		v1alpha1.ConcurrencyReplaceRunning: admission.ReplaceRunning,
	}
	uniquePolicies = map[v1alpha1.UniquePolicy]admission.OnConflict{v1alpha1.UniqueKeepLast: admission.KeepLast}
)

// Reasons of a run that its queue has spoken of: in acceptedReasons of one that it lets wait, and in toldReasons of others.
var (
	acceptedReasons = []string{v1alpha1.ReasonQueued, v1alpha1.ReasonQueueSuspended, v1alpha1.ReasonConcurrencyLimit}
	toldReasons     = []string{v1alpha1.ReasonQueueNotFound, v1alpha1.ReasonQueueForbidden, v1alpha1.ReasonNotBefore}
)

// entryOf is the run as its queue sees it, in that place and state.
func entryOf(run *v1alpha1.TestRun, here place, state admission.State) admission.Run {
	order, _ := strconv.ParseUint(run.ResourceVersion, 10, 64) // it may be no number: then the order of the reports holds
	entry := admission.Run{
		Key:   admission.Key{Namespace: run.Namespace, Name: run.Name, UID: run.UID},
		Queue: here.Queue, Priority: run.Spec.Priority, Created: run.CreationTimestamp.Time, Order: order, State: state,
		Concurrency: admission.Concurrency{Key: here.Key, Limit: here.Max},
		Accepted:    slices.Contains(acceptedReasons, currentReason(run.Status)),
		Told:        slices.Contains(toldReasons, currentReason(run.Status)),
	}
	if unique := run.Spec.Unique; unique.Key != "" {
		entry.Unique = admission.Unique{Key: unique.Key, OnConflict: uniquePolicies[unique.OnConflict]}
		if unique.Window != nil {
			entry.Unique.Window = unique.Window.Duration
		}
	}
	if run.Spec.RunAfter != nil {
		entry.RunAfter = run.Spec.RunAfter.Time
	}
	if run.Status.FinishTime != nil {
		entry.Ended = run.Status.FinishTime.Time
	}
	return entry
}

// waiting is the entry of a run that has no Job yet; ok is false if nobody knows yet what it would run.
func waiting(seen observation) (entry admission.Run, ok bool) {
	if seen.asked.RerunOf != nil || seen.asked.TestSpec == nil && seen.test == nil {
		return admission.Run{}, false
	}
	def := definitionOf(seen)
	if paramsFit(seen, def) != nil {
		return admission.Run{}, false
	}
	entry = entryOf(seen.run, placeOf(seen, def), admission.Waiting)
	entry.Concurrency.Policy = concurrencyPolicies[concurrencyOf(seen, def).OnConflict]
	for _, priority := range []*int32{seen.run.Spec.Priority, seen.asked.Priority, def.spec.Priority} {
		if entry.Priority == nil {
			entry.Priority = priority
		}
	}
	return entry, true
}

// reportToQueue tells the queue of the run as it is seen, and asks what is decided about it.
func (r *Reconciler) reportToQueue(seen observation) admission.Turn {
	run := seen.run
	begun := seen.job != nil || len(run.Status.Attempts) > 0
	entry, ok := waiting(seen)
	switch {
	case run.Status.Phase == v1alpha1.PhaseFinished:
		r.leavesQueue(seen)
		return admission.Turn{}
	case begun && ok: // the Job was refused, so that no Job keeps its place
		entry.State = admission.Running
	case begun:
		entry = entryOf(run, placeKept(cmp.Or(seen.job, seen.lastJob), run), admission.Running)
	case !ok:
		return admission.Turn{}
	}
	return r.Queues.Report(entry)
}

// endings are what a run ends with that a queue does not let run.
var endings = map[admission.Cause]struct {
	verdict v1alpha1.Verdict
	reason  string
	message string
}{
	admission.QueueFull: {v1alpha1.VerdictError, v1alpha1.ReasonQueueFull, "As many runs wait in the queue as may (maxPending): create the run anew later"},
	admission.NamespaceFull: {
		v1alpha1.VerdictError, v1alpha1.ReasonQueueFull,
		"As many runs of this namespace wait in the queue as may (maxPendingPerNamespace): create the run anew later",
	},
	admission.Refused:   {v1alpha1.VerdictCancelled, v1alpha1.ReasonConcurrencyRefused, "As many runs with its concurrency key run as may"},
	admission.Duplicate: {v1alpha1.VerdictCancelled, v1alpha1.ReasonDuplicate, "Another run has the same unique key"},
	admission.Replaced:  {v1alpha1.VerdictCancelled, v1alpha1.ReasonReplaced, "A later run takes its place"},
}

// endedByQueue says what the run ends with, and because of which other run.
func endedByQueue(turn admission.Turn) *state {
	ending := endings[turn.Cause]
	end := finished(ending.verdict, ending.reason, ending.message)
	if turn.By.Name != "" {
		end.message = fmt.Sprintf("%s: %s", strings.TrimSuffix(end.message, "."), turn.By.Name)
		end.inFavorOf = turn.By.Name
	}
	return end
}

// refusedByQueue: nothing of such a run has been started, nor will be.
func refusedByQueue(seen observation, _ time.Time) (plan, bool) {
	if seen.turn.Action != admission.Finish {
		return plan{}, false
	}
	return plan{state: endedByQueue(seen.turn)}, true
}

// queueNotFound: a TestQueue that was deleted while runs waited in it counts as missing from then on.
func queueNotFound(seen observation, now time.Time) (plan, bool) {
	wait := seen.turn.Wait
	if wait.Reason != v1alpha1.ReasonQueueNotFound {
		return plan{}, false
	}
	missing := latest(wait.MissingSince, seen.run.CreationTimestamp.Time)
	if left := missing.Add(seen.queueGracePeriod).Sub(now); left > 0 {
		return waitsUntil(seen, now, now.Add(left)), true
	}
	return plan{state: finished(v1alpha1.VerdictError, v1alpha1.ReasonQueueNotFound,
		fmt.Sprintf("%s; none appeared within %s", wait.Message, seen.queueGracePeriod))}, true
}

// waitedTooLong: the queue decides first, so that a run whose turn has come starts however late that is.
func waitedTooLong(seen observation, now time.Time) (plan, bool) {
	if seen.turn.Action == admission.Start {
		return plan{}, false
	}
	def := definitionOf(seen)
	if def.queueTimeout == 0 || now.Before(waitsSince(seen).Add(def.queueTimeout)) {
		return plan{}, false
	}
	return plan{state: queueTimeout(def.queueTimeout, seen.turn.Wait.Message)}, true
}

// waitsSince is from when timeouts.queue counts: for a further attempt from the creation of its Job.
func waitsSince(seen observation) time.Time {
	switch {
	case seen.job != nil && currentAttempt(seen.run.Status).Number > firstAttempt:
		return seen.job.CreationTimestamp.Time
	case seen.run.Spec.RunAfter != nil:
		return latest(seen.run.CreationTimestamp.Time, seen.run.Spec.RunAfter.Time)
	default:
		return seen.run.CreationTimestamp.Time
	}
}

func queueTimeout(limit time.Duration, why string) *state {
	return finished(v1alpha1.VerdictError, v1alpha1.ReasonQueueTimeout, fmt.Sprintf("Its turn did not come within %s (timeouts.queue). %s", limit, why))
}

// isQueued: a run that has to wait is looked at again when it is its turn, when it waits for another reason, or when
// timeouts.queue is over.
func isQueued(seen observation, now time.Time) (plan, bool) {
	if seen.turn.Action == admission.Start {
		return plan{}, false
	}
	var limit time.Time
	if timeout := definitionOf(seen).queueTimeout; timeout > 0 {
		limit = waitsSince(seen).Add(timeout)
	}
	return waitsUntil(seen, now, limit), true
}

// waitsUntil is a plan to say why the run waits once that is worth a write, and to look again at the limit; zero is none.
func waitsUntil(seen observation, now, limit time.Time) plan {
	worthTelling := seen.run.CreationTimestamp.Add(explainAfter)
	if now.Before(worthTelling) && (limit.IsZero() || worthTelling.Before(limit)) {
		return tellLater(worthTelling, now)
	}
	waits := plan{}
	if !now.Before(worthTelling) {
		waits.state = pending(seen.turn.Wait.Reason, seen.turn.Wait.Message)
	}
	if !limit.IsZero() {
		waits.requeueAfter = limit.Sub(now)
	}
	return waits
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
