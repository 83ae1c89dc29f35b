package jobspec

import (
	"cmp"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Budget names what limits the number of further attempts.
type Budget string

const (
	// NoBudget is for causes after which there is no other attempt, because it would end like the last one.
	NoBudget Budget = ""
	// FailureBudget pays if the test itself is the cause.
	FailureBudget Budget = "failure"
	// DisruptionBudget pays if the cluster is the cause.
	DisruptionBudget Budget = "disruption"
)

// Defaults of retry.
const (
	defaultDisruptions   = 2
	defaultBackoffBase   = 10 * time.Second
	defaultBackoffFactor = 2
	defaultBackoffCap    = 5 * time.Minute
)

// retryPolicy is v1alpha1.Retry with all its fields filled in. It is kept on the Job, because the Test may change.
type retryPolicy struct {
	Failure    int           `json:"failure"`
	Disruption int           `json:"disruption"`
	Base       time.Duration `json:"base"`
	Factor     int           `json:"factor"`
	Cap        time.Duration `json:"cap"`
	// Replace allows an attempt to begin while the last one may still run on a silent node.
	Replace bool `json:"replace,omitempty"`
	// Permanent and Infrastructure are exit codes.
	Permanent      []int32 `json:"permanent,omitempty"`
	Infrastructure []int32 `json:"infrastructure,omitempty"`
}

// resolveRetry takes each field from the first that sets it: the run, the Test, the default.
func resolveRetry(run, test v1alpha1.Retry) retryPolicy {
	return retryPolicy{
		Failure:    int(firstNumber(0, run.Failure, test.Failure)),
		Disruption: int(firstNumber(defaultDisruptions, run.Disruption, test.Disruption)),
		Base:       firstDuration(defaultBackoffBase, run.Backoff.Base, test.Backoff.Base),
		Factor:     int(firstNumber(defaultBackoffFactor, nonZero(run.Backoff.Factor), nonZero(test.Backoff.Factor))),
		Cap:        firstDuration(defaultBackoffCap, run.Backoff.Cap, test.Backoff.Cap),

		Replace: cmp.Or(run.Unreachable, test.Unreachable) == v1alpha1.UnreachableReplace,

		Permanent:      firstList(run.ExitCodes.Permanent, test.ExitCodes.Permanent),
		Infrastructure: firstList(run.ExitCodes.Infrastructure, test.ExitCodes.Infrastructure),
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

// The API's limits of retry.
const (
	maxRetries   = 10
	maxFactor    = 10
	maxExitCodes = 32
)

// isBounded says whether the API would accept the policy.
func (p retryPolicy) isBounded() bool {
	within := func(n, least, most int) bool { return least <= n && n <= most }
	return within(p.Failure, 0, maxRetries) && within(p.Disruption, 0, maxRetries) && within(p.Factor, 1, maxFactor) &&
		min(p.Base, p.Cap) >= 0 && max(p.Base, p.Cap) <= maxDuration &&
		max(len(p.Permanent), len(p.Infrastructure)) <= maxExitCodes
}

func (p retryPolicy) Size(b Budget) int {
	switch b {
	case FailureBudget:
		return p.Failure
	case DisruptionBudget:
		return p.Disruption
	default:
		return 0
	}
}

// Backoff is how long to wait after the attempt of that number, counted from 1.
func (p retryPolicy) Backoff(attempt int32) time.Duration {
	wait, factor := p.Base, max(p.Factor, 1)
	for range attempt - 1 {
		if wait >= p.Cap/time.Duration(factor) { // the next one exceeds the cap, and perhaps what a Duration holds
			return p.Cap
		}
		wait *= time.Duration(factor)
	}
	return min(wait, p.Cap)
}
