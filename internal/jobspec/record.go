package jobspec

import (
	"maps"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// Record is what a Job carries of the definition that it was rendered from. From then on the attempt depends on nothing else, since the
// Test may change. Whoever may change the Job can change the record: a value that the API would not take counts as the default.
type Record struct {
	// Container is the name of the container that is the test.
	Container string
	// Test and testGeneration are those of the Test; none for an inline definition.
	Test           string
	TestGeneration int64

	StartTimeout, RunTimeout, UnreachableTimeout time.Duration

	Retry    retryPolicy
	Queueing Queueing
	// Format is None for a test that has no runner.
	Format v1alpha1.ResultsFormat
	// Definition is what a further attempt is rendered from: see kept.
	Definition string
}

// labels are those of a record, on the Job and on its pod.
func (r Record) labels() map[string]string {
	if r.Test == "" {
		return map[string]string{}
	}
	return map[string]string{v1alpha1.LabelTest: r.Test}
}

// annotations are those of a record, on the Job.
func (r Record) annotations() map[string]string {
	annotations := map[string]string{
		v1alpha1.AnnotationContainer:          r.Container,
		v1alpha1.AnnotationStartTimeout:       r.StartTimeout.String(),
		v1alpha1.AnnotationUnreachableTimeout: r.UnreachableTimeout.String(),
		v1alpha1.AnnotationRetry:              r.Retry.encode(),
		v1alpha1.AnnotationAdmission:          r.Queueing.encode(),
	}
	if r.Test != "" {
		annotations[v1alpha1.AnnotationTestGeneration] = strconv.FormatInt(r.TestGeneration, 10)
	}
	if r.Format != v1alpha1.ResultsNone {
		annotations[v1alpha1.AnnotationResultsFormat] = string(r.Format)
	}
	if r.Definition != "" {
		annotations[v1alpha1.AnnotationDefinition] = r.Definition
	}
	return annotations
}

// RecordOn reads the record of a Job; of no Job it is empty.
func RecordOn(job *batchv1.Job) Record {
	if job == nil {
		return Record{Queueing: Queueing{Queue: v1alpha1.DefaultQueue}}
	}
	return Record{
		Container:          job.Annotations[v1alpha1.AnnotationContainer],
		Test:               job.Labels[v1alpha1.LabelTest],
		TestGeneration:     readGeneration(job.Annotations[v1alpha1.AnnotationTestGeneration]),
		StartTimeout:       readDuration(job.Annotations[v1alpha1.AnnotationStartTimeout], defaultStartTimeout),
		RunTimeout:         time.Duration(ptr.Deref(job.Spec.Template.Spec.ActiveDeadlineSeconds, 0)) * time.Second,
		UnreachableTimeout: readDuration(job.Annotations[v1alpha1.AnnotationUnreachableTimeout], defaultUnreachableTimeout),
		Retry:              readRetry(job.Annotations[v1alpha1.AnnotationRetry]),
		Queueing:           QueueingIn(job.Annotations),
		Format:             readFormat(job.Annotations[v1alpha1.AnnotationResultsFormat]),
		Definition:         job.Annotations[v1alpha1.AnnotationDefinition],
	}
}

// maxDuration is longer than any duration that the API takes: 99999h99999m99999s, three times.
const maxDuration = 300_000 * time.Hour

func readDuration(text string, fallback time.Duration) time.Duration {
	limit, err := time.ParseDuration(text)
	if err != nil || limit < time.Second || limit > maxDuration {
		return fallback
	}
	return limit
}

func readGeneration(text string) int64 {
	generation, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return max(0, generation)
}

func readFormat(text string) v1alpha1.ResultsFormat {
	switch format := v1alpha1.ResultsFormat(text); format {
	case "", v1alpha1.ResultsNone:
		return v1alpha1.ResultsNone
	case v1alpha1.ResultsTAP, v1alpha1.ResultsJUnit, v1alpha1.ResultsGoTest:
		return format
	default:
		return v1alpha1.ResultsAuto
	}
}

// withoutOurs leaves out the labels or annotations that only the operator may set: it believes them.
func withoutOurs(all map[string]string) map[string]string {
	kept := maps.Clone(all)
	maps.DeleteFunc(kept, func(key, _ string) bool {
		domain, _, _ := strings.Cut(key, "/")
		return domain == v1alpha1.GroupVersion.Group || strings.HasSuffix(domain, "."+v1alpha1.GroupVersion.Group)
	})
	return kept
}
