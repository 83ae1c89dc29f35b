package lifecycle

import (
	"fmt"
	"slices"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobspec"
)

// budgets maps the reason with which an attempt ended to the budget that pays for the next attempt. After any other reason there is no
// other attempt. docs/retries.md has the same table.
var budgets = map[string]jobspec.Budget{
	v1alpha1.ReasonTestFailed:        jobspec.FailureBudget,
	v1alpha1.ReasonCasesFailed:       jobspec.FailureBudget,
	v1alpha1.ReasonCasesPassed:       jobspec.FailureBudget,
	v1alpha1.ReasonBailedOut:         jobspec.FailureBudget,
	v1alpha1.ReasonPlanNotReached:    jobspec.FailureBudget,
	v1alpha1.ReasonResultsIncomplete: jobspec.FailureBudget,
	v1alpha1.ReasonOutOfMemory:       jobspec.FailureBudget,
	v1alpha1.ReasonRunTimeout:        jobspec.FailureBudget,
	v1alpha1.ReasonStopped:           jobspec.FailureBudget,

	v1alpha1.ReasonDisrupted:            jobspec.DisruptionBudget,
	v1alpha1.ReasonPodRejected:          jobspec.DisruptionBudget,
	v1alpha1.ReasonPodLost:              jobspec.DisruptionBudget,
	v1alpha1.ReasonNodeUnreachable:      jobspec.DisruptionBudget,
	v1alpha1.ReasonInfrastructureFailed: jobspec.DisruptionBudget,
	v1alpha1.ReasonRuntimeFailed:        jobspec.DisruptionBudget,
}

// orAnotherAttempt ends the run as the attempt ended, or has another attempt follow if a budget pays for it. A run that was cancelled, or
// whose Job was deleted, gets no other attempt.
func orAnotherAttempt(seen Observation, ended *State) Plan {
	paidFrom := budgets[ended.Reason]
	number := CurrentAttempt(seen.Run.Status).Number
	if seen.Job == nil || paidFrom == jobspec.NoBudget || cancellation(seen) != nil {
		return Plan{State: lastOf(number, ended)}
	}
	policy := seen.Record.Retry
	if end := testContainer(seen).Terminated; end != nil && slices.Contains(policy.Permanent, end.ExitCode) {
		return Plan{State: lastOf(number, ended)}
	}
	if spent(seen.Run.Status, paidFrom) >= policy.Size(paidFrom) || number >= maxAttempts {
		return Plan{State: lastOf(number, ended)}
	}
	retrying := pending
	if seen.Run.Status.Phase == v1alpha1.PhaseInProgress || testHasRun(seen) {
		retrying = inProgress
	}
	wait := policy.Backoff(number)
	return Plan{AttemptEnd: ended, State: retrying(v1alpha1.ReasonRetrying,
		fmt.Sprintf("Attempt %d ended as %s (%s): %s. Attempt %d follows after %s", number, ended.Verdict, ended.Reason, ended.Message, number+1, wait))}
}

// nextAttemptDue makes the next attempt from the definition of the last one: all attempts of a run execute the same. See
// docs/decisions/retries.md.
func nextAttemptDue(seen Observation, now time.Time) (Plan, bool) {
	last := LastEnded(seen.Run.Status)
	if last == nil || seen.Job != nil {
		return Plan{}, false
	}
	if seen.LastJob == nil {
		return Plan{State: Finished(v1alpha1.VerdictError, v1alpha1.ReasonJobDeleted,
			fmt.Sprintf("Job %s was deleted, and with it what the next attempt was to run", last.Job))}, true
	}
	due := last.FinishTime.Add(seen.LastRecord.Retry.Backoff(last.Number))
	if staysQueued(seen.LastJob) && mayHoldQuota(seen.LastJob, nil, now) {
		due = later(due, now.Add(kueueMargin))
	}
	if left := due.Sub(now); left > 0 {
		return Plan{RequeueAfter: left}, true
	}
	if seen.DefinitionLost != nil {
		return Plan{State: Finished(v1alpha1.VerdictError, v1alpha1.ReasonDefinitionLost,
			fmt.Sprintf("There is no attempt %d. What it was to execute is not known any more: %s", last.Number+1, seen.DefinitionLost))}, true
	}
	next := Plan{Create: last.Number + 1}
	if staysQueued(seen.LastJob) {
		next.LeaveKueue = seen.LastJob
	}
	return next, true
}

// lastOf adds the number of the attempt to the message, except for the first attempt.
func lastOf(attempt int32, ended *State) *State {
	if attempt == jobspec.FirstAttempt {
		return ended
	}
	return Finished(ended.Verdict, ended.Reason, fmt.Sprintf("%s (attempt %d)", ended.Message, attempt))
}

// maxAttempts is how many attempts a status has room for.
const maxAttempts = 32

// isFlaky says whether a finished run is flaky: it passed after an attempt had failed.
func isFlaky(ended v1alpha1.TestRunStatus) bool {
	return ended.Verdict == v1alpha1.VerdictPassed && spent(ended, jobspec.FailureBudget) > 0
}

// spent counts the ended attempts whose next attempt was paid from the budget.
func spent(status v1alpha1.TestRunStatus, from jobspec.Budget) int {
	n := 0
	for _, attempt := range status.Attempts {
		if attempt.Verdict != "" && budgets[attempt.Reason] == from {
			n++
		}
	}
	return n
}
