// Package jobspec makes a definition from a Test and a run, and from that the Job of an attempt. It also reads back what such a Job
// carries. It is pure: it reads nothing, writes nothing, and has no clock. See docs/decisions/pure-core.md.
package jobspec

import (
	"cmp"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Request is a run with what it asks for.
type Request struct {
	Run *v1alpha1.TestRun
	// Asked is the run's own spec, or that of the run that it repeats. If that run was not found, Asked has only RerunOf.
	Asked v1alpha1.TestRunSpec
	// Test is the Test to which Asked refers; nil when it does not exist, or when the run defines its test inline.
	Test *v1alpha1.Test
}

const (
	// FirstAttempt is the number of the first attempt of a run.
	FirstAttempt = 1

	defaultContainer          = "test"
	defaultStartTimeout       = 10 * time.Minute
	defaultRunTimeout         = time.Hour
	defaultUnreachableTimeout = 10 * time.Minute
)

// Definition is what a run executes: the Test as it is now, or the inline one, with the run's own timeouts.
type Definition struct {
	Spec *v1alpha1.TestSpec
	// Test is the Test; nil for an inline definition.
	Test         *v1alpha1.Test
	StartTimeout time.Duration
	RunTimeout   time.Duration
	// UnreachableTimeout is how long the node may be silent.
	UnreachableTimeout time.Duration
	Retry              retryPolicy
	// Params are the values of the params, as environment variables in the order of the definition.
	Params []corev1.EnvVar
	// Queueing is where the run waits. Concurrency is the setting from which its key was made.
	Queueing    Queueing
	Concurrency v1alpha1.Concurrency
	// Err tells the author of the run which param does not fit; nil if all do. With an error there is no concurrency key.
	Err error
}

// HasDefinition says whether it is known what the run executes.
func (r Request) HasDefinition() bool { return r.Asked.TestSpec != nil || r.Test != nil }

// Definition resolves what the run executes. HasDefinition must be true.
func (r Request) Definition() Definition {
	def := Definition{Spec: r.Asked.TestSpec, Test: r.Test}
	if def.Spec == nil {
		def.Spec = &r.Test.Spec
	}
	run, test := r.Asked.Timeouts, def.Spec.Timeouts
	def.StartTimeout = firstDuration(defaultStartTimeout, run.Start, test.Start)
	def.RunTimeout = firstDuration(defaultRunTimeout, run.Run, test.Run)
	def.UnreachableTimeout = firstDuration(defaultUnreachableTimeout, run.Unreachable, test.Unreachable)
	def.Retry = resolveRetry(r.Asked.Retry, def.Spec.Retry)
	def.Params, def.Err = paramValues(def.Spec, r.Asked.Params)
	def.Queueing = Queueing{
		Queue:   cmp.Or(r.Run.Spec.Queue, r.Asked.Queue, def.Spec.Queue, v1alpha1.DefaultQueue),
		Timeout: firstDuration(0, run.Queue, test.Queue),
	}
	def.Concurrency = r.concurrency(def.Spec)
	if def.Err == nil {
		def.Queueing.Key, def.Err = concurrencyKey(def)
	}
	if def.Queueing.Key != "" {
		def.Queueing.Max = int(max(def.Concurrency.Max, 1))
	}
	return def
}

func (r Request) concurrency(spec *v1alpha1.TestSpec) v1alpha1.Concurrency {
	for _, concurrency := range []v1alpha1.Concurrency{r.Run.Spec.Concurrency, r.Asked.Concurrency} {
		if concurrency.Key != "" {
			return concurrency
		}
	}
	return spec.Concurrency
}

func firstDuration[D v1alpha1.Duration | v1alpha1.PositiveDuration](fallback time.Duration, candidates ...*D) time.Duration {
	for _, candidate := range candidates {
		if candidate != nil {
			return metav1.Duration(*candidate).Duration
		}
	}
	return fallback
}
