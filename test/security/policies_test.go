package security

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
)

// expectDenied expects that the policy refuses a request with these words.
func expectDenied(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("the answer is %v, want a refusal that says %q", err, words)
	}
}

func expectAllowed(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("it is refused: %v", err)
	}
}

// waitForPolicy waits until the policy works: the API server takes a moment to read it. request must be one that it denies.
func waitForPolicy(t *testing.T, request func() error) {
	t.Helper()
	for request() == nil {
		if t.Context().Err() != nil {
			t.Fatal("the policy never worked")
		}
		time.Sleep(50 * time.Millisecond) // the API server tells nobody when it has read a policy
	}
}

func TestTheOperatorsPolicyHoldsItToItsRuns(t *testing.T) {
	installRoles(t)
	install(t, "policies/operator.yaml")
	operator := as(t, operatorAccount)
	namespace := apiserver.Namespace(t)
	dryRun := func(object client.Object) error { return operator.Create(t.Context(), object, client.DryRunAll) }
	waitForPolicy(t, func() error { return dryRun(jobOf(namespace, "run", func(job *batchv1.Job) { job.Labels = nil })) })

	expectAllowed(t, dryRun(jobOf(namespace, "run")))
	expectAllowed(t, dryRun(jobOf(namespace, "a.b", func(job *batchv1.Job) { job.Name = "a.b-12" })))
	for name, c := range map[string]struct {
		namespace string
		change    func(*batchv1.Job)
		words     string
	}{
		"in kube-system":               {"kube-system", func(*batchv1.Job) {}, "no business in namespace kube-system"},
		"in its own namespace":         {"testrun-system", func(*batchv1.Job) {}, "no business in namespace testrun-system"},
		"without our label":            {namespace, func(job *batchv1.Job) { job.Labels = nil }, "the label testrun.dev/run"},
		"without an owner":             {namespace, func(job *batchv1.Job) { job.OwnerReferences = nil }, "belong to a TestRun"},
		"of an owner of another kind":  {namespace, func(job *batchv1.Job) { job.OwnerReferences[0].Kind = "CronJob" }, "belong to a TestRun"},
		"of an owner of another API":   {namespace, func(job *batchv1.Job) { job.OwnerReferences[0].APIVersion = "testrun.dev.evil/v1" }, "belong to a TestRun"},
		"of another run than it says":  {namespace, func(job *batchv1.Job) { job.OwnerReferences[0].Name = "other" }, "belong to a TestRun"},
		"with the name of another Job": {namespace, func(job *batchv1.Job) { job.Name = "backup-1" }, "belong to a TestRun"},
	} {
		t.Run(name, func(t *testing.T) { expectDenied(t, dryRun(jobOf(c.namespace, "run", c.change)), c.words) })
	}
}

func TestTheOperatorsPolicyLetsItStopAndChangeNothingElse(t *testing.T) {
	installRoles(t)
	install(t, "policies/operator.yaml")
	operator := as(t, operatorAccount)
	namespace := apiserver.Namespace(t)
	waitForPolicy(t, func() error {
		return operator.Create(t.Context(), jobOf(namespace, "run", func(job *batchv1.Job) { job.Labels = nil }), client.DryRunAll)
	})
	job := jobOf(namespace, "run")
	must(t, apiserver.Client.Create(t.Context(), job))
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "run-1-abcde", Labels: map[string]string{v1alpha1.LabelRun: "run"}},
		Spec:       podSpec(),
	}
	must(t, apiserver.Client.Create(t.Context(), pod))
	stranger := pod.DeepCopy()
	stranger.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, Name: "stranger"}
	must(t, apiserver.Client.Create(t.Context(), stranger))

	patch := func(object client.Object, change func()) error {
		before, _ := object.DeepCopyObject().(client.Object)
		change()
		return operator.Patch(t.Context(), object, client.MergeFrom(before), client.DryRunAll)
	}
	suspended := job.DeepCopy()
	expectAllowed(t, patch(suspended, func() {
		suspended.Spec.Suspend, suspended.Spec.Parallelism = ptr.To(true), ptr.To[int32](0)
		suspended.Spec.ActiveDeadlineSeconds = ptr.To[int64](0)
		suspended.Annotations = map[string]string{v1alpha1.AnnotationStopReason: "Cancelled"}
	}))
	stopped := pod.DeepCopy()
	expectAllowed(t, patch(stopped, func() {
		stopped.Spec.ActiveDeadlineSeconds = ptr.To[int64](1)
		stopped.Annotations = map[string]string{v1alpha1.AnnotationStopReason: "Cancelled"}
	}))
	adopted := job.DeepCopy()
	expectDenied(t, patch(adopted, func() { adopted.Labels["extra"] = "label" }), "changes nothing of a Job but")
	swapped := pod.DeepCopy()
	expectDenied(t, patch(swapped, func() { swapped.Spec.Containers[0].Image = "miner" }), "changes nothing of a pod but")
	swappedInit := pod.DeepCopy()
	expectDenied(t, patch(swappedInit, func() { swappedInit.Spec.InitContainers[0].Image = "miner" }), "changes nothing of a pod but")
	relabelled := pod.DeepCopy()
	expectDenied(t, patch(relabelled, func() { relabelled.Labels["app"] = "shop" }), "changes nothing of a pod but")
	expectDenied(t, patch(stranger, func() { stranger.Spec.ActiveDeadlineSeconds = ptr.To[int64](1) }), "the label testrun.dev/run")
	labelled := stranger.DeepCopy()
	expectDenied(t, patch(labelled, func() { labelled.Labels = map[string]string{v1alpha1.LabelRun: "run"} }), "changes nothing of a pod but")
}

func TestTheOperatorsPolicyLetsItDeleteOnlyRunsThatHaveFinished(t *testing.T) {
	installRoles(t)
	install(t, "policies/operator.yaml")
	operator := as(t, operatorAccount)
	namespace := apiserver.Namespace(t)
	waiting := builders.TestRun("waiting").In(namespace).Build()
	must(t, apiserver.Client.Create(t.Context(), waiting))
	remove := func(run *v1alpha1.TestRun) error { return operator.Delete(t.Context(), run, client.DryRunAll) }
	waitForPolicy(t, func() error { return remove(waiting) })
	expectDenied(t, remove(waiting), "only runs that have finished")

	finished := builders.TestRun("finished").In(namespace).Finished(v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed).Build()
	status := finished.Status
	must(t, apiserver.Client.Create(t.Context(), finished))
	finished.Status = status
	must(t, apiserver.Client.Status().Update(t.Context(), finished))
	expectAllowed(t, remove(finished))
}

func TestTheTenantsPolicyHoldsInTheNamespacesThatCarryItsLabel(t *testing.T) {
	install(t, "policies/tenants.yaml")
	free, restricted := apiserver.Namespace(t), apiserver.Namespace(t)
	label(t, restricted, "testrun.dev/restricted", "true")
	inFree, inRestricted := tenantOf(t, free), tenantOf(t, restricted)
	create := func(tenant client.Client, object client.Object) error {
		return tenant.Create(t.Context(), object, client.DryRunAll)
	}
	waitForPolicy(t, func() error { return create(inRestricted, builders.TestRun("inline").In(restricted).Build()) })

	expectAllowed(t, create(inFree, builders.TestRun("inline").In(free).Priority(1000).Build()))
	expectAllowed(t, create(inRestricted, builders.TestRun("run").In(restricted).Of("suite").Priority(100).RunTimeout(4*time.Hour).Build()))
	expectAllowed(t, create(inRestricted, builders.TestRun("rerun").In(restricted).RerunOf("run").Build()))
	expectAllowed(t, create(inRestricted, restrictedTest(restricted, func(*v1alpha1.TestSpec) {})))

	for name, c := range map[string]struct {
		object client.Object
		words  string
	}{
		"a definition of its own": {builders.TestRun("inline").In(restricted).Build(), "a run names a Test (testRef)"},
		"a high priority":         {builders.TestRun("urgent").In(restricted).Of("suite").Priority(101).Build(), "priority is at most 100"},
		"a long run":              {builders.TestRun("long").In(restricted).Of("suite").RunTimeout(5 * time.Hour).Build(), "timeouts.run is at most"},
		"a long test": {restrictedTest(restricted, func(spec *v1alpha1.TestSpec) {
			spec.Timeouts.Run = &v1alpha1.PositiveDuration{Duration: 5 * time.Hour}
		}), "timeouts.run is at most"},
		"another ServiceAccount": {restrictedTest(restricted, func(spec *v1alpha1.TestSpec) {
			spec.Template.Spec.ServiceAccountName = "deployer"
		}), "serviceAccountName is one of: default, tests"},
		"another ServiceAccount, by its old name": {restrictedTest(restricted, func(spec *v1alpha1.TestSpec) {
			spec.Template.Spec.DeprecatedServiceAccount = "deployer"
		}), "serviceAccountName is one of: default, tests"},
		"an image from elsewhere": {restrictedTest(restricted, func(spec *v1alpha1.TestSpec) {
			spec.Template.Spec.Containers[0].Image = "docker.io/miner"
		}), "an image begins with one of: registry.example.com/"},
		"an init container from elsewhere": {restrictedTest(restricted, func(spec *v1alpha1.TestSpec) {
			spec.Template.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "registry.example.com.evil.net/miner"}}
		}), "an image begins with one of: registry.example.com/"},
		"a volume from elsewhere": {restrictedTest(restricted, func(spec *v1alpha1.TestSpec) {
			spec.Template.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
				Image: &corev1.ImageVolumeSource{Reference: "docker.io/miner"},
			}}}
		}), "an image begins with one of: registry.example.com/"},
	} {
		t.Run(name, func(t *testing.T) { expectDenied(t, create(inRestricted, c.object), c.words) })
	}
}

func TestARunFromBeforeTheTenantsPolicyCanStillBeCancelled(t *testing.T) {
	install(t, "policies/tenants.yaml")
	namespace := apiserver.Namespace(t)
	tenant := tenantOf(t, namespace)
	run := builders.TestRun("inline").In(namespace).Build()
	must(t, tenant.Create(t.Context(), run))
	label(t, namespace, "testrun.dev/restricted", "true")
	waitForPolicy(t, func() error {
		return tenant.Create(t.Context(), builders.TestRun("other").In(namespace).Build(), client.DryRunAll)
	})
	before := run.DeepCopy()
	run.Spec.Cancel = ptr.To(true)
	expectAllowed(t, tenant.Patch(t.Context(), run, client.MergeFrom(before)))
}

func TestTheNetworkPolicySelectsTheOperator(t *testing.T) {
	installRoles(t)
	install(t, "policies/network.yaml")
	policy, deployment := objectsOf(t, "policies/network.yaml")[0], objectsOf(t, "manager/deployment.yaml")[0]
	selected, _, _ := unstructured.NestedStringMap(policy.Object, "spec", "podSelector", "matchLabels")
	labels, _, _ := unstructured.NestedStringMap(deployment.Object, "spec", "template", "metadata", "labels")
	for key, value := range selected {
		if labels[key] != value {
			t.Errorf("it selects pods with %s=%s; the operator's has %q", key, value, labels[key])
		}
	}
}

// jobOf is the Job of a run's first attempt, as the operator makes it.
func jobOf(namespace, run string, changes ...func(*batchv1.Job)) *batchv1.Job {
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: run + "-1", Labels: map[string]string{v1alpha1.LabelRun: run},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: "TestRun", Name: run, UID: "00000000-0000-0000-0000-000000000001",
				Controller: ptr.To(true),
			}},
		},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: podSpec()}},
	}
	for _, change := range changes {
		change(job)
	}
	return job
}

func podSpec() corev1.PodSpec {
	return corev1.PodSpec{
		RestartPolicy:  corev1.RestartPolicyNever,
		InitContainers: []corev1.Container{{Name: "init", Image: builders.Image}},
		Containers:     []corev1.Container{{Name: "test", Image: builders.Image}},
	}
}

// restrictedTest is a Test that the tenants' policy allows, changed.
func restrictedTest(namespace string, change func(*v1alpha1.TestSpec)) *v1alpha1.Test {
	test := builders.Test("suite", builders.TestSpec("true"))
	test.Namespace = namespace
	test.Spec.Template.Spec.Containers[0].Image = "registry.example.com/perl:5"
	change(&test.Spec)
	return test
}

func label(t *testing.T, namespace, key, value string) {
	t.Helper()
	object := &corev1.Namespace{}
	must(t, apiserver.Client.Get(t.Context(), client.ObjectKey{Name: namespace}, object))
	before := object.DeepCopy()
	object.Labels[key] = value
	must(t, apiserver.Client.Patch(t.Context(), object, client.MergeFrom(before)))
}
