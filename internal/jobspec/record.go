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

// Record is what a Job carries of the definition that it was rendered from. The attempt depends on nothing else from then on, because the
// Test may change. Whoever may change the Job can change the record, so a value that the API would not accept counts as the default. See
// docs/decisions/trust.md.
type Record struct {
	// Container is the name of the container that is the test.
	Container string
	// Test and TestGeneration are the name and generation of the Test; empty and 0 for an inline definition.
	Test           string
	TestGeneration int64

	StartTimeout, RunTimeout, UnreachableTimeout time.Duration

	Retry    retryPolicy
	Queueing Queueing
	// Format is how the results are read; None for a test that has no runner.
	Format v1alpha1.ResultsFormat
	// Definition is what a further attempt is rendered from: see kept.
	Definition string
}

// labels returns the record's labels, which are on the Job and on its pod.
func (r Record) labels() map[string]string {
	if r.Test == "" {
		return map[string]string{}
	}
	return map[string]string{v1alpha1.LabelTest: r.Test}
}

// annotations returns the record's annotations, which are on the Job.
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

// RecordOn reads the record of a Job. Without a Job the record is empty, with the queue default.
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

// maxDuration exceeds the longest duration that the API accepts, which is three times 99999h.
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

// withoutOurs leaves out the labels or annotations that only the operator may set, because it trusts them.
func withoutOurs(all map[string]string) map[string]string {
	kept := maps.Clone(all)
	maps.DeleteFunc(kept, func(key, _ string) bool {
		domain, _, _ := strings.Cut(key, "/")
		return domain == v1alpha1.GroupVersion.Group || strings.HasSuffix(domain, "."+v1alpha1.GroupVersion.Group)
	})
	return kept
}
