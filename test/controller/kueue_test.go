package controller

import (
	"context"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/operator"
)

// suspendLikeKueue has the API server suspend each Job that carries Kueue's label when it is created, as Kueue's webhook does.
func (w *world) suspendLikeKueue() {
	w.T.Helper()
	name := metav1.ObjectMeta{Name: w.Namespace}
	policy := &admissionregistrationv1.MutatingAdmissionPolicy{ObjectMeta: name, Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
		ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
		MatchConstraints: &admissionregistrationv1.MatchResources{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.Namespace}},
			ObjectSelector:    &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: v1alpha1.LabelKueueQueue, Operator: metav1.LabelSelectorOpExists}}},
			ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"batch"}, APIVersions: []string{"v1"}, Resources: []string{"jobs"}},
			}}},
		},
		Mutations: []admissionregistrationv1.Mutation{{
			PatchType: admissionregistrationv1.PatchTypeJSONPatch,
			JSONPatch: &admissionregistrationv1.JSONPatch{Expression: `[JSONPatch{op: "add", path: "/spec/suspend", value: true}]`},
		}},
	}}
	binding := &admissionregistrationv1.MutatingAdmissionPolicyBinding{ObjectMeta: name, Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name.Name}}
	for _, obj := range []client.Object{policy, binding} {
		w.Must(apiserver.Client.Create(w.Ctx, obj))
		w.T.Cleanup(func() { w.Must(apiserver.Client.Delete(context.Background(), obj)) })
	}
	w.WaitFor("Jobs are suspended", func() bool {
		probe := &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-", Namespace: w.Namespace, Labels: map[string]string{v1alpha1.LabelKueueQueue: "q"}},
			Spec:       batchv1.JobSpec{Template: builders.TestSpec("true").Template},
		}
		probe.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
		w.Must(w.Client.Create(w.Ctx, probe, client.DryRunAll))
		return ptr.Deref(probe.Spec.Suspend, false)
	})
}

// suspend does to the Job of an attempt what Kueue does when it admits (false) or preempts (true) it.
func (w *world) suspend(job string, suspended bool) {
	w.T.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(map[bool]string{true: `{"spec":{"suspend":true}}`, false: `{"spec":{"suspend":false}}`}[suspended]))
	w.Must(w.Client.Patch(w.Ctx, &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: job, Namespace: w.Namespace}}, patch))
}

// waitForDeletionOf waits until the pod is being deleted.
func (w *world) waitForDeletionOf(pod *corev1.Pod) {
	w.T.Helper()
	w.WaitFor("the pod is being deleted", func() bool {
		w.Must(w.Client.Get(w.Ctx, client.ObjectKeyFromObject(pod), pod))
		return !pod.DeletionTimestamp.IsZero()
	})
}

// viaKueue is a run whose Jobs Kueue admits.
func viaKueue(name string) *builders.TestRunBuilder {
	run := builders.TestRun(name).Retry(0, 1)
	run.Spec.TestSpec.Template.Labels = map[string]string{v1alpha1.LabelKueueQueue: "team-a"}
	return run
}

func TestARunWaitsForKueueAndItsTimeDoesNotCount(t *testing.T) {
	w := withController(t)
	w.suspendLikeKueue()
	w.Create(viaKueue("run").StartTimeout(8 * time.Second).Build())
	w.ExpectMessage(w.WaitForPending("run", v1alpha1.ReasonWaitingForKueue), "team-a")
	created := w.WaitForJob("run").CreationTimestamp
	w.WaitFor("timeouts.start would be over", func() bool { return time.Since(created.Time) > 10*time.Second })
	if run := w.WaitForPending("run", v1alpha1.ReasonWaitingForKueue); conditions.Of(run, v1alpha1.ConditionFinished).Status == metav1.ConditionTrue {
		t.Errorf("it has finished: %s", conditions.Message(run))
	}
	w.suspend("run-1", false)
	w.Pass("run")
}

func TestARunThatKueuePreemptsIsDisrupted(t *testing.T) {
	w := withController(t)
	w.suspendLikeKueue()
	w.Create(viaKueue("run").Build())
	w.suspend(w.WaitForJob("run").Name, false)
	pod := w.Execute("run")
	w.WaitForInProgress("run")
	w.suspend("run-1", true)
	w.waitForDeletionOf(pod)
	w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 143, FinishedAt: metav1.NewTime(time.Now().Add(2 * time.Second))})
	w.Must(client.IgnoreNotFound(w.Client.Delete(w.Ctx, pod, client.GracePeriodSeconds(0))))

	second := &batchv1.Job{}
	w.WaitFor("there is a second Job", func() bool {
		return w.Client.Get(w.Ctx, client.ObjectKey{Namespace: w.Namespace, Name: "run-2"}, second) == nil
	})
	w.suspend("run-1", false) // Kueue is not done with it, and must not run the test again
	w.suspend("run-2", false)
	w.Exit(w.Start(w.WaitForPodOf("run", "2")), corev1.ContainerStateTerminated{ExitCode: 0})
	run := w.WaitForFinished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if first := run.Status.Attempts[0]; first.Reason != v1alpha1.ReasonDisrupted || run.Status.Flaky != nil {
		t.Errorf("flaky is %v, the attempts are %+v", run.Status.Flaky, run.Status.Attempts)
	}
	pods := &corev1.PodList{}
	w.Must(w.Client.List(w.Ctx, pods, client.InNamespace(w.Namespace), client.MatchingLabels{v1alpha1.LabelAttempt: "1"}))
	if len(pods.Items) > 0 {
		t.Errorf("the first attempt has %d pods, want none again", len(pods.Items))
	}
}

func TestARunThatIsPreemptedBeforeItsTestRanWaitsOn(t *testing.T) {
	for name, isOnNode := range map[string]bool{"without a node": false, "on a node": true} {
		t.Run(name, func(t *testing.T) {
			w := withController(t)
			w.suspendLikeKueue()
			w.Create(viaKueue("run").Build())
			w.suspend(w.WaitForJob("run").Name, false)
			pod := w.WaitForPod("run")
			if isOnNode {
				pod = w.Schedule("run")
			}
			w.suspend("run-1", true)
			if isOnNode {
				w.waitForDeletionOf(pod)
				w.Report(pod, func(status *corev1.PodStatus) { status.Phase = corev1.PodFailed })
				w.Must(client.IgnoreNotFound(w.Client.Delete(w.Ctx, pod, client.GracePeriodSeconds(0))))
			}
			w.WaitForPending("run", v1alpha1.ReasonWaitingForKueue)
			w.suspend("run-1", false)
			w.Pass("run")
			if attempts := w.Run("run").Status.Attempts; len(attempts) != 1 {
				t.Errorf("the attempts are %+v, want one", attempts)
			}
		})
	}
}

// A second operator begins with a cache that shows no pod.
func TestAnAttemptEndsWithItsPodEvenIfTheCacheDoesNotShowIt(t *testing.T) {
	w := newWorld(t)
	stop := w.startController()
	before := builders.TestRun("run").Retry(0, 1).Build()
	w.Create(before)
	pod := w.Execute("run")
	w.WaitForInProgress("run")
	stop()

	w.adjustManager = func(options *ctrl.Options) {
		options.Cache = operator.Misled(options.Cache, func(kind string) string {
			return map[string]string{"Pod": before.ResourceVersion}[kind]
		}, func(kind string, events watch.Interface) watch.Interface {
			return watch.Filter(events, func(event watch.Event) (watch.Event, bool) { return event, kind != "Pod" })
		})
	}
	w.suspend("run-1", true)
	w.startController()
	w.WaitFor("the controller is at work", w.queues.IsOpen)
	w.waitForDeletionOf(pod)
	w.ExpectNever("the attempt ends before its pod", 3*time.Second, func() bool {
		return w.Run("run").Status.Attempts[0].FinishTime != nil
	})
}
