package jobspec

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Record is what a Job carries of the definition that it was rendered from. The attempt depends on nothing else from then on, because the
// Test may change. It is one annotation, which holds only what differs from the defaults: see docs/decisions/writes.md. Whoever may change
// the Job can change the record, so a value that the API would not accept counts as the default: see docs/decisions/trust.md.
type Record struct {
	// Container is the name of the container that is the test.
	Container string `json:"container,omitzero"`
	// Test and TestGeneration are the name and generation of the Test; empty and 0 for an inline definition. A label holds the name.
	Test           string `json:"-"`
	TestGeneration int64  `json:"testGeneration,omitzero"`

	StartTimeout time.Duration `json:"startTimeout,omitzero"`
	// RunTimeout is the pod's activeDeadlineSeconds.
	RunTimeout         time.Duration `json:"-"`
	UnreachableTimeout time.Duration `json:"unreachableTimeout,omitzero"`

	Retry    retryPolicy `json:"retry,omitzero"`
	Queueing Queueing    `json:"queueing,omitzero"`
	// Format is how the results are read; None for a test that has no runner.
	Format v1alpha1.ResultsFormat `json:"format,omitzero"`
	// Definition is what a further attempt is rendered from: see kept.
	Definition string `json:"definition,omitzero"`
}

// defaults is what a field of a record holds unless the annotation says otherwise.
func defaults() Record {
	return Record{
		Container: defaultContainer, StartTimeout: defaultStartTimeout, UnreachableTimeout: defaultUnreachableTimeout,
		Retry: resolveRetry(v1alpha1.Retry{}, v1alpha1.Retry{}), Queueing: Queueing{Queue: v1alpha1.DefaultQueue}, Format: v1alpha1.ResultsAuto,
	}
}

// labels returns the record's labels, which are on the Job and on its pod.
func (r Record) labels() map[string]string {
	if r.Test == "" {
		return map[string]string{}
	}
	return map[string]string{v1alpha1.LabelTest: r.Test}
}

// annotations returns the annotation that holds the record, for the Job; none if the record holds the defaults.
func (r Record) annotations() map[string]string {
	usual := defaults()
	leaveOut(&r.Container, usual.Container)
	leaveOut(&r.StartTimeout, usual.StartTimeout)
	leaveOut(&r.UnreachableTimeout, usual.UnreachableTimeout)
	leaveOut(&r.Queueing.Queue, usual.Queueing.Queue)
	leaveOut(&r.Format, usual.Format)
	if reflect.DeepEqual(r.Retry, usual.Retry) {
		r.Retry = retryPolicy{}
	}
	encoded, err := json.Marshal(r)
	if err != nil {
		panic(err) // it holds text and numbers
	}
	if string(encoded) == "{}" {
		return map[string]string{}
	}
	return map[string]string{v1alpha1.AnnotationRecord: string(encoded)}
}

func leaveOut[T comparable](value *T, usual T) {
	if *value == usual {
		*value = *new(T)
	}
}

// RecordOn reads the record of a Job; of no Job it is empty, but for the queue.
func RecordOn(job *batchv1.Job) Record {
	if job == nil {
		return Record{Queueing: Queueing{Queue: v1alpha1.DefaultQueue}}
	}
	r := readRecord(job.Annotations)
	r.Test = job.Labels[v1alpha1.LabelTest]
	r.RunTimeout = time.Duration(ptr.Deref(job.Spec.Template.Spec.ActiveDeadlineSeconds, 0)) * time.Second
	return r
}

// QueueingIn returns the queueing of the record that a Job or a pod has.
func QueueingIn(annotations map[string]string) Queueing { return readRecord(annotations).Queueing }

// readRecord reads what annotations wrote. If somebody has damaged it, the defaults count, and there is no other attempt.
func readRecord(annotations map[string]string) Record {
	r, usual := defaults(), defaults()
	text, written := annotations[v1alpha1.AnnotationRecord]
	if !written {
		return r
	}
	if json.Unmarshal([]byte(text), &r) != nil {
		usual.Retry = retryPolicy{}
		return usual
	}
	if !r.Retry.isBounded() {
		r.Retry = retryPolicy{}
	}
	if !isTimeout(r.StartTimeout) {
		r.StartTimeout = usual.StartTimeout
	}
	if !isTimeout(r.UnreachableTimeout) {
		r.UnreachableTimeout = usual.UnreachableTimeout
	}
	if !r.Queueing.isBounded() {
		r.Queueing = usual.Queueing
	}
	if !slices.Contains(formats, r.Format) {
		r.Format = usual.Format
	}
	r.TestGeneration = max(0, r.TestGeneration)
	return r
}

var formats = []v1alpha1.ResultsFormat{v1alpha1.ResultsNone, v1alpha1.ResultsAuto, v1alpha1.ResultsTAP, v1alpha1.ResultsJUnit, v1alpha1.ResultsGoTest}

// maxDuration exceeds the longest duration that the API accepts, which is three times 99999h.
const maxDuration = 300_000 * time.Hour

func isTimeout(limit time.Duration) bool { return time.Second <= limit && limit <= maxDuration }

// withoutOurs leaves out the labels or annotations that only the operator may set, because it trusts them.
func withoutOurs(all map[string]string) map[string]string {
	kept := maps.Clone(all)
	maps.DeleteFunc(kept, func(key, _ string) bool {
		domain, _, _ := strings.Cut(key, "/")
		return domain == v1alpha1.GroupVersion.Group || strings.HasSuffix(domain, "."+v1alpha1.GroupVersion.Group)
	})
	return kept
}
