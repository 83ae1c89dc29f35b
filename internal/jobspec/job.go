package jobspec

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/runner"
)

// Render makes the Job of an attempt from the whole definition. If there can be none, the error is a final *Refusal.
func Render(request Request, program Runner, attempt int32) (*batchv1.Job, error) {
	def := request.Definition()
	if def.Err != nil { // found only now if the cache did not hold all enums
		return nil, &Refusal{v1alpha1.ReasonInvalidParams, true, def.Err}
	}
	if size := sizeOfJob(def.Spec.Template, def.Params); size > maxJob {
		return nil, &Refusal{v1alpha1.ReasonJobTooLarge, true, tooLarge(def.Spec.Template, def.Params, size)}
	}
	job := newJob(request, def, program, attempt)
	if err := argumentsTooLong(&job.Spec.Template.Spec); err != nil {
		return nil, &Refusal{v1alpha1.ReasonStartFailed, true, err}
	}
	return job, nil
}

// JobName is the name of the Job of an attempt.
func JobName(run *v1alpha1.TestRun, attempt int32) string {
	return fmt.Sprintf("%s-%d", run.Name, attempt)
}

// newJob renders the Job of an attempt.
func newJob(request Request, def Definition, program Runner, attempt int32) *batchv1.Job {
	run, template := request.Run, templateOf(def)
	record := Record{
		Container:    testContainerOf(def.Spec, def.Spec.Template.Spec.Containers).Name,
		StartTimeout: def.StartTimeout, UnreachableTimeout: def.UnreachableTimeout,
		Retry: def.Retry, Queueing: def.Queueing, Format: formatToRead(def.Spec), Definition: keep(request, def),
	}
	if def.Test != nil {
		record.Test, record.TestGeneration = def.Test.Name, def.Test.Generation
	}
	labels := merged(record.labels(), map[string]string{v1alpha1.LabelRun: run.Name, v1alpha1.LabelAttempt: strconv.Itoa(int(attempt))})

	template.Labels = merged(template.Labels, labels)
	labels = merged(forKueue(template.Labels), labels)
	annotations := merged(forKueue(template.Annotations), record.annotations())
	template.Annotations = merged(template.Annotations, def.Queueing.forPod())
	pod := &template.Spec
	pod.RestartPolicy = corev1.RestartPolicyNever
	pod.ActiveDeadlineSeconds = ptr.To(wholeSeconds(def.RunTimeout))
	if pod.ServiceAccountName == "" && pod.DeprecatedServiceAccount == "" {
		pod.AutomountServiceAccountToken = ptr.To(false)
	}
	test := testContainerOf(def.Spec, pod.Containers)
	options := optionsOf(pod, test, def.Spec.Results, record.Format)
	options.Identity = identityOf(run, attempt)
	env := make([]corev1.EnvVar, 0, len(def.Params))
	for _, param := range def.Params {
		env = append(env, corev1.EnvVar{Name: param.Name, Value: literal(param.Value)})
	}
	if record.Format != v1alpha1.ResultsNone {
		program.Archive.addTo(&options)
	}
	addEnvironment(pod, test, &options, env)
	if record.Format != v1alpha1.ResultsNone {
		program.addTo(pod, test, options)
	}

	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name:            JobName(run, attempt),
			Namespace:       run.Namespace,
			Labels:          labels,
			Annotations:     annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(run, v1alpha1.GroupVersion.WithKind("TestRun"))},
		},
		Spec: jobSpec(*template),
	}
}

// templateOf is the definition's template without the labels and annotations that only the operator may set. The API server refuses those,
// but not in definitions that were stored earlier. Nothing else of the template's metadata is taken. See docs/decisions/trust.md.
func templateOf(def Definition) *corev1.PodTemplateSpec {
	template := def.Spec.Template.DeepCopy()
	template.ObjectMeta = metav1.ObjectMeta{Labels: withoutOurs(template.Labels), Annotations: withoutOurs(template.Annotations)}
	return template
}

func identityOf(run *v1alpha1.TestRun, attempt int32) runner.Identity {
	return runner.Identity{Namespace: run.Namespace, Name: run.Name, UID: string(run.UID), Attempt: attempt}
}

func jobSpec(template corev1.PodTemplateSpec) batchv1.JobSpec {
	return batchv1.JobSpec{
		BackoffLimit:         ptr.To[int32](0),
		PodReplacementPolicy: ptr.To(batchv1.Failed),
		Template:             template,
	}
}

// testContainerOf picks the container that is the test.
func testContainerOf(spec *v1alpha1.TestSpec, containers []corev1.Container) *corev1.Container {
	for i := range containers {
		if containers[i].Name == spec.Container {
			return &containers[i]
		}
	}
	return &containers[0]
}

func merged(base, over map[string]string) map[string]string {
	all := maps.Clone(over)
	for key, value := range base {
		if _, taken := over[key]; !taken {
			all[key] = value
		}
	}
	return all
}

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// forKueue returns the template's labels or annotations that are meant for Kueue: Kueue reads them on the Job.
func forKueue(all map[string]string) map[string]string {
	kueues := map[string]string{}
	for key, value := range all {
		if strings.HasPrefix(key, v1alpha1.KueuePrefix) {
			kueues[key] = value
		}
	}
	return kueues
}
