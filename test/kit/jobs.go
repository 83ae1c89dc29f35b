package kit

import (
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/runner"
	"github.com/testrun-dev/testrun/test/node"
)

// Jobs lists the Jobs of the namespace.
func (w *World) Jobs() []batchv1.Job {
	w.T.Helper()
	list := &batchv1.JobList{}
	w.Must(w.Client.List(w.Ctx, list, client.InNamespace(w.Namespace)))
	return list.Items
}

// ExpectJobs checks which runs have a Job.
func (w *World) ExpectJobs(runs ...string) {
	w.T.Helper()
	var have []string
	for _, job := range w.Jobs() {
		have = append(have, job.Labels[v1alpha1.LabelRun])
	}
	if strings.Join(have, " ") != strings.Join(runs, " ") {
		w.T.Errorf("the runs %q have Jobs, want %q", have, runs)
	}
}

// Forbid makes a quota that has no room for the resource, and waits until it is in force.
func (w *World) Forbid(name corev1.ResourceName) *corev1.ResourceQuota {
	w.T.Helper()
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{name: resource.MustParse("0")}},
	}
	w.Create(quota)
	w.WaitFor("the quota is in force", func() bool {
		w.Must(w.Client.Get(w.Ctx, client.ObjectKeyFromObject(quota), quota))
		return len(quota.Status.Hard) > 0
	})
	return quota
}

// WaitForJob waits for the Job of the run's first attempt.
func (w *World) WaitForJob(run string) *batchv1.Job {
	w.T.Helper()
	job := &batchv1.Job{}
	w.WaitFor("the Job of "+run+" exists", func() bool { return w.Client.Get(w.Ctx, w.Key(run+"-1"), job) == nil })
	return job
}

// WaitForNoJob waits until the run has no Job any more.
func (w *World) WaitForNoJob(run string) {
	w.T.Helper()
	w.WaitFor("the Job of "+run+" is gone", func() bool {
		for _, job := range w.Jobs() {
			if job.Labels[v1alpha1.LabelRun] == run {
				return false
			}
		}
		return true
	})
}

// WaitForPod waits for the pod that the Job controller makes for the run's first attempt.
func (w *World) WaitForPod(run string) *corev1.Pod {
	w.T.Helper()
	return w.WaitForPodOf(run, "1")
}

// WaitForPodOf waits for the pod that the Job controller makes for the attempt.
func (w *World) WaitForPodOf(run, attempt string) *corev1.Pod {
	w.T.Helper()
	pods := &corev1.PodList{}
	w.WaitFor("the pod of "+run+" exists", func() bool {
		w.Must(w.Client.List(w.Ctx, pods, client.InNamespace(w.Namespace),
			client.MatchingLabels{v1alpha1.LabelRun: run, v1alpha1.LabelAttempt: attempt}))
		return len(pods.Items) > 0
	})
	if len(pods.Items) > 1 {
		w.T.Fatalf("attempt %s of run %s has %d pods", attempt, run, len(pods.Items))
	}
	return &pods.Items[0]
}

// Schedule does what a scheduler would, when the run's first pod is there.
func (w *World) Schedule(run string) *corev1.Pod {
	w.T.Helper()
	pod := w.WaitForPod(run)
	w.Must(node.Bind(w.Ctx, w.Client, pod))
	return w.WaitForPod(run)
}

// Report does what a kubelet would: it writes the pod's status.
func (w *World) Report(pod *corev1.Pod, change func(*corev1.PodStatus)) {
	w.T.Helper()
	w.Must(node.Report(w.Ctx, w.Client, pod, change))
}

// Execute takes the run's first pod to a node, and starts its containers.
func (w *World) Execute(run string) *corev1.Pod {
	w.T.Helper()
	return w.Start(w.Schedule(run))
}

// Start starts the containers of the pod.
func (w *World) Start(pod *corev1.Pod) *corev1.Pod {
	w.T.Helper()
	w.Report(pod, node.SetRunning)
	return pod
}

// Exit ends the pod, whose test's container ended like that.
func (w *World) Exit(pod *corev1.Pod, end corev1.ContainerStateTerminated) {
	w.T.Helper()
	w.Report(pod, func(status *corev1.PodStatus) { node.SetExit(status, end) })
}

// Pass executes the run's test, which passes.
func (w *World) Pass(run string) {
	w.T.Helper()
	w.Exit(w.Execute(run), corev1.ContainerStateTerminated{ExitCode: 0})
	w.WaitForPassed(run)
}

// IdentityOf is what the runner tells the test of the pod about itself.
func (w *World) IdentityOf(pod *corev1.Pod) runner.Identity {
	w.T.Helper()
	options, err := runner.Parse(pod.Spec.Containers[0].Command[1:])
	if err != nil {
		w.T.Fatalf("the command of pod %s: %v", pod.Name, err)
	}
	return options.Identity
}
