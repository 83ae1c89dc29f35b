package e2e

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// Scripts of tests that are told to stop, and end as if all were well.
const (
	exitsWithZero = `trap 'echo told to stop; exit 0' TERM; echo begun; while :; do sleep 0.2; done`
	// allCasesPass reports that its cases passed, too.
	allCasesPass = `trap 'echo ok 1; exit 0' TERM; echo 1..1; while :; do sleep 0.2; done`
	// exitsByHook is told by a preStop hook, and never gets a signal.
	exitsByHook = `while ! test -e /tmp/stop; do sleep 0.2; done; exit 0`
)

// deceivers are tests that pass when they are told to stop.
func deceivers() map[string]v1alpha1.TestSpec {
	hooked := builders.TestSpec(exitsByHook)
	hooked.Template.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{
		Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "touch /tmp/stop; sleep 2"}},
	}}
	hooked.Template.Spec.TerminationGracePeriodSeconds = ptr.To[int64](10)
	return map[string]v1alpha1.TestSpec{
		"exits with 0":       builders.TestSpec(exitsWithZero),
		"all cases pass":     builders.TestSpec(allCasesPass),
		"without the runner": byExitCode(builders.TestSpec(exitsWithZero)),
		"by a hook":          hooked,
	}
}

func TestATestThatIsToldToStopHasNotPassedWhateverItsExitCode(t *testing.T) {
	t.Parallel()
	ways := map[string]struct {
		tell    func(w *world, run string)
		verdict v1alpha1.Verdict
		reason  string
	}{
		"evicted": {func(w *world, run string) {
			w.Must(w.Client.SubResource("eviction").Create(w.Ctx, w.waitForPod(run), &policyv1.Eviction{}))
		}, v1alpha1.VerdictError, v1alpha1.ReasonDisrupted},
		"deleted": {func(w *world, run string) {
			w.Must(w.Client.Delete(w.Ctx, w.waitForPod(run)))
		}, v1alpha1.VerdictError, v1alpha1.ReasonPodDeleted},
		"its Job suspended by hand": {func(w *world, run string) {
			w.suspend(run, true)
		}, v1alpha1.VerdictError, v1alpha1.ReasonDisrupted},
		"cancelled": {func(w *world, run string) { w.Cancel(run) }, v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled},
		"out of time": {func(*world, string) {
			// timeouts.run of each run does it
		}, v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout},
	}
	for way, test := range ways {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t)
			runs := map[string]string{}
			for kind, spec := range deceivers() {
				name := strings.ReplaceAll(kind, " ", "-")
				run := builders.TestRun(name).Running(spec).Once()
				if test.reason == v1alpha1.ReasonRunTimeout {
					run.RunTimeout(15 * time.Second)
				}
				w.Create(run.Build())
				runs[kind] = name
			}
			for _, name := range runs {
				w.WaitForInProgress(name)
			}
			for _, name := range runs {
				test.tell(w, name)
			}
			for _, name := range runs {
				w.WaitForFinished(name, test.verdict, test.reason)
			}
		})
	}
}

// suspend suspends or resumes the Job of the run's first attempt.
func (w *world) suspend(run string, suspended bool) {
	w.T.Helper()
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: run + "-1"}}
	before := job.DeepCopy()
	job.Spec.Suspend = &suspended
	w.Must(w.Client.Patch(w.Ctx, job, client.MergeFrom(before)))
}

// wantsSecret has the run's pod wait on its node for a Secret.
func wantsSecret(run *v1alpha1.TestRun, name string) {
	pod := &run.Spec.TestSpec.Template.Spec
	pod.Volumes = []corev1.Volume{{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}}}
	pod.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: name, MountPath: "/secret"}}
}

func TestARunWhoseJobIsSuspendedBeforeItsTestRanGoesOnWhenItIsResumed(t *testing.T) {
	w := newWorld(t)
	run := builders.TestRun("held").Build()
	wantsSecret(run, "late")
	w.Create(run)
	w.waitForNode("held")
	w.suspend("held", true)
	w.WaitFor("its pod is gone", func() bool { return len(w.pods("held")) == 0 })
	w.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "late"}})
	w.suspend("held", false)
	w.WaitForPassed("held")
	if attempts := w.Run("held").Status.Attempts; len(attempts) != 1 {
		t.Errorf("the attempts are %+v, want one", attempts)
	}
}

func TestAnEvictedTestThatExitsWithZeroGetsAnotherAttempt(t *testing.T) {
	w := newWorld(t)
	run := builders.TestRun("evicted").Running(builders.TestSpec(`test $TESTRUN_ATTEMPT = 2 && exit 0; `+exitsWithZero)).Retry(0, 1)
	run.Spec.Retry.Backoff.Base = &v1alpha1.Duration{Duration: time.Second}
	w.Create(run.Build())
	w.WaitForInProgress("evicted")
	w.Must(w.Client.SubResource("eviction").Create(w.Ctx, w.waitForPod("evicted"), &policyv1.Eviction{}))
	ended := w.WaitForFinished("evicted", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	if attempts := ended.Status.Attempts; len(attempts) != 2 || attempts[0].Reason != v1alpha1.ReasonDisrupted {
		t.Errorf("the attempts are %+v, want one that was Disrupted and another one", attempts)
	}
}

func TestATestThatAProbeOrAHookStopsIsStoppedAndTheMessageSaysWhy(t *testing.T) {
	w := newWorld(t)
	probed, hooked := builders.TestSpec(exitsWithZero), builders.TestSpec(exitsWithZero)
	no := corev1.ExecAction{Command: []string{"sh", "-c", "echo not well; exit 1"}}
	probed.Template.Spec.Containers[0].LivenessProbe = &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{Exec: &no}, FailureThreshold: 1, InitialDelaySeconds: 2, PeriodSeconds: 1,
	}
	hooked.Template.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PostStart: &corev1.LifecycleHandler{
		Exec: &corev1.ExecAction{Command: []string{"sh", "-c", "sleep 1; echo not well; exit 1"}},
	}}
	w.Create(builders.TestRun("probed").Running(probed).Once().Build())
	w.Create(builders.TestRun("hooked").Running(hooked).Once().Build())
	w.WaitForFinished("probed", v1alpha1.VerdictError, v1alpha1.ReasonStopped, "SIGTERM", "Liveness probe failed: not well")
	w.WaitForFinished("hooked", v1alpha1.VerdictError, v1alpha1.ReasonStopped, "SIGTERM", "PostStartHook")
}

func TestWhatATestDoesToItsOwnProcessesIsNoStop(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("child").Running(builders.TestSpec(`sleep 60 & kill $!; wait; exit 0`)).Build())
	w.Create(builders.TestRun("group").Running(builders.TestSpec(`trap 'exit 0' TERM; kill 0; wait`)).Build())
	w.WaitForPassed("child", "group")
}
