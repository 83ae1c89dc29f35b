package testrun

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

const (
	firstAttempt = 1

	defaultStartTimeout = 10 * time.Minute
	defaultRunTimeout   = time.Hour

	defaultUnreachableTimeout = 10 * time.Minute
)

// definition is what a run executes: the Test as it is now, or the inline one, with the run's own timeouts.
type definition struct {
	spec *v1alpha1.TestSpec
	// test is the Test; nil for an inline definition.
	test         *v1alpha1.Test
	startTimeout time.Duration
	runTimeout   time.Duration
	// queueTimeout is how long the run may wait for its turn; 0 is for ever.
	queueTimeout time.Duration
	// unreachableTimeout is how long the node may be silent.
	unreachableTimeout time.Duration
	retry              retryPolicy
}

// definitionOf resolves the definition. One must exist: the testSpec that is asked for, or the Test.
func definitionOf(seen observation) definition {
	def := definition{spec: seen.asked.TestSpec, test: seen.test}
	if def.spec == nil {
		def.spec = &seen.test.Spec
	}
	own, tests := seen.asked.Timeouts, def.spec.Timeouts
	def.queueTimeout = firstDuration(0, own.Queue, tests.Queue)
	def.startTimeout = firstDuration(defaultStartTimeout, own.Start, tests.Start)
	def.runTimeout = firstDuration(defaultRunTimeout, own.Run, tests.Run)
	def.unreachableTimeout = firstDuration(defaultUnreachableTimeout, own.Unreachable, tests.Unreachable)
	def.retry = resolveRetry(seen.asked.Retry, def.spec.Retry)
	return def
}

func firstDuration[D v1alpha1.Duration | v1alpha1.PositiveDuration](fallback time.Duration, candidates ...*D) time.Duration {
	for _, candidate := range candidates {
		if candidate != nil {
			return metav1.Duration(*candidate).Duration
		}
	}
	return fallback
}

// paramValues gives each param of the definition its value, as environment variables in the order of the definition. The
// error says to the author of the run which param does not fit.
func paramValues(def definition, given []v1alpha1.Param) ([]corev1.EnvVar, error) {
	values := make(map[string]*string, len(given))
	for _, param := range given {
		values[param.Name] = param.Value
	}
	var env []corev1.EnvVar
	for _, param := range def.spec.Params {
		value, isGiven := values[param.Name]
		delete(values, param.Name)
		switch {
		case !isGiven && ptr.Deref(param.Required, false):
			return nil, fmt.Errorf("param %s is required and has no value", param.Name)
		case !isGiven && param.Default == nil:
			continue
		case !isGiven:
			value = param.Default
		case len(param.Enum) > 0 && !slices.Contains(param.Enum, ptr.Deref(value, "")):
			return nil, fmt.Errorf("param %s is %q; it must be one of: %s", param.Name, ptr.Deref(value, ""), strings.Join(param.Enum, ", "))
		}
		env = append(env, corev1.EnvVar{Name: param.Name, Value: ptr.Deref(value, "")})
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		return nil, fmt.Errorf("the Test defines no param %s; it defines: %s", name, paramNames(def.spec.Params))
	}
	return env, nil
}

func paramNames(params []v1alpha1.ParamSpec) string {
	if len(params) == 0 {
		return "none"
	}
	names := make([]string, 0, len(params))
	for _, param := range params {
		names = append(names, param.Name)
	}
	return strings.Join(names, ", ")
}

func jobName(run *v1alpha1.TestRun, attempt int32) string {
	return fmt.Sprintf("%s-%d", run.Name, attempt)
}

// newJob renders the Job of an attempt. It holds all that is needed of the definition from then on.
func newJob(seen observation, attempt int32) *batchv1.Job {
	run, def := seen.run, definitionOf(seen)
	params, _ := paramValues(def, seen.asked.Params) // paramsInvalid has ruled an error out
	template := templateOf(def)

	labels := map[string]string{
		v1alpha1.LabelRun:     run.Name,
		v1alpha1.LabelAttempt: strconv.Itoa(int(attempt)),
	}
	annotations := map[string]string{
		v1alpha1.AnnotationContainer:    testContainerOf(def.spec, def.spec.Template.Spec.Containers).Name,
		v1alpha1.AnnotationStartTimeout: def.startTimeout.String(),
		v1alpha1.AnnotationRetry:        def.retry.encode(),
		v1alpha1.AnnotationAdmission:    placeOf(seen, def).encode(),

		v1alpha1.AnnotationUnreachableTimeout: def.unreachableTimeout.String(),
	}
	if definition := keep(seen, def); definition != "" {
		annotations[v1alpha1.AnnotationDefinition] = definition
	}
	if def.test != nil {
		labels[v1alpha1.LabelTest] = def.test.Name
		annotations[v1alpha1.AnnotationTestGeneration] = strconv.FormatInt(def.test.Generation, 10)
	}

	template.Labels = merged(template.Labels, labels)
	labels = merged(forKueue(template.Labels), labels)
	annotations = merged(forKueue(template.Annotations), annotations)
	if place := placeOf(seen, def).forPod(); place != "" {
		template.Annotations = merged(template.Annotations, map[string]string{v1alpha1.AnnotationAdmission: place})
	}
	pod := &template.Spec
	pod.RestartPolicy = corev1.RestartPolicyNever
	pod.ActiveDeadlineSeconds = ptr.To(wholeSeconds(def.runTimeout))
	if pod.ServiceAccountName == "" && pod.DeprecatedServiceAccount == "" {
		pod.AutomountServiceAccountToken = ptr.To(false)
	}
	env := identity(run, attempt)
	for _, param := range params {
		env = append(env, corev1.EnvVar{Name: param.Name, Value: literal(param.Value)})
	}
	for _, containers := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range containers {
			containers[i].Env = withEnv(containers[i].Env, env)
		}
	}
	if format := formatToRead(def.spec); format != v1alpha1.ResultsNone {
		annotations[v1alpha1.AnnotationResultsFormat] = string(format)
		test := testContainerOf(def.spec, pod.Containers)
		seen.runner.addTo(pod, test, def.spec.Results, format)
		if format == v1alpha1.ResultsAuto || format == v1alpha1.ResultsJUnit {
			test.Env = withEnv(test.Env, []corev1.EnvVar{resultsDir(run, attempt)})
		}
	}

	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name:            jobName(run, attempt),
			Namespace:       run.Namespace,
			Labels:          labels,
			Annotations:     annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(run, v1alpha1.GroupVersion.WithKind("TestRun"))},
		},
		Spec: jobSpec(*template),
	}
}

// templateOf is the definition's template as it may reach a pod. The API server refuses what is left out here; but it did not always.
func templateOf(def definition) *corev1.PodTemplateSpec {
	template := def.spec.Template.DeepCopy()
	template.ObjectMeta = metav1.ObjectMeta{Labels: withoutOurs(template.Labels), Annotations: withoutOurs(template.Annotations)}
	return template
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

func jobSpec(template corev1.PodTemplateSpec) batchv1.JobSpec {
	return batchv1.JobSpec{
		BackoffLimit:         ptr.To[int32](0),
		PodReplacementPolicy: ptr.To(batchv1.Failed),
		Template:             template,
	}
}

func identity(run *v1alpha1.TestRun, attempt int32) []corev1.EnvVar {
	return []corev1.EnvVar{
		{Name: v1alpha1.EnvName, Value: run.Name},
		{Name: v1alpha1.EnvNamespace, Value: run.Namespace},
		{Name: v1alpha1.EnvUID, Value: string(run.UID)},
		{Name: v1alpha1.EnvAttempt, Value: strconv.Itoa(int(attempt))},
	}
}

// withEnv puts ours first, so that the template's own variables can refer to them, and instead of those with the same name.
func withEnv(templates, ours []corev1.EnvVar) []corev1.EnvVar {
	env := slices.Clone(ours)
	for _, variable := range templates {
		if !slices.ContainsFunc(ours, func(our corev1.EnvVar) bool { return our.Name == variable.Name }) {
			env = append(env, variable)
		}
	}
	return env
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

func startTimeoutOf(job *batchv1.Job) time.Duration {
	return durationIn(job, v1alpha1.AnnotationStartTimeout, defaultStartTimeout)
}

func unreachableTimeoutOf(job *batchv1.Job) time.Duration {
	return durationIn(job, v1alpha1.AnnotationUnreachableTimeout, defaultUnreachableTimeout)
}

// maxDuration is longer than any duration that the API takes: 99999h99999m99999s, three times.
const maxDuration = 300_000 * time.Hour

// durationIn reads back what newJob wrote. Somebody may have changed the annotation: the default stands for what the API would not take.
func durationIn(job *batchv1.Job, annotation string, fallback time.Duration) time.Duration {
	limit, err := time.ParseDuration(job.Annotations[annotation])
	if err != nil || limit < time.Second || limit > maxDuration {
		return fallback
	}
	return limit
}

// testGenerationOf reads back what newJob wrote; 0 for an inline definition.
func testGenerationOf(job *batchv1.Job) int64 {
	generation, err := strconv.ParseInt(job.Annotations[v1alpha1.AnnotationTestGeneration], 10, 64)
	if err != nil {
		return 0
	}
	return max(0, generation)
}

// runTimeoutOf reads back what newJob wrote.
func runTimeoutOf(job *batchv1.Job) time.Duration {
	return time.Duration(ptr.Deref(job.Spec.Template.Spec.ActiveDeadlineSeconds, 0)) * time.Second
}
