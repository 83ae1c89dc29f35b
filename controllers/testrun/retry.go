package testrun

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// budget is what another attempt is paid from.
type budget string

const (
	// noBudget is that of causes after which there is no other attempt: it would end like the last one.
	noBudget         budget = ""
	failureBudget    budget = "failure"
	disruptionBudget budget = "disruption"
)

// budgets says from which budget the attempt after one that ended so is paid. docs/retries.md has the same table.
var budgets = map[string]budget{
	v1alpha1.ReasonTestFailed:        failureBudget,
	v1alpha1.ReasonCasesFailed:       failureBudget,
	v1alpha1.ReasonCasesPassed:       failureBudget,
	v1alpha1.ReasonBailedOut:         failureBudget,
	v1alpha1.ReasonPlanNotReached:    failureBudget,
	v1alpha1.ReasonResultsIncomplete: failureBudget,
	v1alpha1.ReasonOutOfMemory:       failureBudget,
	v1alpha1.ReasonRunTimeout:        failureBudget,
	v1alpha1.ReasonStopped:           failureBudget,

	v1alpha1.ReasonDisrupted:            disruptionBudget,
	v1alpha1.ReasonPodRejected:          disruptionBudget,
	v1alpha1.ReasonPodLost:              disruptionBudget,
	v1alpha1.ReasonNodeUnreachable:      disruptionBudget,
	v1alpha1.ReasonInfrastructureFailed: disruptionBudget,
	v1alpha1.ReasonRuntimeFailed:        disruptionBudget,
}

// Defaults of retry.
const (
	defaultDisruptions   = 2
	defaultBackoffBase   = 10 * time.Second
	defaultBackoffFactor = 2
	defaultBackoffCap    = 5 * time.Minute
)

// retryPolicy is v1alpha1.Retry with all its fields filled in. It is kept on the Job, since the Test may change.
type retryPolicy struct {
	Failure    int           `json:"failure"`
	Disruption int           `json:"disruption"`
	Base       time.Duration `json:"base"`
	Factor     int           `json:"factor"`
	Cap        time.Duration `json:"cap"`
	// Replace allows an attempt to begin while the one before may still run on a node that is silent.
	Replace bool `json:"replace,omitempty"`
	// Permanent and Infrastructure are exit codes.
	Permanent      []int32 `json:"permanent,omitempty"`
	Infrastructure []int32 `json:"infrastructure,omitempty"`
}

// resolveRetry fills in each field from the first that has it: the run's, the test's, the default.
func resolveRetry(own, tests v1alpha1.Retry) retryPolicy {
	return retryPolicy{
		Failure:    int(firstNumber(0, own.Failure, tests.Failure)),
		Disruption: int(firstNumber(defaultDisruptions, own.Disruption, tests.Disruption)),
		Base:       firstDuration(defaultBackoffBase, own.Backoff.Base, tests.Backoff.Base),
		Factor:     int(firstNumber(defaultBackoffFactor, nonZero(own.Backoff.Factor), nonZero(tests.Backoff.Factor))),
		Cap:        firstDuration(defaultBackoffCap, own.Backoff.Cap, tests.Backoff.Cap),

		Replace: cmp.Or(own.Unreachable, tests.Unreachable) == v1alpha1.UnreachableReplace,

		Permanent:      firstList(own.ExitCodes.Permanent, tests.ExitCodes.Permanent),
		Infrastructure: firstList(own.ExitCodes.Infrastructure, tests.ExitCodes.Infrastructure),
	}
}

func firstNumber(fallback int32, candidates ...*int32) int32 {
	for _, candidate := range candidates {
		if candidate != nil {
			return *candidate
		}
	}
	return fallback
}

func firstList(candidates ...[]int32) []int32 {
	for _, candidate := range candidates {
		if candidate != nil {
			return candidate
		}
	}
	return nil
}

func nonZero(n int32) *int32 {
	if n == 0 {
		return nil
	}
	return &n
}

// encode writes the policy as an annotation.
func (p retryPolicy) encode() string {
	encoded, err := json.Marshal(p)
	if err != nil {
		panic(err) // it holds numbers
	}
	return string(encoded)
}

// retryPolicyOf reads back what newJob wrote. Somebody may have changed the annotation: then there is no other attempt.
func retryPolicyOf(job *batchv1.Job) retryPolicy {
	var policy retryPolicy
	if json.Unmarshal([]byte(job.Annotations[v1alpha1.AnnotationRetry]), &policy) != nil || !policy.isBounded() {
		return retryPolicy{}
	}
	return policy
}

// The API's limits of retry.
const (
	maxRetries   = 10
	maxFactor    = 10
	maxExitCodes = 32
)

// isBounded says whether the policy is one that the API takes.
func (p retryPolicy) isBounded() bool {
	within := func(n, least, most int) bool { return least <= n && n <= most }
	return within(p.Failure, 0, maxRetries) && within(p.Disruption, 0, maxRetries) && within(p.Factor, 1, maxFactor) &&
		min(p.Base, p.Cap) >= 0 && max(p.Base, p.Cap) <= maxDuration &&
		max(len(p.Permanent), len(p.Infrastructure)) <= maxExitCodes
}

func (p retryPolicy) size(b budget) int {
	switch b {
	case failureBudget:
		return p.Failure
	case disruptionBudget:
		return p.Disruption
	default:
		return 0
	}
}

// backoff is how long to wait after the attempt of that number, counted from 1.
func (p retryPolicy) backoff(attempt int32) time.Duration {
	wait, factor := p.Base, max(p.Factor, 1)
	for range attempt - 1 {
		if wait >= p.Cap/time.Duration(factor) { // the next one is over the cap, and may be more than a Duration holds
			return p.Cap
		}
		wait *= time.Duration(factor)
	}
	return min(wait, p.Cap)
}

// orAnotherAttempt turns the end of an attempt into the end of the run, or says that another attempt follows. Nobody gets
// another attempt who has cancelled the run or deleted what it consists of.
func orAnotherAttempt(seen observation, ended *state) plan {
	paidFrom := budgets[ended.reason]
	number := currentAttempt(seen.run.Status).Number
	if seen.job == nil || paidFrom == noBudget || cancellation(seen) != nil {
		return plan{state: lastOf(number, ended)}
	}
	policy := retryPolicyOf(seen.job)
	if end := testContainer(seen).Terminated; end != nil && slices.Contains(policy.Permanent, end.ExitCode) {
		return plan{state: lastOf(number, ended)}
	}
	if spent(seen.run.Status, paidFrom) >= policy.size(paidFrom) || number >= maxAttempts {
		return plan{state: lastOf(number, ended)}
	}
	retrying := pending
	if seen.run.Status.Phase == v1alpha1.PhaseInProgress || testHasRun(seen) {
		retrying = inProgress
	}
	wait := policy.backoff(number)
	return plan{attemptEnd: ended, state: retrying(v1alpha1.ReasonRetrying,
		fmt.Sprintf("Attempt %d ended as %s (%s): %s. Attempt %d follows after %s", number, ended.verdict, ended.reason, ended.message, number+1, wait))}
}

// nextAttemptDue: all attempts of a run execute the same definition.
func nextAttemptDue(seen observation, now time.Time) (plan, bool) {
	last := lastEnded(seen.run.Status)
	if last == nil || seen.job != nil {
		return plan{}, false
	}
	if seen.lastJob == nil {
		return plan{state: finished(v1alpha1.VerdictError, v1alpha1.ReasonJobDeleted,
			fmt.Sprintf("Job %s was deleted, and with it what the next attempt was to run", last.Job))}, true
	}
	due := last.FinishTime.Add(retryPolicyOf(seen.lastJob).backoff(last.Number))
	if keepsPlace(seen.lastJob) && mayHoldQuota(seen.lastJob, nil, now) {
		due = later(due, now.Add(kueueMargin))
	}
	if left := due.Sub(now); left > 0 {
		return plan{requeueAfter: left}, true
	}
	if seen.definitionLost != nil {
		return plan{state: finished(v1alpha1.VerdictError, v1alpha1.ReasonDefinitionLost,
			fmt.Sprintf("There is no attempt %d. What it was to execute is not known any more: %s", last.Number+1, seen.definitionLost))}, true
	}
	next := plan{create: last.Number + 1}
	if keepsPlace(seen.lastJob) {
		next.leaveKueue = seen.lastJob
	}
	return next, true
}

// lastOf says that the end is that of a further attempt.
func lastOf(attempt int32, ended *state) *state {
	if attempt == firstAttempt {
		return ended
	}
	return finished(ended.verdict, ended.reason, fmt.Sprintf("%s (attempt %d)", ended.message, attempt))
}

// maxAttempts is how many attempts a status has room for.
const maxAttempts = 32

// spent counts the attempts that were followed by another one which was paid from that budget.
func spent(status v1alpha1.TestRunStatus, from budget) int {
	n := 0
	for _, attempt := range status.Attempts {
		if attempt.Verdict != "" && budgets[attempt.Reason] == from {
			n++
		}
	}
	return n
}
