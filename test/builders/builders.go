// Package builders makes objects for tests, so that a test says only what it is about.
package builders

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Image is what the pods of built objects run.
const Image = "perl:5-slim"

// TestRunBuilder makes a TestRun.
type TestRunBuilder struct{ v1alpha1.TestRun }

// TestRun starts a run of that name with an inline test that does nothing.
func TestRun(name string) *TestRunBuilder {
	b := &TestRunBuilder{}
	b.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TestRun"}
	b.Name = name
	b.Namespace = metav1.NamespaceDefault
	b.Spec.TestSpec = ptr.To(TestSpec("true"))
	return b
}

// In puts the run into a namespace.
func (b *TestRunBuilder) In(namespace string) *TestRunBuilder {
	b.Namespace = namespace
	return b
}

// Of makes the run refer to a Test.
func (b *TestRunBuilder) Of(test string) *TestRunBuilder {
	b.Spec.TestSpec = nil
	b.Spec.TestRef = &v1alpha1.TestReference{Name: test}
	return b
}

// Running replaces the inline test.
func (b *TestRunBuilder) Running(spec v1alpha1.TestSpec) *TestRunBuilder {
	b.Spec.TestSpec = &spec
	return b
}

// RerunOf makes the run repeat another one.
func (b *TestRunBuilder) RerunOf(run string) *TestRunBuilder {
	b.Spec = v1alpha1.TestRunSpec{RerunOf: &v1alpha1.RunReference{Name: run}}
	return b
}

// Param gives a param a value.
func (b *TestRunBuilder) Param(name, value string) *TestRunBuilder {
	b.Spec.Params = append(b.Spec.Params, v1alpha1.Param{Name: name, Value: &value})
	return b
}

// StartTimeout sets timeouts.start.
func (b *TestRunBuilder) StartTimeout(d time.Duration) *TestRunBuilder {
	b.Spec.Timeouts.Start = &v1alpha1.PositiveDuration{Duration: d}
	return b
}

// QueueTimeout sets timeouts.queue.
func (b *TestRunBuilder) QueueTimeout(d time.Duration) *TestRunBuilder {
	b.Spec.Timeouts.Queue = &v1alpha1.PositiveDuration{Duration: d}
	return b
}

// RunTimeout sets timeouts.run.
func (b *TestRunBuilder) RunTimeout(d time.Duration) *TestRunBuilder {
	b.Spec.Timeouts.Run = &v1alpha1.PositiveDuration{Duration: d}
	return b
}

// Waiting puts the run into a queue.
func (b *TestRunBuilder) Waiting(queue string) *TestRunBuilder {
	b.Spec.Queue = queue
	return b
}

// Priority sets priority.
func (b *TestRunBuilder) Priority(priority int32) *TestRunBuilder {
	b.Spec.Priority = &priority
	return b
}

// Concurrency sets concurrency: one run at a time with the key.
func (b *TestRunBuilder) Concurrency(key string, policy v1alpha1.ConcurrencyPolicy) *TestRunBuilder {
	b.Spec.Concurrency = v1alpha1.Concurrency{Key: key, OnConflict: policy}
	return b
}

// Unique sets unique.
func (b *TestRunBuilder) Unique(key string, policy v1alpha1.UniquePolicy) *TestRunBuilder {
	b.Spec.Unique = v1alpha1.Unique{Key: key, OnConflict: policy}
	return b
}

// UnreachableTimeout sets timeouts.unreachable.
func (b *TestRunBuilder) UnreachableTimeout(d time.Duration) *TestRunBuilder {
	b.Spec.Timeouts.Unreachable = &v1alpha1.PositiveDuration{Duration: d}
	return b
}

// Replacing lets another attempt begin while the one before may still run on a silent node.
func (b *TestRunBuilder) Replacing() *TestRunBuilder {
	b.Spec.Retry.Unreachable = v1alpha1.UnreachableReplace
	return b
}

// Retry gives the run further attempts after failures and after disruptions, each a second after the last one.
func (b *TestRunBuilder) Retry(failure, disruption int32) *TestRunBuilder {
	b.Spec.Retry = v1alpha1.Retry{
		Failure: &failure, Disruption: &disruption,
		Backoff: v1alpha1.Backoff{Base: &v1alpha1.Duration{Duration: time.Second}, Factor: 1},
	}
	return b
}

// Once leaves the run one attempt, whatever ends it.
func (b *TestRunBuilder) Once() *TestRunBuilder { return b.Retry(0, 0) }

// TTL sets ttlAfterFinished.
func (b *TestRunBuilder) TTL(d time.Duration) *TestRunBuilder {
	b.Spec.TTLAfterFinished = &v1alpha1.Duration{Duration: d}
	return b
}

// Cancelled sets cancel.
func (b *TestRunBuilder) Cancelled() *TestRunBuilder {
	b.Spec.Cancel = ptr.To(true)
	return b
}

// Finished gives the run the status of one that has ended.
func (b *TestRunBuilder) Finished(verdict v1alpha1.Verdict, reason string) *TestRunBuilder {
	succeeded := metav1.ConditionFalse
	if verdict == v1alpha1.VerdictPassed {
		succeeded = metav1.ConditionTrue
	}
	at := metav1.NewTime(time.Date(2026, time.January, 31, 10, 0, 0, 0, time.UTC))
	b.Status = v1alpha1.TestRunStatus{Phase: v1alpha1.PhaseFinished, Verdict: verdict, FinishTime: &at}
	for conditionType, status := range map[string]metav1.ConditionStatus{
		v1alpha1.ConditionPending:    metav1.ConditionFalse,
		v1alpha1.ConditionInProgress: metav1.ConditionFalse,
		v1alpha1.ConditionFinished:   metav1.ConditionTrue,
		v1alpha1.ConditionSucceeded:  succeeded,
	} {
		meta.SetStatusCondition(&b.Status.Conditions, metav1.Condition{
			Type: conditionType, Status: status, Reason: reason, Message: "the message of " + reason, LastTransitionTime: at,
		})
	}
	return b
}

// Build returns the run.
func (b *TestRunBuilder) Build() *v1alpha1.TestRun { return b.DeepCopy() }

// Test makes a Test of that name.
func Test(name string, spec v1alpha1.TestSpec) *v1alpha1.Test {
	return &v1alpha1.Test{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Test"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceDefault},
		Spec:       spec,
	}
}

// TestSpec makes a definition whose only container, named test, runs a shell script.
func TestSpec(script string, params ...v1alpha1.ParamSpec) v1alpha1.TestSpec {
	return v1alpha1.TestSpec{
		Params: params,
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			Containers:                    []corev1.Container{{Name: "test", Image: Image, Command: []string{"sh", "-c", script}}},
			TerminationGracePeriodSeconds: ptr.To[int64](1),
		}},
	}
}
