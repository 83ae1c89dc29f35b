package controller

import (
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/node"
	"github.com/testrun-dev/testrun/test/operator"
)

func TestWhatCannotStartIsPendingWithItsReasonAndThenAnErrorWithTheSame(t *testing.T) {
	tests := map[string]struct {
		reason  string
		quoted  string
		prepare func(w *world)
	}{
		"no node fits": {v1alpha1.ReasonUnschedulable, "0/3 nodes are available", func(w *world) {
			w.report(w.pod("stuck"), func(status *corev1.PodStatus) {
				node.SetCondition(status, corev1.PodScheduled, corev1.ConditionFalse, corev1.PodReasonUnschedulable, "0/3 nodes are available")
			})
		}},
		"the image cannot be pulled": {v1alpha1.ReasonImagePullFailed, "manifest unknown", func(w *world) {
			w.report(w.schedule("stuck"), func(status *corev1.PodStatus) {
				node.SetContainer(status, node.Waiting("ImagePullBackOff", "manifest unknown"))
			})
		}},
		"a ConfigMap is missing": {v1alpha1.ReasonContainerConfigError, `configmap "settings" not found`, func(w *world) {
			w.report(w.schedule("stuck"), func(status *corev1.PodStatus) {
				node.SetContainer(status, node.Waiting("CreateContainerConfigError", `configmap "settings" not found`))
			})
		}},
		"a volume's ConfigMap is missing": {v1alpha1.ReasonVolumeNotReady, `configmap "suite" not found`, func(w *world) {
			pod := w.schedule("stuck")
			w.report(pod, func(status *corev1.PodStatus) { node.SetContainer(status, node.Waiting("ContainerCreating", "")) })
			w.create(&corev1.Event{
				ObjectMeta:     metav1.ObjectMeta{GenerateName: "mount-"},
				InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
				Type:           corev1.EventTypeWarning, Reason: "FailedMount", Message: `configmap "suite" not found`, LastTimestamp: metav1.Now(),
			})
		}},
		"the quota is exhausted": {v1alpha1.ReasonQuotaExceeded, "exceeded quota: none", func(*world) {}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := withController(t)
			if test.reason == v1alpha1.ReasonQuotaExceeded {
				w.forbid(corev1.ResourcePods)
			}
			w.create(builders.TestRun("stuck").StartTimeout(8 * time.Second).Build())
			test.prepare(w)
			w.pendingWith("stuck", test.reason)
			run := w.finished("stuck", v1alpha1.VerdictError, test.reason)
			if message := conditions.Message(run); !strings.Contains(message, test.quoted) || !strings.Contains(message, "Not started within 8s") {
				t.Errorf("the message does not say so: %s", message)
			}
			w.stopsTrying("stuck")
			w.becomesOne("testrun_runs_finished_total", "Error")
			w.eventually("both events are written", func() bool { _, events := w.requests.split(); return events == 2 })
		})
	}
}

func TestANameThatNoImageCanHaveIsAnErrorAtOnce(t *testing.T) {
	w := withController(t)
	w.create(builders.TestRun("misnamed").Build())
	w.report(w.schedule("misnamed"), func(status *corev1.PodStatus) {
		node.SetContainer(status, node.Waiting("InvalidImageName", `Failed to apply default image tag "Perl:5 slim"`))
	})
	run := w.finished("misnamed", v1alpha1.VerdictError, v1alpha1.ReasonImagePullFailed)
	w.says(run, `Container test: Failed to apply default image tag "Perl:5 slim"`)
	w.stopsTrying("misnamed")
}

// The kubelet says of an image volume what it says of the container that has it.
func TestARunnerThatCannotBePulledIsTheInstallationsFault(t *testing.T) {
	w := withController(t)
	w.create(builders.TestRun("stuck").StartTimeout(8 * time.Second).Build())
	w.report(w.schedule("stuck"), func(status *corev1.PodStatus) {
		node.SetContainer(status, node.Waiting("ImagePullBackOff", fmt.Sprintf("Back-off pulling image %q", operator.RunnerImage)))
	})
	w.pendingWith("stuck", v1alpha1.ReasonRunnerImagePullFailed)
	w.finished("stuck", v1alpha1.VerdictError, v1alpha1.ReasonRunnerImagePullFailed)
	w.becomesOne("testrun_runner_image_pull_failures_total", "")
}

// forbid makes a quota that has no room for the resource, and waits until it is in force.
func (w *world) forbid(name corev1.ResourceName) *corev1.ResourceQuota {
	w.t.Helper()
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{name: resource.MustParse("0")}},
	}
	w.create(quota)
	w.eventually("the quota is in force", func() bool {
		w.must(w.client.Get(w.ctx, client.ObjectKeyFromObject(quota), quota))
		return len(quota.Status.Hard) > 0
	})
	return quota
}

// stopsTrying checks that a finished run cannot start any more: its pod is stopped, or its Job suspended.
func (w *world) stopsTrying(run string) {
	w.t.Helper()
	job := w.job(run)
	if ptr.Deref(job.Spec.Suspend, false) {
		return
	}
	pod := w.pod(run)
	if deadline := pod.Spec.ActiveDeadlineSeconds; deadline == nil || *deadline != 1 {
		w.t.Errorf("the Job is not suspended and the pod's activeDeadlineSeconds is %v", deadline)
	}
}

func TestAQuotaOfJobsIsWaitedForAndThenAnError(t *testing.T) {
	w := withController(t)
	quota := w.forbid("count/jobs.batch")
	w.create(builders.TestRun("refused").StartTimeout(4 * time.Second).Build())
	w.create(builders.TestRun("patient").Build())
	w.pendingWith("refused", v1alpha1.ReasonQuotaExceeded)
	run := w.finished("refused", v1alpha1.VerdictError, v1alpha1.ReasonQuotaExceeded)
	if !strings.Contains(conditions.Message(run), "exceeded quota: none") {
		t.Error(conditions.Message(run))
	}
	w.must(w.client.Delete(w.ctx, quota))
	w.execute("patient")
	w.inProgress("patient")
}

func TestARunWhoseJobIsRefusedKeepsItsPlace(t *testing.T) {
	w := newWorld(t)
	stop := w.startController()
	test := builders.Test("check", builders.TestSpec("true"))
	test.Spec.Queue = w.queue(oneAtATime)
	w.create(test)
	quota := w.forbid("count/jobs.batch")
	w.create(builders.TestRun("refused").Of("check").StartTimeout(15 * time.Second).Build())
	w.pendingWith("refused", v1alpha1.ReasonQuotaExceeded)
	w.create(builders.TestRun("next").Of("check").Build())
	w.says(w.pendingWith("next", v1alpha1.ReasonQueued), "1 of 1 runs run (maxRunning)")
	stop()
	w.startController()
	ended := w.finished("refused", v1alpha1.VerdictError, v1alpha1.ReasonQuotaExceeded).Status.FinishTime
	if tried := w.pendingWith("next", v1alpha1.ReasonQuotaExceeded).Status.Attempts[0].CreateTime; tried.Before(ended) {
		t.Errorf("the next one was tried at %s, before the end of the first one at %s", tried, ended)
	}
	w.must(w.client.Delete(w.ctx, quota))
	w.pass("next")
}

func TestTheKubeletEndsATestThatRunsTooLong(t *testing.T) {
	w := withController(t)
	w.create(builders.TestRun("slow").RunTimeout(90 * time.Second).Build())
	pod := w.execute("slow")
	if deadline := pod.Spec.ActiveDeadlineSeconds; deadline == nil || *deadline != 90 {
		t.Errorf("activeDeadlineSeconds is %v, want 90", deadline)
	}
	w.report(pod, func(status *corev1.PodStatus) {
		status.Reason = "DeadlineExceeded"
		status.StartTime = ptr.To(metav1.NewTime(time.Now().Add(-90 * time.Second)))
		node.SetExit(status, corev1.ContainerStateTerminated{ExitCode: 143})
	})
	run := w.finished("slow", v1alpha1.VerdictTimedOut, v1alpha1.ReasonRunTimeout)
	if !strings.Contains(conditions.Message(run), "1m30s") || *run.Status.Attempts[0].ExitCode != 143 {
		t.Errorf("%s, %+v", conditions.Message(run), run.Status.Attempts)
	}
}

func TestCancelEndsARunInEveryPhase(t *testing.T) {
	t.Run("when it was created cancelled there is never a Job", func(t *testing.T) {
		w := withController(t)
		w.create(builders.TestRun("run").Cancelled().Build())
		w.finished("run", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
		if len(w.jobs()) != 0 {
			t.Errorf("there are %d Jobs", len(w.jobs()))
		}
	})
	t.Run("while its pod has no node the Job is suspended", func(t *testing.T) {
		w := withController(t)
		w.create(builders.TestRun("run").Build())
		w.pod("run")
		w.cancel("run")
		w.finished("run", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
		w.stopsTrying("run")
		w.eventually("the Job controller takes the pod away", func() bool { return w.job("run").Status.Active == 0 })
	})
	t.Run("while its image is pulled it ends at once and the Job is suspended", func(t *testing.T) {
		w := withController(t)
		w.create(builders.TestRun("run").Build())
		w.schedule("run")
		w.cancel("run")
		w.finished("run", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
		if !ptr.Deref(w.job("run").Spec.Suspend, false) {
			t.Error("the Job is not suspended")
		}
	})
	t.Run("while init containers run it ends at once and the pod is stopped and kept", func(t *testing.T) {
		w := withController(t)
		w.create(builders.TestRun("run").Build())
		w.report(w.schedule("run"), func(status *corev1.PodStatus) {
			node.SetCondition(status, corev1.PodReadyToStartContainers, corev1.ConditionTrue, "", "")
			node.SetCondition(status, corev1.PodInitialized, corev1.ConditionFalse, "ContainersNotInitialized", "[prepare]")
		})
		w.cancel("run")
		w.finished("run", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
		if deadline := w.pod("run").Spec.ActiveDeadlineSeconds; deadline == nil || *deadline != 1 {
			t.Errorf("activeDeadlineSeconds is %v, want 1", deadline)
		}
	})
	t.Run("while the test runs the pod is stopped and waited for", func(t *testing.T) {
		w := withController(t)
		w.cancelRunning("run")
		w.stopsTrying("run")
		w.report(w.pod("run"), func(status *corev1.PodStatus) {
			status.Reason = "DeadlineExceeded"
			node.SetExit(status, corev1.ContainerStateTerminated{ExitCode: 143})
		})
		w.finished("run", v1alpha1.VerdictCancelled, v1alpha1.ReasonCancelled)
	})
	t.Run("when the test ends by itself first its own verdict counts", func(t *testing.T) {
		w := withController(t)
		w.cancelRunning("run")
		w.exit(w.pod("run"), corev1.ContainerStateTerminated{ExitCode: 0})
		w.finished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	})
	t.Run("when it has finished nothing changes", func(t *testing.T) {
		w := withController(t)
		w.create(builders.TestRun("run").Build())
		w.exit(w.execute("run"), corev1.ContainerStateTerminated{ExitCode: 0})
		w.finished("run", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
		w.cancel("run")
		run := w.runUntil("run", func(run *v1alpha1.TestRun) bool { return run.Status.ObservedGeneration == 2 })
		if run.Status.Verdict != v1alpha1.VerdictPassed {
			t.Errorf("the verdict is now %s", run.Status.Verdict)
		}
	})
}

// cancelRunning creates a run, and cancels it while its test runs.
func (w *world) cancelRunning(name string) {
	w.t.Helper()
	w.create(builders.TestRun(name).Build())
	w.execute(name)
	w.inProgress(name)
	w.cancel(name)
	w.runUntil(name, func(run *v1alpha1.TestRun) bool { return conditions.Reason(run) == v1alpha1.ReasonCancelling })
}

func TestAJobDeletedByHandIsAnErrorAndNeverMadeAgain(t *testing.T) {
	for _, phase := range []string{"before the status speaks of it", "while the test runs", "while no controller runs"} {
		t.Run(phase, func(t *testing.T) {
			w := newWorld(t)
			stop := w.startController()
			w.create(builders.TestRun("robbed").Build())
			job := w.job("robbed")
			if phase != "before the status speaks of it" {
				w.execute("robbed")
				w.inProgress("robbed")
			}
			if phase == "while no controller runs" {
				stop()
			}
			w.must(w.client.Delete(w.ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground)))
			if phase == "while no controller runs" {
				w.eventually("the Job is gone", func() bool {
					return apierrors.IsNotFound(w.client.Get(w.ctx, client.ObjectKeyFromObject(job), &batchv1.Job{}))
				})
				w.startController()
			}
			w.finished("robbed", v1alpha1.VerdictError, v1alpha1.ReasonJobDeleted)
			if len(w.jobs()) != 0 {
				t.Errorf("there are %d Jobs", len(w.jobs()))
			}
		})
	}
}

func TestAPodThatGoesAwayIsAnErrorAndNotAFailure(t *testing.T) {
	t.Run("deleted by hand", func(t *testing.T) {
		w := withController(t)
		w.create(builders.TestRun("run").Build())
		pod := w.execute("run")
		w.inProgress("run")
		w.must(w.client.Delete(w.ctx, pod))
		w.exit(w.pod("run"), corev1.ContainerStateTerminated{ExitCode: 143, FinishedAt: metav1.NewTime(time.Now().Add(time.Second))})
		w.finished("run", v1alpha1.VerdictError, v1alpha1.ReasonPodDeleted)
	})
	t.Run("deleted before it had a node", func(t *testing.T) {
		w := withController(t)
		w.create(builders.TestRun("run").Build())
		w.must(w.client.Delete(w.ctx, w.pod("run")))
		w.finished("run", v1alpha1.VerdictError, v1alpha1.ReasonPodDeleted)
	})
	t.Run("evicted", func(t *testing.T) {
		w := withController(t)
		w.create(builders.TestRun("run").Once().Build())
		pod := w.execute("run")
		w.report(pod, func(status *corev1.PodStatus) {
			node.SetCondition(status, corev1.DisruptionTarget, corev1.ConditionTrue, "EvictionByEvictionAPI", "node is drained")
			node.SetExit(status, corev1.ContainerStateTerminated{ExitCode: 143, FinishedAt: metav1.NewTime(time.Now().Add(time.Second))})
		})
		run := w.finished("run", v1alpha1.VerdictError, v1alpha1.ReasonDisrupted)
		if !strings.Contains(conditions.Message(run), "node is drained") {
			t.Error(conditions.Message(run))
		}
	})
	t.Run("rejected by the node", func(t *testing.T) {
		w := withController(t)
		w.create(builders.TestRun("run").Once().Build())
		w.report(w.schedule("run"), func(status *corev1.PodStatus) {
			status.Phase, status.Reason, status.Message = corev1.PodFailed, "OutOfcpu", "Node didn't have enough resource"
		})
		run := w.finished("run", v1alpha1.VerdictError, v1alpha1.ReasonPodRejected)
		if !strings.Contains(conditions.Message(run), "OutOfcpu: Node didn't have enough resource") {
			t.Error(conditions.Message(run))
		}
	})
}
